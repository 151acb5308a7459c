//! What an owner tells a leg, and what comes of it.

use std::time::Duration;

use crate::leg::{Relay, Statistics};

use super::LegId;

/// Something that a leg is told to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Play prompts, by the names of their files.
    Play {
        /// The prompts, one after the other.
        prompts: Vec<String>,
        /// Until stopped.
        repeat: bool,
        /// A key stops it.
        stops_at_tone: bool,
    },
    /// Stop playing an operation, or everything.
    StopPlaying(Option<u64>),
    /// Send keys.
    SendTones(String),
    /// Say where received audio goes.
    Relay(Relay),
    /// Join another leg.
    Bridge(LegId),
    /// Record to files.
    Record {
        /// Path without ending.
        name: String,
        /// What the peer says.
        received: bool,
        /// What the leg says.
        sent: bool,
        /// Both in one file.
        mixed: bool,
        /// What confirmed that the call may be recorded; empty if nothing did.
        confirmed_by: String,
    },
    /// Record what the peer answers to prompts.
    RecordAnswer(AnswerOrder),
    /// Say what is heard of the peer.
    Listen {
        /// Speech and silence are told, or not any more.
        speech: bool,
        /// Keys are found in the sound also of a peer that can send them as events, until the leg ends.
        in_band: bool,
    },
    /// Stop recording an operation, or all that is recorded.
    StopRecording(Option<u64>),
    /// Give the figures.
    Statistics,
    /// End the leg.
    Close,
}

impl Order {
    /// Whether it is something to play, which [`Self::StopPlaying`] ends.
    pub(super) fn plays(&self) -> bool {
        matches!(self, Self::Play { .. } | Self::RecordAnswer(_))
    }

    /// Whether it waits for orders before it that still load their prompts. What ends them, or only looks, does not.
    pub(super) fn waits_its_turn(&self) -> bool {
        !matches!(self, Self::StopPlaying(_) | Self::Statistics | Self::Close)
    }
}

/// An answer that is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerOrder {
    /// Played before, by the names of their files.
    pub prompts: Vec<String>,
    /// And a beep.
    pub beep: bool,
    /// Stops what plays or waits first.
    pub barge_in: bool,
    /// So long nobody has begun to speak.
    pub first_silence: Duration,
    /// So long whoever spoke is silent.
    pub silence: Duration,
    /// It is so long.
    pub longest: Duration,
    /// One of these keys is pressed.
    pub stop_keys: String,
}

/// Why an order is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The leg has ended.
    Gone,
    /// The media thread is late.
    Busy,
    /// The codec threads have as much to do as they can.
    NoCodecs,
    /// It cannot be carried out.
    Invalid,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, or begun: what ends later is told by an event.
    Accepted,
    /// The figures.
    Statistics(Box<Statistics>),
    /// Refused.
    Refused(Reason, String),
}

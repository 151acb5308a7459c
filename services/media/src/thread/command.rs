//! What a media thread is told.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::oneshot;

use super::LegKey;
use super::bridge::Across;
use crate::codec::Codec;
use crate::codecs::{Ear, Mixing, NoCodecs, Voice};
use crate::ice::Credentials;
use crate::leg::{EndReason, Play, RecordAnswer, Relay, Statistics};
use crate::record::Tap;
use crate::sdp::Negotiated;
use crate::speech::SpeechChange;
use crate::tone::{Key, KeySound};

/// A leg that was opened: what its answer must say.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The leg.
    pub leg: LegKey,
    /// Our ICE credentials.
    pub credentials: Credentials,
    /// The source that we send as.
    pub source: u32,
    /// Where the peer reaches us.
    pub candidates: Vec<SocketAddr>,
}

/// Why no leg was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// As many legs as the thread may have.
    #[error("the media thread has as many legs as it may have")]
    Full,
    /// The thread is late, or its queue of commands is full.
    #[error("the media thread is busy")]
    Busy,
    /// No port of the range could be bound.
    #[error("no UDP port of the range is free")]
    NoPort,
}

/// Why a command for a leg was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegError {
    /// The leg has ended, or never was.
    #[error("there is no such leg")]
    Gone,
    /// The queue of commands is full.
    #[error("the media thread is busy")]
    Busy,
    /// The queue of the leg is full, a prompt is of another codec, or there is no prompt.
    #[error("the leg's queue is full, or the prompts are not for its codec")]
    NotPlayed,
    /// There is no such operation in the leg's queue.
    #[error("the leg does not play that")]
    NotPlaying,
    /// Nothing is recorded under that operation.
    #[error("the leg does not record that")]
    NotRecording,
    /// The peer did not offer telephone events, or too many wait.
    #[error("the peer takes no tones, or too many wait")]
    NoTones,
    /// A leg cannot be bridged with itself.
    #[error("a leg cannot be bridged with itself")]
    SameLeg,
    /// It needs a codec thread.
    #[error(transparent)]
    NoCodecs(#[from] NoCodecs),
}

pub(super) type Reply<T> = oneshot::Sender<Result<T, LegError>>;

/// A command, with where to answer.
pub(super) enum Command {
    Open {
        negotiated: Box<Negotiated>,
        reply: oneshot::Sender<Result<Opened, OpenError>>,
    },
    Relay {
        leg: LegKey,
        relay: Relay,
        reply: Reply<()>,
    },
    /// Two legs of this thread that speak one codec.
    Bridge {
        one: LegKey,
        other: LegKey,
        reply: Reply<()>,
    },
    Codec {
        leg: LegKey,
        reply: Reply<Codec>,
    },
    Across {
        leg: LegKey,
        across: Across,
        reply: Reply<()>,
    },
    Restart {
        leg: LegKey,
        peer_fragment: String,
        reply: Reply<Credentials>,
    },
    Statistics {
        leg: LegKey,
        reply: Reply<Statistics>,
    },
    Close {
        leg: LegKey,
        reason: EndReason,
        reply: Reply<()>,
    },
    Play {
        leg: LegKey,
        play: Play,
        reply: Reply<()>,
    },
    StopPlaying {
        leg: LegKey,
        operation: Option<u64>,
        reply: Reply<()>,
    },
    SendTones {
        leg: LegKey,
        operation: u64,
        keys: Vec<Key>,
        reply: Reply<()>,
    },
    Record {
        leg: LegKey,
        tap: Tap,
        reply: Reply<()>,
    },
    RecordMixed {
        leg: LegKey,
        mixing: Mixing,
        reply: Reply<()>,
    },
    StopRecording {
        leg: LegKey,
        operation: Option<u64>,
        reply: Reply<()>,
    },
    RecordAnswer {
        leg: LegKey,
        answer: RecordAnswer,
        barge_in: bool,
        reply: Reply<()>,
    },
    TellSpeech {
        leg: LegKey,
        is_told: bool,
        reply: Reply<()>,
    },
    HearsSpeech {
        leg: LegKey,
        reply: Reply<bool>,
    },
    SetEar {
        leg: LegKey,
        ear: Ear,
        reply: Reply<()>,
    },
    SetLive {
        leg: LegKey,
        ear: Ear,
        voice: Option<Voice>,
        reply: Reply<()>,
    },
    Speech {
        leg: LegKey,
        change: SpeechChange,
    },
    BeContinuous {
        leg: LegKey,
        reply: Reply<()>,
    },
    SetKeyEar {
        leg: LegKey,
        ear: Ear,
        reply: Reply<()>,
    },
    KeySound {
        leg: LegKey,
        sound: KeySound,
        /// When it was heard.
        at: Instant,
    },
    Stop,
}

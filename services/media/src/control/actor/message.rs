//! What an actor is told, and what it answers.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::live::FollowReply;
use crate::codec::Codec;
use crate::control::host::LegId;
use crate::control::{Numbered, Order, Outcome, RecordedFile};
use crate::leg::{EndReason, LegEvent};
use crate::record::Direction;
use crate::sdp::SdpError;
use crate::whip::SessionRefusal;

/// What was wished of a leg when it was opened.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Of its owner.
    pub epoch: u64,
    /// In the order in which they are preferred.
    pub codecs: Vec<Codec>,
    /// Entra tenant of the call, whose keys its recordings are encrypted with; empty for the operator's.
    pub tenant: String,
    /// A policy demands that the call is recorded: nothing of it may be kept before that was confirmed.
    pub is_compliance: bool,
    /// Speech and silence of the peer are told.
    pub tells_speech: bool,
    /// Its sound will be followed: room for its codecs is kept for it.
    pub is_live: bool,
    /// Nothing will be said on it live: its sound is heard alone.
    pub hears_only: bool,
    /// Silence is sent when there is nothing to say.
    pub is_continuous: bool,
    /// A leg that it will be bridged with: it gets the same thread, if that leg has a peer by then.
    pub near: Option<LegId>,
}

/// Why a peer's request is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum PeerRefusal {
    Session(SessionRefusal),
    Offer(SdpError),
    NoRoom,
}

impl From<SessionRefusal> for PeerRefusal {
    fn from(refusal: SessionRefusal) -> Self {
        Self::Session(refusal)
    }
}

/// An offer that was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) location: String,
    pub(crate) tag: String,
    pub(crate) answer: String,
}

/// A PATCH that was carried out.
#[derive(Debug)]
pub(crate) enum Patched {
    Restarted { tag: String, fragment: String },
    NothingToDo,
}

/// A command that was looked at.
#[derive(Debug)]
pub(crate) enum Verdict {
    Fenced(u64),
    Outcome(Outcome),
}

/// An owner that was attached.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) missed: Vec<Numbered>,
    pub(crate) events_lost: bool,
    pub(crate) has_peer: bool,
    pub(crate) last_operation: u64,
}

/// Where an owner hears of its legs.
pub(crate) type Listener = mpsc::Sender<(LegId, Numbered)>;

/// What an actor is told.
#[derive(Debug)]
pub(crate) enum Message {
    Post {
        bearer: String,
        offer: String,
        reply: oneshot::Sender<Result<Answered, PeerRefusal>>,
    },
    Patch {
        bearer: String,
        condition: Option<String>,
        fragment: String,
        reply: oneshot::Sender<Result<Patched, PeerRefusal>>,
    },
    Delete {
        bearer: String,
        reply: oneshot::Sender<Result<(), PeerRefusal>>,
    },
    Order {
        epoch: u64,
        operation: u64,
        order: Order,
        reply: oneshot::Sender<Verdict>,
    },
    Attach {
        epoch: u64,
        last_event: u64,
        listener: Listener,
        reply: oneshot::Sender<Result<Attached, u64>>,
    },
    /// An owner wants the sound.
    Follow {
        epoch: u64,
        reply: FollowReply,
    },
    /// The host ends the leg.
    End(EndReason),
    /// It will, within this time.
    EndsWithin(Duration),
    Event(LegEvent),
    RecordingEnded {
        operation: u64,
        direction: Direction,
        result: Result<RecordedFile, String>,
    },
    /// The recording of an answer is on the disk with that SHA-256, or `None`: it was given up.
    AnswerWritten {
        operation: u64,
        file: PathBuf,
        sha256: Option<String>,
    },
}

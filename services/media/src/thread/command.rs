//! What a media thread is told.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use super::LegKey;
use crate::ice::Credentials;
use crate::leg::{EndReason, Relay, Statistics};
use crate::sdp::Negotiated;

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
    /// Two legs that speak different codecs cannot be bridged: nothing is transcoded.
    #[error("the legs speak different codecs")]
    Codecs,
    /// A leg cannot be bridged with itself.
    #[error("a leg cannot be bridged with itself")]
    SameLeg,
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
    Bridge {
        one: LegKey,
        other: LegKey,
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
    Stop,
}

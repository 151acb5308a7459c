//! The connection to one worker, as the exchange sees it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::AHashMap;
use rand::rngs::SmallRng;
use trunkline_store::ShardId;

use super::message::{Loss, RequestId};
use super::timing::{self, LASTING, RECONNECT};

/// Why there is a connection to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The routes do not name it: a configured address, or a process that was found where another was expected. It is
    /// kept only while no worker of the routes can be reached.
    Seed,
    /// The routes name it.
    Named,
    /// The routes name it no more: it ends when nothing is outstanding there.
    Leaving,
}

/// One worker and the state of the stream to it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Host and port; a name is resolved anew by every attempt.
    pub(super) address: Arc<str>,
    pub(super) standing: Standing,
    /// The process run there: as the routes say it, or as its last welcome did.
    pub(super) incarnation: Option<u64>,
    /// The routes say that it leaves when it has no shards.
    pub(super) is_draining: bool,
    /// Of the last stream that was asked for; rises over all connections.
    pub(super) generation: u64,
    /// Version of the map that the worker was told last on this stream.
    pub(super) told_version: u64,
    pub(super) state: State,
    /// Attempts that failed, and streams that did not last, one after the other.
    failures: u32,
    /// Nobody listened at the last attempt, so the process that was there is dead.
    is_refused: bool,
    /// The last stream ended as agreed.
    has_parted: bool,
}

#[derive(Debug)]
pub(super) enum State {
    /// No stream; the next attempt is due at `retry_at`.
    Down { retry_at: Instant },
    /// Asked for, and not yet welcomed.
    Connecting { since: Instant },
    /// Welcomed.
    Up(Stream),
}

/// A stream that a worker has welcomed.
#[derive(Debug)]
pub(super) struct Stream {
    since: Instant,
    /// What both sides speak.
    pub(super) protocol: u32,
    /// Deliveries that may still be sent.
    pub(super) credits: u32,
    /// Deliveries that may be outstanding to be accepted without a turn.
    pub(super) shed_window: u32,
    /// Those that are.
    pub(super) sheds: BTreeSet<u64>,
    pub(super) next_seq: u64,
    /// Sent and not answered.
    pub(super) outstanding: AHashMap<u64, RequestId>,
    /// Shards that wait for a credit of this worker, the longest waiting first.
    pub(super) starving: VecDeque<ShardId>,
    pub(super) heard: Instant,
    pub(super) pinged: Instant,
    /// The newest map that the worker spoke of and that it was reminded to send.
    pub(super) asked_for: u64,
}

impl Stream {
    fn new(now: Instant, protocol: u32) -> Self {
        Self {
            since: now,
            protocol,
            credits: 0,
            shed_window: 0,
            sheds: BTreeSet::new(),
            next_seq: 1,
            outstanding: AHashMap::new(),
            starving: VecDeque::new(),
            heard: now,
            pinged: now,
            asked_for: 0,
        }
    }

    /// One more may be sent to be accepted without a turn.
    pub(super) fn has_room_for_shed(&self) -> bool {
        self.sheds.len() < self.shed_window as usize
    }

    /// Nothing more is expected for this sequence. Returns whose it was.
    pub(super) fn forget(&mut self, seq: u64) -> Option<RequestId> {
        if !self.sheds.is_empty() {
            self.sheds.remove(&seq);
        }
        self.outstanding.remove(&seq)
    }
}

impl Connection {
    pub(super) fn new(now: Instant, address: Arc<str>, standing: Standing, incarnation: Option<u64>) -> Self {
        Self {
            address,
            standing,
            incarnation,
            is_draining: false,
            generation: 0,
            told_version: 0,
            state: State::Down { retry_at: now },
            failures: 0,
            is_refused: false,
            has_parted: false,
        }
    }

    pub(super) fn is_named(&self) -> bool {
        self.standing == Standing::Named
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// It has no stream, and the last attempt to open one has failed.
    pub(super) fn is_unreachable(&self) -> bool {
        // One for a stream that broke, or for the attempt after which the next comes at once.
        !self.is_up() && self.failures > 1
    }

    /// Nothing that was sent there is without an answer.
    pub(super) fn is_idle(&self) -> bool {
        match &self.state {
            State::Up(stream) => stream.outstanding.is_empty(),
            State::Down { .. } | State::Connecting { .. } => true,
        }
    }

    /// The process that was there is known to be dead.
    pub(super) fn is_dead(&self) -> bool {
        !self.is_up() && self.is_refused
    }

    /// The worker has welcomed a stream.
    pub(super) fn go_up(&mut self, now: Instant, protocol: u32) {
        self.is_refused = false;
        self.has_parted = false;
        if !self.is_up() {
            self.state = State::Up(Stream::new(now, protocol));
        }
    }

    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.state {
            State::Up(stream) => Some(stream),
            State::Down { .. } | State::Connecting { .. } => None,
        }
    }

    /// Leaves whatever state it was in for the next attempt: at once after a stream that lasted, later and later with
    /// every failure. Returns the stream that was lost.
    pub(super) fn go_down(&mut self, now: Instant, loss: Loss, random: &mut SmallRng) -> Option<Stream> {
        if let State::Up(stream) = &self.state {
            self.has_parted = loss == Loss::Ended;
            if now.saturating_duration_since(stream.since) >= LASTING {
                self.failures = 0;
            }
        }
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => timing::back_off(RECONNECT, failures, random),
        };
        self.failures = self.failures.saturating_add(1);
        self.is_refused |= loss == Loss::Refused;
        let down = State::Down { retry_at: now + delay };
        match std::mem::replace(&mut self.state, down) {
            State::Up(stream) => Some(stream),
            State::Down { .. } | State::Connecting { .. } => None,
        }
    }

    /// Whether this loss says that the process may have died: it broke off without a word, or nobody listens there any
    /// more. To be asked before [`Connection::go_down`]. `has_stalled`: this thread did not keep its own part.
    pub(super) fn is_suspect_after(&self, loss: Loss, has_stalled: bool) -> bool {
        match loss {
            // A worker that was drained ends its streams before it goes; that nobody is there then is as agreed.
            Loss::Refused => !(self.is_draining && self.has_parted),
            Loss::Reset => self.is_up() && !has_stalled,
            Loss::Ended | Loss::Failed => false,
        }
    }
}

//! The stream to one worker, as the exchange sees it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ahash::AHashMap;
use rand::rngs::SmallRng;
use trunkline_store::ShardId;

use super::message::RequestId;
use super::timing::{self, RECONNECT};

/// One worker and the state of the stream to it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Counts the streams opened; events of an older one are ignored.
    pub(crate) generation: u64,
    pub(crate) state: State,
    /// Attempts that failed since the last welcome.
    pub(crate) failures: u32,
    /// Nobody listened at the last attempt, so the process that was there is dead.
    refused: bool,
}

#[derive(Debug)]
pub(crate) enum State {
    /// No stream; the next attempt is due at `retry_at`.
    Down { retry_at: Instant },
    /// Asked for, and not yet welcomed.
    Connecting { since: Instant },
    /// Welcomed.
    Up(Stream),
}

/// A stream that a worker has welcomed.
#[derive(Debug)]
pub(crate) struct Stream {
    /// The worker's process run.
    pub(crate) incarnation: u64,
    /// Deliveries that may still be sent.
    pub(crate) credits: u32,
    pub(crate) next_seq: u64,
    /// Sent and not answered.
    pub(crate) outstanding: AHashMap<u64, RequestId>,
    /// Shards that wait for a credit of this worker, the longest waiting first.
    pub(crate) starving: VecDeque<ShardId>,
    pub(crate) heard: Instant,
    pub(crate) pinged: Instant,
}

impl Stream {
    pub(crate) fn new(now: Instant, incarnation: u64) -> Self {
        Self {
            incarnation,
            credits: 0,
            next_seq: 1,
            outstanding: AHashMap::new(),
            starving: VecDeque::new(),
            heard: now,
            pinged: now,
        }
    }
}

impl Connection {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            generation: 0,
            state: State::Down { retry_at: now },
            failures: 0,
            refused: false,
        }
    }

    /// The worker has welcomed a stream.
    pub(crate) fn go_up(&mut self, now: Instant, incarnation: u64) {
        self.failures = 0;
        self.refused = false;
        if self.stream().is_none() {
            self.state = State::Up(Stream::new(now, incarnation));
        }
    }

    pub(crate) fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.state {
            State::Up(stream) => Some(stream),
            _ => None,
        }
    }

    /// Leaves whatever state it was in for the next attempt: at once after a stream that worked, later and later with
    /// every failure. Returns the stream that was lost.
    pub(crate) fn go_down(&mut self, now: Instant, refused: bool, random: &mut SmallRng) -> Option<Stream> {
        let delay = match self.failures {
            0 => Duration::ZERO,
            failures => timing::back_off(RECONNECT, failures, random),
        };
        self.failures = self.failures.saturating_add(1);
        self.refused |= refused;
        let down = State::Down { retry_at: now + delay };
        match std::mem::replace(&mut self.state, down) {
            State::Up(stream) => Some(stream),
            _ => None,
        }
    }

    /// Whether the process run `incarnation` at this address is known to be dead.
    pub(crate) fn has_buried(&self, incarnation: u64) -> bool {
        match &self.state {
            State::Up(stream) => stream.incarnation != incarnation,
            State::Down { .. } | State::Connecting { .. } => self.refused,
        }
    }
}

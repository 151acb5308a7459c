//! The order of one shard: what is at a worker, and what waits behind it.

use std::collections::VecDeque;
use std::time::Instant;

use super::connections::WorkerIndex;
use super::message::RequestId;

/// One shard's requests. Its requests are never outstanding at two workers.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Where the outstanding requests are; meaningless while there are none.
    pub(super) at: Option<WorkerIndex>,
    pub(super) outstanding: u32,
    /// One was handed back: nothing is sent before the others came back or were answered, so that all are resent in the
    /// order of their arrival.
    pub(super) settling: bool,
    /// Not sent, in order of arrival.
    pub(super) waiting: VecDeque<RequestId>,
    /// Hand-backs since the last answer.
    pub(super) moves: u32,
    /// Nothing is sent before.
    pub(super) not_before: Option<Instant>,
    /// The routes have named another owner while requests are outstanding at the old one.
    pub(super) away_since: Option<Instant>,
    /// In the queue for a credit of this worker.
    pub(super) starving_at: Option<WorkerIndex>,
}

impl Shard {
    /// The routes name `owner` now, which was not the owner before: nothing of what the old one said counts for it.
    pub(super) fn change_owner(&mut self, now: Instant, owner: Option<WorkerIndex>) {
        self.moves = 0;
        self.not_before = None;
        self.away_since = match self.at {
            Some(at) if owner != Some(at) => self.away_since.or(Some(now)),
            _ => None,
        };
    }

    /// Puts a request back to where its arrival belongs.
    pub(super) fn hand_back(&mut self, id: RequestId) {
        let place = self.waiting.partition_point(|waiting| *waiting < id);
        self.waiting.insert(place, id);
    }

    /// Takes a request out of those that wait.
    pub(super) fn forget(&mut self, id: RequestId) {
        if let Ok(place) = self.waiting.binary_search(&id) {
            self.waiting.remove(place);
        }
    }

    /// One outstanding request has ended or come back.
    pub(super) fn one_less_outstanding(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.outstanding == 0 {
            self.settling = false;
            self.at = None;
            self.away_since = None;
        }
    }
}

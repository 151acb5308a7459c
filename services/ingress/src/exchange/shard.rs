//! The order of one shard: what is at a worker, and what waits behind it.

use std::collections::VecDeque;
use std::time::Instant;

use super::message::RequestId;
use super::routes::WorkerIndex;

/// One shard's requests. Its requests are never outstanding at two workers.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    /// Where the outstanding requests are; meaningless while there are none.
    pub(crate) at: Option<WorkerIndex>,
    pub(crate) outstanding: u32,
    /// One was handed back: nothing is sent before the others came back or were answered, so that all are resent in the
    /// order of their arrival.
    pub(crate) settling: bool,
    /// Not sent, in order of arrival.
    pub(crate) waiting: VecDeque<RequestId>,
    /// Hand-backs since the last answer.
    pub(crate) moves: u32,
    /// Nothing is sent before.
    pub(crate) not_before: Option<Instant>,
    /// In the queue for a credit of this worker.
    pub(crate) starving_at: Option<WorkerIndex>,
}

impl Shard {
    /// Puts a request back to where its arrival belongs.
    pub(crate) fn hand_back(&mut self, id: RequestId) {
        let place = self.waiting.partition_point(|waiting| *waiting < id);
        self.waiting.insert(place, id);
    }

    /// Takes a request out of those that wait.
    pub(crate) fn forget(&mut self, id: RequestId) {
        if let Ok(place) = self.waiting.binary_search(&id) {
            self.waiting.remove(place);
        }
    }

    /// One outstanding request has ended or come back.
    pub(crate) fn one_less_outstanding(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.outstanding == 0 {
            self.settling = false;
            self.at = None;
        }
    }
}

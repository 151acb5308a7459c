//! Sending what waits, as far as order, routes, credits and delays allow.

use std::time::Instant;

use trunkline_store::ShardId;

use super::message::{Answer, Delivery, Outgoing, RequestId};
use super::routes::WorkerIndex;
use super::{Action, Exchange, Place};

impl<W> Exchange<W> {
    /// Sends what waits in every shard.
    pub(super) fn advance_all(&mut self, now: Instant) {
        for index in 0..self.shards.len() {
            if !self.shards[index].waiting.is_empty() {
                let shard = ShardId(u32::try_from(index).unwrap_or(u32::MAX));
                self.advance(now, shard, usize::MAX);
            }
        }
    }

    /// Spends the credits of a worker on those who wait for them, one of each shard in turn.
    pub(super) fn feed(&mut self, now: Instant, worker: WorkerIndex) {
        loop {
            let Some(stream) = self.connections[worker.0].stream() else {
                return;
            };
            if stream.credits == 0 {
                return;
            }
            let Some(shard) = stream.starving.pop_front() else {
                return;
            };
            let order = &mut self.shards[shard.0 as usize];
            if order.starving_at != Some(worker) {
                continue;
            }
            order.starving_at = None;
            let has_sent = self.advance(now, shard, 1);
            // The rest of this shard goes behind the others.
            let order = &mut self.shards[shard.0 as usize];
            let goes_on = has_sent && !order.waiting.is_empty() && order.starving_at.is_none();
            if goes_on && let Some(stream) = self.connections[worker.0].stream() {
                order.starving_at = Some(worker);
                stream.starving.push_back(shard);
            }
        }
    }

    /// Sends at most `most` of what waits in `shard`; `true` if it was that bound that ended it.
    pub(super) fn advance(&mut self, now: Instant, shard: ShardId, most: usize) -> bool {
        for _ in 0..most {
            let order = &mut self.shards[shard.0 as usize];
            let Some(id) = order.waiting.front().copied() else {
                return false;
            };
            if order.not_before.is_some_and(|at| now < at) {
                return false;
            }
            let Some(worker) = self.routes.owner(shard) else {
                self.wait_for_owner(shard);
                return false;
            };
            let is_behind_another = order.outstanding > 0 && (order.settling || order.at != Some(worker));
            if is_behind_another {
                return false;
            }
            if self.died_twice(id) {
                self.poison(now, id);
                continue;
            }
            let Some(stream) = self.connections[worker.0].stream() else {
                return false;
            };
            if stream.credits == 0 {
                self.starve(now, worker, shard);
                return false;
            }
            self.send_first(now, worker, shard);
        }
        true
    }

    /// Sends the first that waits; there is a credit.
    fn send_first(&mut self, now: Instant, worker: WorkerIndex, shard: ShardId) {
        let order = &mut self.shards[shard.0 as usize];
        let Some(id) = order.waiting.pop_front() else {
            return;
        };
        let (Some(live), Some(stream)) = (self.requests.get_mut(&id), self.connections[worker.0].stream()) else {
            return;
        };
        order.at = Some(worker);
        order.outstanding += 1;
        order.not_before = None;
        stream.credits -= 1;
        let seq = stream.next_seq;
        stream.next_seq += 1;
        stream.outstanding.insert(seq, id);
        live.place = Place::Outstanding { worker, seq };
        live.sendings += 1;
        self.tally.resends += u64::from(live.sendings > 1);
        let remaining = live.request.deadline.saturating_duration_since(now);
        let delivery = Delivery {
            seq,
            remaining_ms: u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX),
            head: live.request.head.clone(),
            activity: live.request.activity.clone(),
        };
        let outgoing = Outgoing::Deliver(delivery);
        self.actions.push_back(Action::Send { worker, outgoing });
    }

    /// Nobody serves the shard: what waits is held to its deadline.
    fn wait_for_owner(&mut self, shard: ShardId) {
        // From the youngest: those before it were marked when they came.
        for id in self.shards[shard.0 as usize].waiting.iter().rev() {
            match self.requests.get_mut(id) {
                Some(live) if !live.patient => live.patient = true,
                _ => break,
            }
        }
    }

    /// The worker has no place: the shard queues for one, and its impatient requests begin to count their time.
    fn starve(&mut self, now: Instant, worker: WorkerIndex, shard: ShardId) {
        let order = &mut self.shards[shard.0 as usize];
        if order.starving_at != Some(worker) {
            order.starving_at = Some(worker);
            if let Some(stream) = self.connections[worker.0].stream() {
                stream.starving.push_back(shard);
            }
        }
        // From the youngest: those before it were marked when they came.
        for id in order.waiting.iter().rev() {
            let Some(live) = self.requests.get_mut(id) else {
                continue;
            };
            if let Place::Waiting { starved_since } = &mut live.place {
                if starved_since.is_some() {
                    break;
                }
                *starved_since = Some(now);
                self.tally.credit_waits += 1;
            }
        }
    }

    /// Whether two processes died while this request was with them.
    fn died_twice(&self, id: RequestId) -> bool {
        self.requests.get(&id).is_some_and(|live| {
            let deaths = live
                .lost_at
                .iter()
                .filter(|(worker, incarnation)| self.connections[worker.0].has_buried(*incarnation));
            deaths.count() >= 2
        })
    }

    /// Gives up a request that may be what kills workers.
    fn poison(&mut self, now: Instant, id: RequestId) {
        self.tally.poisoned += 1;
        self.answer(id, Answer::Poisoned);
        self.abandon(now, id);
    }
}

//! Sending what waits, as far as order, routes, credits and delays allow.

use std::time::{Duration, Instant};

use trunkline_proto::routing::CALLS_SINCE;
use trunkline_store::ShardId;

use super::connection::Connection;
use super::connections::WorkerIndex;
use super::message::{Answer, Delivery, Outgoing, RequestId};
use super::{Exchange, Live, LostAt, Place};

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
            let Some(stream) = self.connections.stream(worker) else {
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
            if goes_on && let Some(stream) = self.connections.stream(worker) {
                order.starving_at = Some(worker);
                stream.starving.push_back(shard);
            }
        }
    }

    /// Sends at most `most` of what waits in `shard`; `true` if it was that bound that ended it.
    pub(super) fn advance(&mut self, now: Instant, shard: ShardId, most: usize) -> bool {
        for _ in 0..most {
            let Some(worker) = self.destination(now, shard) else {
                return false;
            };
            let Some(stream) = self.connections.stream(worker) else {
                return false;
            };
            if stream.credits == 0 {
                self.starve(now, worker, shard);
                return false;
            }
            stream.credits -= 1;
            self.send_first(now, worker, shard, false);
        }
        true
    }

    /// Sends a request that waited too long for a place to be accepted without one. Like everything else it keeps the
    /// order of its shard. `false` if that is not possible.
    pub(super) fn shed(&mut self, now: Instant, id: RequestId) -> bool {
        let Some(live) = self.requests.get(&id).filter(|live| live.request.is_deferrable) else {
            return false;
        };
        let shard = live.request.shard;
        let Some(worker) = self.destination(now, shard) else {
            return false;
        };
        let is_first = self.shards[shard.0 as usize].waiting.front() == Some(&id);
        let stream = self.connections.stream(worker);
        if !is_first || !stream.is_some_and(|stream| stream.has_room_for_shed()) {
            return false;
        }
        self.tally.sheds += 1;
        self.send_first(now, worker, shard, true);
        true
    }

    /// The connected worker that may be sent the first that waits in `shard`, as far as order, routes and delays go.
    fn destination(&mut self, now: Instant, shard: ShardId) -> Option<WorkerIndex> {
        loop {
            let order = &mut self.shards[shard.0 as usize];
            let id = order.waiting.front().copied()?;
            if order.not_before.is_some_and(|at| now < at) {
                return None;
            }
            let owner = self.routes.owner(shard);
            let Some(worker) = owner.filter(|worker| self.connections.stream(*worker).is_some()) else {
                self.wait_for_owner(shard);
                return None;
            };
            let order = &self.shards[shard.0 as usize];
            let is_behind_another = order.outstanding > 0 && (order.settling || order.at != Some(worker));
            if is_behind_another {
                return None;
            }
            if !self.gave_up_as_unspoken(now, id, worker) && !self.gave_up_as_poison(now, id) {
                return Some(worker);
            }
        }
    }

    /// Sends the first that waits; its credit is taken.
    fn send_first(&mut self, now: Instant, worker: WorkerIndex, shard: ShardId, is_shed: bool) {
        let order = &mut self.shards[shard.0 as usize];
        let Some(id) = order.waiting.pop_front() else {
            return;
        };
        let deaths = self.gone_with(id).count();
        let order = &mut self.shards[shard.0 as usize];
        let (Some(live), Some(stream)) = (self.requests.get_mut(&id), self.connections.stream(worker)) else {
            return;
        };
        order.at = Some(worker);
        order.outstanding += 1;
        order.not_before = None;
        let seq = stream.next_seq;
        stream.next_seq += 1;
        stream.outstanding.insert(seq, id);
        if is_shed {
            stream.sheds.insert(seq);
        }
        live.place = Place::Outstanding { worker, seq };
        live.sendings += 1;
        self.tally.resends += u64::from(live.sendings > 1);
        let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let remaining = live.request.deadline.saturating_duration_since(now);
        let notified_at = live.request.notified_at;
        let delivery = Delivery {
            seq,
            remaining_ms: milliseconds(remaining),
            head: live.request.head.clone(),
            activity: live.request.activity.clone(),
            is_shed,
            deaths: u32::try_from(deaths).unwrap_or(u32::MAX),
            age_ms: notified_at.map_or(0, |at| milliseconds(now.saturating_duration_since(at))),
        };
        self.send(worker, Outgoing::Deliver(delivery));
    }

    /// Nobody that can be reached serves the shard: what waits is held to its deadline.
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
            if let Some(stream) = self.connections.stream(worker) {
                stream.starving.push_back(shard);
            }
        }
        // The youngest were not marked yet, nor the oldest if they were handed back; those between them were.
        let mut mark = |id: &RequestId| {
            let place = self.requests.get_mut(id).map(|live| &mut live.place);
            let Some(Place::Waiting {
                starved_since: since @ None,
            }) = place
            else {
                return false;
            };
            *since = Some(now);
            self.tally.credit_waits += 1;
            true
        };
        if order.waiting.iter().rev().take_while(|id| mark(id)).count() < order.waiting.len() {
            order.waiting.iter().take_while(|id| mark(id)).for_each(drop);
        }
    }

    /// Gives up the notification of a call that its worker would take for something else. Waiting would help only if the
    /// shard moved within the caller's few seconds, and would hold up whatever came behind it.
    fn gave_up_as_unspoken(&mut self, now: Instant, id: RequestId, worker: WorkerIndex) -> bool {
        let speaks = self.connections.stream(worker).map_or(0, |stream| stream.protocol);
        let is_call = |live: &Live<W>| live.request.notified_at.is_some();
        if speaks >= CALLS_SINCE || !self.requests.get(&id).is_some_and(is_call) {
            return false;
        }
        self.answer(id, Answer::Unspoken);
        self.abandon(now, id);
        true
    }

    /// Gives up a request that may be what kills workers: two processes died while it was with them. A lease that is over
    /// proves no death; for those the worker is told, and takes care on its side.
    fn gave_up_as_poison(&mut self, now: Instant, id: RequestId) -> bool {
        let has_died = |lost: &LostAt| lost.broke_off || self.connections.to(lost.incarnation).is_some();
        let dead = self.gone_with(id).filter(has_died);
        let workers: Vec<u64> = dead.map(|lost| lost.incarnation).collect();
        if workers.len() < 2 {
            return false;
        }
        self.tally.poisoned += 1;
        self.answer(id, Answer::Poisoned { workers });
        self.abandon(now, id);
        true
    }

    /// The process runs that this request was lost with and that are no more: nobody listens there, another run is in their
    /// place, or the routes name them no longer.
    fn gone_with(&self, id: RequestId) -> impl Iterator<Item = LostAt> {
        let lost_at = self.requests.get(&id).map_or(&[][..], |live| &live.lost_at);
        let is_gone = |lost: &LostAt| self.connections.to(lost.incarnation).is_none_or(Connection::is_dead);
        lost_at.iter().copied().filter(is_gone)
    }
}

//! What the passing of time changes: streams that are due, silent or dead, and requests that waited long enough.

use std::time::Instant;

use trunkline_store::ShardId;

use super::connection::{Standing, State};
use super::connections::WorkerIndex;
use super::message::{Action, Answer, Loss, Outgoing, RequestId};
use super::timing::{ABANDONED, AFTER_STALL, CONNECT, CREDIT_HOLD, DEAD, SILENCE, STALL, TAKEN_OVER};
use super::{Exchange, Live, Place};

/// The requests whose time for something has come, each list in order of arrival.
#[derive(Debug, Default)]
struct Due {
    expired: Vec<RequestId>,
    starved: Vec<RequestId>,
    forgotten: Vec<RequestId>,
    taken_over: Vec<RequestId>,
    /// Shards whose delay is over.
    shards: Vec<ShardId>,
}

impl<W> Exchange<W> {
    /// Time has passed: to be called every [`super::TICK`].
    pub fn tick(&mut self, now: Instant) {
        let stalled = now.saturating_duration_since(self.last_tick) > STALL;
        self.last_tick = now;
        if stalled {
            self.stalled_at = Some(now);
        }
        for worker in self.connections.indices() {
            if stalled && let Some(stream) = self.connections.stream(worker) {
                stream.heard = now;
            }
            self.tick_connection(now, worker);
        }
        self.mind_seeds(now);
        self.tick_requests(now);
    }

    /// Whether this thread was stopped a moment ago, so that workers had reason to give it up.
    pub(super) fn has_stalled(&self, now: Instant) -> bool {
        let since = |then: Instant| now.saturating_duration_since(then);
        since(self.last_tick) > STALL || self.stalled_at.is_some_and(|at| since(at) < AFTER_STALL)
    }

    pub(super) fn tick_connection(&mut self, now: Instant, worker: WorkerIndex) {
        let Some(connection) = self.connections.get_mut(worker) else {
            return;
        };
        if connection.standing == Standing::Leaving && connection.is_idle() {
            self.drop_connection(worker);
            return;
        }
        match &mut connection.state {
            State::Down { retry_at } if *retry_at <= now => {
                self.next_generation += 1;
                connection.generation = self.next_generation;
                connection.told_version = self.routes.version();
                connection.state = State::Connecting { since: now };
                self.actions.push_back(Action::Connect {
                    worker,
                    generation: connection.generation,
                    address: connection.address.clone(),
                    map_version: connection.told_version,
                });
            }
            State::Connecting { since } if now.saturating_duration_since(*since) >= CONNECT => {
                self.actions.push_back(Action::Close { worker });
                self.take_down(now, worker, Loss::Failed);
            }
            State::Up(stream) => {
                let silence = now.saturating_duration_since(stream.heard);
                if silence >= DEAD {
                    self.actions.push_back(Action::Close { worker });
                    self.take_down(now, worker, Loss::Failed);
                } else if silence >= SILENCE && now.saturating_duration_since(stream.pinged) >= SILENCE {
                    stream.pinged = now;
                    self.send(worker, Outgoing::Ping);
                }
            }
            State::Down { .. } | State::Connecting { .. } => {}
        }
    }

    fn tick_requests(&mut self, now: Instant) {
        let due = self.find_due(now);
        for id in due.expired {
            self.answer(id, Answer::Expired);
            self.abandon(now, id);
        }
        for id in due.taken_over {
            self.take_back(id);
        }
        for id in due.starved {
            let is_patient = self.requests.get(&id).is_none_or(|live| live.patient);
            if !self.shed(now, id) && !is_patient {
                self.answer(id, Answer::NoCredit);
                self.abandon(now, id);
            }
        }
        for id in due.forgotten {
            self.forget_abandoned(now, id);
        }
        for shard in due.shards {
            self.advance(now, shard, usize::MAX);
        }
    }

    fn find_due(&self, now: Instant) -> Due {
        let mut due = Due::default();
        let waited = |since: Instant, bound| now.saturating_duration_since(since) >= bound;
        for (id, live) in &self.requests {
            let shard = live.request.shard;
            let order = &self.shards[shard.0 as usize];
            if live.waiter.is_some() && live.request.deadline <= now {
                due.expired.push(*id);
                continue;
            }
            if !matches!(live.place, Place::Waiting { .. }) && self.is_taken_over(now, live) {
                due.taken_over.push(*id);
                due.shards.push(shard);
                continue;
            }
            match live.place {
                Place::Waiting { starved_since } if starved_since.is_some_and(|since| waited(since, CREDIT_HOLD)) => {
                    due.starved.push(*id);
                }
                Place::Waiting { .. } if order.not_before.is_some_and(|at| at <= now) => due.shards.push(shard),
                Place::Abandoned { since, .. } if waited(since, ABANDONED) => due.forgotten.push(*id),
                Place::Waiting { .. } | Place::Outstanding { .. } | Place::Abandoned { .. } => {}
            }
        }
        // The table of requests has no order; what happens must have one.
        for list in [
            &mut due.expired,
            &mut due.starved,
            &mut due.forgotten,
            &mut due.taken_over,
        ] {
            list.sort_unstable();
        }
        due.shards.sort_unstable();
        due.shards.dedup();
        due
    }

    /// Whether the worker that this is outstanding at lost the shard so long ago that another serves it.
    fn is_taken_over(&self, now: Instant, live: &Live<W>) -> bool {
        let order = &self.shards[live.request.shard.0 as usize];
        order
            .away_since
            .is_some_and(|since| now.saturating_duration_since(since) >= TAKEN_OVER)
    }
}

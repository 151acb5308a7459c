//! What the passing of time changes: streams that are due, silent or dead, and requests that waited long enough.

use std::time::Instant;

use super::connection::State;
use super::message::{Action, Answer, Loss, Outgoing};
use super::routes::WorkerIndex;
use super::timing::{ABANDONED, CONNECT, CREDIT_HOLD, DEAD, SILENCE, STALL};
use super::{Exchange, Place};

impl<W> Exchange<W> {
    /// Time has passed: to be called every [`timing::TICK`].
    pub(crate) fn tick(&mut self, now: Instant) {
        let stalled = now.saturating_duration_since(self.last_tick) > STALL;
        self.last_tick = now;
        for worker in (0..self.connections.len()).map(WorkerIndex) {
            if stalled && let Some(stream) = self.connections[worker.0].stream() {
                stream.heard = now;
            }
            self.tick_connection(now, worker);
        }
        self.tick_requests(now);
    }

    pub(super) fn tick_connection(&mut self, now: Instant, worker: WorkerIndex) {
        let connection = &mut self.connections[worker.0];
        match &mut connection.state {
            State::Down { retry_at } if *retry_at <= now => {
                connection.generation += 1;
                connection.state = State::Connecting { since: now };
                let generation = connection.generation;
                self.actions.push_back(Action::Connect { worker, generation });
            }
            State::Connecting { since } if now.saturating_duration_since(*since) >= CONNECT => {
                self.actions.push_back(Action::Close { worker });
                self.take_down(now, worker, Loss::Broken);
            }
            State::Up(stream) => {
                let silence = now.saturating_duration_since(stream.heard);
                if silence >= DEAD {
                    self.actions.push_back(Action::Close { worker });
                    self.take_down(now, worker, Loss::Broken);
                } else if silence >= SILENCE && now.saturating_duration_since(stream.pinged) >= SILENCE {
                    stream.pinged = now;
                    self.send(worker, Outgoing::Ping);
                }
            }
            State::Down { .. } | State::Connecting { .. } => {}
        }
    }

    fn tick_requests(&mut self, now: Instant) {
        let mut expired = Vec::new();
        let mut shed = Vec::new();
        let mut forgotten = Vec::new();
        let mut due = Vec::new();
        for (id, live) in &self.requests {
            if live.waiter.is_some() && live.request.deadline <= now {
                expired.push(*id);
                continue;
            }
            match live.place {
                Place::Waiting { starved_since } => {
                    let starved =
                        starved_since.is_some_and(|since| now.saturating_duration_since(since) >= CREDIT_HOLD);
                    if starved && !live.patient {
                        shed.push(*id);
                    } else if self.shards[live.request.shard.0 as usize]
                        .not_before
                        .is_some_and(|at| at <= now)
                    {
                        due.push(live.request.shard);
                    }
                }
                Place::Abandoned { since, .. } if now.saturating_duration_since(since) >= ABANDONED => {
                    forgotten.push(*id);
                }
                Place::Outstanding { .. } | Place::Abandoned { .. } => {}
            }
        }
        for id in expired {
            self.answer(id, Answer::Expired);
            self.abandon(now, id);
        }
        for id in shed {
            self.answer(id, Answer::NoCredit);
            self.abandon(now, id);
        }
        for id in forgotten {
            self.forget_abandoned(now, id);
        }
        for shard in due {
            self.advance(now, shard, usize::MAX);
        }
    }
}

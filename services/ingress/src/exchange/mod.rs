//! The exchange of one ingress thread with its workers, as a value: events and a time go in, actions come out.
//!
//! It decides where a request goes, in which order, when it is sent again and when it is given up. It owns no socket, task
//! or clock; `crate::stream` does, and decides nothing.
//!
//! What it promises (design: "Between ingress and worker"): requests of one shard are outstanding at one worker only. New
//! ones wait behind them until the old owner has answered, handed back, or is gone. What was handed back is sent again in
//! the order of arrival: at once the first time, then with growing, jittered delays, until the caller's deadline.

mod clock;
mod connection;
mod dispatch;
mod message;
mod routes;
mod shard;
#[cfg(test)]
mod tests;
pub(crate) mod timing;

use std::collections::VecDeque;
use std::time::Instant;

use ahash::AHashMap;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Outcome, PROTOCOL, ToIngress, Welcome};
use trunkline_store::ShardId;

use connection::{Connection, State};
pub(crate) use message::{Action, Answer, Delivery, Loss, Mismatch, Outgoing, Request, RequestId, Tally};
pub(crate) use routes::WorkerIndex;
use routes::{Claim, Routes};
use shard::Shard;

/// All requests of one ingress thread. `W` is what waits for an answer.
#[derive(Debug)]
pub(crate) struct Exchange<W> {
    routes: Routes,
    connections: Vec<Connection>,
    shards: Vec<Shard>,
    requests: AHashMap<RequestId, Live<W>>,
    next_request: u64,
    actions: VecDeque<Action<W>>,
    tally: Tally,
    random: SmallRng,
    last_tick: Instant,
}

/// A request that has not ended.
#[derive(Debug)]
struct Live<W> {
    request: Request,
    /// Nobody, once the caller has gone or was answered: then only the order of its shard still counts it.
    waiter: Option<W>,
    place: Place,
    sendings: u32,
    /// Held for its worker, not shed for want of a credit: it was sent before, or came while nobody served its shard.
    patient: bool,
    /// Process runs that it was outstanding at when their stream broke.
    lost_at: Vec<(WorkerIndex, u64)>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Waiting {
        starved_since: Option<Instant>,
    },
    Outstanding {
        worker: WorkerIndex,
        seq: u64,
    },
    /// Outstanding, but nobody waits for it since.
    Abandoned {
        worker: WorkerIndex,
        seq: u64,
        since: Instant,
    },
}

impl<W> Exchange<W> {
    pub(crate) fn new(now: Instant, shards: u32, workers: usize, seed: u64) -> Self {
        Self {
            routes: Routes::new(shards, workers),
            connections: (0..workers).map(|_| Connection::new(now)).collect(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            requests: AHashMap::new(),
            next_request: 0,
            actions: VecDeque::new(),
            tally: Tally::default(),
            random: SmallRng::seed_from_u64(seed),
            last_tick: now,
        }
    }

    /// What the shell must do next; asked until there is nothing left after each event.
    pub(crate) fn next_action(&mut self) -> Option<Action<W>> {
        self.actions.pop_front()
    }

    /// What was counted since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Takes a request; its waiter gets exactly one answer, unless it is cancelled.
    pub(crate) fn submit(&mut self, now: Instant, request: Request, waiter: W) -> RequestId {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        let shard = request.shard;
        let live = Live {
            request,
            waiter: Some(waiter),
            place: Place::Waiting { starved_since: None },
            sendings: 0,
            patient: false,
            lost_at: Vec::new(),
        };
        self.requests.insert(id, live);
        self.shards[shard.0 as usize].waiting.push_back(id);
        self.advance(now, shard, usize::MAX);
        id
    }

    /// The caller has gone.
    pub(crate) fn cancel(&mut self, now: Instant, id: RequestId) {
        if let Some(live) = self.requests.get_mut(&id) {
            live.waiter = None;
            self.abandon(now, id);
        }
    }

    /// A worker has welcomed the stream.
    pub(crate) fn welcomed(
        &mut self,
        now: Instant,
        worker: WorkerIndex,
        generation: u64,
        welcome: &Welcome,
    ) -> Result<(), Mismatch> {
        if !self.is_current(worker, generation) {
            return Ok(());
        }
        let shards = u32::try_from(self.shards.len()).unwrap_or(u32::MAX);
        if welcome.protocol != PROTOCOL {
            return Err(Mismatch::Protocol {
                ours: PROTOCOL,
                theirs: welcome.protocol,
            });
        }
        if welcome.shards != shards {
            return Err(Mismatch::Shards {
                ours: shards,
                theirs: welcome.shards,
            });
        }
        self.connections[worker.0].go_up(now, welcome.incarnation);
        let claims = welcome.serves.iter().map(|range| Claim {
            first: range.first,
            last: range.last,
        });
        self.routes.claimed(worker, claims.collect());
        self.advance_all(now);
        Ok(())
    }

    /// A frame has come. The first of a stream holds a welcome and opens it.
    pub(crate) fn frame(
        &mut self,
        now: Instant,
        worker: WorkerIndex,
        generation: u64,
        frame: ToIngress,
    ) -> Result<(), Mismatch> {
        if !self.is_current(worker, generation) {
            return Ok(());
        }
        if let Some(welcome) = &frame.welcome {
            self.welcomed(now, worker, generation, welcome)?;
        }
        let Some(stream) = self.connections[worker.0].stream() else {
            return Ok(());
        };
        stream.heard = now;
        stream.credits = stream.credits.saturating_add(frame.credits);
        if frame.ping {
            self.send(worker, Outgoing::Pong);
        }
        for outcome in frame.outcome {
            self.ended(now, worker, outcome);
        }
        for shard in frame.released {
            self.routes.released(worker, ShardId(shard));
            if (shard as usize) < self.shards.len() {
                self.advance(now, ShardId(shard), usize::MAX);
            }
        }
        self.feed(now, worker);
        Ok(())
    }

    /// A stream has ended, or could not be opened.
    pub(crate) fn lost(&mut self, now: Instant, worker: WorkerIndex, generation: u64, loss: Loss) {
        if self.is_current(worker, generation) {
            self.take_down(now, worker, loss);
        }
    }

    fn is_current(&self, worker: WorkerIndex, generation: u64) -> bool {
        let connection = &self.connections[worker.0];
        connection.generation == generation && !matches!(connection.state, State::Down { .. })
    }

    /// One outcome of a worker.
    fn ended(&mut self, now: Instant, worker: WorkerIndex, outcome: Outcome) {
        let Some(stream) = self.connections[worker.0].stream() else {
            return;
        };
        let Some(id) = stream.outstanding.remove(&outcome.seq) else {
            return;
        };
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        let shard = live.request.shard;
        let answer = match outcome.result {
            Some(Ended::Done(done)) => Answer::Done {
                status: done.status,
                body: done.body,
            },
            Some(Ended::Repeated(repeated)) => Answer::Repeated {
                status: repeated.status,
                body: repeated.body,
            },
            Some(Ended::Accepted(_)) => Answer::Accepted,
            Some(Ended::Refused(refused)) => Answer::Refused {
                reason: refused.reason(),
                retry_after_ms: refused.retry_after_ms,
            },
            // An outcome of a kind that this build does not know cannot be an answer; whoever owns the shard decides.
            Some(Ended::Moved(_)) | None => {
                self.handed_back(now, worker, id);
                return;
            }
        };
        self.answer(id, answer);
        self.requests.remove(&id);
        let order = &mut self.shards[shard.0 as usize];
        order.moves = 0;
        order.not_before = None;
        order.one_less_outstanding();
        if !order.waiting.is_empty() {
            self.advance(now, shard, usize::MAX);
        }
    }

    /// The worker does not own the shard.
    fn handed_back(&mut self, now: Instant, worker: WorkerIndex, id: RequestId) {
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        let shard = live.request.shard;
        let is_wanted = live.waiter.is_some();
        if is_wanted {
            live.place = Place::Waiting { starved_since: None };
            live.patient = true;
        } else {
            self.requests.remove(&id);
        }
        let order = &mut self.shards[shard.0 as usize];
        if is_wanted {
            order.hand_back(id);
        }
        if !order.settling {
            // The first of those that come back together: they are one move.
            order.settling = true;
            order.moves += 1;
            if order.moves > 1 {
                let delay = timing::back_off(timing::RESEND, order.moves - 1, &mut self.random);
                order.not_before = Some(now + delay);
            }
        }
        order.one_less_outstanding();
        self.routes.moved(worker, shard);
        self.advance(now, shard, usize::MAX);
    }

    /// The stream of `worker` is gone: what was outstanding there waits for whoever serves the shard next.
    fn take_down(&mut self, now: Instant, worker: WorkerIndex, loss: Loss) {
        let connection = &mut self.connections[worker.0];
        let broken = connection.go_down(now, loss == Loss::Refused, &mut self.random);
        self.routes.disconnected(worker);
        // The first attempt after a stream that worked is made at once.
        self.tick_connection(now, worker);
        let Some(stream) = broken else {
            return;
        };
        for shard in &stream.starving {
            let order = &mut self.shards[shard.0 as usize];
            if order.starving_at == Some(worker) {
                order.starving_at = None;
            }
        }
        for id in stream.outstanding.into_values() {
            let Some(live) = self.requests.get_mut(&id) else {
                continue;
            };
            let order = &mut self.shards[live.request.shard.0 as usize];
            order.one_less_outstanding();
            if live.waiter.is_some() {
                live.place = Place::Waiting { starved_since: None };
                live.patient = true;
                live.lost_at.push((worker, stream.incarnation));
                order.hand_back(id);
            } else {
                self.requests.remove(&id);
            }
        }
        self.advance_all(now);
    }

    fn answer(&mut self, id: RequestId, answer: Answer) {
        if let Some(live) = self.requests.get_mut(&id)
            && let Some(waiter) = live.waiter.take()
        {
            self.actions.push_back(Action::Answer { waiter, answer });
        }
    }

    /// Nobody waits for this request any more.
    fn abandon(&mut self, now: Instant, id: RequestId) {
        let Some(live) = self.requests.get_mut(&id) else {
            return;
        };
        match live.place {
            Place::Waiting { .. } => {
                let shard = live.request.shard;
                self.requests.remove(&id);
                self.shards[shard.0 as usize].forget(id);
            }
            Place::Outstanding { worker, seq } => {
                live.place = Place::Abandoned {
                    worker,
                    seq,
                    since: now,
                };
                live.request.activity = bytes::Bytes::new();
                self.send(worker, Outgoing::Cancel(seq));
            }
            Place::Abandoned { .. } => {}
        }
    }

    /// A worker that does not answer what was cancelled does not hold up the shard for ever.
    fn forget_abandoned(&mut self, now: Instant, id: RequestId) {
        let Some(live) = self.requests.remove(&id) else {
            return;
        };
        if let Place::Abandoned { worker, seq, .. } = live.place
            && let Some(stream) = self.connections[worker.0].stream()
        {
            stream.outstanding.remove(&seq);
        }
        let shard = live.request.shard;
        self.shards[shard.0 as usize].one_less_outstanding();
        self.advance(now, shard, usize::MAX);
    }

    fn send(&mut self, worker: WorkerIndex, outgoing: Outgoing) {
        self.actions.push_back(Action::Send { worker, outgoing });
    }
}

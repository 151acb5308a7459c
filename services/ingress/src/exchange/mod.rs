//! The exchange of one ingress thread with its workers, as a value: events and a time go in, actions come out.
//!
//! It decides where a request goes, in which order, when it is sent again and when it is given up; which workers there are
//! to connect to, and which of them to report as suspect. It owns no socket, task or clock; `crate::stream` does, and
//! decides nothing. So it can be driven by a test, or together with the other pure parts of a cluster by a simulation.
//!
//! What it promises (design: "Between ingress and worker"): requests of one shard are outstanding at one worker only. New
//! ones wait behind them until the old owner has answered, handed back, or is gone. What was handed back is sent again in
//! the order of arrival: at once the first time, then with growing, jittered delays, until the caller's deadline. Every
//! waiter gets exactly one answer, at the latest one [`TICK`] after its deadline.
//!
//! How it is used: [`Exchange::submit`], [`Exchange::cancel`], [`Exchange::frame`] and [`Exchange::lost`] when something
//! happens, [`Exchange::tick`] every [`TICK`]; after each of them [`Exchange::next_action`] until there is none left.

mod clock;
mod connection;
mod connections;
mod dispatch;
mod message;
mod outcome;
mod routes;
mod shard;
#[cfg(test)]
mod tests;
mod timing;
mod workers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use ahash::AHashMap;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use trunkline_proto::routing::ToIngress;

use connection::State;
use connections::Connections;
pub use connections::WorkerIndex;
pub use message::{Action, Answer, Delivery, Loss, Mismatch, Outgoing, Request, RequestId, Tally};
use routes::Routes;
use shard::Shard;
pub use timing::TICK;

/// All requests of one ingress thread. `W` is what waits for an answer.
#[derive(Debug)]
pub struct Exchange<W> {
    /// Configured addresses of workers.
    seeds: Vec<Arc<str>>,
    routes: Routes,
    connections: Connections,
    shards: Vec<Shard>,
    requests: AHashMap<RequestId, Live<W>>,
    next_request: u64,
    next_generation: u64,
    actions: VecDeque<Action<W>>,
    tally: Tally,
    random: SmallRng,
    last_tick: Instant,
    /// When this thread last found that it had been stopped.
    stalled_at: Option<Instant>,
}

/// A request that has not ended.
#[derive(Debug)]
struct Live<W> {
    request: Request,
    /// Nobody, once the caller has gone or was answered: then only the order of its shard still counts it.
    waiter: Option<W>,
    place: Place,
    sendings: u32,
    /// Held for its worker, not refused for want of a credit: it was sent before, or came while nobody served its shard.
    patient: bool,
    /// Process runs that it was outstanding at when the connection to them broke.
    lost_at: Vec<LostAt>,
}

/// A process run that had a request when the connection to it broke.
#[derive(Clone, Copy, Debug)]
struct LostAt {
    incarnation: u64,
    /// The connection broke off as when a process dies; else it was silent, as a paused one is, too.
    broke_off: bool,
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
    /// An exchange that knows nothing yet but where to ask: `seeds`, each host and port. `seed` is for its jitter.
    pub fn new(now: Instant, shards: u32, seeds: &[String], seed: u64) -> Self {
        let mut exchange = Self {
            seeds: seeds.iter().map(|address| Arc::from(address.as_str())).collect(),
            routes: Routes::new(shards),
            connections: Connections::default(),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            requests: AHashMap::new(),
            next_request: 0,
            next_generation: 0,
            actions: VecDeque::new(),
            tally: Tally::default(),
            random: SmallRng::seed_from_u64(seed),
            last_tick: now,
            stalled_at: None,
        };
        exchange.add_seeds(now);
        exchange
    }

    /// What the shell must do next; asked until there is nothing left after each event.
    pub fn next_action(&mut self) -> Option<Action<W>> {
        self.actions.pop_front()
    }

    /// What was counted since the last call.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }

    /// Version of the map that is routed by; 0 for none.
    pub fn map_version(&self) -> u64 {
        self.routes.version()
    }

    /// Takes a request; its waiter gets exactly one answer, unless it is cancelled.
    pub fn submit(&mut self, now: Instant, request: Request, waiter: W) -> RequestId {
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
    pub fn cancel(&mut self, now: Instant, id: RequestId) {
        if let Some(live) = self.requests.get_mut(&id) {
            live.waiter = None;
            self.abandon(now, id);
        }
    }

    /// A frame has come. The first of a stream holds a welcome and opens it.
    ///
    /// # Errors
    /// This ingress cannot work with the worker: the stream is to be ended, and [`Exchange::lost`] to be told.
    pub fn frame(
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
            self.welcomed(now, worker, welcome)?;
        }
        let Some(stream) = self.connections.stream(worker) else {
            return Ok(());
        };
        stream.heard = now;
        stream.credits = stream.credits.saturating_add(frame.credits);
        stream.shed_window = frame.shed_window.unwrap_or(stream.shed_window);
        if frame.ping {
            self.send(worker, Outgoing::Pong);
        }
        if let Some(drain) = frame.drain {
            self.actions.push_back(Action::Drain(drain));
        }
        // Before the outcomes: what is handed back finds its next owner.
        if let Some(table) = &frame.routes {
            self.adopt(now, table)?;
        }
        self.ask_for_newer(worker, frame.map_version);
        for outcome in frame.outcome {
            self.ended(now, worker, outcome);
        }
        self.feed(now, worker);
        Ok(())
    }

    /// A stream has ended, or could not be opened.
    pub fn lost(&mut self, now: Instant, worker: WorkerIndex, generation: u64, loss: Loss) {
        if self.is_current(worker, generation) {
            self.take_down(now, worker, loss);
        }
    }

    fn is_current(&self, worker: WorkerIndex, generation: u64) -> bool {
        self.connections.get(worker).is_some_and(|connection| {
            connection.generation == generation && !matches!(connection.state, State::Down { .. })
        })
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
            && let Some(stream) = self.connections.stream(worker)
        {
            stream.forget(seq);
        }
        let shard = live.request.shard;
        self.shards[shard.0 as usize].one_less_outstanding();
        self.advance(now, shard, usize::MAX);
    }

    fn send(&mut self, worker: WorkerIndex, outgoing: Outgoing) {
        self.actions.push_back(Action::Send { worker, outgoing });
    }
}

//! A shard that moves under load: an ingress thread, the old owner, the new one, and a fence between them.
//!
//! The ingress has requests of one conversation, sends them down a stream to each worker (in order, and gone when it breaks)
//! and learns of the new map when it pleases, as the workers do. The old owner quiesces and releases; the new one claims, by
//! force when it has waited too long. The old owner may die, or be cut off from the ingress and go on.
//!
//! Invariants: I2 and I3 as everywhere; I8 an ingress never has requests of one shard outstanding at two workers; requests
//! take effect in the order of their arrival; and when nothing more can happen, every request is answered.

use trunkline_store::contract::{Claim, Claimed, Committed, Epoch, Incarnation, MapVersion, Token};
use trunkline_store::rules::{Comparison, Fence, Judged};

use crate::explore::Model;
use crate::words::{Record, SmallFence, SmallToken};

/// The old owner.
const OLD: usize = 0;
/// The new owner.
const NEW: usize = 1;

/// What ingress and workers do. All but the first are known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// What the product shall do.
    Right,
    /// The ingress sends to the new owner while requests are outstanding at the old one.
    SendsAtOnce,
    /// A worker drops what arrives while it hands a shard over, instead of answering that it moved.
    DropsDuringHandoff,
    /// A worker that does not know yet that a shard will be its own answers that it moved, although the frame bears a newer map
    /// than it has; right is to hold the request until the map has come.
    RefusesWhenBehind,
}

/// The model and its bounds.
#[derive(Clone, Copy, Debug)]
pub struct HandoffModel {
    /// What ingress and workers do.
    pub variant: Variant,
    /// Requests of one conversation, at most 6.
    pub requests: u8,
    /// Whether the old owner may die or be cut off, once.
    pub faults: bool,
}

/// Everything that decides what can happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    fence: SmallFence,
    record: Record,
    /// Activities in the order in which they took effect.
    order: Vec<u8>,
    moved: bool,
    ingress_knows: bool,
    requests: Vec<Place>,
    workers: [Worker; 2],
    removed: bool,
}

/// Where a request is, as the ingress sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    NotYet,
    Waits,
    At(usize),
    Answered,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Worker {
    knows: bool,
    shard: Shard,
    /// Whether it has a stream to the ingress.
    connected: bool,
    /// Requests on the stream to it, each with whether its frame bears the new map.
    inbound: Vec<(u8, bool)>,
    /// Outcomes on the stream from it.
    outbound: Vec<(u8, Outcome)>,
    queue: Vec<u8>,
    running: Option<u8>,
    loaded: Record,
}

/// What a worker has of the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shard {
    NotMine,
    Waiting,
    Serving(SmallToken),
    Quiescing(SmallToken),
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Done,
    Moved,
}

/// One thing that happens. Workers are 0, the old owner, and 1, the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The leader moves the shard.
    Moves,
    /// The ingress learns it.
    IngressLearns,
    /// A worker learns it.
    WorkerLearns(usize),
    /// A request reaches the ingress.
    Arrives(u8),
    /// The ingress sends the first request that waits.
    Sends {
        /// The request.
        request: u8,
        /// The worker.
        to: usize,
    },
    /// A worker receives the next request.
    Receives(usize),
    /// The ingress receives the next outcome.
    Answered(usize),
    /// A worker starts a turn.
    Starts(usize),
    /// A turn ends with its commit.
    Commits(usize),
    /// A quiescing worker gives up a turn.
    Cancels(usize),
    /// A quiescing worker with no turn gives the shard back.
    Releases(usize),
    /// The new owner claims.
    Claims {
        /// Whether it takes the shard from a holder.
        force: bool,
    },
    /// The old owner dies.
    Dies,
    /// The stream between ingress and old owner breaks, both live.
    Cut,
}

impl Model for HandoffModel {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        let claim = claim(OLD, false, false);
        let mut workers = [worker(), worker()];
        let mut fence = SmallFence::default();
        if let Claimed::Ours(token) = Fence::from(fence).claim(claim, 0) {
            fence = Fence::from(token).into();
            workers[OLD].shard = Shard::Serving(token.into());
        }
        State {
            fence,
            record: Record::default(),
            order: Vec::new(),
            moved: false,
            ingress_knows: false,
            requests: vec![Place::NotYet; usize::from(self.requests)],
            workers,
            removed: false,
        }
    }

    fn next(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        let mut push = |step, change: &dyn Fn(&mut State)| {
            let mut after = state.clone();
            change(&mut after);
            steps.push((step, after));
        };
        if !state.moved {
            push(Step::Moves, &|state| state.moved = true);
        } else if !state.ingress_knows {
            push(Step::IngressLearns, &|state| state.ingress_knows = true);
        }
        if self.faults && state.workers[OLD].connected {
            push(Step::Dies, &|state| {
                cut(state);
                state.workers[OLD] = Worker {
                    shard: Shard::Dead,
                    connected: false,
                    ..worker()
                };
            });
            push(Step::Cut, &cut);
        }
        if let Some((request, _)) = (0_u8..)
            .zip(&state.requests)
            .find(|(_, place)| **place == Place::NotYet)
        {
            push(Step::Arrives(request), &|state| {
                state.requests[usize::from(request)] = Place::Waits;
            });
        }
        if let Some((request, to)) = self.may_send(state) {
            push(Step::Sends { request, to }, &|state| {
                state.requests[usize::from(request)] = Place::At(to);
                let newer = state.ingress_knows;
                state.workers[to].inbound.push((request, newer));
            });
        }
        for number in [OLD, NEW] {
            self.worker_steps(state, number, &mut push);
        }
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        let at = |worker| state.requests.contains(&Place::At(worker));
        if at(OLD) && at(NEW) {
            return Some("I8: requests of one shard are outstanding at two workers");
        }
        if state.removed {
            return Some("I2: a commit removes a request from the state");
        }
        if state.record.applied.twice != 0 {
            return Some("I3: a request takes effect twice");
        }
        (!state.order.is_sorted()).then_some("order: a request takes effect before one that arrived earlier")
    }

    fn broken_at_end(&self, state: &State) -> Option<&'static str> {
        let answered = state.requests.iter().all(|place| *place == Place::Answered);
        (!answered).then_some("end: a request is never answered")
    }
}

type Push<'a> = dyn FnMut(Step, &dyn Fn(&mut State)) + 'a;

impl HandoffModel {
    /// The first request that waits and the worker of its shard, unless others are outstanding elsewhere.
    fn may_send(self, state: &State) -> Option<(u8, usize)> {
        let to = if state.ingress_knows { NEW } else { OLD };
        let (request, _) = (0_u8..)
            .zip(&state.requests)
            .find(|(_, place)| **place == Place::Waits)?;
        let elsewhere = state.requests.contains(&Place::At(1 - to)) && self.variant != Variant::SendsAtOnce;
        (state.workers[to].connected && !elsewhere).then_some((request, to))
    }

    fn worker_steps(self, state: &State, number: usize, push: &mut Push<'_>) {
        let worker = &state.workers[number];
        if state.moved && !worker.knows && worker.shard != Shard::Dead {
            push(Step::WorkerLearns(number), &|state| learn(state, number));
        }
        if let Some(&(request, newer)) = worker.inbound.first() {
            let behind = newer && !worker.knows && self.variant != Variant::RefusesWhenBehind;
            if !behind {
                push(Step::Receives(number), &|state| self.receive(state, number, request));
            }
        }
        if let Some(&(request, outcome)) = worker.outbound.first() {
            push(Step::Answered(number), &|state| {
                state.workers[number].outbound.remove(0);
                state.requests[usize::from(request)] = match outcome {
                    Outcome::Done => Place::Answered,
                    Outcome::Moved => Place::Waits,
                };
            });
        }
        match (worker.shard, worker.running) {
            (Shard::Serving(_), None) if !worker.queue.is_empty() => push(Step::Starts(number), &|state| {
                let worker = &mut state.workers[number];
                worker.running = Some(worker.queue.remove(0));
            }),
            (Shard::Serving(token) | Shard::Quiescing(token), Some(request)) => {
                push(Step::Commits(number), &|state| commit(state, number, token, request));
                if worker.shard == Shard::Quiescing(token) {
                    push(Step::Cancels(number), &|state| hand_back(state, number));
                }
            }
            (Shard::Quiescing(token), None) => push(Step::Releases(number), &|state| release(state, number, token)),
            (Shard::Waiting, _) => {
                for force in [false, true] {
                    if let Claimed::Ours(token) = Fence::from(state.fence).claim(claim(number, true, force), 0) {
                        push(Step::Claims { force }, &|state| serve(state, number, token));
                    }
                }
            }
            _ => {}
        }
    }

    fn receive(self, state: &mut State, number: usize, request: u8) {
        let worker = &mut state.workers[number];
        worker.inbound.remove(0);
        match worker.shard {
            Shard::Serving(_) | Shard::Waiting => worker.queue.push(request),
            _ if self.variant == Variant::DropsDuringHandoff => {}
            _ => send(worker, request, Outcome::Moved),
        }
    }
}

fn worker() -> Worker {
    Worker {
        knows: false,
        shard: Shard::NotMine,
        connected: true,
        inbound: Vec::new(),
        outbound: Vec::new(),
        queue: Vec::new(),
        running: None,
        loaded: Record::default(),
    }
}

fn claim(number: usize, moved: bool, force: bool) -> Claim {
    Claim {
        me: Incarnation(number as u64),
        map: MapVersion(1 + u64::from(moved)),
        force,
        floor: Epoch(0),
    }
}

fn send(worker: &mut Worker, request: u8, outcome: Outcome) {
    if worker.connected {
        worker.outbound.push((request, outcome));
    }
}

/// What is on the stream is gone, and the ingress knows only that it does not know.
fn cut(state: &mut State) {
    let worker = &mut state.workers[OLD];
    worker.connected = false;
    worker.inbound.clear();
    worker.outbound.clear();
    for place in &mut state.requests {
        if *place == Place::At(OLD) {
            *place = Place::Waits;
        }
    }
}

/// The old owner hands back what is queued and starts no turn; the new one waits for the shard.
fn learn(state: &mut State, number: usize) {
    let worker = &mut state.workers[number];
    worker.knows = true;
    if number == NEW {
        worker.shard = Shard::Waiting;
    } else if let Shard::Serving(token) = worker.shard {
        worker.shard = Shard::Quiescing(token);
        for request in std::mem::take(&mut worker.queue) {
            send(worker, request, Outcome::Moved);
        }
    }
}

/// The running turn and all behind it go back, in order.
fn hand_back(state: &mut State, number: usize) {
    let worker = &mut state.workers[number];
    let running = worker.running.take();
    for request in running.into_iter().chain(std::mem::take(&mut worker.queue)) {
        send(worker, request, Outcome::Moved);
    }
}

fn release(state: &mut State, number: usize, token: SmallToken) {
    let fence = Fence::from(state.fence);
    if fence.admits(token.into()) {
        state.fence = fence.freed().into();
    }
    state.workers[number].shard = Shard::NotMine;
}

fn serve(state: &mut State, number: usize, token: Token) {
    state.fence = Fence::from(token).into();
    state.workers[number].shard = Shard::Serving(token.into());
    state.workers[number].loaded = state.record;
}

/// One conversation: what is in the record is answered from it, everything else is one commit.
fn commit(state: &mut State, number: usize, token: SmallToken, request: u8) {
    let (bit, loaded) = (1 << request, state.workers[number].loaded);
    let new = Record {
        version: loaded.version + 1,
        turn: request * 2 + 1 + u8::from(number == NEW),
        applied: loaded.applied.with(bit),
    };
    let comparison = Comparison {
        token: token.into(),
        expected: loaded.header(),
        new: Some(new.header()),
    };
    let repeated = loaded.applied.once & bit != 0;
    let worker = &mut state.workers[number];
    match comparison.judge(state.fence.into(), state.record.header()) {
        _ if repeated => {
            worker.running = None;
            send(worker, request, Outcome::Done);
        }
        Judged::Write | Judged::Refuse(Committed::Written) => {
            worker.running = None;
            worker.loaded = new;
            send(worker, request, Outcome::Done);
            state.removed = state.record.applied.once & !new.applied.once != 0;
            state.record = new;
            state.order.push(request);
        }
        Judged::Refuse(Committed::Fenced) => {
            worker.shard = Shard::NotMine;
            hand_back(state, number);
        }
        Judged::Refuse(Committed::Conflict(_)) => worker.loaded = state.record,
    }
}

//! The ways between processes. A request to the store is late, lost, done twice, or done without an answer; frames of a stream
//! are late, but never overtake each other.

use bytes::Bytes;
use rand::RngExt as _;
use trunkline_cluster::node::times::{BEAT_ANSWER, LEADER_LEASE, PROBE_ANSWER, STORE_ANSWER};
use trunkline_cluster::node::{Action, Event as NodeEvent, Trouble};
use trunkline_proto::routing::{Answer, Reason, Refused};
use trunkline_store::StoreError;
use trunkline_store::contract::{Beat, Commit, Incarnation, MapVersion};
use trunkline_worker::agenda::Reading;
use trunkline_worker::conversation::{Event, Reply, Ticket};

use crate::ingress::StreamId;
use crate::store::Model;
use crate::worker::{ActorId, At, Thing, address_of};
use crate::world::{Happening, World};

/// Longest wait of a worker for the store.
const WORKER_ANSWER: u64 = 2_000;

/// What is asked of the store.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// By a node.
    Node(Action),
    Load(ActorId),
    /// With the number that the conversation gave it.
    Commit(ActorId, u64, Box<Commit>),
    /// A recorded answer, by name, for a caller, with its status.
    Answer(ActorId, Ticket, String, u16),
    Due(Reading),
    Clock,
}

impl Request {
    fn patience(&self) -> u64 {
        match self {
            Self::Node(Action::Beat { .. } | Action::Lead { .. }) => BEAT_ANSWER,
            Self::Node(_) => STORE_ANSWER,
            _ => WORKER_ANSWER,
        }
    }
}

impl World {
    /// Asks the store something.
    pub(crate) fn ask(&mut self, at: At, request: Request) {
        let patience = request.patience();
        let arrives = self.latency();
        let is_faulty = self.faults.network;
        let mut happens = |in_a_thousand| is_faulty && self.random.random_range(0..1_000) < in_a_thousand;
        let (mut is_lost, answer_is_lost, is_repeated) = (happens(12), happens(12), happens(12));
        is_lost |= self.hosts[at.host].cut_off_until > self.now;
        if is_repeated {
            let again = arrives + self.below(3_000);
            self.after(again, Happening::Store(None, request.clone()));
        }
        if is_lost || answer_is_lost {
            let silence = self.carried_out(None, request.clone());
            self.answer(at, patience, silence);
        }
        if !is_lost {
            let from = (!answer_is_lost).then_some(at);
            self.after(arrives, Happening::Store(from, request));
        }
    }

    /// A request reaches the store. Nobody waits for one that is repeated.
    pub(crate) fn at_store(&mut self, from: Option<At>, request: Request) {
        let patience = request.patience();
        let mut after = self.latency() + self.store.slow;
        let is_away = self.store.is_away;
        let clock = self.store.clock(self.now);
        let mut thing = None;
        if !is_away {
            thing = self.carried_out(Some(clock), request.clone());
        }
        if is_away || after > patience {
            after = patience;
            thing = self.carried_out(None, request);
        }
        if let Some(at) = from {
            self.answer(at, after, thing);
        }
    }

    fn answer(&mut self, at: At, after: u64, thing: Option<Thing>) {
        if let Some(thing) = thing {
            self.after(after, Happening::Worker(at, thing));
        }
    }

    /// What comes of a request at this time of the store's clock; without one, what comes of its silence.
    fn carried_out(&mut self, clock: Option<u64>, request: Request) -> Option<Thing> {
        let is_there = clock.is_some();
        Some(match request {
            Request::Node(action) => Thing::Node(asked_by_node(
                clock.map(|clock| (&mut self.store.model, clock)),
                action,
            )?),
            Request::Load(id) => {
                let loaded = is_there.then(|| self.store.model.load((id.shard, id.key)));
                Thing::Actor(id, Event::Loaded(loaded.ok_or_else(|| no_answer("loading"))))
            }
            Request::Commit(id, number, commit) => {
                let mut result = Err(no_answer("committing"));
                if is_there {
                    let chats = self.common.chats.clone();
                    let (committed, verdict) = self.store.commit(&commit, self.common.guards, &chats);
                    if self.tells {
                        let stored = self
                            .store
                            .model
                            .stored((commit.shard, commit.key))
                            .cloned()
                            .unwrap_or_default();
                        self.tell_story(&format!(
                            "store: {committed:?} {number} of {id:?} by {}: {stored}",
                            commit.token
                        ));
                    }
                    if let Some((invariant, what)) = verdict {
                        self.breaks(invariant, what);
                    }
                    result = Ok(committed);
                }
                Thing::Actor(id, Event::Committed { id: number, result })
            }
            Request::Answer(id, ticket, name, status) => {
                let answer = is_there.then(|| self.store.model.answer((id.shard, id.key), &name));
                let reply = match answer {
                    Some(body) => Reply::Repeated(Answer {
                        status: u32::from(status),
                        body: body.unwrap_or_else(Bytes::new),
                    }),
                    None => Reply::Refused(Refused {
                        reason: Reason::StoreUnavailable as i32,
                        retry_after_ms: 1_000,
                    }),
                };
                Thing::AnswerRead(id, ticket, reply)
            }
            Request::Due(reading) => Thing::Read(reading, is_there.then(|| self.store.model.due(reading))),
            Request::Clock => Thing::ClockRead(clock?),
        })
    }

    /// A node connects once to another, to see whether anybody listens.
    pub(crate) fn probe(&mut self, at: At, node: Incarnation, address: &str) {
        let host = (0..self.hosts.len()).find(|host| address_of(*host) == address);
        let nobody_listens = |host: usize| self.hosts[host].process.is_none() && !self.hosts[host].is_dark;
        let refused = host.is_none_or(nobody_listens);
        let after = if refused { self.latency() } else { PROBE_ANSWER };
        self.after(
            after,
            Happening::Worker(at, Thing::Node(NodeEvent::Probed { node, refused })),
        );
    }

    /// Something travels on a stream of this host: later than what was sent before it.
    pub(crate) fn travel(&mut self, host: usize, stream: StreamId, to_worker: bool, happening: Happening) {
        let mut latency = self.latency();
        if self.faults.streams && self.below(60) == 0 {
            latency += self.below(300);
        }
        let silent_until = self.hosts[host].silent_until;
        let last = self.arrivals.entry((stream, to_worker)).or_default();
        let arrives = (self.now + latency).max(*last).max(silent_until);
        *last = arrives;
        self.after(arrives - self.now, happening);
    }

    pub(crate) fn latency(&mut self) -> u64 {
        if self.faults.network && self.below(50) == 0 {
            self.random.random_range(5..400)
        } else {
            self.below(4)
        }
    }
}

fn ask<T>(store: Option<(&mut Model, u64)>, asked: impl FnOnce(&mut Model, u64) -> T) -> Result<T, Trouble> {
    store.map(|(model, clock)| asked(model, clock)).ok_or(Trouble::Away)
}

/// What a node asks, and how it is answered by the store at this time of its clock, or by its silence.
fn asked_by_node(store: Option<(&mut Model, u64)>, action: Action) -> Option<NodeEvent> {
    Some(match action {
        Action::Beat {
            me,
            sent,
            payload,
            seen_map,
        } => {
            let beat = Beat { me, payload, seen_map };
            let answer = ask(store, |model, clock| model.members.beat(beat, clock));
            NodeEvent::Beaten { me, sent, answer }
        }
        Action::ReadNodes { asked } => {
            let answer = ask(store, |model, clock| model.members.nodes(clock));
            NodeEvent::NodesRead { asked, answer }
        }
        Action::ReadMap { asked } => {
            let answer = ask(store, |model, _| model.map.clone());
            NodeEvent::MapRead { asked, answer }
        }
        Action::Lead { me, sent } => {
            let answer = ask(store, |model, clock| model.members.lead(me, LEADER_LEASE, clock));
            NodeEvent::Led { me, sent, answer }
        }
        Action::WriteMap { me, expected, map } => {
            let (version, blob): (MapVersion, Bytes) = (map.version(), map.encode().into());
            let answer = ask(store, |model, clock| {
                model.write_map(clock, me, expected, version, blob)
            });
            NodeEvent::MapWritten { map, answer }
        }
        Action::Claim { shard, claim } => {
            let answer = ask(store, |model, clock| model.claim(clock, shard, claim));
            let me = claim.me;
            NodeEvent::Claimed { me, shard, answer }
        }
        Action::Release { shard, token } => {
            let answer = ask(store, |model, _| model.release(shard, token));
            NodeEvent::Released { shard, token, answer }
        }
        Action::Forget(dead) => {
            let _ = ask(store, |model, _| model.members.forget(&dead));
            return None;
        }
        Action::Leave(node) => {
            let _ = ask(store, |model, _| model.members.leave(node));
            return None;
        }
        _ => return None,
    })
}

fn no_answer(doing: &'static str) -> StoreError {
    StoreError::Unavailable {
        doing,
        reason: "simulated".to_owned(),
    }
}

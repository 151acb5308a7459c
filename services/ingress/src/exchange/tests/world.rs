//! Simulated time and simulated workers, which check at every action what is promised.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_proto::routing::{
    Accepted, Answer as WireAnswer, Moved, Outcome, PROTOCOL, Reason, Refused, RouteNode, Routes as Table, ToIngress,
    Welcome, outcome::Result as Ended,
};
use trunkline_store::ShardId;

use super::super::*;

pub(super) const SHARDS: u32 = 8;
pub(super) const BUDGET: Duration = Duration::from_secs(13);

/// What the ingress and its workers know of each other, and checks of everything that is promised at every step.
pub(super) struct World {
    pub(super) exchange: Exchange<u64>,
    pub(super) now: Instant,
    pub(super) links: Vec<SimulatedLink>,
    /// Submitted and neither answered nor cancelled: the shard of each.
    pub(super) live: BTreeMap<u64, u32>,
    pub(super) answers: HashMap<u64, Answer>,
    /// Order in which requests were sent, resends included.
    pub(super) sent: Vec<u64>,
    pub(super) pings: usize,
    pub(super) pongs: usize,
    pub(super) cancels: Vec<u64>,
    /// Process runs that were reported, each with the place of the worker that was told.
    pub(super) suspects: Vec<(usize, u64)>,
    /// Deaths that each delivery named, in the order of `sent`.
    pub(super) deaths: Vec<u32>,
    /// Ages that each delivery named, in the order of `sent`.
    pub(super) ages: Vec<u32>,
    /// What the workers speak.
    pub(super) protocol: u32,
    /// Operators' orders.
    pub(super) drains: Vec<bool>,
    /// What was sent to be accepted without a turn.
    pub(super) sheds: Vec<u64>,
    pub(super) ids: HashMap<u64, RequestId>,
    pub(super) next: u64,
    /// Process runs of the configured workers, as [`World::serve`] tells of them.
    members: Vec<u64>,
    owners: [u16; SHARDS as usize],
}

/// How a worker ends a request.
pub(super) type End = fn() -> Ended;

#[derive(Default)]
pub(super) struct SimulatedLink {
    pub(super) address: String,
    /// Version of the map that the ingress named last.
    pub(super) map_version: u64,
    pub(super) shed_window: u32,
    /// Sequences that were sent to be accepted without a turn.
    sheds: BTreeSet<u64>,
    /// A stream is asked for or open.
    pub(super) generation: Option<u64>,
    pub(super) is_up: bool,
    pub(super) credits: u32,
    /// Sequence to request, of the open stream.
    pub(super) outstanding: BTreeMap<u64, u64>,
}

impl World {
    pub(super) fn new(workers: usize) -> Self {
        let now = Instant::now();
        let seeds: Vec<String> = (0..workers).map(seed).collect();
        let mut world = Self {
            exchange: Exchange::new(now, SHARDS, &seeds, 7),
            now,
            links: (0..workers).map(|_| SimulatedLink::default()).collect(),
            live: BTreeMap::new(),
            answers: HashMap::new(),
            sent: Vec::new(),
            pings: 0,
            pongs: 0,
            cancels: Vec::new(),
            suspects: Vec::new(),
            deaths: Vec::new(),
            ages: Vec::new(),
            protocol: PROTOCOL,
            drains: Vec::new(),
            sheds: Vec::new(),
            ids: HashMap::new(),
            next: 0,
            members: (0..workers as u64).map(|number| 101 + number).collect(),
            owners: [NOBODY; SHARDS as usize],
        };
        world.pass(Duration::ZERO);
        world
    }

    /// A world whose only worker serves everything and has plenty of places.
    pub(super) fn with_one_worker() -> Self {
        let mut world = Self::new(1);
        world.welcome_serving(0, 1, &[(0, SHARDS - 1)]);
        world.grant(0, 1_000);
        world
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.exchange.tick(self.now);
            self.perform();
            if self.now >= end {
                return;
            }
            self.now = end.min(self.now + TICK);
        }
    }

    /// A message for this shard.
    pub(super) fn submit(&mut self, shard: u32) -> u64 {
        self.submit_as(shard, true)
    }

    /// The notification of a call, received just now.
    pub(super) fn submit_call(&mut self, shard: u32) -> u64 {
        self.submit_of(shard, true, Some(self.now))
    }

    pub(super) fn submit_as(&mut self, shard: u32, is_deferrable: bool) -> u64 {
        self.submit_of(shard, is_deferrable, None)
    }

    fn submit_of(&mut self, shard: u32, is_deferrable: bool, notified_at: Option<Instant>) -> u64 {
        self.next += 1;
        let number = self.next;
        self.live.insert(number, shard);
        let request = Request {
            shard: ShardId(shard),
            deadline: self.now + BUDGET,
            head: Bytes::copy_from_slice(&number.to_le_bytes()),
            activity: Bytes::from_static(b"{}"),
            is_deferrable,
            notified_at,
        };
        let id = self.exchange.submit(self.now, request, number);
        self.ids.insert(number, id);
        self.perform();
        number
    }

    pub(super) fn cancel(&mut self, number: u64) {
        if self.live.remove(&number).is_some() {
            self.exchange.cancel(self.now, self.ids[&number]);
            self.perform();
        }
    }

    pub(super) fn welcome(&mut self, worker: usize, incarnation: u64) {
        let link = &mut self.links[worker];
        let Some(generation) = link.generation else {
            return;
        };
        link.is_up = true;
        let welcome = Welcome {
            protocol: self.protocol,
            worker: format!("worker-{worker}"),
            incarnation,
            shards: SHARDS,
        };
        let frame = ToIngress {
            welcome: Some(welcome),
            ..ToIngress::default()
        };
        self.exchange
            .frame(self.now, WorkerIndex(worker), generation, frame)
            .unwrap();
        self.perform();
    }

    /// A worker welcomes the stream and tells that it serves these shards, beside what others serve; of two the last
    /// counts. All configured workers stand in the table.
    pub(super) fn welcome_serving(&mut self, worker: usize, incarnation: u64, serves: &[(u32, u32)]) {
        self.welcome(worker, incarnation);
        self.serve(worker, incarnation, serves);
    }

    pub(super) fn serve(&mut self, worker: usize, incarnation: u64, serves: &[(u32, u32)]) {
        self.members[worker] = incarnation;
        for shard in 0..SHARDS {
            if serves.iter().any(|(first, last)| (*first..=*last).contains(&shard)) {
                self.owners[shard as usize] = u16::try_from(worker).unwrap();
            }
        }
        let addresses: Vec<String> = (0..self.members.len()).map(seed).collect();
        let nodes: Vec<Node<'_>> = self
            .members
            .iter()
            .zip(&addresses)
            .map(|(incarnation, address)| (*incarnation, address.as_str(), false))
            .collect();
        let version = self.exchange.map_version() + 1;
        let owners = self.owners;
        self.route(worker, version, &nodes, |shard| owners[shard as usize]);
    }

    pub(super) fn frame(&mut self, worker: usize, frame: ToIngress) {
        let link = &mut self.links[worker];
        if !link.is_up {
            return;
        }
        link.credits += frame.credits;
        link.shed_window = frame.shed_window.unwrap_or(link.shed_window);
        for outcome in &frame.outcome {
            link.outstanding.remove(&outcome.seq);
            link.sheds.remove(&outcome.seq);
        }
        let generation = link.generation.unwrap();
        self.exchange
            .frame(self.now, WorkerIndex(worker), generation, frame)
            .unwrap();
        self.perform();
    }

    pub(super) fn grant(&mut self, worker: usize, credits: u32) {
        self.frame(
            worker,
            ToIngress {
                credits,
                ..ToIngress::default()
            },
        );
    }

    /// The worker sends its routing table: of these nodes, by this owner of each shard.
    pub(super) fn route(&mut self, worker: usize, version: u64, nodes: &[Node<'_>], owner: impl Fn(u32) -> u16) {
        let routes = Some(table(version, nodes, owner));
        self.frame(
            worker,
            ToIngress {
                routes,
                ..ToIngress::default()
            },
        );
    }

    /// Place of the connection to this address.
    pub(super) fn place_of(&self, address: &str) -> usize {
        let is_it = |link: &SimulatedLink| link.generation.is_some() && link.address == address;
        self.links.iter().position(is_it).expect("a connection there")
    }

    /// Addresses that there are streams to, or attempts to open one.
    pub(super) fn addresses(&self) -> BTreeSet<&str> {
        let links = self.links.iter().filter(|link| link.generation.is_some());
        links.map(|link| link.address.as_str()).collect()
    }

    /// The worker says something about requests, in one frame.
    pub(super) fn say(&mut self, worker: usize, outcomes: &[(u64, End)]) {
        let link = &self.links[worker];
        let seq_of = |number: u64| {
            link.outstanding
                .iter()
                .find(|(_, other)| **other == number)
                .map(|(seq, _)| *seq)
        };
        let outcome = outcomes
            .iter()
            .map(|(number, result)| Outcome {
                seq: seq_of(*number).expect("the worker answers what it has"),
                result: Some(result()),
            })
            .collect();
        self.frame(
            worker,
            ToIngress {
                outcome,
                ..ToIngress::default()
            },
        );
    }

    pub(super) fn lose(&mut self, worker: usize, loss: Loss) {
        let link = &mut self.links[worker];
        if let Some(generation) = link.generation.take() {
            link.is_up = false;
            link.outstanding.clear();
            link.credits = 0;
            self.exchange.lost(self.now, WorkerIndex(worker), generation, loss);
            self.perform();
        }
    }

    pub(super) fn at(&self, worker: usize) -> Vec<u64> {
        self.links[worker].outstanding.values().copied().collect()
    }

    pub(super) fn perform(&mut self) {
        while let Some(action) = self.exchange.next_action() {
            match action {
                Action::Connect {
                    worker,
                    generation,
                    address,
                    map_version,
                } => {
                    if self.links.len() <= worker.0 {
                        self.links.resize_with(worker.0 + 1, SimulatedLink::default);
                    }
                    self.links[worker.0] = SimulatedLink {
                        generation: Some(generation),
                        address: address.to_string(),
                        map_version,
                        ..SimulatedLink::default()
                    };
                }
                Action::Close { worker } => {
                    if let Some(link) = self.links.get_mut(worker.0) {
                        *link = SimulatedLink::default();
                    }
                }
                Action::Drain(is_wanted) => self.drains.push(is_wanted),
                Action::Send { worker, outgoing } => self.sent_to(worker.0, outgoing),
                Action::Answer { waiter, answer } => {
                    let was_live = self.live.remove(&waiter).is_some();
                    assert!(
                        was_live,
                        "{waiter} was answered twice, or after its caller left: {answer:?}"
                    );
                    self.answers.insert(waiter, answer);
                }
            }
        }
    }

    pub(super) fn sent_to(&mut self, worker: usize, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Ping => self.pings += 1,
            Outgoing::Pong => self.pongs += 1,
            Outgoing::MapVersion(version) => self.links[worker].map_version = version,
            Outgoing::Suspect(incarnation) => self.suspects.push((worker, incarnation)),
            Outgoing::Cancel(seq) => {
                self.cancels.push(seq);
                self.links[worker].sheds.remove(&seq);
                // What somebody still waits for was taken back.
                let number = self.links[worker].outstanding.get(&seq).copied();
                if number.is_some_and(|number| self.live.contains_key(&number)) {
                    self.links[worker].outstanding.remove(&seq);
                }
            }
            Outgoing::Deliver(delivery) => {
                let number = u64::from_le_bytes(delivery.head[..].try_into().unwrap());
                let shard = self.live[&number];
                let in_flight =
                    |link: &SimulatedLink| -> BTreeSet<u64> { link.outstanding.values().copied().collect() };
                for (other, link) in self.links.iter().enumerate() {
                    let has_shard = in_flight(link)
                        .iter()
                        .any(|number| self.live.get(number) == Some(&shard));
                    assert!(
                        other == worker || !has_shard,
                        "shard {shard} is outstanding at two workers"
                    );
                }
                let before = self.live.range(..number).filter(|(_, other)| **other == shard);
                let here = in_flight(&self.links[worker]);
                for (earlier, _) in before {
                    assert!(here.contains(earlier), "{number} was sent while {earlier} waited");
                }
                let link = &mut self.links[worker];
                assert!(link.is_up, "sent on a stream that is not welcomed");
                if delivery.is_shed {
                    assert!(link.sheds.len() < link.shed_window as usize, "shed without room");
                    link.sheds.insert(delivery.seq);
                    self.sheds.push(number);
                } else {
                    assert!(link.credits > 0, "sent without a credit");
                    link.credits -= 1;
                }
                link.outstanding.insert(delivery.seq, number);
                assert_eq!(delivery.activity, "{}");
                self.sent.push(number);
                self.deaths.push(delivery.deaths);
                self.ages.push(delivery.age_ms);
            }
        }
    }
}

/// A node of a table: process run, address, whether it drains.
pub(super) type Node<'a> = (u64, &'a str, bool);

/// Owner of a shard that nobody serves.
pub(super) const NOBODY: u16 = 0xFFFF;

/// Address of a configured worker.
pub(super) fn seed(number: usize) -> String {
    format!("seed-{number}:7400")
}

/// A routing table.
pub(super) fn table(version: u64, nodes: &[Node<'_>], owner: impl Fn(u32) -> u16) -> Table {
    let nodes = nodes.iter().map(|(incarnation, address, draining)| RouteNode {
        incarnation: *incarnation,
        name: format!("node-{incarnation}"),
        address: (*address).to_owned(),
        draining: *draining,
    });
    let owners = (0..SHARDS).flat_map(|shard| owner(shard).to_le_bytes());
    Table {
        version,
        nodes: nodes.collect(),
        owners: owners.collect::<Vec<u8>>().into(),
    }
}

pub(super) fn done() -> Ended {
    Ended::Done(WireAnswer {
        status: 200,
        body: Bytes::new(),
    })
}

pub(super) fn moved() -> Ended {
    Ended::Moved(Moved {})
}

pub(super) fn accepted() -> Ended {
    Ended::Accepted(Accepted {})
}

pub(super) fn queue_full() -> Ended {
    Ended::Refused(Refused {
        reason: Reason::QueueFull.into(),
        retry_after_ms: 2_000,
    })
}

//! Several nodes, a store, and a scheduler that draws every delay and fault from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trunkline_store::contract::{Identity, Token};
use trunkline_store::key::ShardId;

use super::super::{Action, Event, Node};
use super::store::Model;
use crate::facts::NodeFacts;
use crate::map::ShardMap;
use crate::order::ShardOrder;
use crate::shell::MoveRefused;
use crate::view::View;

const CLUSTER: u64 = 0xc1;
/// The store's clock when the world begins.
pub(super) const STORE_EPOCH: u64 = 1_700_000_000_000;
/// From one kept copy of the store to the next.
const COPY_EVERY: u64 = 100;

/// What goes wrong with messages, each in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Network {
    pub(super) lost: u32,
    pub(super) repeated: u32,
    pub(super) late: u32,
}

#[derive(Debug)]
pub(super) enum What {
    /// A node's clock.
    Wake(usize, u32),
    /// A request reaches the store. `None` repeats one whose answer nobody awaits.
    Arrives(Option<(usize, u32)>, Action),
    /// Something reaches a node.
    Hears(usize, u32, Event),
    /// A worker's commit reaches the store.
    Commits(usize, u32, ShardId, Token),
    /// A worker has nothing of a shard under way any more.
    Quiesces(usize, u32, ShardId, Token),
    /// A worker looks for something to commit.
    Works(usize, u32),
    Copy,
}

/// What a worker has of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Expected,
    Served(Token),
    Quiescing(Token),
}

/// One process: a node and a worker.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) node: Node,
    pub(super) alive: bool,
    pub(super) run: u32,
    pub(super) paused_until: u64,
    pub(super) wakes_at: u64,
    pub(super) shards: BTreeMap<ShardId, Held>,
    pub(super) left: bool,
    /// Newest format of records that it reads, and the format that it writes.
    pub(super) reads: u32,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: u64,
    pub(super) rng: SmallRng,
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    waiting: BTreeMap<usize, What>,
    count: usize,
    pub(super) store: Model,
    pub(super) copies: VecDeque<Model>,
    /// Newest format of a record in each shard.
    pub(super) formats: BTreeMap<ShardId, u32>,
    pub(super) store_ahead: i64,
    pub(super) store_away: bool,
    pub(super) store_empty: bool,
    /// Every request takes this long at the store.
    pub(super) store_slow: u64,
    pub(super) network: Network,
    pub(super) shards: u32,
    pub(super) processes: Vec<Process>,
    /// Longest quiescing of a worker.
    pub(super) quiesce: u64,
    pub(super) orders: Vec<(u64, usize, ShardOrder)>,
    pub(super) moved: Vec<Result<(), MoveRefused>>,
    /// Two nodes with a lease that serve one shard are a mistake.
    pub(super) leases_exclude: bool,
    /// With one seed: what happened, printed when it fails.
    tells: bool,
    story: Vec<String>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.story {
                eprintln!("{}", line.chars().take(4_000).collect::<String>());
            }
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, nodes: usize, shards: u32) -> Self {
        let mut world = Self {
            seed,
            now: 1_000,
            rng: SmallRng::seed_from_u64(seed),
            queue: BinaryHeap::new(),
            waiting: BTreeMap::new(),
            count: 0,
            store: Model::new(CLUSTER, shards),
            copies: VecDeque::new(),
            formats: BTreeMap::new(),
            store_ahead: 0,
            store_away: false,
            store_empty: false,
            store_slow: 0,
            network: Network::default(),
            shards,
            processes: Vec::new(),
            quiesce: 200,
            orders: Vec::new(),
            moved: Vec::new(),
            leases_exclude: true,
            tells: std::env::var_os("TRUNKLINE_SEED").is_some(),
            story: Vec::new(),
        };
        for number in 0..nodes {
            world.start(&format!("node-{number}"));
        }
        world.at(world.now + COPY_EVERY, What::Copy);
        world
    }

    /// Starts a process of a new name. Returns its number.
    pub(super) fn start(&mut self, name: &str) -> usize {
        self.start_version(name, 1)
    }

    /// Starts a process of a new name, of the version that reads and writes this format. Returns its number.
    pub(super) fn start_version(&mut self, name: &str, reads: u32) -> usize {
        let number = self.processes.len();
        let node = self.node(name, reads);
        self.processes.push(Process {
            name: name.to_owned(),
            node,
            alive: true,
            run: 0,
            paused_until: 0,
            wakes_at: u64::MAX,
            shards: BTreeMap::new(),
            left: false,
            reads,
        });
        self.begin(number);
        number
    }

    pub(super) fn node(&mut self, name: &str, reads: u32) -> Node {
        let facts = NodeFacts {
            name: name.to_owned(),
            address: format!("{name}:7400"),
            zone: String::new(),
            weight: 1,
            build: "0.1.0".to_owned(),
            speaks: 1..=1,
            reads,
        };
        let store = Identity {
            cluster: CLUSTER,
            shards: self.shards,
        };
        Node::new(facts, store, self.rng.random(), self.now)
    }

    pub(super) fn begin(&mut self, number: usize) {
        let run = self.processes[number].run;
        self.wake(number);
        let first = self.now + self.rng.random_range(0..200);
        self.at(first, What::Works(number, run));
    }

    /// What stands where, for a seed that failed.
    pub(super) fn told(&self) -> String {
        let mut told = String::new();
        for process in &self.processes {
            let view = process.node.view(self.now);
            let _ = writeln!(
                told,
                "{} alive={} {:?} {:016x} map {} leader {:?} holds {:?} worker {:?}",
                process.name,
                process.alive,
                view.health,
                view.incarnation.0,
                view.map.version().0,
                view.leader,
                view.shards,
                process.shards
            );
            for node in &view.nodes {
                let _ = writeln!(
                    told,
                    "   {:?} {:?} age {}",
                    node.facts.as_ref().map(|f| &f.name),
                    node.standing,
                    node.beat_age_ms
                );
            }
        }
        told
    }

    /// Tells a node something.
    pub(super) fn tell(&mut self, number: usize, event: Event) {
        if self.processes[number].alive {
            let run = self.processes[number].run;
            self.at(self.now, What::Hears(number, run, event));
        }
    }

    pub(super) fn run_for(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(&Reverse((when, _, id))) = self.queue.peek() {
            if when > end {
                break;
            }
            self.queue.pop();
            self.now = when;
            if let Some(what) = self.waiting.remove(&id) {
                self.happens(what);
            }
        }
        self.now = end;
    }

    /// Runs until something is so. Returns how long that took.
    pub(super) fn run_until(&mut self, within: u64, mut is_so: impl FnMut(&Self) -> bool) -> Option<u64> {
        let began = self.now;
        while self.now <= began + within {
            if is_so(self) {
                return Some(self.now - began);
            }
            self.run_for(5);
        }
        None
    }

    pub(super) fn at(&mut self, when: u64, what: What) {
        self.count += 1;
        self.waiting.insert(self.count, what);
        self.queue.push(Reverse((when, self.count as u64, self.count)));
    }

    fn happens(&mut self, what: What) {
        match what {
            What::Copy => {
                self.copies.push_back(self.store.clone());
                if self.copies.len() > 20 {
                    self.copies.pop_front();
                }
                self.at(self.now + COPY_EVERY, What::Copy);
            }
            What::Arrives(from, action) => self.arrives(from, &action),
            What::Wake(number, run) => self.wakes(number, run),
            What::Hears(number, run, event) => {
                let process = &self.processes[number];
                if process.run == run && self.now < process.paused_until {
                    let later = process.paused_until;
                    self.at(later, What::Hears(number, run, event));
                    return;
                }
                self.hears(number, run, event);
            }
            What::Quiesces(number, run, shard, token) => self.quiesces(number, run, shard, token),
            What::Works(number, run) => self.works(number, run),
            What::Commits(number, run, shard, token) => {
                if !self.store_away && self.store.token(shard) != Some(token) {
                    self.at(self.now + 1, What::Hears(number, run, Event::Fenced(shard, token)));
                }
            }
        }
    }

    fn wakes(&mut self, number: usize, run: u32) {
        let process = &mut self.processes[number];
        if process.run != run {
            return;
        }
        if self.now < process.paused_until {
            let later = process.paused_until;
            self.at(later, What::Wake(number, run));
            return;
        }
        if process.wakes_at <= self.now {
            process.wakes_at = u64::MAX;
        }
        self.hears(number, run, Event::Tick);
    }

    pub(super) fn hears(&mut self, number: usize, run: u32, event: Event) {
        let process = &mut self.processes[number];
        if process.run != run || !process.alive || process.left {
            return;
        }
        let mut actions = Vec::new();
        let told = self.tells.then(|| format!("{} node-{number}: {event:?}", self.now));
        process.node.on(self.now, event, &mut actions);
        if let Some(told) = told {
            self.story.push(format!("{told} -> {actions:?}"));
        }
        for action in actions {
            self.act(number, run, action);
        }
        self.wake(number);
    }

    pub(super) fn wake(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let when = process.node.wake_at(self.now);
        if when == u64::MAX {
            return;
        }
        let when = when.max(self.now + 1);
        if when < process.wakes_at {
            process.wakes_at = when;
            let run = process.run;
            self.at(when, What::Wake(number, run));
        }
    }

    /// Nodes that may begin something in a shard.
    pub(super) fn servers(&self, shard: ShardId) -> Vec<usize> {
        let serves = |process: &Process| {
            process.alive
                && self.now >= process.paused_until
                && self.now < process.node.valid_until()
                && matches!(process.shards.get(&shard), Some(Held::Served(_)))
        };
        (0..self.processes.len())
            .filter(|&number| serves(&self.processes[number]))
            .collect()
    }

    /// Whether every shard is served, by one node, under the token that the store has.
    pub(super) fn all_served(&self) -> bool {
        (0..self.shards).map(ShardId).all(|shard| {
            let servers = self.servers(shard);
            let [server] = servers[..] else {
                return false;
            };
            match self.processes[server].shards.get(&shard) {
                Some(Held::Served(token)) => self.store.token(shard) == Some(*token),
                _ => false,
            }
        })
    }

    /// Whether the stored map names every process that lives.
    pub(super) fn all_named(&self) -> bool {
        let map = self.map();
        self.views().all(|view| map.node(view.incarnation).is_some())
    }

    /// Whether every shard is served by a node that reads what it holds.
    pub(super) fn all_read(&self) -> bool {
        self.formats.iter().all(|(&shard, &format)| {
            let servers = self.servers(shard);
            servers.iter().all(|&server| self.processes[server].reads >= format)
        })
    }

    /// The stored map.
    pub(super) fn map(&self) -> Arc<ShardMap> {
        let (_, blob) = self.store.map.as_ref().expect("there is a map");
        Arc::new(ShardMap::decode(blob).expect("it can be read"))
    }

    /// What the living nodes know.
    pub(super) fn views(&self) -> impl Iterator<Item = View> + '_ {
        let alive = self.processes.iter().filter(|process| process.alive);
        alive.map(|process| process.node.view(self.now))
    }

    /// The process that leads.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |process: &Process| process.alive && process.node.leads(self.now);
        self.processes.iter().position(leads)
    }
}

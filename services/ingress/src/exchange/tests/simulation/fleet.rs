//! The workers of the simulated cluster, their leader, and the store that remembers who may write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{
    Answer as WireAnswer, Moved, Outcome, PROTOCOL, RouteNode, Routes as Table, ToIngress, Welcome,
};

use super::super::super::*;
use super::{CALM_AT, Event, SHARDS, Simulation, StreamId};

pub(super) const HOSTS: usize = 4;
/// Without a beat for so long a process is dead.
const LEASE: u64 = 1_000;
/// Threads that are blocked for so long cost a worker its shards.
const STUCK: u64 = 3_000;
/// A claim waits so long for a living holder.
const FORCE: u64 = 2_000;

pub(super) fn address_of(host: usize) -> String {
    format!("host-{host}:7400")
}

pub(super) struct Fleet {
    pub(super) hosts: Vec<Host>,
    /// The newest map, and those before it.
    maps: Vec<Table>,
    /// Who may write, for each shard.
    fences: Vec<u64>,
    committed: BTreeSet<u64>,
    /// The leader moves shards without need.
    pub(super) is_restless: bool,
    is_healed: bool,
    next_incarnation: u64,
}

/// A machine, with or without a process.
#[derive(Default)]
pub(super) struct Host {
    process: Option<Process>,
    /// Nothing happens at it before.
    pub(super) paused_until: u64,
    /// It beats and answers pings, and nothing else happens before: its threads are blocked.
    pub(super) stuck_until: u64,
    stuck_since: u64,
    restarts_at: u64,
    /// The machine itself is away: nobody refuses a connection.
    is_dark: bool,
    last_beat: u64,
    is_suspect: bool,
}

#[derive(Default)]
struct Process {
    incarnation: u64,
    /// Version of the map that it knows.
    map: u64,
    /// What each stream named last.
    streams: BTreeMap<StreamId, u64>,
    shards: BTreeMap<u32, Held>,
}

struct Held {
    stage: Stage,
    since: u64,
    /// The first runs, if anything does.
    queue: VecDeque<(StreamId, u64, u64)>,
    is_running: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Expecting,
    Serving,
    Quiescing,
}

impl Fleet {
    pub(super) fn new() -> Self {
        Self {
            hosts: (0..HOSTS).map(|_| Host::default()).collect(),
            maps: vec![Table {
                owners: vec![0xFF; SHARDS as usize * 2].into(),
                ..Table::default()
            }],
            fences: vec![0; SHARDS as usize],
            committed: BTreeSet::new(),
            is_restless: false,
            is_healed: false,
            next_incarnation: 0,
        }
    }

    pub(super) fn newest(&self) -> Table {
        self.maps.last().cloned().unwrap()
    }

    pub(super) fn is_committed(&self, request: u64) -> bool {
        self.committed.contains(&request)
    }

    pub(super) fn is_running(&self, incarnation: u64) -> bool {
        self.hosts.iter().any(|host| {
            host.process
                .as_ref()
                .is_some_and(|process| process.incarnation == incarnation)
        })
    }

    /// It runs no more, or the leader has said so.
    pub(super) fn is_dead(&self, incarnation: u64) -> bool {
        let is_named = |node: &RouteNode| node.incarnation == incarnation;
        !self.is_running(incarnation) || !self.newest().nodes.iter().any(is_named)
    }

    /// A hint: whoever does not run is dead at once.
    pub(super) fn suspect(&mut self, incarnation: u64) {
        if !self.is_running(incarnation) {
            for (host, node) in self.newest().nodes.iter().enumerate() {
                if node.incarnation == incarnation {
                    let host = (0..HOSTS)
                        .find(|other| address_of(*other) == node.address)
                        .unwrap_or(host);
                    self.hosts[host].is_suspect = true;
                }
            }
        }
    }

    pub(super) fn forget_stream(&mut self, host: usize, stream: StreamId) {
        if let Some(process) = &mut self.hosts[host].process {
            process.streams.remove(&stream);
        }
    }

    /// No fault goes on from now on.
    pub(super) fn heal(&mut self) {
        self.is_healed = true;
        for host in &mut self.hosts {
            host.restarts_at = 0;
        }
    }

    fn owner(&self, version: u64, shard: u32) -> Option<u64> {
        let table = &self.maps[usize::try_from(version).unwrap()];
        let place = usize::try_from(shard).unwrap() * 2;
        let owner = u16::from_le_bytes([table.owners[place], table.owners[place + 1]]);
        table.nodes.get(usize::from(owner)).map(|node| node.incarnation)
    }

    fn join(&mut self, host: usize) {
        self.next_incarnation += 1;
        let incarnation = self.next_incarnation;
        let process = self.hosts[host].process.get_or_insert_default();
        process.incarnation = incarnation;
        self.hosts[host].is_suspect = false;
    }
}

impl Simulation {
    pub(super) fn kill(&mut self, host: usize, resets: bool) {
        let away = self.random.random_range(100..8_000);
        let it = &mut self.fleet.hosts[host];
        it.restarts_at = self.now + away;
        it.is_dark = !resets;
        it.paused_until = 0;
        it.stuck_until = 0;
        if let Some(process) = it.process.take()
            && resets
        {
            for stream in process.streams.into_keys() {
                self.travel(stream, false, Event::Lost(stream, Loss::Reset));
            }
        }
    }

    /// Every stream of a host breaks, and both ends live.
    pub(super) fn cut(&mut self, host: usize) {
        let streams = self.fleet.hosts[host]
            .process
            .as_mut()
            .map(|process| std::mem::take(&mut process.streams));
        for stream in streams.into_iter().flatten().map(|(stream, _)| stream) {
            self.travel(stream, false, Event::Lost(stream, Loss::Reset));
        }
    }

    pub(super) fn connect(&mut self, stream: StreamId, host: usize, named: u64) {
        let it = &mut self.fleet.hosts[host];
        let Some(process) = &mut it.process else {
            if !it.is_dark {
                self.travel(stream, false, Event::Lost(stream, Loss::Refused));
            }
            return;
        };
        process.streams.insert(stream, named);
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: address_of(host),
            incarnation: process.incarnation,
            shards: SHARDS,
        };
        let frame = ToIngress {
            welcome: Some(welcome),
            credits: 100_000,
            ..ToIngress::default()
        };
        self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
        self.push(host, stream);
    }

    /// Sends the map to an ingress that knows an older one; now and then not the newest, or twice.
    fn push(&mut self, host: usize, stream: StreamId) {
        let Some(process) = &self.fleet.hosts[host].process else {
            return;
        };
        let (known, named) = (process.map, process.streams.get(&stream).copied());
        if named.is_none_or(|named| named >= known) {
            return;
        }
        let is_odd = self.now < CALM_AT && self.random.random_bool(0.1);
        let versions = if is_odd {
            vec![known, known - 1, known]
        } else {
            vec![known]
        };
        for version in versions {
            let frame = ToIngress {
                map_version: known,
                routes: Some(self.fleet.maps[usize::try_from(version).unwrap()].clone()),
                ..ToIngress::default()
            };
            self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
        }
    }

    /// A worker learns of a map, and does what it says.
    pub(super) fn learn(&mut self, host: usize, version: u64) {
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        if process.map >= version {
            return;
        }
        process.map = version;
        let me = process.incarnation;
        let streams: Vec<StreamId> = process.streams.keys().copied().collect();
        for stream in streams {
            self.push(host, stream);
        }
        for shard in 0..SHARDS {
            let is_mine = self.fleet.owner(version, shard) == Some(me);
            let now = self.now;
            let Some(process) = &mut self.fleet.hosts[host].process else {
                return;
            };
            match process.shards.get_mut(&shard) {
                None if is_mine => {
                    let held = Held {
                        stage: Stage::Expecting,
                        since: now,
                        queue: VecDeque::new(),
                        is_running: false,
                    };
                    process.shards.insert(shard, held);
                    self.after(
                        1,
                        Event::Claim {
                            host,
                            incarnation: me,
                            shard,
                        },
                    );
                }
                Some(held) if !is_mine && held.stage == Stage::Serving => {
                    held.stage = Stage::Quiescing;
                    let runs = usize::from(held.is_running);
                    let back: Vec<_> = held.queue.drain(runs..).collect();
                    let is_quiet = !held.is_running;
                    self.hand_back(host, back);
                    if is_quiet {
                        self.release(host, shard);
                    }
                }
                Some(held) if !is_mine && held.stage == Stage::Expecting => {
                    let back = held.queue.drain(..).collect();
                    process.shards.remove(&shard);
                    self.hand_back(host, back);
                }
                _ => {}
            }
        }
    }

    pub(super) fn claim(&mut self, host: usize, incarnation: u64, shard: u32) {
        let holder = self.fleet.fences[shard as usize];
        let is_free = holder == 0 || !self.fleet.is_running(holder);
        let again = Event::Claim {
            host,
            incarnation,
            shard,
        };
        let now = self.now;
        let Some(held) = self.held(host, incarnation, shard) else {
            return;
        };
        if held.stage != Stage::Expecting {
            return;
        }
        if is_free || now >= held.since + FORCE {
            held.stage = Stage::Serving;
            self.fleet.fences[shard as usize] = incarnation;
            self.begin(host, shard);
        } else {
            self.after(50, again);
        }
    }

    fn held(&mut self, host: usize, incarnation: u64, shard: u32) -> Option<&mut Held> {
        let process = self.fleet.hosts[host].process.as_mut()?;
        (process.incarnation == incarnation).then(|| process.shards.get_mut(&shard))?
    }

    fn release(&mut self, host: usize, shard: u32) {
        if let Some(process) = &mut self.fleet.hosts[host].process {
            process.shards.remove(&shard);
            if self.fleet.fences[shard as usize] == process.incarnation {
                self.fleet.fences[shard as usize] = 0;
            }
        }
    }

    fn begin(&mut self, host: usize, shard: u32) {
        let duration = match self.random.random_range(0..100) {
            0 => self.random.random_range(200..1_500),
            _ => self.random.random_range(1..20),
        };
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        let incarnation = process.incarnation;
        let Some(held) = process.shards.get_mut(&shard) else {
            return;
        };
        if held.stage == Stage::Serving && !held.is_running && !held.queue.is_empty() {
            held.is_running = true;
            self.after(
                duration,
                Event::TurnEnds {
                    host,
                    incarnation,
                    shard,
                },
            );
        }
    }

    pub(super) fn end_turn(&mut self, host: usize, incarnation: u64, shard: u32) {
        let may_write = self.fleet.fences[shard as usize] == incarnation;
        let Some(held) = self.held(host, incarnation, shard) else {
            return;
        };
        held.is_running = false;
        let is_last = held.stage == Stage::Quiescing;
        if !may_write {
            // Lost: nothing is written, everything is handed back.
            let back = held.queue.drain(..).collect();
            self.hand_back(host, back);
            self.release(host, shard);
            return;
        }
        if let Some((stream, seq, request)) = held.queue.pop_front() {
            let answer = WireAnswer {
                status: 200,
                body: Bytes::new(),
            };
            let ended = if self.fleet.committed.insert(request) {
                Ended::Done(answer)
            } else {
                Ended::Repeated(answer)
            };
            self.say(host, stream, seq, ended);
        }
        if is_last {
            self.release(host, shard);
        } else {
            self.begin(host, shard);
        }
    }

    fn hand_back(&mut self, host: usize, back: Vec<(StreamId, u64, u64)>) {
        for (stream, seq, _) in back {
            self.say(host, stream, seq, Ended::Moved(Moved {}));
        }
    }

    fn say(&mut self, host: usize, stream: StreamId, seq: u64, ended: Ended) {
        let process = self.fleet.hosts[host].process.as_ref();
        if !process.is_some_and(|process| process.streams.contains_key(&stream)) {
            return;
        }
        let outcome = Outcome {
            seq,
            result: Some(ended),
        };
        let frame = ToIngress {
            outcome: vec![outcome],
            credits: 1,
            ..ToIngress::default()
        };
        self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
    }

    /// Something has come from an ingress.
    pub(super) fn at_worker(&mut self, host: usize, stream: StreamId, outgoing: Outgoing) {
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        let Some(named) = process.streams.get_mut(&stream) else {
            return;
        };
        match outgoing {
            Outgoing::MapVersion(version) => {
                *named = version;
                self.push(host, stream);
            }
            Outgoing::Ping => {
                self.travel(stream, false, Event::ToIngress(stream, Box::default()));
            }
            Outgoing::Cancel(seq) => {
                for held in process.shards.values_mut() {
                    let runs = usize::from(held.is_running);
                    let found = held
                        .queue
                        .iter()
                        .skip(runs)
                        .position(|job| (job.0, job.1) == (stream, seq));
                    if let Some(place) = found {
                        held.queue.remove(place + runs);
                    }
                }
            }
            Outgoing::Deliver(delivery) => {
                let request = u64::from_le_bytes(delivery.head[..8].try_into().unwrap());
                let shard = u32::from_le_bytes(delivery.head[8..12].try_into().unwrap());
                match process.shards.get_mut(&shard) {
                    Some(held) if held.stage != Stage::Quiescing => {
                        held.queue.push_back((stream, delivery.seq, request));
                        self.begin(host, shard);
                    }
                    _ => self.say(host, stream, delivery.seq, Ended::Moved(Moved {})),
                }
            }
            Outgoing::Pong | Outgoing::Suspect(_) => {}
        }
    }

    /// Beats, deaths, the map: what the leader sees and does.
    pub(super) fn lead(&mut self) {
        self.after(100, Event::Leader);
        let current = self.fleet.newest();
        for host in 0..HOSTS {
            self.beat(host, &current);
        }
        let now = self.now;
        let alive = |host: &Host| host.last_beat + LEASE >= now && !host.is_suspect && host.last_beat > 0;
        let mut nodes = Vec::new();
        for (number, host) in self.fleet.hosts.iter().enumerate() {
            let known = current.nodes.iter().find(|node| node.address == address_of(number));
            let own = host.process.as_ref().map(|process| process.incarnation);
            // One that stopped beating is in the map as it was, until its time is over.
            let incarnation = own.or(known.map(|node| node.incarnation));
            if let Some(incarnation) = incarnation.filter(|_| alive(host)) {
                nodes.push(RouteNode {
                    incarnation,
                    name: format!("node-{number}"),
                    address: address_of(number),
                    // One that is stuck for 3 s is treated as one that drains.
                    draining: host.stuck_since > 0 && host.stuck_since + STUCK < now,
                });
            }
        }
        let is_restless = std::mem::take(&mut self.fleet.is_restless);
        if nodes.is_empty() || (nodes == current.nodes && !is_restless) {
            return;
        }
        let takes: Vec<usize> = (0..nodes.len()).filter(|place| !nodes[*place].draining).collect();
        let owners = (0..SHARDS).flat_map(|shard| {
            let before = self.fleet.owner(current.version, shard);
            let stays = nodes.iter().position(|node| Some(node.incarnation) == before);
            let is_moved = is_restless && self.random.random_bool(0.3);
            let any = takes.choose(&mut self.random).copied().unwrap_or_default();
            let place = stays
                .filter(|place| !is_moved && !nodes[*place].draining)
                .unwrap_or(any);
            u16::try_from(place).unwrap().to_le_bytes()
        });
        let owners: Vec<u8> = owners.collect();
        let version = current.version + 1;
        self.fleet.maps.push(Table {
            version,
            nodes,
            owners: owners.into(),
        });
        for host in 0..HOSTS {
            let slow = self.random.random_bool(0.1);
            let delay = self.random.random_range(0..if slow { 1_500 } else { 200 });
            self.after(delay, Event::Map(host, version));
        }
    }

    /// A process that runs beats; one that finds itself dead joins anew; a host without one gets one when it is time.
    fn beat(&mut self, host: usize, current: &Table) {
        let now = self.now;
        let newest = current.version;
        let it = &mut self.fleet.hosts[host];
        if it.paused_until > now {
            return;
        }
        it.stuck_since = match it.stuck_since {
            _ if it.stuck_until <= now => 0,
            0 => now,
            since => since,
        };
        let has_expired = it.last_beat + LEASE < now;
        match &mut it.process {
            None if it.restarts_at <= now => {
                it.is_dark = false;
                it.last_beat = now;
                self.fleet.join(host);
                self.after(100, Event::Map(host, newest));
            }
            None => {}
            Some(process) if has_expired => {
                // Its lease is over: everything it held is lost.
                let held = std::mem::take(&mut process.shards);
                it.last_beat = now;
                for held in held.into_values() {
                    self.hand_back(host, held.queue.into());
                }
                self.fleet.join(host);
            }
            Some(_) => it.last_beat = now,
        }
    }
}

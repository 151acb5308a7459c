//! The machines of the simulated cluster, what runs on them, and the store that remembers who may write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trunkline_proto::routing::{RouteNode, Routes as Table};

use super::{SHARDS, StreamId};

pub(super) const HOSTS: usize = 4;

pub(super) fn address_of(host: usize) -> String {
    format!("host-{host}:7400")
}

pub(super) struct Fleet {
    pub(super) hosts: Vec<Host>,
    /// The newest map, and those before it.
    pub(super) maps: Vec<Table>,
    /// Who may write, for each shard.
    pub(super) fences: Vec<u64>,
    pub(super) committed: BTreeSet<u64>,
    /// The leader moves shards without need.
    pub(super) is_restless: bool,
    is_healed: bool,
    next_incarnation: u64,
}

/// A machine, with or without a process.
#[derive(Default)]
pub(super) struct Host {
    pub(super) process: Option<Process>,
    /// Nothing happens at it before.
    pub(super) paused_until: u64,
    /// It beats and answers pings, and nothing else happens before: its threads are blocked.
    pub(super) stuck_until: u64,
    pub(super) stuck_since: u64,
    pub(super) restarts_at: u64,
    /// The machine itself is away: nobody refuses a connection.
    pub(super) is_dark: bool,
    pub(super) last_beat: u64,
    pub(super) is_suspect: bool,
}

#[derive(Default)]
pub(super) struct Process {
    pub(super) incarnation: u64,
    /// Version of the map that it knows.
    pub(super) map: u64,
    /// What each stream named last.
    pub(super) streams: BTreeMap<StreamId, u64>,
    pub(super) shards: BTreeMap<u32, Held>,
}

pub(super) struct Held {
    pub(super) stage: Stage,
    pub(super) since: u64,
    /// The first runs, if anything does.
    pub(super) queue: VecDeque<(StreamId, u64, u64)>,
    pub(super) is_running: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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

    pub(super) fn owner(&self, version: u64, shard: u32) -> Option<u64> {
        let table = &self.maps[usize::try_from(version).unwrap()];
        let place = usize::try_from(shard).unwrap() * 2;
        let owner = u16::from_le_bytes([table.owners[place], table.owners[place + 1]]);
        table.nodes.get(usize::from(owner)).map(|node| node.incarnation)
    }

    pub(super) fn join(&mut self, host: usize) {
        self.next_incarnation += 1;
        let incarnation = self.next_incarnation;
        let process = self.hosts[host].process.get_or_insert_default();
        process.incarnation = incarnation;
        self.hosts[host].is_suspect = false;
    }
}

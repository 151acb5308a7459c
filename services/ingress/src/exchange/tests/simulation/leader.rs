//! The leader of the fleet: beats, deaths, and the map that follows from them.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use trunkline_proto::routing::{RouteNode, Routes as Table};

use super::fleet::{HOSTS, Host, address_of};
use super::{Event, SHARDS, Simulation};

/// Without a beat for so long a process is dead.
const LEASE: u64 = 1_000;
/// Threads that are blocked for so long cost a worker its shards.
const STUCK: u64 = 3_000;

impl Simulation {
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

//! Who is there and who leads: the rules of the scripts `beat`, `nodes`, `leave`, `lead` and `write_map` as a value.
//!
//! The map itself is not here, only its version. The embedded engine keeps this value in memory: one process uses that store,
//! so beats, leadership and what its nodes have seen live and end with it, and a floor above the map that stands in the file
//! would be the memory of a process that is gone.

use std::collections::BTreeMap;

use crate::contract::{Beat, Incarnation, Led, MapVersion, MapWrite, NodeBeat, Nodes, Pulse, SILENCE_MS};

/// What a store knows of the nodes of a cluster. All times are milliseconds of the store's clock.
#[derive(Clone, Debug)]
pub struct Membership {
    cluster: u64,
    /// Last beat of anybody, and since when the store has been there.
    beats: Option<(u64, u64)>,
    nodes: BTreeMap<Incarnation, NodeBeat>,
    /// The leader and the end of its lease.
    leader: Option<(Incarnation, u64)>,
    /// Version of the stored map, 0 for none.
    map: u64,
    /// Newest map that a node has seen.
    floor: u64,
}

impl Membership {
    /// Nobody has beaten yet; the version of the map is that of the file.
    pub fn new(cluster: u64, map: MapVersion) -> Self {
        Self {
            cluster,
            beats: None,
            nodes: BTreeMap::new(),
            leader: None,
            map: map.0,
            floor: 0,
        }
    }

    /// A node says that it lives.
    pub fn beat(&mut self, beat: Beat, now_ms: u64) -> Pulse {
        let up_since_ms = self.up_since(now_ms);
        self.beats = Some((now_ms, up_since_ms));
        self.floor = self.floor.max(beat.seen_map.0);
        let node = NodeBeat {
            incarnation: beat.me,
            beat_ms: now_ms,
            payload: beat.payload,
        };
        let previous = self.nodes.insert(beat.me, node);
        Pulse {
            now_ms,
            up_since_ms,
            previous_beat_ms: previous.map(|beat| beat.beat_ms),
            map: MapVersion(self.map),
            leader: self.leader.map(|(leader, _)| leader),
            leader_until_ms: self.leader.map_or(0, |(_, until_ms)| until_ms),
            cluster: self.cluster,
        }
    }

    /// Who has beaten, and when.
    pub fn nodes(&self, now_ms: u64) -> Nodes {
        Nodes {
            now_ms,
            up_since_ms: self.up_since(now_ms),
            nodes: self.nodes.values().cloned().collect(),
        }
    }

    /// A node ends, and leads no more.
    pub fn leave(&mut self, me: Incarnation) {
        self.nodes.remove(&me);
        self.leader.take_if(|(leader, _)| *leader == me);
    }

    /// Removes nodes that are long dead.
    pub fn forget(&mut self, dead: &[Incarnation]) {
        for dead in dead {
            self.nodes.remove(dead);
        }
    }

    /// A node wants to become or stay leader.
    pub fn lead(&mut self, me: Incarnation, lease_ms: u64, now_ms: u64) -> Led {
        let fresh_ms = now_ms.saturating_add(lease_ms);
        if let Some((leader, until_ms)) = self.leader
            && leader != me
            // A lease that ends later than a fresh one was given by a clock that has stepped back since.
            && (now_ms..=fresh_ms).contains(&until_ms)
        {
            return Led::Following { leader, until_ms };
        }
        self.leader = Some((me, fresh_ms));
        Led::Leading { until_ms: fresh_ms }
    }

    /// Judges a new map; the caller stores what was allowed, and asks before whether this very map is stored already.
    pub fn advance(&mut self, me: Incarnation, expected: MapVersion, version: MapVersion, now_ms: u64) -> MapWrite {
        if !self
            .leader
            .is_some_and(|(leader, until_ms)| leader == me && now_ms <= until_ms)
        {
            return MapWrite::NotLeader;
        }
        let highest = self.map.max(self.floor);
        if self.map != expected.0 || version.0 <= highest {
            return MapWrite::Overtaken(MapVersion(highest));
        }
        self.map = version.0;
        MapWrite::Written
    }

    fn up_since(&self, now_ms: u64) -> u64 {
        match self.beats {
            Some((last_ms, up_since_ms)) if (last_ms..=last_ms.saturating_add(SILENCE_MS)).contains(&now_ms) => {
                up_since_ms
            }
            _ => now_ms,
        }
    }
}

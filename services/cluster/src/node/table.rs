//! The table of nodes as one read of the store gave it, and what is made of each node.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_store::contract::{Incarnation, MapVersion, Nodes};
use trunkline_store::key::ShardId;

use super::damping::Damping;
use super::member::age;
use super::payload::Payload;
use super::times::{FORGET, LATE, LEASE, MASS_DEATH, MISSED_BEAT, REPORT};
use crate::facts::Load;
use crate::map::ShardMap;
use crate::view::{NodeView, Standing};

/// One node of the table.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) incarnation: Incarnation,
    /// Age of the last beat on the store's clock.
    pub(super) age: u64,
    /// What it says of itself; `None` when it cannot be read.
    pub(super) payload: Option<Payload>,
    pub(super) standing: Standing,
}

impl Seen {
    fn address(&self) -> &str {
        self.payload.as_ref().map_or("", |payload| &payload.facts.address)
    }

    /// Its label, when it can be read.
    pub(super) fn name(&self) -> Option<String> {
        self.payload.as_ref().map(|payload| payload.facts.name.clone())
    }

    /// Where it can be probed; not if it is dead already.
    pub(super) fn probe_address(&self) -> Option<String> {
        let address = self.address();
        (self.standing != Standing::Dead && !address.is_empty()).then(|| address.to_owned())
    }
}

/// All nodes that beat, judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    entries: Vec<Seen>,
}

/// What others than the beats say of nodes.
#[derive(Debug, Default)]
pub(super) struct Rumours {
    /// Nodes that somebody could not reach, and when that was told.
    reported: BTreeMap<Incarnation, u64>,
    /// Nodes that refused this node's probe, and when.
    refused: BTreeMap<Incarnation, u64>,
    /// Nodes that took this node's probe, and when.
    reached: BTreeMap<Incarnation, u64>,
}

impl Rumours {
    /// Somebody could not reach a node.
    pub(super) fn report(&mut self, now: u64, node: Incarnation) {
        self.reported.insert(node, now);
    }

    /// A probe came back.
    pub(super) fn probed(&mut self, now: u64, node: Incarnation, refused: bool) {
        if refused {
            self.refused.insert(node, now);
        } else {
            self.refused.remove(&node);
            self.reported.remove(&node);
            self.reached.insert(node, now);
        }
    }

    /// Forgets what is old.
    pub(super) fn settle(&mut self, now: u64) {
        let is_fresh = |_: &Incarnation, told: &mut u64| now.saturating_sub(*told) <= REPORT;
        self.reported.retain(is_fresh);
        self.refused.retain(is_fresh);
        self.reached.retain(is_fresh);
    }

    /// Nodes that somebody could not reach lately.
    pub(super) fn reported(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.reported.keys().copied()
    }

    /// Whether a node took a probe lately: reports of others are older news.
    pub(super) fn was_reached(&self, node: Incarnation) -> bool {
        self.reached.contains_key(&node)
    }
}

impl Table {
    /// Reads and judges the nodes.
    pub(super) fn judge(now: u64, read: Nodes, map: &ShardMap, rumours: &Rumours, damping: &mut Damping) -> Self {
        let mut entries = entries(read, map);
        damping.nodes_seen(now, entries.iter().map(|entry| entry.incarnation), map);
        let fresh = fresh(&entries);
        let patience = patience(&entries, &fresh, map);
        for entry in &mut entries {
            // A namesake that beats is its successor.
            let is_replaced = fresh.contains_key(name(entry));
            let is_proven_dead =
                entry.age > MISSED_BEAT && (is_replaced || rumours.refused.contains_key(&entry.incarnation));
            let is_gone = damping.is_gone(entry.incarnation) || is_ghost(entry, map);
            if is_proven_dead || entry.age > patience || is_gone {
                entry.standing = Standing::Dead;
            }
        }
        let falling = falling(&entries, &fresh, map, damping);
        for entry in entries.iter_mut().filter(|entry| entry.standing != Standing::Dead) {
            entry.standing = match &entry.payload {
                // Who writes what cannot be read is a node, but none to give shards to.
                None => Standing::CannotClaim,
                Some(payload) if payload.draining => Standing::Draining,
                Some(payload) if payload.cannot_claim => Standing::CannotClaim,
                Some(payload) if payload.stalled => Standing::Stalled,
                _ if entry.age > LATE || rumours.reported.contains_key(&entry.incarnation) => Standing::Suspect,
                Some(payload) if falling.contains(&payload.facts.name) => Standing::Returning,
                Some(payload) if damping.must_wait(now, entry.incarnation, &payload.facts.name) => Standing::Returning,
                Some(_) => Standing::Active,
            };
        }
        Self { entries }
    }

    /// Those that live.
    pub(super) fn living(&self) -> impl Iterator<Item = &Seen> {
        self.entries.iter().filter(|entry| entry.standing != Standing::Dead)
    }

    /// The entry of an incarnation.
    pub(super) fn entry(&self, node: Incarnation) -> Option<&Seen> {
        self.entries.iter().find(|entry| entry.incarnation == node)
    }

    /// A node that lives, by its label.
    pub(super) fn living_by_name(&self, name: &str) -> Option<&Seen> {
        self.living()
            .find(|entry| entry.payload.as_ref().is_some_and(|payload| payload.facts.name == name))
    }

    /// Shards that living nodes wait for.
    pub(super) fn in_motion(&self) -> BTreeSet<ShardId> {
        self.payloads()
            .flat_map(|payload| payload.awaited.iter().copied())
            .collect()
    }

    /// Formats that living nodes met in shards and could not read.
    pub(super) fn needs(&self) -> BTreeMap<ShardId, u32> {
        let mut needs = BTreeMap::new();
        for (&shard, &format) in self.payloads().flat_map(|payload| &payload.needs) {
            let known = needs.entry(shard).or_default();
            *known = format.max(*known);
        }
        needs
    }

    /// Whether a living node has not adopted `map` yet.
    pub(super) fn lags_behind(&self, map: MapVersion) -> bool {
        self.payloads().any(|payload| payload.map < map)
    }

    /// Nodes that others could not reach.
    pub(super) fn suspicions(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.payloads().flat_map(|payload| payload.suspects.iter().copied())
    }

    fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.living().filter_map(|entry| entry.payload.as_ref())
    }

    /// The newest map that a node has adopted.
    pub(super) fn newest_map(&self) -> MapVersion {
        let maps = self
            .entries
            .iter()
            .filter_map(|entry| entry.payload.as_ref())
            .map(|payload| payload.map);
        maps.max().unwrap_or(MapVersion(0))
    }

    /// Entries that nobody needs any more.
    pub(super) fn forgettable(&self, map: &ShardMap) -> Vec<Incarnation> {
        self.entries
            .iter()
            .filter(|entry| entry.age > FORGET && map.node(entry.incarnation).is_none())
            .map(|entry| entry.incarnation)
            .collect()
    }

    /// As the view shows them.
    pub(super) fn views(&self, map: &ShardMap) -> Vec<NodeView> {
        let counted = owned(map);
        let view = |entry: &Seen| {
            let payload = entry.payload.as_ref();
            NodeView {
                incarnation: entry.incarnation,
                facts: payload.map(|payload| payload.facts.clone()),
                beat_age_ms: entry.age,
                standing: entry.standing,
                owned: counted.get(&entry.incarnation).copied().unwrap_or(0),
                serving: payload.map_or(0, |payload| payload.serving),
                waiting: payload.map_or(0, |payload| payload.waiting),
                quiescing: payload.map_or(0, |payload| payload.quiescing),
                map: payload.map_or(MapVersion(0), |payload| payload.map),
                load: payload.map_or(Load::default(), |payload| payload.load),
            }
        };
        self.entries.iter().map(view).collect()
    }
}

fn entries(read: Nodes, map: &ShardMap) -> Vec<Seen> {
    let up = read.now_ms.saturating_sub(read.up_since_ms);
    let mut entries: Vec<Seen> = read
        .nodes
        .into_iter()
        .map(|beat| Seen {
            incarnation: beat.incarnation,
            age: age(beat.beat_ms, read.up_since_ms, read.now_ms),
            payload: Payload::decode(&beat.payload),
            standing: Standing::Active,
        })
        .collect();
    let known: BTreeSet<_> = entries.iter().map(|entry| entry.incarnation).collect();
    // A member without a beat has left, or a failover has lost its beat: then it beats again before it has missed one.
    let forgotten = map.nodes().iter().filter(|node| !known.contains(&node.incarnation));
    entries.extend(forgotten.map(|node| Seen {
        incarnation: node.incarnation,
        age: up + LEASE - MISSED_BEAT,
        payload: Some(Payload::of_map(node)),
        standing: Standing::Active,
    }));
    entries.sort_by(|one, other| name(one).cmp(name(other)).then(one.incarnation.cmp(&other.incarnation)));
    entries
}

fn name(entry: &Seen) -> &str {
    entry.payload.as_ref().map_or("", |payload| &payload.facts.name)
}

fn owned(map: &ShardMap) -> BTreeMap<Incarnation, u32> {
    let mut owned = BTreeMap::new();
    for owner in (0..map.shards()).filter_map(|shard| map.owner(ShardId(shard))) {
        *owned.entry(owner.incarnation).or_default() += 1;
    }
    owned
}

/// Nodes that beat now, by name.
fn fresh(entries: &[Seen]) -> BTreeMap<String, Vec<Incarnation>> {
    let mut fresh: BTreeMap<String, Vec<Incarnation>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.age <= MISSED_BEAT) {
        fresh.entry(name(entry).to_owned()).or_default().push(entry.incarnation);
    }
    fresh
}

/// Whether a node holds shards although the map does not know it: it was taken for dead and does not know that yet. Only as
/// a new incarnation, which has lost them, is it a member again.
fn is_ghost(entry: &Seen, map: &ShardMap) -> bool {
    let holds = |payload: &Payload| payload.serving + payload.waiting + payload.quiescing > 0;
    map.node(entry.incarnation).is_none() && entry.payload.as_ref().is_some_and(holds)
}

/// Names of nodes that die with shards just now, or whose successors have come before that could be said.
fn falling(
    entries: &[Seen],
    fresh: &BTreeMap<String, Vec<Incarnation>>,
    map: &ShardMap,
    damping: &Damping,
) -> BTreeSet<String> {
    let falls = |entry: &&Seen| {
        let namesakes = fresh.get(name(entry)).into_iter().flatten();
        let is_replaced = || {
            namesakes
                .copied()
                .any(|other| damping.is_older(entry.incarnation, other))
        };
        entry.standing == Standing::Dead || is_replaced()
    };
    entries
        .iter()
        .filter(falls)
        .filter(|entry| map.shards_of(entry.incarnation).next().is_some())
        .filter_map(Seen::name)
        .collect()
}

/// How old a beat may be. When many would die in one decision, their common cause may be ours; not so if each has a successor.
fn patience(entries: &[Seen], fresh: &BTreeMap<String, Vec<Incarnation>>, map: &ShardMap) -> u64 {
    let members = map.nodes().len();
    let dying = entries
        .iter()
        .filter(|entry| entry.age > LEASE && !fresh.contains_key(name(entry)))
        .filter(|entry| map.node(entry.incarnation).is_some())
        .count();
    if dying >= 3 && dying * 3 > members {
        LEASE + MASS_DEATH
    } else {
        LEASE
    }
}

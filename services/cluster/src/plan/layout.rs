//! Who has how much while a plan is made.

use std::collections::BTreeMap;

use trunkline_store::key::ShardId;

use super::score::{distance, node_hash, score_above, shard_hash};
use super::{Candidate, Standing};
use crate::map::{NOBODY, ShardMap};

/// A node above this many tenths of its share gives shards away.
const BOUND_TENTHS: u64 = 11;

/// How much room a receiver must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// It has fewer shards than its share, rounded down.
    Lacks,
    /// Below its share rounded up, and so is its zone.
    BelowShareInZone,
    /// Below its share rounded up.
    BelowShare,
    /// Below the bound.
    BelowBound,
    /// None at all.
    Any,
}

/// Shards that a node or a zone has, and those that it should have.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    load: u64,
    weight: u64,
    /// The share, rounded down.
    low: u64,
    /// The share, rounded up.
    high: u64,
    bound: u64,
}

impl Level {
    fn of(weight: u64, all_weights: u64, shards: u64) -> Self {
        if all_weights == 0 {
            return Self::default();
        }
        let wanted = weight * shards;
        Self {
            load: 0,
            weight,
            low: wanted / all_weights,
            high: wanted.div_ceil(all_weights),
            bound: (wanted * BOUND_TENTHS).div_ceil(all_weights * 10),
        }
    }
}

struct Node {
    level: Level,
    zone: usize,
    receives: bool,
    /// Whether it may have shards at all.
    may_have: Option<Standing>,
}

impl Node {
    fn room(&self, zone: Level) -> Room {
        let Level {
            load, low, high, bound, ..
        } = self.level;
        if load < low {
            Room::Lacks
        } else if load < high && zone.load < zone.high {
            Room::BelowShareInZone
        } else if load < high {
            Room::BelowShare
        } else if load < bound {
            Room::BelowBound
        } else {
            Room::Any
        }
    }
}

/// What every shard without a place looks at, of every node: kept small, there are millions of pairs in a first map.
struct Offer {
    hash: u64,
    weight: f64,
    /// Newest format of records that it reads.
    reads: u32,
    /// `None` when the node is given nothing.
    room: Option<Room>,
}

/// Owners and loads.
pub(super) struct Layout {
    nodes: Vec<Node>,
    /// One for each node.
    offers: Vec<Offer>,
    zones: Vec<Level>,
    /// Place of the owner among the candidates, [`NOBODY`] for none.
    owners: Vec<u16>,
    all_weights: u64,
}

impl Layout {
    /// The candidates with what they have by the map; what the dead had belongs to nobody.
    pub(super) fn of(previous: &ShardMap, candidates: &[&Candidate]) -> Self {
        let owners = translated(previous, candidates);
        let mut loads = vec![0_u64; candidates.len()];
        for &owner in owners.iter().filter(|&&owner| owner != NOBODY) {
            loads[usize::from(owner)] += 1;
        }
        let parts = Parts::of(candidates, &loads);
        let shards = u64::from(previous.shards());
        let mut zone_names: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
        for (candidate, capacity) in candidates.iter().zip(&parts.capacity) {
            let next = zone_names.len();
            zone_names.entry(&candidate.node.zone).or_insert((next, 0)).1 += capacity;
        }
        let mut zones = vec![Level::default(); zone_names.len()];
        for &(zone, weight) in zone_names.values() {
            zones[zone] = Level::of(weight, parts.all_weights, shards);
        }
        let mut nodes = Vec::with_capacity(candidates.len());
        let mut offers = Vec::with_capacity(candidates.len());
        for (place, candidate) in candidates.iter().enumerate() {
            let zone = zone_names[candidate.node.zone.as_str()].0;
            zones[zone].load += loads[place];
            let level = Level::of(parts.capacity[place], parts.all_weights, shards);
            nodes.push(Node {
                level: Level {
                    load: loads[place],
                    ..level
                },
                zone,
                receives: parts.receives[place],
                may_have: may_have(candidate).then_some(candidate.standing),
            });
            offers.push(Offer {
                hash: node_hash(&candidate.node.name),
                weight: f64::from(candidate.node.weight),
                reads: candidate.node.reads,
                room: None,
            });
        }
        let mut layout = Self {
            nodes,
            offers,
            zones,
            owners,
            all_weights: parts.all_weights,
        };
        for place in 0..candidates.len() {
            layout.renew_offer(place);
        }
        layout
    }

    // At most `MAX_SHARDS`, as in every map.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn shards(&self) -> u32 {
        self.owners.len() as u32
    }

    pub(super) fn owner(&self, shard: ShardId) -> Option<usize> {
        let owner = self.owners[shard.0 as usize];
        (owner != NOBODY).then_some(usize::from(owner))
    }

    pub(super) fn load(&self, place: usize) -> u64 {
        self.nodes[place].level.load
    }

    pub(super) fn is_crowded(&self, place: usize) -> bool {
        let level = self.nodes[place].level;
        level.load > level.bound
    }

    pub(super) fn into_owners(self) -> Vec<u16> {
        self.owners
    }

    pub(super) fn give(&mut self, shard: ShardId, place: usize) {
        if let Some(owner) = self.owner(shard) {
            self.add(owner, |load| load - 1);
        }
        self.add(place, |load| load + 1);
        self.owners[shard.0 as usize] = u16::try_from(place).unwrap_or(NOBODY);
    }

    fn add(&mut self, place: usize, change: impl Fn(u64) -> u64) {
        let node = &mut self.nodes[place];
        node.level.load = change(node.level.load);
        let place_zone = node.zone;
        let zone = &mut self.zones[place_zone];
        let had_room = zone.load < zone.high;
        zone.load = change(zone.load);
        if had_room == (zone.load < zone.high) {
            self.renew_offer(place);
            return;
        }
        for place in 0..self.nodes.len() {
            if self.nodes[place].zone == place_zone {
                self.renew_offer(place);
            }
        }
    }

    fn renew_offer(&mut self, place: usize) {
        let node = &self.nodes[place];
        self.offers[place].room = node.receives.then(|| node.room(self.zones[node.zone]));
    }

    /// Whether a node reads records of this format.
    pub(super) fn reads(&self, place: usize, need: u32) -> bool {
        self.offers[place].reads >= need
    }

    /// Who gets `shard`, whose records need a reader of this format: among those with most room, and at least `room`, the
    /// one with the highest score. When nobody has room left, the one that is least above its share.
    pub(super) fn receiver(&self, shard: ShardId, need: u32, room: Room) -> Option<usize> {
        let able = self.offers.iter().filter(|offer| offer.reads >= need);
        let most = able.filter_map(|offer| offer.room).min()?;
        if most > room {
            return None;
        }
        if most == Room::Any {
            return self.least_loaded(|place| self.nodes[place].receives && self.reads(place, need));
        }
        let shard = shard_hash(shard);
        let mut best = (0.0, None);
        for (place, offer) in self.offers.iter().enumerate() {
            if offer.room == Some(most)
                && offer.reads >= need
                && let Some(score) = score_above(best.0, offer.weight, distance(offer.hash, shard))
            {
                best = (score, Some(place));
            }
        }
        best.1
    }

    /// Who gets a shard because of what its records need: one that receives if it can be, else one that is late or came back
    /// not long ago.
    pub(super) fn reader(&self, shard: ShardId, need: u32) -> Option<usize> {
        let may_have = |place: usize, standing| self.nodes[place].may_have == Some(standing);
        let of_standing = |standing| self.least_loaded(|place| may_have(place, standing) && self.reads(place, need));
        self.receiver(shard, need, Room::Any)
            .or_else(|| of_standing(Standing::Suspect))
            .or_else(|| of_standing(Standing::Returning))
    }

    fn least_loaded(&self, is_asked: impl Fn(usize) -> bool) -> Option<usize> {
        let load_after = |place: usize| {
            let load = u32::try_from(self.nodes[place].level.load).unwrap_or(u32::MAX);
            (f64::from(load) + 1.0) / self.offers[place].weight
        };
        (0..self.nodes.len())
            .filter(|&place| is_asked(place))
            .min_by(|&one, &other| load_after(one).total_cmp(&load_after(other)))
    }

    /// Nodes that lack shards to their share, the one that lacks most first.
    pub(super) fn needy(&self) -> Vec<usize> {
        let lacking = |place: usize| {
            let level = self.nodes[place].level;
            level.low.saturating_sub(level.load)
        };
        let mut needy: Vec<_> = (0..self.nodes.len())
            .filter(|&place| self.nodes[place].receives && lacking(place) > 0)
            .collect();
        needy.sort_by_key(|&place| std::cmp::Reverse(lacking(place)));
        needy
    }

    /// Nodes above their share, the one furthest above first.
    pub(super) fn donors(&self) -> Vec<usize> {
        let shards = u64::from(self.shards());
        let above = |place: usize| {
            let level = self.nodes[place].level;
            (level.load * self.all_weights).saturating_sub(level.weight * shards)
        };
        let mut donors: Vec<_> = (0..self.nodes.len()).filter(|&place| above(place) > 0).collect();
        donors.sort_by_key(|&place| std::cmp::Reverse(above(place)));
        donors
    }

    /// The shard of `donor` that `target` has the highest score for.
    pub(super) fn best_of(&self, donor: usize, target: usize, may_move: impl Fn(ShardId) -> bool) -> Option<ShardId> {
        let target = self.offers[target].hash;
        (0..self.shards())
            .map(ShardId)
            .filter(|&shard| self.owner(shard) == Some(donor) && may_move(shard))
            .map(|shard| (shard, distance(target, shard_hash(shard))))
            .min_by(|(_, one), (_, other)| one.total_cmp(other))
            .map(|(shard, _)| shard)
    }
}

/// The owners of a map as places among the candidates.
fn translated(previous: &ShardMap, candidates: &[&Candidate]) -> Vec<u16> {
    let places: Vec<u16> = previous
        .nodes
        .iter()
        .map(|node| {
            candidates
                .binary_search_by_key(&node.incarnation, |candidate| candidate.node.incarnation)
                .ok()
                .and_then(|place| u16::try_from(place).ok())
                .unwrap_or(NOBODY)
        })
        .collect();
    previous
        .owners
        .iter()
        .map(|&owner| places.get(usize::from(owner)).copied().unwrap_or(NOBODY))
        .collect()
}

/// Whether a node may have shards at all, if perhaps only when nobody else can.
fn may_have(candidate: &Candidate) -> bool {
    candidate.node.weight > 0 && candidate.standing != Standing::Draining
}

/// Whose weights count, and who may be given shards.
struct Parts {
    /// The weight of each node as far as shares go: 0 for those that shall have none.
    capacity: Vec<u64>,
    receives: Vec<bool>,
    all_weights: u64,
}

impl Parts {
    /// A suspect is counted, so that a late beat changes nobody's share. One that returned is counted when it has shards,
    /// or when there is nobody else.
    fn of(candidates: &[&Candidate], loads: &[u64]) -> Self {
        let stands = |standing: Standing| {
            let mut may_have = candidates.iter().filter(|candidate| may_have(candidate));
            may_have.any(|candidate| candidate.standing == standing)
        };
        let receiving = [Standing::Serving, Standing::Suspect, Standing::Returning]
            .into_iter()
            .find(|&standing| stands(standing));
        let capacity: Vec<u64> = candidates
            .iter()
            .zip(loads)
            .map(|(candidate, &load)| match candidate.standing {
                Standing::Serving | Standing::Suspect => u64::from(candidate.node.weight),
                Standing::Returning if load > 0 || receiving == Some(Standing::Returning) => {
                    u64::from(candidate.node.weight)
                }
                Standing::Returning | Standing::Draining => 0,
            })
            .collect();
        let receives = candidates
            .iter()
            .map(|candidate| Some(candidate.standing) == receiving && candidate.node.weight > 0)
            .collect();
        Self {
            all_weights: capacity.iter().sum(),
            capacity,
            receives,
        }
    }
}

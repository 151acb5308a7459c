//! The next shard map: from the last one, the nodes that live, and what an operator asked for.
//!
//! A shard stays where it is unless its owner is gone, drains, or carries too much, or another node has less than its share.
//! What must move goes by weighted rendezvous hashing among those that have room, so the same nodes give the same map
//! whatever the order of events, and one node that comes or goes moves its own share and nothing else.
//!
//! **Room.** The share of a node is its part of the weights. One with fewer shards than its share, rounded down, is filled
//! first; then one below its share rounded up; then one below the bound of 1.1 shares. From the bound on a node gives
//! shards away.
//!
//! **Zones.** Nothing is replicated, so a zone protects nothing and a shard has no place in a second one. All that zones do
//! is to divide what rounding leaves over: of two nodes with equal room the one whose zone has less than its share is taken.
//! So the shards of a zone are its part of the weights, to one shard, and the loss of a zone of a third of the weights hits
//! a third of the shards.
//!
//! **Formats.** Records are read by a worker of their format or a newer one. Where one was found that its owner cannot read,
//! the shard needs such a worker from then on: it goes to one at once, and never to another as long as one lives that may
//! have shards. Where none does, anybody has it, and refuses what it cannot read.
//!
//! **Moves.** Shards without a living owner move at once, however many. All others move in steps of [`Limits::voluntary`],
//! and none while a node is suspect: a move may turn out to have been in vain, and a cluster in trouble has enough to do.

mod layout;
mod score;

use std::collections::{BTreeMap, BTreeSet};

use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::ShardId;

use crate::map::{MAX_NODES, MapNode, ShardMap};
use layout::{Layout, Room};

/// A node that lives, and how it stands. Whoever is not among the candidates is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// As it will stand in the map.
    pub node: MapNode,
    /// What may be given to it.
    pub standing: Standing,
}

/// What may be given to a node, and what it may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Keeps and gets shards.
    Serving,
    /// Its beat is late but its lease runs: keeps what it has, gets what nobody else can take, and nothing moves at will.
    Suspect,
    /// It died and came back not long ago: keeps what it has, and gets shards only when there is nobody else.
    Returning,
    /// Gives its shards away: drained by an operator, unable to claim, or of a version that cannot read what is stored.
    Draining,
}

/// What the leader knows beside the nodes.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Shards that their owner by the map has not claimed yet: they do not move at will, and count against
    /// [`Limits::voluntary`].
    pub in_motion: BTreeSet<ShardId>,
    /// What an operator asked for, oldest first.
    pub placements: Vec<Placement>,
    /// Formats that nodes met in shards and could not read, beside those that the map knows.
    pub needs: BTreeMap<ShardId, u32>,
}

/// An operator wants a shard at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The shard.
    pub shard: ShardId,
    /// Where it shall be.
    pub to: Incarnation,
}

/// How much may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most shards in motion at once that did not have to move.
    pub voluntary: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { voluntary: 64 }
    }
}

/// One shard that changes its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The shard.
    pub shard: ShardId,
    /// Who had it; `None` when its owner is dead or it had none.
    pub from: Option<Incarnation>,
    /// Who gets it.
    pub to: Incarnation,
    /// Why it moves.
    pub cause: Cause,
}

/// Why a shard moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its owner is dead, or it never had one.
    Orphaned,
    /// Its owner cannot read its records, and the new one can.
    Unread,
    /// An operator asked.
    Asked,
    /// Its owner drains.
    Drained,
    /// Its owner is above the bound.
    Crowded,
    /// The new owner has less than its share.
    Drawn,
}

/// What becomes of a [`Placement`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The plan moves the shard there, or it is there already. It is pinned: balance leaves it alone until its owner drains
    /// or dies.
    Placed,
    /// Not now: the shard or too many others are in motion, or a node is suspect. Ask again with the next plan.
    Waits,
    /// Never: the cluster has no such shard.
    NoSuchShard,
    /// Never: the node does not live, or drains, or has the weight 0, or cannot read what the shard holds.
    CannotTake,
}

/// The outcome of planning.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Still with the version of the map before.
    map: ShardMap,
    changed: bool,
    /// Shards that change their owner.
    pub moves: Vec<Move>,
    /// What becomes of each placement, in their order.
    pub answers: Vec<(Placement, Answer)>,
}

impl Plan {
    /// The map to publish under `version`; `None` when nothing changed.
    pub fn publish(self, version: MapVersion) -> Option<ShardMap> {
        self.changed.then_some(ShardMap { version, ..self.map })
    }
}

/// Plans the next map. The order of the candidates does not matter; of two with one incarnation the first counts, and of
/// more than [`MAX_NODES`] those with the lowest incarnations.
pub fn plan(previous: &ShardMap, candidates: &[Candidate], requests: &Requests, limits: Limits) -> Plan {
    let candidates = in_order(candidates);
    let layout = Layout::of(previous, &candidates);
    let mut planning = Planning {
        suspect: candidates
            .iter()
            .any(|candidate| candidate.standing == Standing::Suspect),
        budget: limits.voluntary.saturating_sub(requests.in_motion.len()),
        pinned: previous.pinned.clone(),
        needs: needs(previous, requests),
        candidates,
        layout,
        in_motion: &requests.in_motion,
        moves: Vec::new(),
        moved: BTreeSet::new(),
    };
    let answers = planning.placements(&requests.placements);
    planning.unread();
    planning.orphans();
    if !planning.suspect {
        planning.drain();
        planning.balance();
    }
    planning.finish(previous, answers)
}

fn in_order(candidates: &[Candidate]) -> Vec<&Candidate> {
    let mut ordered: Vec<_> = candidates.iter().collect();
    ordered.sort_by_key(|candidate| candidate.node.incarnation);
    ordered.dedup_by_key(|candidate| candidate.node.incarnation);
    ordered.truncate(MAX_NODES - 1);
    ordered
}

/// What the map knows and what was met since.
fn needs(previous: &ShardMap, requests: &Requests) -> BTreeMap<ShardId, u32> {
    let mut needs = previous.needs.clone();
    for (&shard, &format) in requests.needs.iter().filter(|(shard, _)| shard.0 < previous.shards()) {
        let known = needs.entry(shard).or_default();
        *known = format.max(*known);
    }
    needs
}

/// A plan in the making.
struct Planning<'a> {
    candidates: Vec<&'a Candidate>,
    layout: Layout,
    in_motion: &'a BTreeSet<ShardId>,
    suspect: bool,
    /// How many more shards may move that need not.
    budget: usize,
    pinned: BTreeSet<ShardId>,
    needs: BTreeMap<ShardId, u32>,
    moves: Vec<Move>,
    /// Shards that this plan moves: none moves twice.
    moved: BTreeSet<ShardId>,
}

impl Planning<'_> {
    fn placements(&mut self, placements: &[Placement]) -> Vec<(Placement, Answer)> {
        placements
            .iter()
            .map(|&placement| (placement, self.place(placement)))
            .collect()
    }

    fn place(&mut self, Placement { shard, to }: Placement) -> Answer {
        if shard.0 >= self.layout.shards() {
            return Answer::NoSuchShard;
        }
        let target = self.candidates.iter().position(|candidate| {
            candidate.node.incarnation == to
                && candidate.node.weight > 0
                && candidate.standing != Standing::Draining
                && candidate.node.reads >= self.need(shard)
        });
        let Some(target) = target else {
            return Answer::CannotTake;
        };
        match self.layout.owner(shard) {
            Some(owner) if owner == target => {}
            Some(_) if self.suspect || self.budget == 0 || self.in_motion.contains(&shard) => return Answer::Waits,
            Some(_) => self.give_at_will(shard, target, Cause::Asked),
            None => self.give(shard, target, Cause::Asked),
        }
        self.pinned.insert(shard);
        Answer::Placed
    }

    /// Shards that nobody serves: at once, all of them.
    fn orphans(&mut self) {
        for shard in (0..self.layout.shards()).map(ShardId) {
            if self.layout.owner(shard).is_some() {
                continue;
            }
            self.pinned.remove(&shard);
            if let Some(target) = self.taker(shard) {
                self.give(shard, target, Cause::Orphaned);
            }
        }
    }

    /// Shards whose owner cannot read what they hold, as far as somebody can: at once, because conversations wait there.
    fn unread(&mut self) {
        let needs: Vec<_> = self.needs.iter().map(|(&shard, &need)| (shard, need)).collect();
        for (shard, need) in needs {
            let is_read = self
                .layout
                .owner(shard)
                .is_none_or(|owner| self.layout.reads(owner, need));
            if is_read {
                continue;
            }
            if let Some(target) = self.layout.reader(shard, need) {
                self.pinned.remove(&shard);
                self.give(shard, target, Cause::Unread);
            }
        }
    }

    /// The format that a node must read to have the shard.
    fn need(&self, shard: ShardId) -> u32 {
        self.needs.get(&shard).copied().unwrap_or(0)
    }

    /// Who has a shard that cannot stay: one that reads it, else anybody.
    fn taker(&self, shard: ShardId) -> Option<usize> {
        let reader = self.layout.reader(shard, self.need(shard));
        reader.or_else(|| self.layout.receiver(shard, 0, Room::Any))
    }

    fn drain(&mut self) {
        for shard in (0..self.layout.shards()).map(ShardId) {
            if self.budget == 0 {
                return;
            }
            let drains = self.layout.owner(shard).is_some_and(|owner| self.drains(owner));
            if !drains || self.in_motion.contains(&shard) {
                continue;
            }
            if let Some(target) = self.taker(shard) {
                self.pinned.remove(&shard);
                self.give_at_will(shard, target, Cause::Drained);
            }
        }
    }

    fn drains(&self, place: usize) -> bool {
        self.candidates[place].standing == Standing::Draining
    }

    /// Shards of crowded nodes go where there is room, then nodes below their share draw from those above theirs. Not while
    /// a node drains: its shards fill the room.
    fn balance(&mut self) {
        let drains = (0..self.candidates.len()).any(|place| self.drains(place) && self.layout.load(place) > 0);
        if drains {
            return;
        }
        while self.budget > 0
            && let Some((shard, target)) = self.crowded()
        {
            self.give_at_will(shard, target, Cause::Crowded);
        }
        while self.budget > 0
            && let Some((shard, target)) = self.drawn()
        {
            self.give_at_will(shard, target, Cause::Drawn);
        }
    }

    /// A shard of a node above the bound, and a node below its share.
    fn crowded(&self) -> Option<(ShardId, usize)> {
        (0..self.layout.shards()).map(ShardId).find_map(|shard| {
            let crowded = self
                .layout
                .owner(shard)
                .is_some_and(|owner| self.layout.is_crowded(owner));
            if !crowded || !self.is_free(shard) {
                return None;
            }
            Some((shard, self.layout.receiver(shard, self.need(shard), Room::BelowShare)?))
        })
    }

    /// A shard of the node that is furthest above its share, for the one that lacks most.
    fn drawn(&self) -> Option<(ShardId, usize)> {
        let donors = self.layout.donors();
        self.layout.needy().into_iter().find_map(|target| {
            let may_move = |shard| self.is_free(shard) && self.layout.reads(target, self.need(shard));
            let from = |&donor: &usize| self.layout.best_of(donor, target, may_move);
            Some((donors.iter().find_map(from)?, target))
        })
    }

    /// Whether a shard may move for the sake of balance.
    fn is_free(&self, shard: ShardId) -> bool {
        !self.in_motion.contains(&shard) && !self.pinned.contains(&shard) && !self.moved.contains(&shard)
    }

    fn give_at_will(&mut self, shard: ShardId, target: usize, cause: Cause) {
        self.budget -= 1;
        self.give(shard, target, cause);
    }

    fn give(&mut self, shard: ShardId, target: usize, cause: Cause) {
        let from = self.layout.owner(shard).map(|place| self.incarnation(place));
        self.layout.give(shard, target);
        self.moved.insert(shard);
        self.moves.push(Move {
            shard,
            from,
            to: self.incarnation(target),
            cause,
        });
    }

    fn incarnation(&self, place: usize) -> Incarnation {
        self.candidates[place].node.incarnation
    }

    fn finish(self, previous: &ShardMap, answers: Vec<(Placement, Answer)>) -> Plan {
        let map = ShardMap {
            version: previous.version,
            nodes: self.candidates.iter().map(|candidate| candidate.node.clone()).collect(),
            owners: self.layout.into_owners(),
            pinned: self.pinned,
            needs: self.needs,
        };
        Plan {
            changed: map != *previous,
            map,
            moves: self.moves,
            answers,
        }
    }
}

#[cfg(test)]
mod tests;

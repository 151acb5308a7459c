//! One node of the cluster as a value: what happened and a time go in, what to do comes out.
//!
//! Times are milliseconds of a clock that never steps and goes on while the machine sleeps. It owns no socket, task or clock;
//! the shell behind [`crate::Cluster`] does, and decides nothing. So it can be driven by a test, or together with the other pure
//! parts of a cluster by a simulation. The parts: `member` says
//! whether this node may begin anything, `leader` looks at all nodes and writes the map, `shards` follows the map with
//! claims and releases. This module joins them; `following` reads the map, and loses everything when the membership is lost,
//! `shown` tells others what the node is and knows.

mod damping;
mod event;
mod following;
mod leader;
mod life;
mod member;
mod payload;
mod shards;
#[cfg(test)]
mod shards_tests;
mod shown;
#[cfg(test)]
mod simulation;
mod table;
pub mod times;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trunkline_store::contract::{Identity, Incarnation, MapVersion, Pulse};
use trunkline_store::key::ShardId;

use self::damping::Damping;
pub use self::event::{Action, Event, Trouble};
use self::leader::{Leader, Moves};
use self::member::{Beaten, Member};
use self::shards::Shards;
use self::times::{BEHIND, LEAVE, MAP_AGAIN, UNNAMED};
use crate::facts::{Load, NodeFacts};
use crate::map::{MapError, ShardMap};
use crate::shell::MoveRefused;

/// What a node has done since its start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Shards claimed.
    pub(crate) claims: u64,
    /// Fences lost.
    pub(crate) fenced: u64,
    /// Memberships lost.
    pub(crate) memberships_lost: u64,
    /// Maps written as leader.
    pub(crate) maps: u64,
    /// Shards moved as leader, because their owner was dead.
    pub(crate) orphaned: u64,
    /// Shards moved as leader, because their owner cannot read what they hold.
    pub(crate) unread: u64,
    /// Shards moved as leader that need not have moved.
    pub(crate) voluntary: u64,
}

/// How the node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// Releases are under way, until then.
    Until(u64, usize),
    Left,
}

/// One node.
#[derive(Debug)]
pub struct Node {
    facts: NodeFacts,
    rng: SmallRng,
    member: Member,
    leader: Leader,
    shards: Shards,
    damping: Damping,
    map: Arc<ShardMap>,
    /// Version of the stored map, and as of when.
    stored: (u64, MapVersion),
    /// Highest version that anybody named.
    seen_map: MapVersion,
    reads_map: bool,
    /// When the map is to be read, if it is.
    wants_map: Option<u64>,
    unreadable: Option<MapError>,
    /// Whether the map names this node.
    is_named: bool,
    /// Since when this node is a member that the newest map does not name.
    unnamed_since: Option<u64>,
    /// Since when the store has had a newer map than this node.
    behind_since: Option<u64>,
    draining: bool,
    stalled_since: Option<u64>,
    /// Formats that were met in shards and cannot be read here, and of which the map does not know.
    needs: BTreeMap<ShardId, u32>,
    load: Load,
    lost: Option<String>,
    leaving: Leaving,
    /// Moves of the map that is on its way to the store.
    moving: Moves,
    tally: Tally,
    /// Rises with whatever the view shows.
    changes: u64,
}

impl Node {
    /// A node that begins now with this store. The seed makes its incarnations.
    pub fn new(facts: NodeFacts, store: Identity, seed: u64, now: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let me = Incarnation(rng.random());
        Self {
            facts,
            rng,
            member: Member::new(me, store.cluster, now),
            leader: Leader::default(),
            shards: Shards::default(),
            damping: Damping::default(),
            map: Arc::new(ShardMap::empty(store.shards)),
            stored: (now, MapVersion(0)),
            seen_map: MapVersion(0),
            reads_map: false,
            wants_map: None,
            unreadable: None,
            is_named: false,
            unnamed_since: None,
            behind_since: None,
            draining: false,
            stalled_since: None,
            needs: BTreeMap::new(),
            load: Load::default(),
            lost: None,
            leaving: Leaving::No,
            moving: Moves::default(),
            tally: Tally::default(),
            changes: 0,
        }
    }

    /// Something happened.
    pub fn on(&mut self, now: u64, event: Event, actions: &mut Vec<Action>) {
        if self.leaving == Leaving::Left || self.lost.is_some() {
            self.ended(&event, actions);
            return;
        }
        if let Some(problem) = lost_store(&event) {
            self.store_lost(problem, actions);
            return;
        }
        self.happened(now, event, actions);
        self.tick(now, actions);
    }

    fn happened(&mut self, now: u64, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Tick => {}
            Event::Beaten { me, sent, answer } => {
                if me == self.member.me() {
                    match answer {
                        Ok(pulse) => self.beaten(now, sent, pulse, actions),
                        Err(_) => self.member.unanswered(),
                    }
                }
            }
            Event::NodesRead { asked, answer } => {
                let read = (asked, answer.ok());
                let damping = &mut self.damping;
                if self.leader.nodes_read(now, read, &self.map, damping, actions) {
                    self.decide(now, actions);
                }
                self.changes += 1;
            }
            Event::MapRead { asked, answer } => {
                self.reads_map = false;
                match answer {
                    Ok(read) => self.map_read(now, asked, read, actions),
                    Err(_) => self.want_map(now + MAP_AGAIN),
                }
            }
            Event::Led { me, sent, answer } => {
                let answer = answer.ok().filter(|_| me == self.member.me());
                self.leader.led(now, sent, answer, actions);
            }
            Event::MapWritten { map, answer } => {
                if self.leader.map_written(now, answer.ok()) {
                    self.stores(now, map.version());
                    self.tally.maps += 1;
                    self.tally.orphaned += self.moving.orphaned;
                    self.tally.unread += self.moving.unread;
                    self.tally.voluntary += self.moving.voluntary;
                    self.adopt(now, map, actions);
                }
            }
            Event::Claimed { me, shard, answer } => {
                let who = (self.member.me(), me);
                if self.shards.claimed(now, who, shard, &answer, &self.map, actions) {
                    self.tally.claims += 1;
                }
                self.shard_changed();
            }
            Event::Released { shard, token, answer } => {
                let me = self.member.me();
                if let Leaving::Until(end, releases) = self.leaving {
                    self.leaving = Leaving::Until(end, releases.saturating_sub(1));
                }
                let map = Arc::clone(&self.map);
                self.shards.released(now, me, (shard, token), &answer, &map, actions);
                self.shard_changed();
            }
            event => self.told(now, event, actions),
        }
    }

    /// What this process says to its node.
    fn told(&mut self, now: u64, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Probed { node, refused } => self.leader.probed(now, node, refused),
            Event::Quiesced(shard) => {
                self.shards.quiesced(now, shard, actions);
                self.changes += 1;
            }
            Event::Fenced(shard, token) => {
                let (me, map) = (self.member.me(), &self.map);
                let is_lost = self.shards.fenced(now, me, (shard, token), map, actions);
                self.tally.fenced += u64::from(is_lost);
                self.shard_changed();
            }
            Event::Stalled(0) => self.stalled_since = None,
            Event::Stalled(_) => {
                self.stalled_since.get_or_insert(now);
            }
            Event::SawMap(version) => {
                self.seen_map = self.seen_map.max(version);
                if version > self.map.version() {
                    self.want_map(now);
                }
            }
            Event::Suspect(node) => {
                self.leader.report(now, node, actions);
                self.member.hurry();
            }
            Event::NeedsReader(shard, format) => self.needs_reader(shard, format),
            Event::Drain(draining) => {
                self.draining = draining;
                self.shard_changed();
            }
            Event::Load(load) => {
                self.load = load;
                self.changes += 1;
            }
            Event::Move { shard, to, number } => {
                let leader = self.member.pulse().and_then(|pulse| pulse.leader);
                self.leader.wish(now, (shard, &to), number, &self.map, leader, actions);
            }
            Event::Leave => self.leave(now, actions),
            _ => {}
        }
    }

    /// News of a shard, for the view and for the leader.
    fn shard_changed(&mut self) {
        self.changes += 1;
        self.member.hurry();
    }

    /// A record of this format was met and could not be read: the leader is told until the map says so.
    fn needs_reader(&mut self, shard: ShardId, format: u32) {
        let known = self.map.need(shard).max(self.needs.get(&shard).copied().unwrap_or(0));
        if format > known {
            self.needs.insert(shard, format);
            self.shard_changed();
        }
    }

    fn beaten(&mut self, now: u64, sent: u64, pulse: Pulse, actions: &mut Vec<Action>) {
        self.stores(sent, pulse.map);
        let (_, stored) = self.stored;
        self.changes += 1;
        self.seen_map = self.seen_map.max(stored);
        match self.member.answered(now, sent, pulse) {
            Beaten::Member | Beaten::Joined => {}
            Beaten::Lapsed => self.want_map(now),
            Beaten::OtherStore(found) => {
                self.store_lost(format!("it calls itself {found:016x}"), actions);
                return;
            }
        }
        if stored > self.map.version() {
            self.behind_since.get_or_insert(now);
            self.want_map(now);
        } else {
            self.behind_since = None;
        }
    }

    fn store_lost(&mut self, problem: String, actions: &mut Vec<Action>) {
        self.shards.lose_all(actions);
        self.leader.step_down();
        self.lost = Some(problem);
        self.changes += 1;
    }

    fn decide(&mut self, now: u64, actions: &mut Vec<Action>) {
        let before = actions.len();
        let me = self.member.me();
        let moving = self.leader.decide(now, me, &self.map, self.stored.1, actions);
        if actions.len() > before {
            self.moving = moving;
        }
    }

    /// What the passing of time brings.
    fn tick(&mut self, now: u64, actions: &mut Vec<Action>) {
        if let Leaving::Until(end, releases) = self.leaving {
            if releases == 0 || now >= end {
                self.leaving = Leaving::Left;
                self.changes += 1;
                actions.extend([Action::Leave(self.member.me()), Action::Left]);
            }
            return;
        }
        self.look_for_own_name(now, actions);
        let me = self.member.me();
        if self.member.is_valid(now) {
            self.shards.tick(now, me, &self.map, actions);
        }
        if self.shards.take_doubt() | self.leader.take_doubt() {
            self.want_map(now);
        }
        self.leader.tick(now, &self.member, actions);
        if !self.reads_map && self.wants_map.is_some_and(|when| now >= when) {
            self.wants_map = None;
            self.reads_map = true;
            actions.push(Action::ReadMap { asked: now });
        }
        if self.member.beats(now) {
            let payload = self.payload(now).encode();
            actions.push(Action::Beat {
                me,
                sent: now,
                payload,
                seen_map: self.seen_map,
            });
        }
    }

    /// A node that was in a map and is in none any more joins anew, though it never read that map.
    fn look_for_own_name(&mut self, now: u64, actions: &mut Vec<Action>) {
        let knows = self.unreadable.is_none() && self.stored.1 <= self.map.version();
        if self.is_named || !knows || !self.member.is_valid(now) {
            self.unnamed_since = None;
            return;
        }
        if now >= *self.unnamed_since.get_or_insert(now) + UNNAMED {
            self.rejoin(now, actions);
        }
    }

    fn leave(&mut self, now: u64, actions: &mut Vec<Action>) {
        if self.leaving == Leaving::No {
            self.leader.step_down();
            let releases = self.shards.leave(actions);
            self.leaving = Leaving::Until(now + LEAVE, releases);
            self.changes += 1;
        }
    }

    /// A node that has ended answers what is asked of it, and does nothing.
    fn ended(&mut self, event: &Event, actions: &mut Vec<Action>) {
        match event {
            Event::Move { number, .. } => actions.push(Action::Moved {
                number: *number,
                answer: Err(MoveRefused::NotMember),
            }),
            Event::Leave if self.leaving == Leaving::No => {
                self.leaving = Leaving::Left;
                actions.push(Action::Left);
            }
            _ => {}
        }
    }

    /// When the clock alone next changes something.
    pub fn wake_at(&self, now: u64) -> u64 {
        match self.leaving {
            Leaving::Left => return u64::MAX,
            Leaving::Until(end, _) => return end,
            Leaving::No if self.lost.is_some() => return u64::MAX,
            Leaving::No => {}
        }
        let map = match self.wants_map {
            Some(when) if !self.reads_map => when,
            _ => u64::MAX,
        };
        let shards = if self.member.is_valid(now) {
            self.shards.next(now)
        } else {
            u64::MAX
        };
        self.member
            .next()
            .min(map)
            .min(shards)
            .min(self.leader.next(now, &self.member))
    }

    /// Until when turns, timers and sends may begin; 0 for not at all.
    pub fn valid_until(&self) -> u64 {
        if self.lost.is_some() || self.leaving != Leaving::No {
            return 0;
        }
        let behind = self.behind_since.map_or(u64::MAX, |since| since + BEHIND);
        self.member.valid_until().min(behind)
    }

    /// Whether this node has to do with no shard, and the map gives it none.
    pub fn holds_nothing(&self) -> bool {
        self.shards.is_empty() && self.map.shards_of(self.member.me()).next().is_none()
    }

    /// Whether this node leads.
    pub fn leads(&self, now: u64) -> bool {
        self.leader.leads(now)
    }

    /// Who it is now.
    pub fn incarnation(&self) -> Incarnation {
        self.member.me()
    }

    /// Which map it follows.
    pub fn map_version(&self) -> MapVersion {
        self.map.version()
    }

    /// What it has done.
    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Rises with whatever the view shows.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }
}

/// What an answer says when the store is not ours any more.
fn lost_store(event: &Event) -> Option<String> {
    let trouble = match event {
        Event::Beaten { answer, .. } => answer.as_ref().err(),
        Event::NodesRead { answer, .. } => answer.as_ref().err(),
        Event::MapRead { answer, .. } => answer.as_ref().err(),
        Event::Led { answer, .. } => answer.as_ref().err(),
        Event::MapWritten { answer, .. } => answer.as_ref().err(),
        Event::Claimed { answer, .. } => answer.as_ref().err(),
        Event::Released { answer, .. } => answer.as_ref().err(),
        _ => None,
    };
    match trouble {
        Some(Trouble::Lost(problem)) => Some(problem.clone()),
        _ => None,
    }
}

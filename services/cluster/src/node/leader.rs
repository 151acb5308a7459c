//! The leader's work: to lead, to look at the nodes, and to write the next map.
//!
//! Every node looks at the nodes, the leader every tick and the others now and then, for what they show. Who dies is judged by
//! stored beats, so a new leader has nothing to wait for.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use trunkline_store::contract::{Incarnation, Led, MapVersion, MapWrite, Nodes};
use trunkline_store::key::ShardId;

use super::damping::Damping;
use super::event::Action;
use super::member::Member;
use super::table::{Rumours, Seen, Table};
use super::times::{LAGGARD, LEADER_LEASE, LEADER_MARGIN, LOOK, LOOK_EACH, PROBE_AGAIN, TICK, WISH};
use crate::map::{MapNode, ShardMap};
use crate::plan::{self, Answer, Candidate, Cause, Limits, Placement, Requests, plan};
use crate::shell::MoveRefused;
use crate::view::Standing;

/// An operator's wish to move a shard.
#[derive(Debug)]
struct Wish {
    number: u64,
    shard: ShardId,
    to: Incarnation,
    since: u64,
}

/// What a plan begins with, beside what operators ask for.
#[derive(Debug, PartialEq)]
struct Beginning {
    map: MapVersion,
    candidates: Vec<Candidate>,
    in_motion: BTreeSet<ShardId>,
    needs: BTreeMap<ShardId, u32>,
    limits: Limits,
}

#[derive(Debug, Default)]
pub(super) struct Leader {
    /// Until when we lead.
    until: u64,
    /// When the next wish to lead and the next look are due.
    next_lead: u64,
    next_look: u64,
    asks_to_lead: bool,
    looks: bool,
    table: Table,
    rumours: Rumours,
    /// When each node was probed last.
    probed: BTreeMap<Incarnation, u64>,
    /// A map of ours is on its way to the store.
    writes: bool,
    /// The stored map is not what we think.
    doubts_map: bool,
    /// Highest version that was in the way of one of ours.
    in_the_way: u64,
    /// When the map that we follow was adopted.
    adopted: u64,
    /// What the last plan began with, if it changed nothing: the same again would change nothing either.
    settled: Option<Beginning>,
    wishes: Vec<Wish>,
}

impl Leader {
    pub(super) fn leads(&self, now: u64) -> bool {
        now < self.until
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// This node has become another incarnation.
    pub(super) fn step_down(&mut self) {
        self.until = 0;
    }

    /// What the passing of time brings.
    pub(super) fn tick(&mut self, now: u64, member: &Member, actions: &mut Vec<Action>) {
        self.rumours.settle(now);
        self.probed.retain(|_, asked| now.saturating_sub(*asked) < PROBE_AGAIN);
        self.give_up_wishes(now, actions);
        if !member.is_valid(now) {
            self.until = 0;
            return;
        }
        let stands = self.leads(now) || now >= member.leader_ends(now);
        if stands && now >= self.next_lead && !self.asks_to_lead {
            self.next_lead = now + TICK;
            self.asks_to_lead = true;
            actions.push(Action::Lead {
                me: member.me(),
                sent: now,
            });
        }
        if now >= self.next_look && !self.looks {
            self.look(now, actions);
        }
    }

    fn look(&mut self, now: u64, actions: &mut Vec<Action>) {
        let pause = if self.leads(now) {
            TICK
        } else {
            LOOK + LOOK_EACH * u64::try_from(self.table.living().count()).unwrap_or(0)
        };
        self.next_look = now + pause;
        self.looks = true;
        actions.push(Action::ReadNodes { asked: now });
    }

    /// When the clock alone next changes something.
    pub(super) fn next(&self, now: u64, member: &Member) -> u64 {
        if !member.is_valid(now) {
            return u64::MAX;
        }
        let election = if self.asks_to_lead {
            u64::MAX
        } else if self.leads(now) {
            self.next_lead
        } else {
            self.next_lead.max(member.leader_ends(now))
        };
        let look = if self.looks { u64::MAX } else { self.next_look };
        election.min(look)
    }

    /// A wish to lead came back. `None` stands for silence.
    pub(super) fn led(&mut self, now: u64, sent: u64, answer: Option<Led>, actions: &mut Vec<Action>) {
        self.asks_to_lead = false;
        match answer {
            Some(Led::Leading { .. }) => {
                let is_news = !self.leads(now);
                self.until = self.until.max(sent + LEADER_LEASE - LEADER_MARGIN);
                if is_news && self.leads(now) && !self.looks {
                    self.look(now, actions);
                }
            }
            Some(Led::Following { .. }) => self.until = 0,
            None => {}
        }
    }

    /// The nodes came back. Returns whether a map may be planned from them: not from silence, and not from a look that is
    /// older than the map, because nodes may have joined with that.
    pub(super) fn nodes_read(
        &mut self,
        now: u64,
        (asked, read): (u64, Option<Nodes>),
        map: &ShardMap,
        damping: &mut Damping,
        actions: &mut Vec<Action>,
    ) -> bool {
        self.looks = false;
        let Some(read) = read else {
            return false;
        };
        self.table = Table::judge(now, read, map, &self.rumours, damping);
        if !self.leads(now) {
            return false;
        }
        let reports: Vec<Incarnation> = self.table.suspicions().collect();
        for suspect in reports {
            if !self.rumours.was_reached(suspect) {
                self.rumours.report(now, suspect);
            }
        }
        self.probe(now, actions);
        let forgettable = self.table.forgettable(map);
        if !forgettable.is_empty() {
            actions.push(Action::Forget(forgettable));
        }
        asked >= self.adopted
    }

    /// This node could not reach another.
    pub(super) fn report(&mut self, now: u64, node: Incarnation, actions: &mut Vec<Action>) {
        self.rumours.report(now, node);
        if self.leads(now) {
            self.probe(now, actions);
        }
    }

    /// Nodes that this node or its ingresses could not reach lately.
    pub(super) fn reported(&self) -> impl Iterator<Item = Incarnation> + '_ {
        self.rumours.reported()
    }

    fn probe(&mut self, now: u64, actions: &mut Vec<Action>) {
        for node in self.rumours.reported() {
            let Some(address) = self.table.entry(node).and_then(Seen::probe_address) else {
                continue;
            };
            if let Entry::Vacant(probed) = self.probed.entry(node) {
                probed.insert(now);
                actions.push(Action::Probe { node, address });
            }
        }
    }

    /// A probe came back: the next look judges by it.
    pub(super) fn probed(&mut self, now: u64, node: Incarnation, refused: bool) {
        self.rumours.probed(now, node, refused);
        if refused {
            self.next_look = now;
        }
    }

    /// A map was adopted.
    pub(super) fn adopted(&mut self, now: u64) {
        self.adopted = now;
    }

    /// An operator wants a shard at a node.
    pub(super) fn wish(
        &mut self,
        now: u64,
        (shard, to): (ShardId, &str),
        number: u64,
        map: &ShardMap,
        pulse_leader: Option<Incarnation>,
        actions: &mut Vec<Action>,
    ) {
        let refusal = if !self.leads(now) {
            let leader = pulse_leader
                .and_then(|leader| self.table.entry(leader))
                .and_then(Seen::name);
            Some(MoveRefused::NotLeader { leader })
        } else if shard.0 >= map.shards() {
            Some(MoveRefused::NoSuchShard(shard))
        } else {
            match self.table.living_by_name(to) {
                Some(node) => {
                    self.wishes.push(Wish {
                        number,
                        shard,
                        to: node.incarnation,
                        since: now,
                    });
                    self.next_look = now;
                    None
                }
                None => Some(MoveRefused::UnknownNode(to.to_owned())),
            }
        };
        if let Some(refusal) = refusal {
            actions.push(Action::Moved {
                number,
                answer: Err(refusal),
            });
        }
    }

    fn give_up_wishes(&mut self, now: u64, actions: &mut Vec<Action>) {
        let leads = self.leads(now);
        self.wishes.retain(|wish| {
            let refusal = if !leads {
                MoveRefused::NotLeader { leader: None }
            } else if now >= wish.since + WISH {
                MoveRefused::Busy
            } else {
                return true;
            };
            actions.push(Action::Moved {
                number: wish.number,
                answer: Err(refusal),
            });
            false
        });
    }

    /// Whether the map must be read from the store, once.
    pub(super) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_map)
    }

    /// Plans from what the nodes said last. `stored` is the version that the store has, as of the last beat.
    pub(super) fn decide(
        &mut self,
        now: u64,
        me: Incarnation,
        map: &Arc<ShardMap>,
        stored: MapVersion,
        actions: &mut Vec<Action>,
    ) -> Moves {
        if !self.leads(now) || self.writes || self.doubts_map {
            return Moves::default();
        }
        if stored > map.version() {
            self.doubts_map = true;
            return Moves::default();
        }
        let candidates = candidates(&self.table, map);
        if candidates.is_empty() {
            return Moves::default();
        }
        let laggards = self.table.lags_behind(map.version()) && now < self.adopted + LAGGARD;
        let limits = if laggards {
            Limits { voluntary: 0 }
        } else {
            Limits::default()
        };
        let begins_with = Beginning {
            map: map.version(),
            candidates,
            in_motion: self.table.in_motion(),
            needs: self.table.needs(),
            limits,
        };
        if stored == map.version() && self.wishes.is_empty() && self.settled.as_ref() == Some(&begins_with) {
            return Moves::default();
        }
        let requests = Requests {
            in_motion: begins_with.in_motion.clone(),
            placements: self.placements(),
            needs: begins_with.needs.clone(),
        };
        let plan = plan(map, &begins_with.candidates, &requests, limits);
        let moves = Moves::of(&plan.moves);
        let answers = plan.answers.clone();
        let known = map.version().max(stored).max(self.table.newest_map());
        let version = MapVersion(known.0.max(self.in_the_way) + 1);
        let next = plan.publish(version);
        if next.is_none() {
            self.answer_wishes(&answers, actions);
            self.settled = Some(begins_with);
        }
        // A store that lost its newest map is given it again.
        let next = next.or_else(|| (stored < map.version()).then(|| map.renumbered(version)));
        let Some(next) = next else {
            return Moves::default();
        };
        self.writes = true;
        actions.push(Action::WriteMap {
            me,
            expected: stored,
            map: Arc::new(next),
        });
        moves
    }

    fn placements(&self) -> Vec<Placement> {
        self.wishes
            .iter()
            .map(|wish| Placement {
                shard: wish.shard,
                to: wish.to,
            })
            .collect()
    }

    /// Wishes that the stored map fulfils, or that no map will.
    fn answer_wishes(&mut self, answers: &[(Placement, Answer)], actions: &mut Vec<Action>) {
        let wishes = std::mem::take(&mut self.wishes);
        for (wish, &(_, answer)) in wishes.into_iter().zip(answers) {
            let answer = match answer {
                Answer::Waits => {
                    self.wishes.push(wish);
                    continue;
                }
                Answer::Placed => Ok(()),
                Answer::NoSuchShard => Err(MoveRefused::NoSuchShard(wish.shard)),
                Answer::CannotTake => {
                    let name = self.table.entry(wish.to).and_then(Seen::name);
                    Err(MoveRefused::CannotTake(name.unwrap_or_default()))
                }
            };
            actions.push(Action::Moved {
                number: wish.number,
                answer,
            });
        }
    }

    /// A map of ours came back. Returns whether it is the stored one.
    pub(super) fn map_written(&mut self, now: u64, answer: Option<MapWrite>) -> bool {
        self.writes = false;
        match answer {
            Some(MapWrite::Written) => {
                self.next_look = now;
                true
            }
            Some(MapWrite::NotLeader) => {
                self.until = 0;
                false
            }
            Some(MapWrite::Overtaken(version)) => {
                self.in_the_way = self.in_the_way.max(version.0);
                self.doubts_map = true;
                false
            }
            None => {
                self.doubts_map = true;
                false
            }
        }
    }
}

/// How many shards a map moves, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moves {
    /// Their owner is dead, or they had none.
    pub(super) orphaned: u64,
    /// Their owner cannot read what they hold.
    pub(super) unread: u64,
    /// They need not have moved.
    pub(super) voluntary: u64,
}

impl Moves {
    fn of(moves: &[plan::Move]) -> Self {
        let mut counted = Self::default();
        for step in moves {
            match step.cause {
                Cause::Orphaned => counted.orphaned += 1,
                Cause::Unread => counted.unread += 1,
                Cause::Asked | Cause::Drained | Cause::Crowded | Cause::Drawn => counted.voluntary += 1,
            }
        }
        counted
    }
}

/// The living nodes as the plan takes them.
fn candidates(table: &Table, map: &ShardMap) -> Vec<Candidate> {
    let healthy = |entry: &Seen| {
        matches!(
            entry.standing,
            Standing::Active | Standing::Returning | Standing::Suspect
        )
    };
    // With nobody else, one that is stalled or cannot claim is better than none.
    let only_ailing = !table.living().any(healthy);
    let candidate = |entry: &Seen| {
        let node = match &entry.payload {
            Some(payload) => MapNode {
                incarnation: entry.incarnation,
                name: payload.facts.name.clone(),
                address: payload.facts.address.clone(),
                zone: payload.facts.zone.clone(),
                weight: payload.facts.weight,
                reads: payload.facts.reads,
            },
            None => map.node(entry.incarnation)?.clone(),
        };
        let standing = match entry.standing {
            Standing::Dead => return None,
            Standing::Active => plan::Standing::Serving,
            Standing::Returning => plan::Standing::Returning,
            Standing::Suspect => plan::Standing::Suspect,
            Standing::Stalled | Standing::CannotClaim if only_ailing => plan::Standing::Serving,
            Standing::Draining | Standing::Stalled | Standing::CannotClaim => plan::Standing::Draining,
        };
        Some(Candidate { node, standing })
    };
    table.living().filter_map(candidate).collect()
}

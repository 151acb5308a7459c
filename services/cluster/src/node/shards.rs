//! The shards of this node: which it waits for, claims, serves and gives away.
//!
//! A claim is made without force first, whoever held the shard: the answer names the holder, and one that the map does not
//! know is dead. That costs the takeover from a dead node a round trip, and spares a living one whom only our map overlooks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trunkline_store::contract::{Claim, Claimed, Incarnation, Released, Token};
use trunkline_store::key::ShardId;

use super::event::{Action, Trouble};
use super::life::{Life, State};
use super::times::{
    CANNOT_CLAIM, CANNOT_CLAIM_REST, CLAIM_PATIENCE, CLAIM_POLL, CLAIMS_AT_ONCE, QUIESCE, RETURN_LONGEST, STORE_AGAIN,
};
use crate::map::ShardMap;
use crate::order::ShardOrder;
use crate::view::ShardState;

/// Counts for the beat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) serving: u32,
    pub(super) waiting: u32,
    pub(super) quiescing: u32,
}

#[derive(Debug, Default)]
pub(super) struct Shards {
    lives: BTreeMap<ShardId, Life>,
    /// When the clock alone changes something.
    due: BTreeSet<(u64, ShardId)>,
    /// Waiting ones whose time has come, for when fewer claims are under way.
    ready: VecDeque<ShardId>,
    claims: usize,
    /// The map must be read again, because a fence or a claim says that ours is old.
    doubts_map: bool,
    unable_until: u64,
    unable_times: u32,
}

impl Shards {
    /// Takes what a new map says.
    pub(super) fn adopt(&mut self, now: u64, me: Incarnation, map: &ShardMap, actions: &mut Vec<Action>) {
        let ours: BTreeSet<ShardId> = map.shards_of(me).collect();
        let known: Vec<ShardId> = self.lives.keys().copied().collect();
        for shard in known.into_iter().filter(|shard| !ours.contains(shard)) {
            self.give_away(now, shard, actions);
        }
        for shard in ours {
            if !self.lives.contains_key(&shard) {
                self.expect(now, shard, actions);
            }
        }
    }

    fn expect(&mut self, now: u64, shard: ShardId, actions: &mut Vec<Action>) {
        self.lives.insert(shard, Life::waiting(now));
        self.ready.push_back(shard);
        actions.push(Action::Order(ShardOrder::Expect { shard }));
    }

    fn give_away(&mut self, now: u64, shard: ShardId, actions: &mut Vec<Action>) {
        let Some(life) = self.lives.get_mut(&shard) else {
            return;
        };
        match life.state {
            State::Serving(token) => {
                life.enter(now, State::Quiescing(token));
                self.due.insert((now + QUIESCE, shard));
                actions.push(Action::Order(ShardOrder::Quiesce { shard }));
            }
            State::Waiting { .. } => {
                self.lives.remove(&shard);
                actions.push(Action::Order(ShardOrder::Lose { shard }));
            }
            State::Claiming { .. } => {
                life.enter(now, State::Abandoned);
                actions.push(Action::Order(ShardOrder::Lose { shard }));
            }
            // The worker was told when the rest began.
            State::Resting { .. } => {
                self.lives.remove(&shard);
            }
            State::Quiescing(_) | State::Releasing(_) | State::Abandoned => {}
        }
    }

    /// What the passing of time brings: claims, and the end of patience.
    pub(super) fn tick(&mut self, now: u64, me: Incarnation, map: &ShardMap, actions: &mut Vec<Action>) {
        while let Some(&(when, shard)) = self.due.first() {
            if when > now {
                break;
            }
            self.due.pop_first();
            let Some(life) = self.lives.get(&shard) else {
                continue;
            };
            match life.state {
                State::Waiting { .. } => self.ready.push_back(shard),
                State::Quiescing(token) if now >= life.since + QUIESCE => {
                    actions.push(Action::Order(ShardOrder::Lose { shard }));
                    self.release(now, shard, token, actions);
                }
                State::Releasing(token) => {
                    actions.push(Action::Release { shard, token });
                }
                _ => {}
            }
        }
        self.claim_ready(now, me, map, actions);
    }

    fn claim_ready(&mut self, now: u64, me: Incarnation, map: &ShardMap, actions: &mut Vec<Action>) {
        while self.claims < CLAIMS_AT_ONCE {
            let Some(shard) = self.ready.pop_front() else {
                return;
            };
            let Some(life) = self.lives.get_mut(&shard) else {
                continue;
            };
            let State::Waiting { first, force } = life.state else {
                continue;
            };
            let force = force || now >= first + CLAIM_PATIENCE;
            life.enter(now, State::Claiming { first, force });
            self.claims += 1;
            actions.push(Action::Claim {
                shard,
                claim: Claim {
                    me,
                    map: map.version(),
                    force,
                    floor: life.floor,
                },
            });
        }
    }

    /// A claim of `claimant` came back. Returns whether it made a shard ours.
    pub(super) fn claimed(
        &mut self,
        now: u64,
        (me, claimant): (Incarnation, Incarnation),
        shard: ShardId,
        answer: &Result<Claimed, Trouble>,
        map: &ShardMap,
        actions: &mut Vec<Action>,
    ) -> bool {
        self.claims = self.claims.saturating_sub(1);
        if claimant != me {
            // The fence names a dead incarnation: whoever owns the shard takes it by force.
            return false;
        }
        let Some(life) = self.lives.get_mut(&shard) else {
            return false;
        };
        let first = match life.state {
            State::Claiming { first, .. } => first,
            State::Abandoned => {
                self.abandoned(now, me, shard, answer, map, actions);
                return false;
            }
            _ => return false,
        };
        if answer.is_ok() {
            life.failing = None;
        }
        match *answer {
            Ok(Claimed::Ours(token)) => {
                life.floor = token.epoch;
                life.enter(now, State::Serving(token));
                actions.push(Action::Order(ShardOrder::Serve { shard, token }));
                return true;
            }
            Ok(Claimed::Held(holder)) => {
                let is_dead = map.node(holder).is_none();
                life.enter(now, State::Waiting { first, force: is_dead });
                if is_dead {
                    self.ready.push_back(shard);
                } else {
                    self.due.insert((now + CLAIM_POLL, shard));
                }
            }
            Ok(Claimed::Stale(_)) => {
                life.rest(now);
                self.doubts_map = true;
                actions.push(Action::Order(ShardOrder::Lose { shard }));
            }
            Err(_) => {
                life.failing.get_or_insert(now);
                life.enter(now, State::Waiting { first, force: false });
                self.due.insert((now + STORE_AGAIN, shard));
            }
        }
        false
    }

    /// The claim of a shard that was given away meanwhile came back.
    fn abandoned(
        &mut self,
        now: u64,
        me: Incarnation,
        shard: ShardId,
        answer: &Result<Claimed, Trouble>,
        map: &ShardMap,
        actions: &mut Vec<Action>,
    ) {
        if let &Ok(Claimed::Ours(token)) = answer {
            self.release(now, shard, token, actions);
        } else {
            self.end(now, me, shard, map, actions);
        }
    }

    /// A shard's life here is over, unless the map has given it back meanwhile.
    fn end(&mut self, now: u64, me: Incarnation, shard: ShardId, map: &ShardMap, actions: &mut Vec<Action>) {
        let floor = self.lives.remove(&shard).map(|life| life.floor);
        if map.owner(shard).is_some_and(|owner| owner.incarnation == me) {
            self.expect(now, shard, actions);
            if let (Some(life), Some(floor)) = (self.lives.get_mut(&shard), floor) {
                life.floor = floor;
            }
        }
    }

    /// The store's fence refused a token.
    pub(super) fn fenced(
        &mut self,
        now: u64,
        me: Incarnation,
        (shard, token): (ShardId, Token),
        map: &ShardMap,
        actions: &mut Vec<Action>,
    ) -> bool {
        let Some(life) = self.lives.get_mut(&shard) else {
            return false;
        };
        let is_ours = map.owner(shard).is_some_and(|owner| owner.incarnation == me);
        match life.state {
            State::Serving(held) if held == token => life.rest(now),
            // The map may have given it back while it was given away.
            State::Quiescing(held) if held == token && is_ours => life.rest(now),
            State::Quiescing(held) if held == token => {
                self.lives.remove(&shard);
            }
            _ => return false,
        }
        self.doubts_map = true;
        actions.push(Action::Order(ShardOrder::Lose { shard }));
        true
    }

    /// The worker has nothing of the shard under way any more.
    pub(super) fn quiesced(&mut self, now: u64, shard: ShardId, actions: &mut Vec<Action>) {
        if let Some(Life {
            state: State::Quiescing(token),
            ..
        }) = self.lives.get(&shard)
        {
            let token = *token;
            self.release(now, shard, token, actions);
        }
    }

    fn release(&mut self, now: u64, shard: ShardId, token: Token, actions: &mut Vec<Action>) {
        if let Some(life) = self.lives.get_mut(&shard) {
            life.enter(now, State::Releasing(token));
            actions.push(Action::Release { shard, token });
        }
    }

    /// A release came back. Whatever the fence says, the shard is not ours; only silence is worth a repetition.
    pub(super) fn released(
        &mut self,
        now: u64,
        me: Incarnation,
        (shard, token): (ShardId, Token),
        answer: &Result<Released, Trouble>,
        map: &ShardMap,
        actions: &mut Vec<Action>,
    ) {
        let Some(life) = self.lives.get(&shard) else {
            return;
        };
        if life.state != State::Releasing(token) {
            return;
        }
        if answer.is_err() && now < life.since + QUIESCE {
            self.due.insert((now + STORE_AGAIN, shard));
            return;
        }
        self.end(now, me, shard, map, actions);
    }

    /// The map that was asked for at `asked` has been read and adopted: what rests since before may claim again.
    pub(super) fn map_was_read(&mut self, now: u64, asked: u64, actions: &mut Vec<Action>) {
        for (&shard, life) in &mut self.lives {
            let State::Resting { until } = life.state else {
                continue;
            };
            if life.since > asked {
                continue;
            }
            life.enter(
                now,
                State::Waiting {
                    first: now,
                    force: false,
                },
            );
            self.due.insert((until, shard));
            actions.push(Action::Order(ShardOrder::Expect { shard }));
        }
    }

    /// Whether the map must be read from the store, once.
    pub(super) fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_map)
    }

    /// Nothing is ours any more.
    pub(super) fn lose_all(&mut self, actions: &mut Vec<Action>) {
        for (shard, life) in std::mem::take(&mut self.lives) {
            if !matches!(
                life.state,
                State::Resting { .. } | State::Releasing(_) | State::Abandoned
            ) {
                actions.push(Action::Order(ShardOrder::Lose { shard }));
            }
        }
        self.due.clear();
        self.ready.clear();
    }

    /// Gives everything back at once. Returns how many releases are under way then.
    pub(super) fn leave(&mut self, actions: &mut Vec<Action>) -> usize {
        let held: Vec<(ShardId, Token)> = self
            .lives
            .iter()
            .filter_map(|(&shard, life)| match life.state {
                State::Serving(token) | State::Quiescing(token) | State::Releasing(token) => Some((shard, token)),
                _ => None,
            })
            .collect();
        self.lose_all(actions);
        let releases = held.len();
        actions.extend(held.into_iter().map(|(shard, token)| Action::Release { shard, token }));
        releases
    }

    /// When the clock alone next changes something.
    pub(super) fn next(&self, now: u64) -> u64 {
        if !self.ready.is_empty() && self.claims < CLAIMS_AT_ONCE {
            return now;
        }
        self.due.first().map_or(u64::MAX, |&(when, _)| when)
    }

    /// Whether this node has to do with no shard.
    pub(super) fn is_empty(&self) -> bool {
        self.lives.is_empty()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for life in self.lives.values() {
            match life.state {
                State::Serving(_) => counts.serving += 1,
                State::Quiescing(_) | State::Releasing(_) | State::Abandoned => counts.quiescing += 1,
                State::Waiting { .. } | State::Claiming { .. } | State::Resting { .. } => counts.waiting += 1,
            }
        }
        counts
    }

    /// Whether some shard cannot be claimed although the store answers beats.
    pub(super) fn cannot_claim(&mut self, now: u64, store_answers: bool) -> bool {
        if !store_answers {
            for life in self.lives.values_mut() {
                life.failing = None;
            }
        }
        let fails = self.lives.values().any(|life| {
            life.failing
                .is_some_and(|since| now.saturating_sub(since) >= CANNOT_CLAIM)
        });
        if fails && now >= self.unable_until {
            let rest = (CANNOT_CLAIM_REST << self.unable_times.min(8)).min(RETURN_LONGEST);
            self.unable_times += 1;
            self.unable_until = now + rest;
        }
        now < self.unable_until
    }

    /// Shards that this node waits for.
    pub(super) fn awaited(&self) -> impl Iterator<Item = ShardId> + '_ {
        self.lives
            .iter()
            .filter(|(_, life)| life.is_awaited())
            .map(|(&shard, _)| shard)
    }

    pub(super) fn shown(&self) -> BTreeMap<ShardId, ShardState> {
        self.lives.iter().map(|(&shard, life)| (shard, life.shown())).collect()
    }
}

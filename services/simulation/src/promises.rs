//! What must hold when nothing fails any more, and when the cluster has come to rest. What must hold at every step is checked
//! where it happens.

use std::collections::BTreeSet;

use trunkline_cluster::Standing;
use trunkline_store::key::ShardId;

use crate::broken::Invariant;
use crate::chat::{SHARDS, TIMERS, is_told, repeat_key, timer_of};
use crate::store::Stored;
use crate::world::World;

/// After the last fault every shard is served again within this time. The longest parts of it: 5 s that a mass death is doubted, 2 s
/// that a holder may keep a shard, 5 s that a fence which was lost rests at most, and a clock of the store that is 5 s off.
pub(crate) const SERVED_WITHIN: u64 = 15_000;
/// Everybody is answered within this time, and nothing is left to do.
pub(crate) const ANSWERED_WITHIN: u64 = 25_000;
/// The same after a failover that made due again what was done: the owner finds that in the wake index, which it reads every 30 s,
/// once the conversation has left memory.
pub(crate) const FOUND_WITHIN: u64 = 35_000;

impl World {
    /// Whether every shard is served by one process. Its token may be an old one, where a claim was repeated on its way or a
    /// failover took it: the first commit finds out.
    pub(crate) fn is_served(&self) -> bool {
        (0..SHARDS).all(|shard| self.servers(ShardId(shard)).len() == 1)
    }

    /// What is left to do, if anything is.
    pub(crate) fn unfinished(&self) -> Option<String> {
        if let Some(caller) = self.callers.iter().position(|caller| caller.current.is_some()) {
            return Some(format!("caller {caller} waits for {:?}", self.callers[caller].current));
        }
        if self.threads.iter().any(|thread| !thread.is_idle()) {
            return Some("an ingress has a request that is not answered".to_owned());
        }
        for (number, chat) in self.common.chats.iter().enumerate() {
            let Some(stored) = self.store.model.stored((chat.shard, chat.key)) else {
                continue;
            };
            if !stored.replies.is_empty() || !stored.timers.is_empty() {
                return Some(format!(
                    "chat {number} has replies {:?}, timers {:?}",
                    stored.replies, stored.timers
                ));
            }
            if stored.entries().any(|entry| !entry.is_parked) {
                return Some(format!("the inbox of chat {number} is not empty"));
            }
        }
        self.hosts.iter().find_map(|host| match &host.process {
            None => Some(format!("{} is not there", host.name)),
            Some(process) if process.leaves() => Some(format!("{} is about to leave", host.name)),
            Some(process) if !process.shell.is_at_rest() => {
                Some(format!("a conversation at {} does not come to rest", host.name))
            }
            Some(_) => None,
        })
    }

    /// Everything that was promised, once nothing is left to do.
    pub(crate) fn check_promises(&mut self) {
        for chat in 0..self.common.chats.len() {
            let place = (self.common.chats[chat].shard, self.common.chats[chat].key);
            let stored = self.store.model.stored(place).cloned().unwrap_or_default();
            if let Some((invariant, what)) = self.broken_in(chat, &stored) {
                self.breaks(invariant, format!("chat {chat}: {what}"));
            }
        }
    }

    fn broken_in(&self, chat: usize, stored: &Stored) -> Option<(Invariant, String)> {
        let parked: BTreeSet<u64> = stored.parked_numbers().collect();
        self.unapplied(chat, stored, &parked)
            .or_else(|| self.out_of_order(stored))
            .or_else(|| self.unsent(chat, &parked))
            .or_else(|| left_behind(stored, &parked, &self.store.lost))
    }

    /// I4: what was acknowledged is there, once, and so is the timer that it set.
    fn unapplied(&self, chat: usize, stored: &Stored, parked: &BTreeSet<u64>) -> Option<(Invariant, String)> {
        let activities = (0..)
            .zip(&self.activities)
            .filter(|(_, activity)| activity.chat == chat);
        let promised = activities.filter(|(number, activity)| activity.acknowledged_at.is_some() && !is_told(*number));
        let promised = promised.map(|(number, _)| number);
        let timers = stored.applied.iter().filter_map(|number| timer_of(*number));
        let is_there = |number: &u64| {
            let may_lack = parked.contains(number) || self.store.lost.contains(number);
            stored.applied.contains(number) || may_lack
        };
        let lacking = promised.chain(timers).find(|number| !is_there(number))?;
        let what = format!(
            "{lacking} was promised and is not applied: {:?}, parked {parked:?}",
            stored.applied
        );
        Some((Invariant::I4, what))
    }

    /// I4: of two requests of which one ended before the other began, the first is applied first.
    fn out_of_order(&self, stored: &Stored) -> Option<(Invariant, String)> {
        let activity = |number: &u64| self.activities.get(usize::try_from(*number).ok()?);
        let is_sure = |number: &&u64| !self.store.lost.contains(number);
        let applied: Vec<&u64> = stored.applied.iter().filter(is_sure).collect();
        for (place, later) in applied.iter().enumerate() {
            let Some(later_sent) = activity(later).map(|activity| activity.sent_at) else {
                continue;
            };
            // Whatever stands behind it must not have been acknowledged before it was sent.
            let mut behind = applied[place + 1..].iter();
            let overtaken = behind.find(|number| {
                let acknowledged = activity(number).and_then(|activity| activity.acknowledged_at);
                acknowledged.is_some_and(|at| at < later_sent)
            });
            if let Some(overtaken) = overtaken {
                let what = format!(
                    "{later} was sent after {overtaken} was acknowledged, and overtook it: {:?}",
                    stored.applied
                );
                return Some((Invariant::I4, what));
            }
        }
        None
    }

    /// I5: every promised reply was seen, for the first time in the order in which they were asked for.
    fn unsent(&self, chat: usize, parked: &BTreeSet<u64>) -> Option<(Invariant, String)> {
        let (asked_for, seen) = (&self.store.asked_for[chat], &self.seen[chat]);
        // A failover may also take the turn alone, and the next one fails for good.
        let is_excused = |number: &u64| self.store.lost.contains(number) || parked.contains(number);
        if let Some(lacking) = asked_for
            .iter()
            .find(|number| !seen.contains(number) && !is_excused(number))
        {
            let what = format!("reply {lacking} was promised and never sent: asked for {asked_for:?}, seen {seen:?}");
            return Some((Invariant::I5, what));
        }
        let is_in_order = self.store.failovers > 0 || asked_for == seen;
        let what = || format!("replies were asked for as {asked_for:?} and seen as {seen:?}");
        (!is_in_order).then(|| (Invariant::I5, what()))
    }

    /// I7: who rests writes no map. Nodes that died lately get shards back later, and drains are not over at once.
    pub(crate) fn may_change_the_map(&self) -> bool {
        let processes = self.hosts.iter().filter_map(|host| host.process.as_ref());
        let mut views = processes.map(|process| process.node.view(self.now));
        views.any(|view| {
            let is_settled = |standing| matches!(standing, Standing::Active);
            let names_all = view.nodes.iter().all(|node| is_settled(node.standing));
            !names_all || view.map.node(view.incarnation).is_none()
        })
    }
}

/// Only parked work stays in the inbox, with its steps for whoever runs it again.
fn left_behind(stored: &Stored, parked: &BTreeSet<u64>, lost: &BTreeSet<u64>) -> Option<(Invariant, String)> {
    let notes: Vec<&String> = stored.inbox.keys().filter(|field| field.starts_with("r:")).collect();
    if !notes.is_empty() {
        return Some((Invariant::I6, format!("notes of runs were left: {notes:?}")));
    }
    let key = |number: u64| format!("s:{:016x}:", repeat_key(number));
    // The turn of a timer has a name that is not made of its number.
    let is_of = |number: u64, field: &str| number >= TIMERS || field.starts_with(&key(number));
    let may_be_left = |field: &&String| parked.iter().chain(lost).any(|number| is_of(*number, field));
    let mut steps = stored.inbox.keys().filter(|field| field.starts_with("s:"));
    let left = steps.find(|field| !may_be_left(field))?;
    Some((Invariant::I6, format!("the step {left} was left, parked {parked:?}")))
}

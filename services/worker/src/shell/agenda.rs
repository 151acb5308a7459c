//! When conversations that are not in memory need attention, as a pure schedule: which shard's wake index is to be read, how
//! much of it, and who is to be woken. All times are milliseconds of the store's clock.
//!
//! The owner of a shard is the only one who writes its wake index, so it need not be polled: after a first reading one knows
//! what comes within a minute, and when to look again. A shard without entries is not read again; one whose next entry is far
//! off is read when that comes near; one with entries that are near, or with conversations in memory (whose actors could die
//! with what they know), every `AGAIN_MS`.

use std::collections::{BTreeSet, HashMap};

use trunkline_store::key::{Key, ShardId};

/// How far ahead the wake index is read: enough that a late reading misses nothing.
pub const AHEAD_MS: u64 = 60_000;
/// When a shard with near entries is read again.
const AGAIN_MS: u64 = 30_000;
/// When a shard is read again after its reading failed.
const FAILED_MS: u64 = 1_000;
/// Entries of a shard that are read at once.
const PAGE: usize = 500;
/// Most entries that are read at once, when those before them stay in the index (their sends are refused, for example).
const LARGEST_PAGE: usize = 64_000;
/// When the next page is read although everything on the last was overdue: its conversations need a moment to commit.
const NEXT_PAGE_MS: u64 = 1_000;

/// The schedule of one thread.
#[derive(Debug, Default)]
pub struct Agenda {
    shards: HashMap<ShardId, Plan, ahash::RandomState>,
    /// Shards by the time at which something is to be done about them.
    turns: BTreeSet<(u64, ShardId)>,
}

#[derive(Debug)]
struct Plan {
    /// Its place in `turns`.
    at: u64,
    entries: BTreeSet<(u64, Key)>,
    /// When the index is read next; `None` while it is being read, [`u64::MAX`] for never.
    read_at: Option<u64>,
    /// A reading that was asked for while one was under way.
    read_after: u64,
    page: usize,
    /// The end of the last page that was full.
    last_of_page: Option<(Key, u64)>,
}

/// What the wake index says of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries up to the time that was asked for, earliest first, as many as were asked for at most.
    pub entries: Vec<(Key, u64)>,
    /// The first entry after that time; asked for only when there is no other.
    pub next: Option<u64>,
}

/// A page to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Of which shard.
    pub shard: ShardId,
    /// Up to this time.
    pub until_ms: u64,
    /// So many at most.
    pub entries: usize,
}

impl Plan {
    fn next(&self) -> u64 {
        let entry = self.entries.first().map_or(u64::MAX, |(at, _)| *at);
        entry.min(self.read_at.unwrap_or(u64::MAX))
    }

    fn read_before(&mut self, at: u64) {
        match &mut self.read_at {
            Some(read_at) => *read_at = at.min(*read_at),
            None => self.read_after = at.min(self.read_after),
        }
    }
}

impl Agenda {
    /// The shard is ours: its index is read at once.
    pub fn serve(&mut self, shard: ShardId, now: u64) {
        self.forget(shard);
        let plan = Plan {
            at: now,
            entries: BTreeSet::new(),
            read_at: Some(now),
            read_after: u64::MAX,
            page: PAGE,
            last_of_page: None,
        };
        self.shards.insert(shard, plan);
        self.turns.insert((now, shard));
    }

    /// The shard is not served here any more.
    pub fn forget(&mut self, shard: ShardId) {
        if let Some(plan) = self.shards.remove(&shard) {
            self.turns.remove(&(plan.at, shard));
        }
    }

    /// A conversation of the shard was taken into memory: should its actor die, the index still names it.
    pub fn activated(&mut self, shard: ShardId, now: u64) {
        self.change(shard, |plan| plan.read_before(now + AGAIN_MS));
    }

    /// A conversation left memory and needs attention at `wake_at`.
    pub fn left(&mut self, shard: ShardId, key: Key, wake_at: Option<u64>, now: u64) {
        let Some(at) = wake_at else { return };
        self.change(shard, |plan| {
            if at <= now + AHEAD_MS {
                plan.entries.insert((at, key));
            } else {
                plan.read_before(at - AGAIN_MS);
            }
        });
    }

    /// What is to be read now, at most so many pages. Each is answered by [`Agenda::read`] or [`Agenda::failed`].
    pub fn take_readings(&mut self, now: u64, at_most: usize) -> Vec<Reading> {
        let due = self.turns.iter().take_while(|(at, _)| *at <= now);
        let wants = |shard: &ShardId| {
            let read_at = self.shards.get(shard).and_then(|plan| plan.read_at);
            read_at.is_some_and(|at| at <= now)
        };
        let shards: Vec<ShardId> = due.map(|(_, shard)| *shard).filter(wants).take(at_most).collect();
        let mut readings = Vec::new();
        for shard in shards {
            self.change(shard, |plan| {
                plan.read_at = None;
                readings.push(Reading {
                    shard,
                    until_ms: now + AHEAD_MS,
                    entries: plan.page,
                });
            });
        }
        readings
    }

    /// The index was read. `is_in_use`: conversations of the shard are in memory. What they know may be less than the index does:
    /// an actor dies with what it knows, and a store that fails over makes due again what was done.
    pub fn read(&mut self, reading: Reading, page: Page, is_in_use: bool, now: u64) {
        self.change(reading.shard, |plan| {
            let is_full = page.entries.len() >= reading.entries;
            let last_of_page = page.entries.last().copied();
            let last = last_of_page.map_or(0, |(_, at)| at);
            plan.entries.extend(page.entries.into_iter().map(|(key, at)| (at, key)));
            if !is_full {
                plan.page = PAGE;
            } else if plan.last_of_page == last_of_page {
                // The same again: those behind must not wait for them.
                plan.page = (plan.page * 2).min(LARGEST_PAGE);
            }
            plan.last_of_page = last_of_page.filter(|_| is_full);
            let again = if is_full {
                // All of them may be overdue: the next page then follows when these have had their moment.
                last.clamp(now + NEXT_PAGE_MS, now + AGAIN_MS)
            } else if last > 0 || is_in_use {
                now + AGAIN_MS
            } else {
                page.next
                    .map_or(u64::MAX, |next| next.saturating_sub(AGAIN_MS).max(now))
            };
            plan.read_at = Some(again.min(std::mem::replace(&mut plan.read_after, u64::MAX)));
        });
    }

    /// The index could not be read.
    pub fn failed(&mut self, shard: ShardId, now: u64) {
        self.change(shard, |plan| plan.read_at = Some(now + FAILED_MS));
    }

    /// Who is to be woken now, at most so many, the longest overdue of a shard first.
    pub fn due(&mut self, now: u64, at_most: usize) -> Vec<(ShardId, Key)> {
        let mut due = Vec::new();
        let turns = self.turns.iter().take_while(|(at, _)| *at <= now);
        let shards: Vec<ShardId> = turns.map(|(_, shard)| *shard).collect();
        for shard in shards {
            let room = at_most - due.len();
            if room == 0 {
                break;
            }
            self.change(shard, |plan| {
                let end = plan.entries.iter().take(room).take_while(|(at, _)| *at <= now).count();
                for _ in 0..end {
                    due.extend(plan.entries.pop_first().map(|(_, key)| (shard, key)));
                }
            });
        }
        due
    }

    fn change(&mut self, shard: ShardId, change: impl FnOnce(&mut Plan)) {
        let Some(plan) = self.shards.get_mut(&shard) else {
            return;
        };
        change(plan);
        let next = plan.next();
        if next != plan.at {
            self.turns.remove(&(plan.at, shard));
            plan.at = next;
            self.turns.insert((next, shard));
        }
    }
}

#[cfg(test)]
#[path = "agenda_tests.rs"]
mod tests;

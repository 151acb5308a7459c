//! What waits in the inboxes of a shard, counted by its owner: the bound of what an overloaded worker still accepts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::event::Now;

/// Entries that wait in the inboxes of one shard; beyond, nothing more is shed into them.
pub const SHARD_ENTRIES: usize = 10_000;
/// How old the oldest of them may be.
pub const SHARD_AGE_MS: u64 = 60_000;

/// The entries of one shard that wait for their turn: not those that run, that wait for a further attempt, or are parked.
///
/// The owner alone counts, in memory: what a former owner left is counted when its conversation is read, and the wake index
/// has all of those read at once.
#[derive(Debug, Default)]
pub struct ShardBacklog {
    entries: Cell<usize>,
    /// Entries by the second in which they were accepted.
    by_second: RefCell<BTreeMap<u64, u32>>,
}

impl ShardBacklog {
    /// Entries that wait.
    pub fn entries(&self) -> usize {
        self.entries.get()
    }

    /// When the oldest of them was accepted, in milliseconds since 1970, to the second.
    pub fn oldest_ms(&self) -> Option<u64> {
        self.by_second
            .borrow()
            .first_key_value()
            .map(|(second, _)| second * 1_000)
    }

    /// Whether one more may be shed into it.
    pub(super) fn has_room(&self, now: Now) -> bool {
        self.entries.get() < SHARD_ENTRIES
            && self
                .oldest_ms()
                .is_none_or(|oldest| now.wall_ms.saturating_sub(oldest) < SHARD_AGE_MS)
    }

    /// Counts an entry until the value is dropped.
    pub(super) fn count(self: &Rc<Self>, accepted_ms: u64) -> Counted {
        let second = accepted_ms / 1_000;
        self.entries.set(self.entries.get() + 1);
        *self.by_second.borrow_mut().entry(second).or_default() += 1;
        Counted {
            backlog: self.clone(),
            second,
        }
    }
}

/// An entry that waits.
#[derive(Debug)]
pub(super) struct Counted {
    backlog: Rc<ShardBacklog>,
    second: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let backlog = &self.backlog;
        backlog.entries.set(backlog.entries.get().saturating_sub(1));
        let mut by_second = backlog.by_second.borrow_mut();
        if let Some(count) = by_second.get_mut(&self.second) {
            *count -= 1;
            if *count == 0 {
                by_second.remove(&self.second);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: u64) -> Now {
        Now {
            steady_ms: 0,
            wall_ms,
            may_begin: true,
        }
    }

    #[test]
    fn a_backlog_is_full_at_its_bound_and_has_room_when_one_leaves() {
        let backlog = Rc::new(ShardBacklog::default());
        let mut counted: Vec<Counted> = (0..SHARD_ENTRIES).map(|_| backlog.count(5_000)).collect();
        assert!(!backlog.has_room(at(5_000)));
        counted.pop();
        assert!(backlog.has_room(at(5_000)));
        drop(counted);
        assert_eq!((backlog.entries(), backlog.oldest_ms()), (0, None));
    }

    #[test]
    fn a_backlog_whose_oldest_entry_waits_a_minute_takes_no_more() {
        let backlog = Rc::new(ShardBacklog::default());
        let old = backlog.count(5_000);
        let _young = backlog.count(50_000);
        assert!(backlog.has_room(at(64_999)));
        assert!(!backlog.has_room(at(65_000)));
        drop(old);
        assert!(backlog.has_room(at(65_000)));
    }
}

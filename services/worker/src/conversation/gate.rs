//! How many turns that nobody waits for run at once in a process, and which of them runs alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Turns of inboxes and timers that run at once in a process: enough to keep a machine busy, few enough that those of a
/// backlog do not push aside those that a person waits for.
const BACKGROUND: u32 = 256;
/// First wait of a turn that was not let in; each further one is twice as long.
const FIRST_WAIT_MS: u64 = 10;
/// Longest wait.
const LONGEST_WAIT_MS: u64 = 1_000;

/// The gates of a process.
#[derive(Clone, Debug)]
pub struct Gates {
    /// For what was shed, what another owner left in an inbox, and timers. Deliveries that a caller waits for do not pass
    /// here: the credits of their stream bound them.
    pub background: Arc<Gate>,
    /// For a turn that was running when a process died: so that a second death names the one that caused it, and not those
    /// that ran beside it.
    pub alone: Arc<Gate>,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            background: Gate::new(BACKGROUND),
            alone: Gate::new(1),
        }
    }
}

/// Lets a number of turns in at once. Whoever is not let in asks again later.
#[derive(Debug)]
pub struct Gate {
    limit: AtomicU32,
    inside: AtomicU32,
}

impl Gate {
    /// A gate for this many.
    pub fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicU32::new(limit),
            inside: AtomicU32::new(0),
        })
    }

    /// Turns that are inside.
    pub fn inside(&self) -> u32 {
        self.inside.load(Ordering::Relaxed)
    }

    pub(super) fn enter(self: &Arc<Self>) -> Option<Pass> {
        let limit = self.limit.load(Ordering::Relaxed);
        let entered = self
            .inside
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |inside| {
                (inside < limit).then_some(inside + 1)
            });
        entered.ok().map(|_| Pass(self.clone()))
    }
}

/// The right to be inside; dropping it leaves.
#[derive(Debug)]
pub(super) struct Pass(Arc<Gate>);

impl Pass {
    pub(super) fn is_of(&self, gate: &Arc<Gate>) -> bool {
        Arc::ptr_eq(&self.0, gate)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a conversation waits at a gate.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// No earlier than this; 0 while it does not wait.
    pub ask_at: u64,
    misses: u8,
}

impl Waiting {
    /// Doubles, with up to half taken off so that conversations that wait together do not ask together.
    pub(super) fn missed(&mut self, now_ms: u64, random: u64) {
        let wait = (FIRST_WAIT_MS << self.misses.min(7)).min(LONGEST_WAIT_MS);
        self.misses = self.misses.saturating_add(1);
        self.ask_at = now_ms + wait - random % (wait / 2 + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_enter_than_the_limit_and_whoever_leaves_makes_room() {
        let gate = Gate::new(2);
        let first = gate.enter();
        let second = gate.enter();
        assert!(first.is_some() && second.is_some() && gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
        drop(second);
        assert_eq!(gate.inside(), 0);
    }

    #[test]
    fn whoever_waits_longer_asks_less_often() {
        let mut waiting = Waiting::default();
        for _ in 0..20 {
            waiting.missed(0, 0);
        }
        assert_eq!(waiting.ask_at, LONGEST_WAIT_MS);
    }
}

//! The clocks that the pure cores are told.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::conversation::Now;

/// A clock that never steps and one that follows the store's.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// What the store's clock is ahead of ours, in milliseconds.
    ahead_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            ahead_ms: AtomicI64::new(0),
        }
    }

    /// Both clocks, for one who knows whether something may begin.
    pub(crate) fn now(&self, may_begin: bool) -> Now {
        let steady_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wall_ms = wall_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed));
        Now {
            steady_ms,
            wall_ms,
            may_begin,
        }
    }

    /// Follows the store's clock, as it was read just now.
    pub(crate) fn follow(&self, store_ms: u64) {
        let ahead = i64::try_from(store_ms).unwrap_or(i64::MAX) - i64::try_from(wall_ms()).unwrap_or(i64::MAX);
        self.ahead_ms.store(ahead, Ordering::Relaxed);
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

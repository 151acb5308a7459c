//! Log lines of one kind, at most one a second: an outage makes every conversation say the same.

use std::sync::atomic::{AtomicU64, Ordering};

const INTERVAL_MS: u64 = 1_000;

/// When a line was last written, and how many were not. Shared by all threads without a lock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// On the steady clock, plus one; 0 for never.
    written: AtomicU64,
    left_out: AtomicU64,
}

/// The lines that an outage multiplies.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    pub(crate) commit_uncertain: Pace,
    pub(crate) cannot_load: Pace,
    pub(crate) read_nowhere: Pace,
    pub(crate) queue_full: Pace,
    pub(crate) send_retried: Pace,
    pub(crate) graph_retried: Pace,
    pub(crate) book_failed: Pace,
    pub(crate) notification_unread: Pace,
    pub(crate) no_calls: Pace,
    pub(crate) wake_index: Pace,
}

impl Pace {
    /// Whether a line is due, and how many were left out since the last one.
    pub(crate) fn due(&self, steady_ms: u64) -> Option<u64> {
        let now = steady_ms.saturating_add(1);
        let written = self.written.load(Ordering::Relaxed);
        let is_due = written == 0 || now.saturating_sub(written) >= INTERVAL_MS;
        let is_mine = is_due
            && self
                .written
                .compare_exchange(written, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_mine {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_says_how_many_were_left_out() {
        let pace = Pace::default();
        assert_eq!(pace.due(0), Some(0), "the first line is written at once");
        assert_eq!(pace.due(1), None);
        assert_eq!(pace.due(999), None);
        assert_eq!(pace.due(1_000), Some(2));
        assert_eq!(pace.due(5_000), Some(0));
    }
}

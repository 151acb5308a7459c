//! A codec thread in figures. Written by the thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So often the share of time is counted anew.
const WINDOW: Duration = Duration::from_secs(1);

/// Counters since the start, and gauges.
#[derive(Debug, Default)]
pub struct CodecFigures {
    busy_nanos: AtomicU64,
    /// Of the last whole window, in millionths.
    ratio: AtomicU64,
    dropped: AtomicU64,
    restarts: AtomicU64,
    unheard: AtomicU64,
}

impl CodecFigures {
    /// Time that the thread worked: it waits for the rest.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed))
    }

    /// The share of the last second in which it worked, 0 to 1.
    pub fn busy_ratio(&self) -> f64 {
        let millionths = u32::try_from(self.ratio.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        f64::from(millionths) / 1e6
    }

    /// Packets and frames that found its queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Times that something made it panic and it began anew.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Frames of live sound that a listener was too slow for.
    pub fn unheard(&self) -> u64 {
        self.unheard.load(Ordering::Relaxed)
    }

    pub(super) fn unheard_one(&self) {
        self.unheard.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts the time in which a thread works.
#[derive(Debug)]
pub(super) struct Clock {
    window_began: Instant,
    in_window: Duration,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window_began: now,
            in_window: Duration::ZERO,
        }
    }

    /// It worked from the one time to the other.
    pub(super) fn worked(&mut self, began: Instant, now: Instant, figures: &CodecFigures) {
        let time = now.saturating_duration_since(began);
        figures.busy_nanos.fetch_add(nanos(time), Ordering::Relaxed);
        self.in_window += time;
        let window = now.saturating_duration_since(self.window_began);
        if window >= WINDOW {
            let millionths = nanos(self.in_window).saturating_mul(1_000_000) / nanos(window).max(1);
            figures.ratio.store(millionths.min(1_000_000), Ordering::Relaxed);
            *self = Self::new(now);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of what floats hold exactly")]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_time_is_that_of_the_last_second() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let (mut clock, figures) = (Clock::new(start), CodecFigures::default());
        clock.worked(at(0), at(250), &figures);
        assert_eq!(figures.busy_ratio(), 0.0);
        clock.worked(at(750), at(1_000), &figures);
        assert_eq!(figures.busy_ratio(), 0.5);
        clock.worked(at(2_000), at(2_000), &figures);
        assert_eq!(
            (figures.busy_ratio(), figures.busy()),
            (0.0, Duration::from_millis(500))
        );
    }
}

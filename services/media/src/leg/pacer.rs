//! When a leg sends of its own: each 20 ms, at a phase of its own, never in a burst.

use std::time::{Duration, Instant};

use crate::codec::PACKET_MILLISECONDS;

const SLOT: Duration = Duration::from_millis(PACKET_MILLISECONDS as u64);
/// Slots that are caught up with after a delay; what is beyond is skipped.
const CATCH_UP: u32 = 3;

/// The slots of a leg.
pub(super) struct Pacer {
    /// The first slot.
    origin: Instant,
    next: Option<u32>,
    burst: u32,
    skipped: u64,
}

impl Pacer {
    /// Slots that begin at a phase of 0 to 19 ms.
    pub(super) fn new(began: Instant, phase: u64) -> Self {
        Self {
            origin: began + Duration::from_millis(phase % u64::from(PACKET_MILLISECONDS)),
            next: None,
            burst: 0,
            skipped: 0,
        }
    }

    /// The next slot, if it is due. The first call begins with the first slot from now on.
    pub(super) fn take(&mut self, now: Instant) -> Option<u32> {
        let next = *self.next.get_or_insert_with(|| first_from(self.origin, now));
        if self.time_of(next) > now {
            self.burst = 0;
            return None;
        }
        if self.burst == CATCH_UP {
            let first = first_from(self.origin, now);
            self.skipped += u64::from(first.saturating_sub(next));
            self.next = Some(first.max(next + 1));
            self.burst = 0;
            return None;
        }
        self.burst += 1;
        self.next = Some(next + 1);
        Some(next)
    }

    /// Nothing is sent for now.
    pub(super) fn rest(&mut self) {
        self.next = None;
        self.burst = 0;
    }

    /// When [`Self::take`] gives a slot.
    pub(super) fn next_time(&self, now: Instant) -> Instant {
        self.time_of(self.next.unwrap_or_else(|| first_from(self.origin, now)))
    }

    /// Slots in which nothing was sent because they were long past.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    fn time_of(&self, slot: u32) -> Instant {
        self.origin + SLOT * slot
    }
}

fn first_from(origin: Instant, now: Instant) -> u32 {
    let slots = now
        .saturating_duration_since(origin)
        .as_nanos()
        .div_ceil(SLOT.as_nanos());
    u32::try_from(slots).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_each_20_ms_and_a_stall_is_no_burst() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pacer = Pacer::new(start, 27);
        assert_eq!(pacer.take(at(100)), None);
        assert_eq!(pacer.next_time(at(100)), at(107));
        assert_eq!(pacer.take(at(107)), Some(5));
        assert_eq!(pacer.take(at(107)), None);
        // Late by two slots: caught up.
        assert_eq!(
            (pacer.take(at(148)), pacer.take(at(148)), pacer.take(at(148))),
            (Some(6), Some(7), None)
        );
        // Late by half a second: three, then the present.
        let caught_up: Vec<_> = std::iter::from_fn(|| pacer.take(at(700))).collect();
        assert_eq!(caught_up, [8, 9, 10]);
        assert_eq!(pacer.next_time(at(700)), at(707));
        assert_eq!(pacer.skipped(), 24);
    }
}

//! When which leg is due: slots of a millisecond.

use std::time::{Duration, Instant};

use super::LegKey;

const SLOTS: usize = 4_096;

/// A wheel of 4,096 milliseconds. What is due later is put into its last slot and asked again then.
#[derive(Debug)]
pub(super) struct Wheel {
    began: Instant,
    /// The first slot that was not served.
    next: u64,
    slots: Vec<Vec<(LegKey, u64)>>,
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            next: 0,
            slots: vec![Vec::new(); SLOTS],
        }
    }

    /// The slot in which a time lies: never served before that time.
    pub(super) fn slot_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX).div_ceil(1_000)
    }

    /// Enters a leg; gives the slot that it got. An entry of the leg in another slot is stale, which the caller must know.
    pub(super) fn enter(&mut self, leg: LegKey, at: Instant) -> u64 {
        let slot = self.slot_of(at).clamp(self.next, self.next + SLOTS as u64 - 1);
        self.slots[Self::place(slot)].push((leg, slot));
        slot
    }

    /// Moves due entries to `due`, slot by slot.
    pub(super) fn take_due(&mut self, now: Instant, due: &mut Vec<(LegKey, u64)>) {
        let current = u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
        // After a standstill each slot is looked at once.
        let until = current.min(self.next + SLOTS as u64 - 1);
        while self.next <= until {
            due.append(&mut self.slots[Self::place(self.next)]);
            self.next += 1;
        }
        self.next = self.next.max(current.saturating_add(1));
    }

    /// When the next slot with entries is due; `None` if none has any.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let slots = self.next..self.next + SLOTS as u64;
        let slot = slots
            .into_iter()
            .find(|slot| !self.slots[Self::place(*slot)].is_empty())?;
        Some(self.time_of(slot))
    }

    /// When a slot begins.
    pub(super) fn time_of(&self, slot: u64) -> Instant {
        self.began + Duration::from_millis(slot)
    }

    /// When the first slot that was not served begins.
    pub(super) fn next_slot(&self) -> Instant {
        self.time_of(self.next)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
    const fn place(slot: u64) -> usize {
        (slot % SLOTS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(index: u32) -> LegKey {
        LegKey {
            thread: 0,
            index,
            generation: 0,
        }
    }

    #[test]
    fn nothing_is_due_early_and_everything_in_the_end() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let at = |micros| start + Duration::from_micros(micros);
        wheel.enter(key(1), at(1_500));
        wheel.enter(key(2), at(20_000));
        wheel.enter(key(3), at(10_000_000));
        let mut due = Vec::new();
        wheel.take_due(at(1_999), &mut due);
        assert!(due.is_empty());
        assert_eq!(wheel.next_due(), Some(at(2_000)));
        wheel.take_due(at(2_000), &mut due);
        assert_eq!(due, [(key(1), 2)]);
        due.clear();
        wheel.take_due(at(4_000_000), &mut due);
        assert_eq!(due, [(key(2), 20)]);
        due.clear();
        // Far away: asked again at the end of the wheel.
        wheel.take_due(at(9_000_000), &mut due);
        assert_eq!(due.len(), 1);
    }

    proptest! {
        #[test]
        fn every_entry_comes_out_once(times in proptest::collection::vec((0u64..6_000_000, 1u64..50_000), 1..200)) {
            let start = Instant::now();
            let mut wheel = Wheel::new(start);
            let mut now = start;
            let mut due = Vec::new();
            let mut entered = 0;
            for (ahead, pass) in times {
                wheel.enter(key(entered), now + Duration::from_micros(ahead));
                entered += 1;
                now += Duration::from_micros(pass);
                wheel.take_due(now, &mut due);
            }
            wheel.take_due(now + Duration::from_secs(10), &mut due);
            due.sort_by_key(|(leg, _)| leg.index);
            let indexes: Vec<_> = due.iter().map(|(leg, _)| leg.index).collect();
            prop_assert_eq!(indexes, (0..entered).collect::<Vec<_>>());
        }
    }
}

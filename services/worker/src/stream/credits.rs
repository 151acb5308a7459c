//! How many deliveries an ingress may have outstanding here: a window that shrinks when the store is slow.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A commit that takes longer is a sign of overload.
pub const SLOW_COMMIT: Duration = Duration::from_millis(500);
/// The full window, in parts.
const FULL: u32 = 1_024;
/// The window never shrinks below this.
const LEAST: u32 = FULL / 16;
/// What the window gains a second: half a minute from a half to the whole, so that one slow second is not felt for long.
const GAIN: u32 = FULL / 64;

/// The part of a stream's window that may be shed deliveries at once.
const SHED_PART: u32 = 8;

/// What share of their window the streams of this process have.
#[derive(Debug)]
pub struct Pressure(AtomicU32);

impl Default for Pressure {
    fn default() -> Self {
        Self(AtomicU32::new(FULL))
    }
}

impl Pressure {
    /// A commit was slow: half the window. Called at most once a second, so that one stall is not counted a thousand times.
    pub fn shrink(&self) {
        let half = |share: u32| Some((share / 2).max(LEAST));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, half);
    }

    /// A second without a slow commit has passed.
    pub fn grow(&self) {
        let more = |share: u32| Some((share + GAIN).min(FULL));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// The store was slow so often that the window cannot shrink any more.
    fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= LEAST
    }

    /// The window of a stream whose full one this is; at least 1.
    pub fn window(&self, full: u32) -> u32 {
        let share = u64::from(full) * u64::from(self.0.load(Ordering::Relaxed)) / u64::from(FULL);
        u32::try_from(share).unwrap_or(full).max(1)
    }
}

/// The account of one stream: credits given and outcomes sent.
#[derive(Debug)]
pub struct Account {
    full: u32,
    /// Credits that the ingress has, and deliveries that it has outstanding.
    given: u32,
    /// What it was told of the deliveries that it may shed.
    shed_window: Option<u32>,
}

impl Account {
    /// The account of a stream whose full window this is.
    pub fn new(full: u32) -> Self {
        Self {
            full,
            given: 0,
            shed_window: None,
        }
    }

    /// Deliveries came that were shed, so no credit was given for them. They count until their outcome all the same.
    pub fn shed(&mut self, deliveries: u32) {
        self.given = self.given.saturating_add(deliveries);
    }

    /// How many deliveries the ingress may shed at once, if it is to be told: a part of the window, and none while the store
    /// is as slow as can be, because each is a commit.
    pub fn shed_window(&mut self, pressure: &Pressure) -> Option<u32> {
        let window = if pressure.is_full() {
            0
        } else {
            (pressure.window(self.full) / SHED_PART).max(1)
        };
        let is_news = self.shed_window != Some(window);
        self.shed_window = Some(window);
        is_news.then_some(window)
    }

    /// Credits to give with a frame of so many outcomes.
    pub fn give(&mut self, outcomes: usize, pressure: &Pressure) -> u32 {
        self.given = self.given.saturating_sub(u32::try_from(outcomes).unwrap_or(u32::MAX));
        let more = pressure.window(self.full).saturating_sub(self.given);
        self.given += more;
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_answered_is_given_again() {
        let (mut account, pressure) = (Account::new(100), Pressure::default());
        assert_eq!(account.give(0, &pressure), 100);
        assert_eq!(account.give(30, &pressure), 30);
    }

    #[test]
    fn a_slow_store_halves_the_window_and_time_restores_it() {
        let (mut account, pressure) = (Account::new(100), Pressure::default());
        account.give(0, &pressure);
        pressure.shrink();
        assert_eq!(account.give(50, &pressure), 0);
        assert_eq!(account.give(10, &pressure), 10);
        for _ in 0..32 {
            pressure.grow();
        }
        assert_eq!(account.give(0, &pressure), 50);
    }

    #[test]
    fn what_was_shed_takes_the_place_of_a_credit_until_its_outcome() {
        let (mut account, pressure) = (Account::new(100), Pressure::default());
        account.give(0, &pressure);
        account.shed(10);
        assert_eq!(account.give(30, &pressure), 20, "30 ended, 10 of them for the shed");
        assert_eq!(account.give(10, &pressure), 10);
    }

    #[test]
    fn the_room_for_what_is_shed_is_told_when_it_changes_and_is_none_while_the_store_crawls() {
        let (mut account, pressure) = (Account::new(800), Pressure::default());
        assert_eq!(account.shed_window(&pressure), Some(100));
        assert_eq!(account.shed_window(&pressure), None);
        pressure.shrink();
        assert_eq!(account.shed_window(&pressure), Some(50));
        for _ in 0..4 {
            pressure.shrink();
        }
        assert_eq!(account.shed_window(&pressure), Some(0));
        pressure.grow();
        assert_eq!(account.shed_window(&pressure), Some(7));
    }

    proptest! {
        #[test]
        fn an_ingress_whose_deliveries_are_all_answered_always_has_credit(
            full in 1_u32..10_000, slow in proptest::collection::vec(any::<bool>(), 0..100),
        ) {
            let (mut account, pressure) = (Account::new(full), Pressure::default());
            let mut credit = account.give(0, &pressure);
            for is_slow in slow {
                if is_slow { pressure.shrink() } else { pressure.grow() }
                let outstanding = credit;
                credit = account.give(outstanding as usize, &pressure);
                prop_assert!(credit >= 1 && credit <= full);
            }
        }
    }
}

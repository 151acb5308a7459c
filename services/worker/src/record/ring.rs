//! Which activities were applied lately, and with what answer: this is how a repeat is recognised.

use prost::Message;

/// How long an activity is remembered, in seconds.
const REMEMBERED_S: u32 = 600;
/// Most activities that are remembered.
const MOST: usize = 1_024;

/// Keys of applied activities, oldest first, as parallel packed lists: 8 + 4 + 2 bytes each.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ring {
    #[prost(fixed64, repeated, tag = "1")]
    keys: Vec<u64>,
    /// Seconds since 1970.
    #[prost(fixed32, repeated, tag = "2")]
    at_s: Vec<u32>,
    #[prost(uint32, repeated, tag = "3")]
    statuses: Vec<u32>,
}

impl Ring {
    /// The status that the activity of this key was answered with, if it is remembered.
    pub fn status_of(&self, key: u64) -> Option<u16> {
        // The newest first: most repeats come soon.
        let place = self.keys.iter().rposition(|known| *known == key)?;
        let status = self.statuses.get(place).copied().unwrap_or(200);
        Some(u16::try_from(status).unwrap_or(200))
    }

    /// The status of this key and when it was remembered, in seconds since 1970.
    pub fn status_and_time_of(&self, key: u64) -> Option<(u16, u32)> {
        let place = self.keys.iter().rposition(|known| *known == key)?;
        Some((self.status_of(key)?, self.at_s.get(place).copied().unwrap_or(0)))
    }

    /// Remembers an activity, and forgets those that are too old or too many.
    pub fn remember(&mut self, key: u64, status: u16, now_ms: u64) {
        let seconds = u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX);
        let old = self
            .at_s
            .iter()
            .take_while(|at| at.saturating_add(REMEMBERED_S) <= seconds)
            .count();
        let surplus = (self.keys.len() + 1).saturating_sub(MOST);
        let gone = old.max(surplus).min(self.keys.len());
        if gone > 0 {
            self.keys.drain(..gone);
            self.at_s.drain(..gone.min(self.at_s.len()));
            self.statuses.drain(..gone.min(self.statuses.len()));
        }
        self.keys.push(key);
        self.at_s.push(seconds);
        self.statuses.push(u32::from(status));
    }

    /// Activities that are remembered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_activity_is_forgotten_after_ten_minutes() {
        let mut ring = Ring::default();
        ring.remember(1, 200, 0);
        ring.remember(2, 500, 599_000);
        assert_eq!(ring.status_of(1), Some(200));
        ring.remember(3, 200, 600_000);
        assert_eq!(ring.status_of(1), None);
        assert_eq!(ring.status_of(2), Some(500));
    }

    proptest! {
        #[test]
        fn the_ring_never_holds_more_than_its_bound_and_always_the_newest(count in 1_usize..3_000) {
            let mut ring = Ring::default();
            for key in 0..count {
                ring.remember(key as u64, 200, 1_000);
            }
            prop_assert_eq!(ring.len(), count.min(MOST));
            prop_assert_eq!(ring.status_of(count as u64 - 1), Some(200));
            prop_assert_eq!(ring.status_of(0).is_some(), count <= MOST);
        }
    }
}

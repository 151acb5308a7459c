//! The ports of a range: oldest first, and not again before late packets of the last leg have died.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// So long a port rests after a leg.
const REST: Duration = Duration::from_secs(60);

/// Free ports.
#[derive(Debug, Default)]
pub(super) struct PortPool {
    free: VecDeque<(u16, Option<Instant>)>,
}

impl PortPool {
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        Self {
            free: range.map(|port| (port, None)).collect(),
        }
    }

    /// A port that rested.
    pub(super) fn take(&mut self, now: Instant) -> Option<u16> {
        let (_, rests_until) = self.free.front()?;
        if rests_until.is_some_and(|until| now < until) {
            return None;
        }
        self.free.pop_front().map(|(port, _)| port)
    }

    /// Gives a port back.
    pub(super) fn give_back(&mut self, port: u16, now: Instant) {
        self.free.push_back((port, Some(now + REST)));
    }

    /// Ports that are free or rest.
    pub(super) fn len(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_rests_before_it_is_used_again() {
        let now = Instant::now();
        let mut pool = PortPool::new(20_000..=20_001);
        assert_eq!(pool.take(now), Some(20_000));
        pool.give_back(20_000, now);
        assert_eq!(pool.take(now), Some(20_001));
        assert_eq!(pool.take(now + Duration::from_secs(59)), None);
        assert_eq!(pool.take(now + Duration::from_secs(60)), Some(20_000));
        assert_eq!(pool.take(now + Duration::from_secs(60)), None);
    }
}

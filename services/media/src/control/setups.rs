//! How long the steps of a set-up take, from the wish of a worker to keys.

use std::time::{Duration, Instant};

use crate::thread::Spread;

/// A step of a set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From the opening of the leg to the offer of its peer.
    Offer,
    /// From the offer to the check that nominates an address.
    Check,
    /// From there to keys.
    Handshake,
}

impl Step {
    /// All there are, in their order.
    pub const ALL: [Self; 3] = [Self::Offer, Self::Check, Self::Handshake];

    /// As operators see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Check => "check",
            Self::Handshake => "handshake",
        }
    }
}

/// The steps of all legs, in seconds.
#[derive(Debug)]
pub struct Setups([Spread; Step::ALL.len()]);

impl Default for Setups {
    fn default() -> Self {
        Self(Step::ALL.map(|_| Spread::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0])))
    }
}

impl Setups {
    fn took(&self, step: Step, time: Duration) {
        self.0[step as usize].add(time.as_secs_f64());
    }

    /// What one step took.
    pub fn of(&self, step: Step) -> &Spread {
        &self.0[step as usize]
    }
}

/// The set-up of one leg.
#[derive(Debug)]
pub(super) struct Setup {
    next: Option<Step>,
    since: Instant,
}

impl Setup {
    /// A worker has wished for it.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: Some(Step::Offer),
            since: now,
        }
    }

    /// A step is done; one that was done before, or is out of order, says nothing.
    pub(super) fn did(&mut self, step: Step, now: Instant, setups: &Setups) {
        if self.next != Some(step) {
            return;
        }
        setups.took(step, now.saturating_duration_since(self.since));
        self.since = now;
        self.next = Step::ALL.get(step as usize + 1).copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_measured_once_from_the_one_before() {
        let setups = Setups::default();
        let began = Instant::now();
        let mut setup = Setup::new(began);
        let at = |milliseconds| began + Duration::from_millis(milliseconds);
        setup.did(Step::Check, at(1), &setups);
        setup.did(Step::Offer, at(300), &setups);
        setup.did(Step::Check, at(320), &setups);
        // A second address is no second set-up.
        setup.did(Step::Check, at(400), &setups);
        setup.did(Step::Handshake, at(350), &setups);
        let sums = Step::ALL.map(|step| Duration::from_secs_f64(setups.of(step).sum()));
        assert_eq!(sums, [300, 20, 30].map(Duration::from_millis));
        for step in Step::ALL {
            assert_eq!(setups.of(step).buckets().iter().map(|(_, count)| count).sum::<u64>(), 1);
        }
    }
}

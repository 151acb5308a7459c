//! Faults by request: the Connector fails as real ones do, by chance that starts at a seed.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::{Reply, refusal};
use crate::config::{Fault, FaultTime};

/// The faults that are in force.
#[derive(Debug)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    chance: StdRng,
}

/// A fault that strikes this call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strike {
    pub(crate) when: FaultTime,
    pub(crate) reply: Reply,
}

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        Self {
            faults,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn in_force(&self) -> &[Fault] {
        &self.faults
    }

    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.faults = faults;
    }

    /// Whether this call fails: by the first fault that chance picks.
    pub(crate) fn strike(&mut self) -> Option<Strike> {
        let chance = &mut self.chance;
        let place = self
            .faults
            .iter()
            .position(|fault| chance.random::<f64>() < fault.share)?;
        let fault = &mut self.faults[place];
        let strike = Strike {
            when: fault.when,
            reply: reply(fault),
        };
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(place);
            }
        }
        Some(strike)
    }
}

fn reply(fault: &Fault) -> Reply {
    let reply = match fault.status {
        412 => refusal::error(
            412,
            "PreconditionFailed",
            "The conversation was changed at the same time.",
        ),
        429 => refusal::error(429, "Throttled", "Too many requests."),
        502 => Reply::new(
            502,
            json!({ "error": {
                "code": "ServiceError",
                "message": "Failed to get a response from a dependency.",
                "innerHttpError": { "statusCode": 504, "body": {} },
            } }),
        ),
        status @ (503 | 504) => Reply::empty(status),
        status => refusal::error(status, "ServiceError", "Unknown"),
    };
    Reply {
        retry_after: fault.retry_after,
        ..reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(share: f64, times: Option<u32>) -> Fault {
        Fault {
            status: 502,
            when: FaultTime::AfterStore,
            share,
            times,
            retry_after: None,
        }
    }

    #[test]
    fn a_fault_with_a_count_is_over_after_it() {
        let mut faults = Faults::new(vec![fault(1.0, Some(2))], 1);
        assert_eq!(faults.strike().map(|strike| strike.reply.status), Some(502));
        assert!(faults.strike().is_some());
        assert!(faults.strike().is_none());
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let struck = |seed| -> Vec<bool> {
            let mut faults = Faults::new(vec![fault(0.3, None)], seed);
            (0..200).map(|_| faults.strike().is_some()).collect()
        };
        assert_eq!(struck(7), struck(7));
        assert_ne!(struck(7), struck(8));
        let share = struck(7).iter().filter(|struck| **struck).count();
        assert!((30..90).contains(&share), "{share} of 200 at a share of 0.3");
    }
}

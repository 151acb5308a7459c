//! What stands before the calls API: faults by setting, and the rate.

use std::collections::VecDeque;

use ahash::AHashMap;

use super::{refusal::Refusal, settings::CallFault};
use crate::{config::FaultTime, world::people::BotNumber};

/// The window of the rate, in milliseconds.
const SECOND: u64 = 1_000;

/// Faults in force, and the requests of the last second.
#[derive(Debug)]
pub(super) struct Gate {
    faults: Vec<CallFault>,
    recent: AHashMap<BotNumber, VecDeque<u64>>,
}

/// A fault that strikes this request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strike {
    pub(super) when: FaultTime,
    pub(super) refusal: Refusal,
    /// `Retry-After`, in seconds, perhaps with a fraction.
    pub(super) retry_after: Option<String>,
}

impl Gate {
    pub(super) fn new(faults: Vec<CallFault>) -> Self {
        Self {
            faults,
            recent: AHashMap::new(),
        }
    }

    pub(super) fn set(&mut self, faults: Vec<CallFault>) {
        self.faults = faults;
    }

    pub(super) fn in_force(&self) -> &[CallFault] {
        &self.faults
    }

    /// Whether this request fails: by the first fault that `chance` picks.
    pub(super) fn strike(&mut self, operation: &str, mut chance: impl FnMut() -> f64) -> Option<Strike> {
        let place = self.faults.iter().position(|fault| {
            let is_meant = fault
                .operation
                .as_deref()
                .is_none_or(|name| name.eq_ignore_ascii_case(operation));
            is_meant && chance() < fault.share
        })?;
        let fault = &mut self.faults[place];
        let strike = Strike {
            when: fault.when,
            refusal: refusal(fault.status),
            retry_after: fault.retry_after.map(|seconds| seconds.to_string()),
        };
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(place);
            }
        }
        Some(strike)
    }

    /// Counts a request; over the rate it is told when the window frees. Requests that are refused count (documented).
    pub(super) fn throttle(&mut self, bot: BotNumber, rate: Option<u32>, now: u64) -> Option<Strike> {
        let rate = rate? as usize;
        let recent = self.recent.entry(bot).or_default();
        while recent.front().is_some_and(|at| at + SECOND <= now) {
            recent.pop_front();
        }
        recent.push_back(now);
        if recent.len() <= rate {
            return None;
        }
        let frees = recent[recent.len() - rate] + SECOND - now;
        Some(Strike {
            when: FaultTime::BeforeStore,
            refusal: refusal(429),
            retry_after: Some(format!("{}.{:03}", frees / SECOND, frees % SECOND)),
        })
    }
}

fn refusal(status: u16) -> Refusal {
    let (code, message) = match status {
        429 => ("TooManyRequests", "Too many requests."),
        503 => ("ServiceUnavailable", "The service is unavailable."),
        504 => ("GatewayTimeout", "The gateway timed out."),
        502 => ("BadGateway", "Bad gateway."),
        // The spelling was observed.
        _ => ("9999", "Unkown internal Server Error."),
    };
    Refusal::word(status, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_rate_the_answer_tells_when_the_window_frees_with_a_fraction() {
        let mut gate = Gate::new(Vec::new());
        let bot = BotNumber(0);
        assert_eq!(gate.throttle(bot, Some(2), 1_000), None);
        assert_eq!(gate.throttle(bot, Some(2), 1_100), None);
        let strike = gate.throttle(bot, Some(2), 1_250).map(|strike| strike.retry_after);
        assert_eq!(strike, Some(Some("0.850".to_owned())));
        assert_eq!(gate.throttle(BotNumber(1), Some(2), 1_250), None);
        assert_eq!(gate.throttle(bot, None, 1_250), None);
        assert_eq!(gate.throttle(bot, Some(2), 9_000), None);
    }

    #[test]
    fn a_fault_strikes_its_operation_as_often_as_it_says() {
        let fault = CallFault {
            operation: Some("answer".to_owned()),
            status: 429,
            when: FaultTime::BeforeStore,
            share: 1.0,
            times: Some(1),
            retry_after: Some(2.128),
        };
        let mut gate = Gate::new(vec![fault]);
        assert_eq!(gate.strike("reject", || 0.0), None);
        let strike = gate.strike("answer", || 0.0).and_then(|strike| strike.retry_after);
        assert_eq!(strike.as_deref(), Some("2.128"));
        assert_eq!(gate.strike("answer", || 0.0), None);
    }
}

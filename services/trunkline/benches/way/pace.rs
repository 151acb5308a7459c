//! When activities are due.

use std::time::Duration;

/// The rhythm of a load.
#[derive(Clone, Debug)]
pub(crate) enum Pace {
    /// Each connection sends its next activity as soon as the last is answered.
    Unpaced,
    /// One rate after the other, whatever becomes of the activities.
    Steps(Vec<Step>),
}

/// A rate, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) per_second: f64,
    pub(crate) lasts: Duration,
}

impl Step {
    fn activities(self) -> f64 {
        (self.per_second * self.lasts.as_secs_f64()).floor()
    }
}

impl Pace {
    /// One rate for this long.
    pub(crate) fn steady(per_second: f64, lasts: Duration) -> Self {
        Self::Steps(vec![Step { per_second, lasts }])
    }

    /// How many activities it makes; none where it has no end.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, positive, and far below 2^52"
    )]
    pub(crate) fn activities(&self) -> u64 {
        match self {
            Self::Unpaced => 0,
            Self::Steps(steps) => steps.iter().map(|step| step.activities() as u64).sum(),
        }
    }

    /// When this activity is due, from the begin; `None`: whenever a connection is free.
    pub(crate) fn due(&self, number: u64) -> Option<Duration> {
        let Self::Steps(steps) = self else {
            return None;
        };
        #[allow(clippy::cast_precision_loss, reason = "a bench sends far fewer than 2^52 activities")]
        let mut left = number as f64;
        let mut begins = Duration::ZERO;
        for step in steps {
            if left < step.activities() {
                return Some(begins + Duration::from_secs_f64(left / step.per_second));
            }
            left -= step.activities();
            begins += step.lasts;
        }
        Some(begins)
    }
}

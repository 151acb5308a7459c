//! What came back of a load, and when.

use std::ops::Range;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::generator::Told;

/// What became of one activity; times count from the begin of its load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) planned: Duration,
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    /// `None`: the connection broke.
    pub(crate) told: Option<Told>,
}

impl Answer {
    pub(crate) fn is_accepted(&self) -> bool {
        self.told.is_some_and(|told| (200..300).contains(&told.status))
    }

    /// From the planned instant to the status line.
    pub(crate) fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.planned)
    }

    /// From the request to the status line.
    pub(crate) fn time_to_answer(&self) -> Duration {
        self.answered.saturating_sub(self.sent)
    }
}

/// What became of all activities of a load.
pub(crate) struct Answers {
    pub(crate) began: Instant,
    /// In no order.
    pub(crate) all: Vec<Answer>,
    pub(crate) took: Duration,
}

impl Answers {
    pub(crate) fn since(began: Instant) -> Self {
        Self {
            began,
            all: Vec::new(),
            took: Duration::ZERO,
        }
    }

    /// How many were answered with success.
    pub(crate) fn accepted(&self) -> u64 {
        self.all.iter().filter(|answer| answer.is_accepted()).count() as u64
    }

    /// How many were not.
    pub(crate) fn refused(&self) -> u64 {
        self.all.len() as u64 - self.accepted()
    }

    /// Those that were due in this time.
    pub(crate) fn due_in(&self, time: &Range<Duration>) -> impl Iterator<Item = &Answer> {
        self.all.iter().filter(|answer| time.contains(&answer.planned))
    }

    /// Latency of all.
    pub(crate) fn latency(&self) -> Latency {
        Latency::of(&self.all)
    }
}

/// Latencies of answers.
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    /// From the planned instants on.
    pub(crate) fn of<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Self {
        Self::by(Answer::latency, answers)
    }

    /// By this measure.
    pub(crate) fn by<'a>(measure: fn(&Answer) -> Duration, answers: impl IntoIterator<Item = &'a Answer>) -> Self {
        // One microsecond to two minutes, three digits.
        let mut histogram =
            Histogram::new_with_bounds(1, 120_000_000, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"));
        for answer in answers {
            let micros = u64::try_from(measure(answer).as_micros()).unwrap_or(u64::MAX);
            histogram.saturating_record(micros.max(1));
        }
        Self(histogram)
    }

    /// A part of the answers took no longer than this.
    pub(crate) fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(quantile))
    }
}

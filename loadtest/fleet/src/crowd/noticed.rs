//! What clients noticed of a span of time: how long answers took, and what failed.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{Attempt, Talk};

/// What clients noticed of a span of time.
#[derive(Debug)]
pub struct Noticed {
    /// From the planned instant to the answer, repeats included, in microseconds; what was never answered counts up to its
    /// last attempt.
    pub latency: Histogram<u64>,
    /// Attempts that failed.
    pub failures: BTreeMap<Attempt, u64>,
    /// The last answer to a message that had a failure or took over a second, counted from the span's start.
    pub troubled_until: Option<Duration>,
}

/// Slower than this is trouble.
const SLOW: Duration = Duration::from_secs(1);

impl Noticed {
    /// Of the messages that were planned in this span.
    pub fn of(talks: &[Talk], span: &Range<Duration>) -> Self {
        let mut noticed = Self {
            latency: Histogram::new_with_bounds(1, 600_000_000, 3).unwrap(),
            failures: BTreeMap::new(),
            troubled_until: None,
        };
        for said in talks.iter().flat_map(|talk| &talk.said) {
            if !span.contains(&said.planned) {
                continue;
            }
            let took = said.ended.saturating_sub(said.planned);
            noticed
                .latency
                .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
            for (_, failure) in &said.failures {
                *noticed.failures.entry(*failure).or_default() += 1;
            }
            if took > SLOW || !said.failures.is_empty() {
                let until = said.ended.saturating_sub(span.start);
                noticed.troubled_until = noticed.troubled_until.max(Some(until));
            }
        }
        noticed
    }

    /// The slowest answer.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.latency.max())
    }

    /// Answers that took at most this long: a share of all, 0 to 1.
    pub fn quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(share))
    }
}

impl fmt::Display for Noticed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
        write!(
            formatter,
            "{} messages, p50 {}, p99 {}, worst {}",
            self.latency.len(),
            milliseconds(self.quantile(0.5)),
            milliseconds(self.quantile(0.99)),
            milliseconds(self.worst()),
        )?;
        if self.failures.is_empty() {
            write!(formatter, ", no failed attempt")
        } else {
            write!(formatter, ", failed attempts:")?;
            let mut failures = self.failures.iter();
            failures.try_for_each(|(kind, count)| write!(formatter, " {count} x {kind}"))
        }
    }
}

//! The bounds of what is in flight in this process: requests, and the bytes of their bodies.

use std::sync::atomic::AtomicI64;

use prometheus_client::metrics::gauge::Gauge;

use super::rejection::Rejection;
use crate::config::Limits;
use crate::metrics::RequestMetrics;

/// What may be in flight at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlightBounds {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

impl From<Limits> for InFlightBounds {
    fn from(limits: Limits) -> Self {
        Self {
            requests: limits.requests_in_flight,
            bytes: limits.bytes_in_flight,
        }
    }
}

/// The place of one request; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    metrics: &'a RequestMetrics,
    bounds: InFlightBounds,
    bytes: usize,
}

impl<'a> Place<'a> {
    /// Takes a place, if there is one.
    pub(crate) fn take(metrics: &'a RequestMetrics, bounds: InFlightBounds) -> Result<Self, Rejection> {
        if add_within(&metrics.in_flight, 1, bounds.requests) {
            Ok(Self {
                metrics,
                bounds,
                bytes: 0,
            })
        } else {
            Err(Rejection::TooManyRequests { limit: bounds.requests })
        }
    }

    /// Counts at least `bytes` for this request.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), Rejection> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 && !add_within(&self.metrics.in_flight_bytes, more, self.bounds.bytes) {
            return Err(Rejection::TooManyBytes {
                limit: self.bounds.bytes,
            });
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        self.metrics.in_flight_bytes.dec_by(signed(self.bytes));
    }
}

/// Adds and looks; takes it back if that was too much. Two that race may both be refused at the very bound, none passes it.
fn add_within(gauge: &Gauge<i64, AtomicI64>, more: usize, limit: usize) -> bool {
    let before = gauge.inc_by(signed(more));
    let fits = before.saturating_add(signed(more)) <= signed(limit);
    if !fits {
        gauge.dec_by(signed(more));
    }
    fits
}

fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prometheus_client::registry::Registry;

    const BOUNDS: InFlightBounds = InFlightBounds {
        requests: 2,
        bytes: 100,
    };

    #[test]
    fn a_place_is_free_again_when_its_request_has_ended() {
        let metrics = RequestMetrics::register(&mut Registry::default());
        let first = Place::take(&metrics, BOUNDS).unwrap();
        let _second = Place::take(&metrics, BOUNDS).unwrap();
        assert!(matches!(
            Place::take(&metrics, BOUNDS),
            Err(Rejection::TooManyRequests { limit: 2 })
        ));
        drop(first);
        assert!(Place::take(&metrics, BOUNDS).is_ok());
    }

    #[test]
    fn bytes_are_counted_once_for_a_body_that_grows() {
        let metrics = RequestMetrics::register(&mut Registry::default());
        let mut first = Place::take(&metrics, BOUNDS).unwrap();
        first.reserve(40).unwrap();
        first.reserve(60).unwrap();
        assert_eq!(metrics.in_flight_bytes.get(), 60);
        let mut second = Place::take(&metrics, BOUNDS).unwrap();
        assert!(matches!(
            second.reserve(41),
            Err(Rejection::TooManyBytes { limit: 100 })
        ));
        second.reserve(40).unwrap();
        drop((first, second));
        assert_eq!((metrics.in_flight.get(), metrics.in_flight_bytes.get()), (0, 0));
    }
}

//! How a figure of many legs is spread: counts below bounds, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bounds, besides the last, which has none.
const BOUNDS: usize = 8;

/// How often a value was at most each bound.
#[derive(Debug)]
pub struct Spread {
    bounds: [f64; BOUNDS],
    counts: [AtomicU64; BOUNDS + 1],
    /// In thousandths of the unit.
    sum: AtomicU64,
}

impl Spread {
    /// Bounds in rising order.
    pub(crate) fn new(bounds: [f64; BOUNDS]) -> Self {
        Self {
            bounds,
            counts: Default::default(),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn add(&self, value: f64) {
        let place = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(BOUNDS);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "thousandths of seconds and scores, which are not negative"
        )]
        let thousandths = (value * 1e3) as u64;
        self.sum.fetch_add(thousandths, Ordering::Relaxed);
    }

    /// The sum of the values.
    pub fn sum(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a sum for people")]
        let sum = self.sum.load(Ordering::Relaxed) as f64;
        sum / 1e3
    }

    /// Values below each bound and above the one before; the last bound is infinite.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        bounds.zip(counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_below_their_bounds() {
        let spread = Spread::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            spread.add(value);
        }
        let counts: Vec<u64> = spread.buckets().iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert!((spread.sum() - 12.0).abs() < 1e-9);
    }
}

//! A histogram without a lock, so that threads that observe do not wait for each other.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

/// Counts observations of whole units (bytes, microseconds, deliveries) by upper bound.
///
/// Sum and buckets are read one after the other: an observation in between shows in one of them only until the next
/// scrape, which no query notices.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds in units, rising; the last bucket has none.
    bounds: &'static [u64],
    /// Units in one of what the metric is named after: 1,000,000 for microseconds in a metric of seconds.
    scale: f64,
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram over `bounds`, shown in multiples of `units`.
    pub(crate) fn new(bounds: &'static [u64], units: u32) -> Self {
        Self {
            bounds,
            scale: f64::from(units),
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, units: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < units);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(units, Ordering::Relaxed);
    }

    /// Units as what the metric is named after; exact below 2^53.
    #[allow(clippy::cast_precision_loss)]
    fn shown(&self, units: u64) -> f64 {
        units as f64 / self.scale
    }
}

/// For the registry and the observers alike.
#[derive(Clone, Debug)]
pub(crate) struct SharedHistogram(pub(crate) std::sync::Arc<Histogram>);

impl EncodeMetric for SharedHistogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let histogram = &self.0;
        let bounds = histogram.bounds.iter().map(|bound| histogram.shown(*bound));
        let counts = histogram.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = histogram.shown(histogram.sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use std::sync::Arc;

    #[test]
    fn observations_are_shown_in_the_unit_of_the_metric() {
        let histogram = Arc::new(Histogram::new(&[1_000, 1_000_000], 1_000_000));
        let mut registry = Registry::default();
        registry.register("turn_seconds", "How long it took", SharedHistogram(histogram.clone()));
        for microseconds in [10, 1_000, 5_000, 2_000_000] {
            histogram.observe(microseconds);
        }
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "turn_seconds_sum 2.00601",
            "turn_seconds_count 4",
            r#"turn_seconds_bucket{le="0.001"} 2"#,
            r#"turn_seconds_bucket{le="1.0"} 3"#,
            r#"turn_seconds_bucket{le="+Inf"} 4"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}

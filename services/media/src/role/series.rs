//! Series without labels, by rows: name after `trunkline_media_`, what it means, and the value.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// What only grows.
pub(super) fn encode_counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    rows: impl IntoIterator<Item = (&'a str, &'a str, u64)>,
) -> Result<(), fmt::Error> {
    for (name, help, value) in rows {
        let counter = ConstCounter::new(value);
        let name = format!("trunkline_media_{name}");
        counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
    }
    Ok(())
}

/// What is now.
pub(super) fn encode_gauges<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    rows: impl IntoIterator<Item = (&'a str, &'a str, u64)>,
) -> Result<(), fmt::Error> {
    for (name, help, value) in rows {
        let name = format!("trunkline_media_{name}");
        let mut gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        gauge.encode_gauge(&value)?;
    }
    Ok(())
}

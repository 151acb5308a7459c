//! What operators see of the codec threads.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::codecs::{CodecFigures, Codecs};

/// The threads together, and how busy each is.
pub(super) fn encode_codecs(encoder: &mut DescriptorEncoder<'_>, codecs: &Codecs) -> Result<(), fmt::Error> {
    let budget = [
        (
            "used",
            "Microseconds of each 20 ms that the codec threads are charged with",
            codecs.used(),
        ),
        (
            "limit",
            "Microseconds of each 20 ms that the codec threads may be charged with",
            codecs.limit(),
        ),
    ];
    for (name, help, value) in budget {
        let name = format!("trunkline_media_codec_budget_{name}");
        let mut gauge = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        gauge.encode_gauge(&u64::from(value))?;
    }
    let mut busy = encoder.encode_descriptor(
        "trunkline_media_codec_busy_ratio",
        "Share of the last second in which a codec thread worked, 0 to 1",
        None,
        MetricType::Gauge,
    )?;
    for (number, figures) in codecs.figures().enumerate() {
        let thread = [("thread", number.to_string())];
        busy.encode_family(&thread)?.encode_gauge(&figures.busy_ratio())?;
    }
    let sum = |figure: fn(&CodecFigures) -> u64| codecs.figures().map(figure).sum::<u64>();
    let counters = [
        (
            "packets_dropped",
            "Packets and frames that found the queue of a codec thread full",
            sum(CodecFigures::dropped),
        ),
        (
            "restarts",
            "Times that something made a codec thread panic and it began anew",
            sum(CodecFigures::restarts),
        ),
    ];
    for (name, help, value) in counters {
        let name = format!("trunkline_media_codec_{name}");
        let counter = ConstCounter::new(value);
        counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
    }
    Ok(())
}

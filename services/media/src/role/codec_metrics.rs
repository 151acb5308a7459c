//! What operators see of the codec threads.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::series::{encode_counters, encode_gauges};
use crate::codecs::{CodecFigures, Codecs};

/// The threads together, and how busy each is.
pub(super) fn encode_codecs(encoder: &mut DescriptorEncoder<'_>, codecs: &Codecs) -> Result<(), fmt::Error> {
    let budget = [
        (
            "codec_budget_used",
            "Microseconds of each 20 ms that the codec threads are charged with",
            u64::from(codecs.used()),
        ),
        (
            "codec_budget_limit",
            "Microseconds of each 20 ms that the codec threads may be charged with",
            u64::from(codecs.limit()),
        ),
    ];
    encode_gauges(encoder, budget)?;
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
    let counters = [
        (
            "codec_packets_dropped",
            "Packets and frames that found the queue of a codec thread full",
            codecs.sum(CodecFigures::dropped),
        ),
        (
            "codec_restarts",
            "Times that something made a codec thread panic and it began anew",
            codecs.sum(CodecFigures::restarts),
        ),
    ];
    encode_counters(encoder, counters)
}

//! What operators see of a media host. Every series exists from the start.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::registry::{Registry, Unit};

use super::codec_metrics::encode_codecs;
use super::leg_metrics::encode_legs;
use super::series::{encode_counters, encode_gauges};
use crate::codecs::NoCodecs;
use crate::control::{Host, NotOpened, Tally};
use crate::record::RecorderFigures;
use crate::thread::{Figures, Spread};

/// What the role itself counts.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleMetrics {
    pub(super) reloads: Counter,
    pub(super) failures: Counter,
    pub(super) announcements_failed: Counter,
}

impl RoleMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("trunkline_media");
        registry.register(
            "certificate_reloads",
            "Times that changed files of the certificate that peers see were taken into use",
            metrics.reloads.clone(),
        );
        registry.register(
            "certificate_failures",
            "Times that changed files of the certificate that peers see could not be used and the old ones were kept",
            metrics.failures.clone(),
        );
        registry.register(
            "announcements_failed",
            "Times that the store did not take that this host lives",
            metrics.announcements_failed.clone(),
        );
        metrics
    }
}

/// The figures of a host and of its media thread, read at each scrape.
#[derive(Debug)]
pub(super) struct HostMetrics(Shown);

struct Shown(Weak<Host>);

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Host")
    }
}

impl HostMetrics {
    pub(super) fn new(host: &Arc<Host>) -> Self {
        Self(Shown(Arc::downgrade(host)))
    }
}

impl Collector for HostMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(host) = self.0.0.upgrade() else { return Ok(()) };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let gauges = [
            (
                "prompt_cache_bytes",
                "Bytes of prompts that are kept in memory",
                count(host.prompt_bytes()),
            ),
            (
                "legs_limit",
                "Legs that this host may have at a time",
                count(host.limit()),
            ),
            (
                "draining",
                "1 while no new legs are taken because the host is about to end",
                u64::from(host.is_draining()),
            ),
        ];
        encode_gauges(&mut encoder, gauges)?;
        encode_lag(&mut encoder, host.threads().lag())?;
        encode_recordings(&mut encoder, host.recorder().figures())?;
        encode_refusals(&mut encoder, &host)?;
        encode_tally(&mut encoder, host.tally())?;
        encode_threads(&mut encoder, &host)?;
        encode_codecs(&mut encoder, host.codecs())?;
        encode_legs(&mut encoder, &host)?;
        let sum = |figure: fn(&Figures) -> u64| host.threads().sum(figure);
        let tally = host.tally();
        let packets = |figure: fn((u64, u64)) -> u64| host.threads().sum(|thread| figure(thread.packets_of_ended()));
        let counters = [
            (
                "rtp_packets",
                "Packets that came from peers, of legs that ended",
                packets(|(heard, _)| heard),
            ),
            (
                "rtp_lost_packets",
                "Packets that peers sent and that did not come, of legs that ended",
                packets(|(_, lost)| lost),
            ),
            ("address_changes", "Times that a peer's address changed", tally.moved()),
            (
                "fenced",
                "Commands of workers that did not own the call any more",
                tally.fenced(),
            ),
            (
                "recordings_failed",
                "Directions of recordings that were given up",
                tally.recordings_failed(),
            ),
            ("answers", "Answers whose recording ended, kept or not", tally.answers()),
            ("legs_opened", "Legs that were opened", host.wishes().opened()),
            ("datagrams_received", "Datagrams that came", sum(Figures::received)),
            ("datagrams_sent", "Datagrams that went", sum(Figures::sent)),
            (
                "datagrams_of_strangers",
                "Datagrams that belonged to no leg",
                sum(Figures::strangers),
            ),
            (
                "datagrams_unsent",
                "Datagrams that the system did not take",
                sum(Figures::unsent),
            ),
            (
                "handshakes_dropped",
                "Datagrams of handshakes that found their queue full",
                sum(Figures::handshakes_dropped),
            ),
            (
                "events_lost",
                "Events of legs that nobody took in time",
                sum(Figures::events_lost),
            ),
            ("leg_panics", "Legs that an input made panic", sum(Figures::panics)),
            (
                "bridged_packets_lost",
                "Packets over a bridge of two threads or codecs for which the other thread had no time",
                sum(Figures::bridged_lost),
            ),
        ];
        encode_counters(&mut encoder, counters)
    }
}

fn encode_recordings(encoder: &mut DescriptorEncoder<'_>, figures: &RecorderFigures) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(
        "trunkline_media_recordings",
        "Directions that are being written, and finished parts that wait for the command or the upload",
        None,
        MetricType::Gauge,
    )?;
    for (state, count) in [("open", figures.open()), ("waiting", figures.waiting())] {
        family.encode_family(&[("state", state)])?.encode_gauge(&count)?;
    }
    let counters = [
        (
            "recordings_handed_on",
            "Finished parts that the command or the upload was done for",
            figures.handed_on(),
        ),
        (
            "recordings_hand_on_failed",
            "Times that the command or the upload of a finished part failed",
            figures.refused(),
        ),
    ];
    encode_counters(encoder, counters)
}

fn encode_lag(encoder: &mut DescriptorEncoder<'_>, lag: Duration) -> Result<(), fmt::Error> {
    let mut gauge = encoder.encode_descriptor(
        "trunkline_media_lag",
        "How late due legs were served last; from 0.02 on no new ones are taken",
        Some(&Unit::Seconds),
        MetricType::Gauge,
    )?;
    gauge.encode_gauge(&lag.as_secs_f64())
}

type SpreadOf = fn(&Figures) -> &Spread;

/// What each thread does, and how well peers were heard, at the end of each leg.
fn encode_threads(encoder: &mut DescriptorEncoder<'_>, host: &Host) -> Result<(), fmt::Error> {
    let mut busy = encoder.encode_descriptor(
        "trunkline_media_thread_busy",
        "Time that a media thread worked; its rate is the share of a core",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    for (number, figures) in host.threads().figures().enumerate() {
        let time = ConstCounter::new(figures.busy().as_secs_f64());
        time.encode(busy.encode_family(&[("thread", number.to_string())])?)?;
    }
    let spreads: [(_, _, _, SpreadOf); 4] = [
        (
            "trunkline_media_batch_packets",
            "Datagrams that a media thread took in one go",
            None,
            Figures::batch,
        ),
        (
            "trunkline_media_rtp_jitter",
            "How unevenly packets came, at the end of each leg",
            Some(&Unit::Seconds),
            Figures::jitter,
        ),
        (
            "trunkline_media_rtt",
            "Round trip by the peer's reports, at the end of each leg",
            Some(&Unit::Seconds),
            Figures::round_trip,
        ),
        (
            "trunkline_media_mos_estimate",
            "Mean opinion score of what was received, 1 to 4.5, an estimate, at the end of each leg",
            None,
            Figures::opinion,
        ),
    ];
    for (name, help, unit, of) in spreads {
        let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        for (number, figures) in host.threads().figures().enumerate() {
            let (sum, buckets) = (of(figures).sum(), of(figures).buckets());
            let count = buckets.iter().map(|(_, count)| count).sum();
            let thread = [("thread", number.to_string())];
            let mut histogram = family.encode_family(&thread)?;
            histogram.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
    }
    Ok(())
}

fn encode_tally(encoder: &mut DescriptorEncoder<'_>, tally: &Tally) -> Result<(), fmt::Error> {
    let gaps = ConstCounter::new(tally.recording_gaps().as_secs_f64());
    gaps.encode(encoder.encode_descriptor(
        "trunkline_media_recording_gap",
        "Sound that is missing in recordings because the recorder was slow",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?)?;
    let mut ended = encoder.encode_descriptor(
        "trunkline_media_legs_ended",
        "Legs that ended, by reason",
        None,
        MetricType::Counter,
    )?;
    for (reason, count) in tally.ended() {
        ConstCounter::new(count).encode(ended.encode_family(&[("reason", reason.name())])?)?;
    }
    let mut requests = encoder.encode_descriptor(
        "trunkline_media_whip_requests",
        "Requests of peers, by the status of their answer",
        None,
        MetricType::Counter,
    )?;
    for (status, count) in tally.requests() {
        ConstCounter::new(count).encode(requests.encode_family(&[("code", status.to_string())])?)?;
    }
    Ok(())
}

fn encode_refusals(encoder: &mut DescriptorEncoder<'_>, host: &Host) -> Result<(), fmt::Error> {
    let mut family = encoder.encode_descriptor(
        "trunkline_media_legs_refused",
        "Legs that were not opened, by reason",
        None,
        MetricType::Counter,
    )?;
    let reasons = [
        (NotOpened::Full, "full"),
        (NotOpened::Draining, "draining"),
        (NotOpened::NoCodecs(NoCodecs::NoRoom), "no_codecs"),
    ];
    for (reason, label) in reasons {
        let counter = ConstCounter::new(host.wishes().refused(reason));
        counter.encode(family.encode_family(&[("reason", label)])?)?;
    }
    Ok(())
}

//! What the ingress counts. Every series exists from the start, and nothing here takes a lock while a request runs.

mod histogram;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use trunkline_teams::calls::SubjectKind;
use trunkline_teams::identity::Verifier;

use crate::exchange::Tally;
use crate::http::{Outcome, RejectionCode, RequestKind};
use histogram::{Histogram, SharedHistogram};

/// Microseconds: from what an idle machine needs to the 15 s that Teams waits.
const DURATION_BOUNDS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 13_000_000, 15_000_000,
];
const BODY_BOUNDS: &[u64] = &[512, 1_024, 2_048, 4_096, 8_192, 16_384, 65_536, 262_144, 1_048_576];
const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    kind: Name,
    outcome: Name,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: Name,
}

/// A label's value that is known at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }
}

/// What is counted of requests.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    /// By kind and outcome.
    requests: Vec<Counter>,
    /// Of calls, by kind and outcome.
    notifications: Vec<Counter>,
    notified: Arc<Histogram>,
    refusals: Vec<Counter>,
    duration: Arc<Histogram>,
    body_bytes: Arc<Histogram>,
    /// These two are also what the bounds of the requests in flight are held against.
    pub(crate) in_flight: Gauge<i64, AtomicI64>,
    pub(crate) in_flight_bytes: Gauge<i64, AtomicI64>,
    pub(crate) certificate_reloads: Counter,
    pub(crate) certificate_failures: Counter,
}

impl RequestMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let notifications = Family::<RequestLabels, Counter>::default();
        let notified = Arc::new(Histogram::new(DURATION_BOUNDS, 1_000_000));
        let refusals = Family::<RefusalLabels, Counter>::default();
        let duration = Arc::new(Histogram::new(DURATION_BOUNDS, 1_000_000));
        let body_bytes = Arc::new(Histogram::new(BODY_BOUNDS, 1));
        let in_flight = Gauge::default();
        let in_flight_bytes = Gauge::default();
        let certificate_reloads = Counter::default();
        let certificate_failures = Counter::default();
        registry.register(
            "trunkline_ingress_requests",
            "Requests to the messaging endpoint by kind of activity and how they ended",
            requests.clone(),
        );
        registry.register(
            "trunkline_ingress_call_notifications",
            "Notifications of calls by what they tell and how they ended",
            notifications.clone(),
        );
        registry.register_with_unit(
            "trunkline_ingress_call_answer_duration",
            "Time from the head of a request with notifications of calls to its answer",
            Unit::Seconds,
            SharedHistogram(notified.clone()),
        );
        registry.register(
            "trunkline_ingress_refusals",
            "Requests that were refused before they reached a worker, by reason",
            refusals.clone(),
        );
        registry.register_with_unit(
            "trunkline_ingress_request_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            SharedHistogram(duration.clone()),
        );
        registry.register_with_unit(
            "trunkline_ingress_body",
            "Size of the bodies of accepted requests, after decompression",
            Unit::Bytes,
            SharedHistogram(body_bytes.clone()),
        );
        registry.register(
            "trunkline_ingress_requests_in_flight",
            "Requests that have not been answered yet",
            in_flight.clone(),
        );
        registry.register_with_unit(
            "trunkline_ingress_in_flight",
            "Bodies of the requests that have not been answered yet",
            Unit::Bytes,
            in_flight_bytes.clone(),
        );
        registry.register(
            "trunkline_ingress_certificate_reloads",
            "Times that a changed certificate was taken into use",
            certificate_reloads.clone(),
        );
        registry.register(
            "trunkline_ingress_certificate_failures",
            "Times that a changed certificate could not be used and the old one was kept",
            certificate_failures.clone(),
        );
        let requests = RequestKind::ALL.into_iter().flat_map(|kind| {
            let requests = requests.clone();
            Outcome::ALL.into_iter().map(move |outcome| {
                requests.get_or_create_owned(&RequestLabels {
                    kind: Name(kind.name()),
                    outcome: Name(outcome.name()),
                })
            })
        });
        let notifications = SubjectKind::ALL.into_iter().flat_map(|kind| {
            let notifications = notifications.clone();
            Outcome::ALL.into_iter().map(move |outcome| {
                notifications.get_or_create_owned(&RequestLabels {
                    kind: Name(kind.name()),
                    outcome: Name(outcome.name()),
                })
            })
        });
        let refusals = RejectionCode::all().map(|code| {
            refusals.get_or_create_owned(&RefusalLabels {
                reason: Name(code.name()),
            })
        });
        Self {
            requests: requests.collect(),
            notifications: notifications.collect(),
            notified,
            refusals: refusals.collect(),
            duration,
            body_bytes,
            in_flight,
            in_flight_bytes,
            certificate_reloads,
            certificate_failures,
        }
    }

    pub(crate) fn ended(&self, kind: RequestKind, outcome: Outcome, took: Duration) {
        self.requests[kind as usize * Outcome::ALL.len() + outcome as usize].inc();
        self.duration
            .observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// One notification of a call has ended.
    pub(crate) fn notification(&self, kind: SubjectKind, outcome: Outcome) {
        self.notifications[kind as usize * Outcome::ALL.len() + outcome as usize].inc();
    }

    /// A request with notifications was answered.
    pub(crate) fn notified(&self, took: Duration) {
        self.notified
            .observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn refused(&self, code: RejectionCode) {
        self.refusals[code.index()].inc();
    }

    pub(crate) fn body(&self, bytes: usize) {
        self.body_bytes.observe(bytes as u64);
    }
}

/// What is counted of the streams to the workers.
#[derive(Debug)]
pub(crate) struct StreamMetrics {
    frames_sent: Counter,
    frames_received: Counter,
    batch: Arc<Histogram>,
    resends: Counter,
    credit_waits: Counter,
    poisoned: Counter,
    sheds: Counter,
    suspects: Counter,
    tables: Counter,
    map_version: Gauge<i64, AtomicI64>,
    streams: Gauge<i64, AtomicI64>,
    was_ever_connected: AtomicBool,
}

impl StreamMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let frames_sent = Counter::default();
        let frames_received = Counter::default();
        let batch = Arc::new(Histogram::new(BATCH_BOUNDS, 1));
        let resends = Counter::default();
        let credit_waits = Counter::default();
        let poisoned = Counter::default();
        let sheds = Counter::default();
        let suspects = Counter::default();
        let tables = Counter::default();
        let map_version = Gauge::default();
        let streams = Gauge::default();
        registry.register(
            "trunkline_ingress_stream_frames_sent",
            "Frames sent to workers",
            frames_sent.clone(),
        );
        registry.register(
            "trunkline_ingress_stream_frames_received",
            "Frames received from workers",
            frames_received.clone(),
        );
        registry.register(
            "trunkline_ingress_stream_frame_deliveries",
            "Activities in each frame that carried any",
            SharedHistogram(batch.clone()),
        );
        registry.register(
            "trunkline_ingress_resends",
            "Activities sent again after a move, a broken stream or silence",
            resends.clone(),
        );
        registry.register(
            "trunkline_ingress_credit_waits",
            "Requests that waited for a worker to grant a place",
            credit_waits.clone(),
        );
        registry.register(
            "trunkline_ingress_poisoned",
            "Requests given up because they were outstanding at two workers that died",
            poisoned.clone(),
        );
        registry.register(
            "trunkline_ingress_sheds",
            "Activities sent to be accepted into the inbox because no worker granted a place in time",
            sheds.clone(),
        );
        registry.register(
            "trunkline_ingress_suspects",
            "Times that a worker was reported to the others because its connection broke off or was refused",
            suspects.clone(),
        );
        registry.register(
            "trunkline_ingress_route_tables",
            "Routing tables taken, counted by each thread",
            tables.clone(),
        );
        registry.register(
            "trunkline_ingress_map_version",
            "Version of the shard map that a thread took last; 0 for none",
            map_version.clone(),
        );
        registry.register(
            "trunkline_ingress_worker_streams",
            "Streams to workers that are open, one for each thread and worker",
            streams.clone(),
        );
        Self {
            frames_sent,
            frames_received,
            batch,
            resends,
            credit_waits,
            poisoned,
            sheds,
            suspects,
            tables,
            map_version,
            streams,
            was_ever_connected: AtomicBool::new(false),
        }
    }

    pub(crate) fn frame_sent(&self, deliveries: usize) {
        self.frames_sent.inc();
        if deliveries > 0 {
            self.batch.observe(deliveries as u64);
        }
    }

    pub(crate) fn frame_received(&self) {
        self.frames_received.inc();
    }

    pub(crate) fn count(&self, tally: Tally, map_version: u64) {
        let counts = [
            (&self.resends, tally.resends),
            (&self.credit_waits, tally.credit_waits),
            (&self.poisoned, tally.poisoned),
            (&self.sheds, tally.sheds),
            (&self.suspects, tally.suspects),
            (&self.tables, tally.tables),
        ];
        if tally.tables > 0 {
            self.map_version.set(i64::try_from(map_version).unwrap_or(i64::MAX));
        }
        for (counter, count) in counts {
            if count > 0 {
                counter.inc_by(count);
            }
        }
    }

    /// A worker has welcomed a stream; it counts as open until the value is dropped.
    pub(crate) fn connected(&self) -> OpenStream {
        self.was_ever_connected.store(true, Ordering::Relaxed);
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    /// Whether any worker has ever welcomed this process.
    pub(crate) fn was_ever_connected(&self) -> bool {
        self.was_ever_connected.load(Ordering::Relaxed)
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct OpenStream(Gauge<i64, AtomicI64>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// How the keys are by which senders are known.
#[derive(Debug)]
pub(crate) struct KeyAge {
    verifier: Arc<Verifier>,
    count: (&'static str, &'static str),
    age: (&'static str, &'static str),
}

impl KeyAge {
    /// The keys of who sends messages.
    pub(crate) fn of_messages(verifier: Arc<Verifier>) -> Self {
        Self {
            verifier,
            count: (
                "trunkline_ingress_signing_keys",
                "Signing keys of the token issuer; without any every request is refused.",
            ),
            age: (
                "trunkline_ingress_signing_keys_age",
                "Time since the signing keys were last read.",
            ),
        }
    }

    /// The keys of the calling platform.
    pub(crate) fn of_calls(verifier: Arc<Verifier>) -> Self {
        Self {
            verifier,
            count: (
                "trunkline_ingress_call_signing_keys",
                "Signing keys of the calling platform; without any every notification of a call is refused.",
            ),
            age: (
                "trunkline_ingress_call_signing_keys_age",
                "Time since the signing keys of the calling platform were last read.",
            ),
        }
    }
}

impl Collector for KeyAge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = self.verifier.key_status();
        let (name, help) = self.count;
        let mut count = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        count.encode_gauge(&u64::try_from(status.keys).unwrap_or(u64::MAX))?;
        let Some(age) = status.age else {
            return Ok(());
        };
        let (name, help) = self.age;
        let mut seconds = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?;
        seconds.encode_gauge(&age.as_secs_f64())
    }
}

//! What operators count. Names follow the Prometheus conventions; counters get `_total` from the encoder.

use std::collections::HashMap;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use trunkline_bot::logic::EndedBy;

use crate::conversation::{BotRules, Bots, TurnResult};

/// Route label of turns that no route of the bot names: timers, signals, ids of sends, failures.
const NO_ROUTE: &str = "none";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    bot: String,
    route: String,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "values of a label")]
enum Outcome {
    committed,
    told,
    stopped,
    failed,
    parked,
    timed_out,
    state_unusable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BotLabel {
    bot: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabels {
    bot: String,
    by: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// Metrics of a worker.
#[derive(Debug)]
pub(crate) struct WorkerMetrics {
    bots: HashMap<String, BotMetrics>,
    pub(crate) commit_duration: Histogram,
    pub(crate) commits_written: Counter,
    pub(crate) commits_uncertain: Counter,
    pub(crate) commits_fenced: Counter,
    pub(crate) commits_conflict: Counter,
    pub(crate) store_regressions: Counter,
    pub(crate) load_failures: Counter,
    pub(crate) actors: Gauge,
    pub(crate) actor_bytes: Gauge,
    pub(crate) waiting: Gauge,
    pub(crate) activations: Counter,
    pub(crate) passivations: Counter,
    pub(crate) queue_refusals: Counter,
    pub(crate) shed_refusals: Counter,
    pub(crate) poisoned: Counter,
    pub(crate) stalls: Counter,
    pub(crate) slow_polls: Counter,
    pub(crate) shards_lost: Counter,
    pub(crate) streams: Gauge,
    pub(crate) frames: Counter,
    pub(crate) deliveries: Counter,
    pub(crate) outcomes: Counter,
}

/// Metrics of one bot, looked up once.
#[derive(Debug)]
pub(crate) struct BotMetrics {
    routes: Vec<RouteMetrics>,
    no_route: RouteMetrics,
    pub(crate) turn_duration: Histogram,
    pub(crate) panics: Counter,
    pub(crate) repeats: Counter,
    pub(crate) accepted: Counter,
    pub(crate) parked: Counter,
    pub(crate) sends: Counter,
    pub(crate) send_retries: Counter,
    pub(crate) sends_given_up: Counter,
    pub(crate) sends_in_doubt: Counter,
    pub(crate) operations: Counter,
    pub(crate) operation_retries: Counter,
    pub(crate) operations_refused: Counter,
    pub(crate) operations_in_doubt: Counter,
    pub(crate) legs_lost: Counter,
    pub(crate) legs_without_host: Counter,
    pub(crate) calls: Gauge,
    pub(crate) calls_refused: Counter,
    pub(crate) notifications_dropped: Counter,
    calls_ended: Family<EndLabels, Counter>,
    bot: String,
}

#[derive(Debug)]
struct RouteMetrics {
    committed: Counter,
    told: Counter,
    stopped: Counter,
    failed: Counter,
    parked: Counter,
    timed_out: Counter,
    state: Counter,
}

impl RouteMetrics {
    fn new(family: &Family<TurnLabels, Counter>, bot: &str, route: &str) -> Self {
        let of = |outcome| {
            let labels = TurnLabels {
                bot: bot.to_owned(),
                route: route.to_owned(),
                outcome,
            };
            family.get_or_create(&labels).clone()
        };
        Self {
            committed: of(Outcome::committed),
            told: of(Outcome::told),
            stopped: of(Outcome::stopped),
            failed: of(Outcome::failed),
            parked: of(Outcome::parked),
            timed_out: of(Outcome::timed_out),
            state: of(Outcome::state_unusable),
        }
    }

    fn of(&self, result: TurnResult) -> &Counter {
        match result {
            TurnResult::Committed => &self.committed,
            TurnResult::Told => &self.told,
            TurnResult::Stopped => &self.stopped,
            TurnResult::Failed => &self.failed,
            TurnResult::Parked => &self.parked,
            TurnResult::TimedOut => &self.timed_out,
            TurnResult::State => &self.state,
        }
    }
}

impl BotMetrics {
    /// Counts a turn that ended.
    pub(crate) fn turn_ended(&self, route: Option<usize>, result: TurnResult, seconds: f64) {
        self.route(route).of(result).inc();
        self.turn_duration.observe(seconds);
    }

    /// Counts a turn that was given up.
    pub(crate) fn turn_parked(&self, route: Option<usize>) {
        self.route(route).of(TurnResult::Parked).inc();
        self.parked.inc();
    }

    /// Counts a call that stands in the log of ended calls.
    pub(crate) fn call_ended(&self, by: EndedBy, code: Option<i64>) {
        let labels = EndLabels {
            bot: self.bot.clone(),
            by: match by {
                EndedBy::Bot => "bot",
                EndedBy::Person => "person",
                EndedBy::Service => "service",
                EndedBy::Unknown => "unknown",
            },
            code: code.map_or_else(|| "none".to_owned(), code_label),
        };
        self.calls_ended.get_or_create(&labels).inc();
    }

    fn route(&self, route: Option<usize>) -> &RouteMetrics {
        route.and_then(|route| self.routes.get(route)).unwrap_or(&self.no_route)
    }
}

impl WorkerMetrics {
    /// Registers everything, with all label values of the bots that run here.
    pub(crate) fn register(registry: &mut Registry, bots: &Bots) -> Self {
        let registry = registry.sub_registry_with_prefix("trunkline_worker");
        let of_bots = BotFamilies::register(registry);
        let commits = Family::<ResultLabel, Counter>::default();
        registry.register("commits", "Answers of the store to commits", commits.clone());
        let commit_result = |result| commits.get_or_create(&ResultLabel { result }).clone();
        let commit_duration = Histogram::new(DURATIONS);
        registry.register_with_unit(
            "commit_duration",
            "Time from giving a commit to the store until it was known to be written",
            Unit::Seconds,
            commit_duration.clone(),
        );
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let store_regressions = counter(
            "store_regressions",
            "Records that were older than the worker had known them",
        );
        let load_failures = counter("load_failures", "Records that could not be read");
        let activations = counter("activations", "Conversations that were taken into memory");
        let passivations = counter("passivations", "Conversations that left memory");
        let queue_refusals = counter(
            "queue_refusals",
            "Activities refused because their conversation's queue was full",
        );
        let shed_refusals = counter(
            "shed_refusals",
            "Activities refused because neither a turn nor the inbox had room",
        );
        let poisoned = counter("poisoned", "Turns given up because processes died while they ran");
        let stalls = counter("stalls", "Threads of conversations that did not answer in time");
        let slow_polls = counter(
            "slow_polls",
            "Turns that held their thread for too long without a pause",
        );
        let shards_lost = counter("shards_lost", "Shards that another process took");
        let frames = counter("frames_received", "Frames received from ingresses");
        let deliveries = counter("deliveries", "Activities received from ingresses");
        let outcomes = counter("outcomes", "Outcomes sent to ingresses");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            bots: bots.values().map(|bot| (bot.name.clone(), of_bots.of(bot))).collect(),
            commit_duration,
            commits_written: commit_result("written"),
            commits_uncertain: commit_result("uncertain"),
            commits_fenced: commit_result("fenced"),
            commits_conflict: commit_result("conflict"),
            store_regressions,
            load_failures,
            actors: gauge("actors", "Conversations in memory"),
            actor_bytes: gauge("actors_size_bytes", "Bytes that conversations in memory hold, roughly"),
            waiting: gauge("waiting", "Activities and other work that waits for a turn"),
            activations,
            passivations,
            queue_refusals,
            shed_refusals,
            poisoned,
            stalls,
            slow_polls,
            shards_lost,
            streams: gauge("streams", "Open streams of ingresses"),
            frames,
            deliveries,
            outcomes,
        }
    }

    /// Metrics of a bot that runs here.
    pub(crate) fn bot(&self, name: &str) -> Option<&BotMetrics> {
        self.bots.get(name)
    }
}

/// Codes are statuses of HTTP and SIP, or 0 (`resultInfo`, documented): others would be labels without end.
fn code_label(code: i64) -> String {
    match code {
        0 | 100..=699 => code.to_string(),
        _ => "other".to_owned(),
    }
}

/// From half a millisecond to two minutes.
const DURATIONS: [f64; 16] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0,
];

struct BotFamilies {
    turns: Family<TurnLabels, Counter>,
    durations: Family<BotLabel, Histogram, fn() -> Histogram>,
    counters: Vec<Family<BotLabel, Counter>>,
    calls: Family<BotLabel, Gauge>,
    calls_ended: Family<EndLabels, Counter>,
}

impl BotFamilies {
    const COUNTERS: [(&'static str, &'static str); 16] = [
        ("turn_panics", "Turns that panicked"),
        ("repeats", "Activities that repeated one that was known"),
        (
            "accepted",
            "Turns that were made durable in the inbox before they were done",
        ),
        ("parked", "Turns that were given up"),
        ("sends", "Messages that the Connector took"),
        ("send_retries", "Attempts to send that failed and are repeated"),
        ("sends_given_up", "Messages that were given up"),
        (
            "sends_in_doubt",
            "Messages of which nobody knows whether they arrived, not sent again",
        ),
        ("call_operations", "Operations on calls that Graph took"),
        (
            "call_operation_retries",
            "Operations on calls that were not taken and are asked again",
        ),
        ("call_operations_refused", "Operations on calls that Graph did not take"),
        (
            "call_operations_in_doubt",
            "Operations on calls of which nobody knows whether Graph took them, not asked again",
        ),
        (
            "call_legs_lost",
            "Legs of calls that a media host ended, or that went with it, while their call went on",
        ),
        (
            "call_legs_without_host",
            "Calls that no media host had room for, rejected or not made",
        ),
        ("calls_refused", "Calls that a limit of calls kept from beginning"),
        (
            "call_notifications_dropped",
            "Notifications of calls that nobody could read, or that were of another call or tenant",
        ),
    ];

    fn register(registry: &mut Registry) -> Self {
        let turns = Family::<TurnLabels, Counter>::default();
        registry.register("turns", "Turns that ended", turns.clone());
        let new: fn() -> Histogram = || Histogram::new(DURATIONS);
        let durations = Family::<BotLabel, Histogram, fn() -> Histogram>::new_with_constructor(new);
        registry.register_with_unit(
            "turn_duration",
            "Time that turns took, without their commit",
            Unit::Seconds,
            durations.clone(),
        );
        let counters = Self::COUNTERS.map(|(name, help)| {
            let family = Family::<BotLabel, Counter>::default();
            registry.register(name, help, family.clone());
            family
        });
        let calls = Family::<BotLabel, Gauge>::default();
        registry.register("calls", "Calls under way that this worker leads", calls.clone());
        let calls_ended = Family::<EndLabels, Counter>::default();
        registry.register(
            "calls_ended",
            "Calls that ended, by who ended them and Graph's code",
            calls_ended.clone(),
        );
        Self {
            turns,
            durations,
            calls,
            calls_ended,
            counters: counters.into(),
        }
    }

    fn of(&self, bot: &BotRules) -> BotMetrics {
        let label = BotLabel { bot: bot.name.clone() };
        let mut counters = self.counters.iter().map(|family| family.get_or_create(&label).clone());
        let mut next = || counters.next().unwrap_or_default();
        BotMetrics {
            routes: bot
                .description
                .routes
                .iter()
                .map(|route| RouteMetrics::new(&self.turns, &bot.name, &route.name))
                .collect(),
            no_route: RouteMetrics::new(&self.turns, &bot.name, NO_ROUTE),
            turn_duration: self.durations.get_or_create(&label).clone(),
            panics: next(),
            repeats: next(),
            accepted: next(),
            parked: next(),
            sends: next(),
            send_retries: next(),
            sends_given_up: next(),
            sends_in_doubt: next(),
            operations: next(),
            operation_retries: next(),
            operations_refused: next(),
            operations_in_doubt: next(),
            legs_lost: next(),
            legs_without_host: next(),
            calls_refused: next(),
            notifications_dropped: next(),
            calls: self.calls.get_or_create(&label).clone(),
            calls_ended: self.calls_ended.clone(),
            bot: bot.name.clone(),
        }
    }
}

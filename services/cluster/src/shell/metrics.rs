//! What operators count of a node: `trunkline_cluster_*`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::node::Tally;
use crate::view::{Health, ShardState, View};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

/// Metrics of a node; clones count together.
#[derive(Clone, Debug)]
pub(super) struct ClusterMetrics {
    shards: Family<StateLabel, Gauge>,
    unread: Gauge,
    moves: Family<CauseLabel, Counter>,
    claims: Counter,
    fenced: Counter,
    lease_losses: Counter,
    membership_losses: Counter,
    maps_written: Counter,
    map_version: Gauge<i64>,
    leader: Gauge,
    valid: Gauge,
    store_lost: Gauge,
    beat_duration: Histogram,
    beats_unanswered: Counter,
    /// What the counters have counted already.
    counted: Arc<Mutex<Tally>>,
}

/// From half a millisecond to the deadline of a beat.
const DURATIONS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3];

impl Default for ClusterMetrics {
    fn default() -> Self {
        Self {
            shards: Family::default(),
            unread: Gauge::default(),
            moves: Family::default(),
            claims: Counter::default(),
            fenced: Counter::default(),
            lease_losses: Counter::default(),
            membership_losses: Counter::default(),
            maps_written: Counter::default(),
            map_version: Gauge::default(),
            leader: Gauge::default(),
            valid: Gauge::default(),
            store_lost: Gauge::default(),
            beat_duration: Histogram::new(DURATIONS),
            beats_unanswered: Counter::default(),
            counted: Arc::default(),
        }
    }
}

impl ClusterMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("trunkline_cluster");
        registry.register("shards", "Shards of this node by where they stand", self.shards.clone());
        registry.register("moves", "Shards that this node moved as leader", self.moves.clone());
        let mut counter = |name: &str, help: &str, counter: &Counter| registry.register(name, help, counter.clone());
        counter("claims", "Shards claimed", &self.claims);
        counter("fenced", "Shards whose fence another node had taken", &self.fenced);
        counter(
            "lease_losses",
            "Times that nothing could begin for want of a valid lease",
            &self.lease_losses,
        );
        counter(
            "membership_losses",
            "Times that others took this node for dead and it joined anew",
            &self.membership_losses,
        );
        counter(
            "maps_written",
            "Shard maps that this node wrote as leader",
            &self.maps_written,
        );
        counter(
            "beats_unanswered",
            "Beats that the store did not answer in time",
            &self.beats_unanswered,
        );
        let mut gauge = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        gauge(
            "map_version",
            "Version of the shard map that this node follows",
            &self.map_version,
        );
        gauge(
            "unread_shards",
            "Shards of this node with a record that only a newer version reads, and no worker of that version to have them",
            &self.unread,
        );
        gauge("leader", "Whether this node leads", &self.leader);
        gauge("lease_valid", "Whether something may begin here", &self.valid);
        gauge(
            "store_lost",
            "Whether the store came back empty or as another one: only a restart cures it",
            &self.store_lost,
        );
        registry.register_with_unit(
            "beat_duration",
            "Time until the store answered a beat",
            Unit::Seconds,
            self.beat_duration.clone(),
        );
    }

    /// A beat came back, or did not.
    pub(super) fn beaten(&self, took: Duration, answered: bool) {
        if answered {
            self.beat_duration.observe(took.as_secs_f64());
        } else {
            self.beats_unanswered.inc();
        }
    }

    /// The lease lapsed.
    pub(super) fn lease_lost(&self) {
        self.lease_losses.inc();
    }

    /// What the node knows and has done.
    pub(super) fn show(&self, view: &View, tally: Tally, leads: bool) {
        let gauges = [
            ("waiting", count(view, |state| matches!(state, ShardState::Waiting))),
            ("claiming", count(view, |state| matches!(state, ShardState::Claiming))),
            ("serving", count(view, |state| matches!(state, ShardState::Serving(_)))),
            (
                "quiescing",
                count(view, |state| {
                    matches!(state, ShardState::Quiescing | ShardState::Releasing)
                }),
            ),
        ];
        for (state, count) in gauges {
            self.shards.get_or_create(&StateLabel { state }).set(count);
        }
        self.map_version
            .set(i64::try_from(view.map.version().0).unwrap_or(i64::MAX));
        let unread = view
            .unread()
            .filter(|(owner, ..)| owner.incarnation == view.incarnation);
        self.unread.set(i64::try_from(unread.count()).unwrap_or(i64::MAX));
        self.leader.set(i64::from(leads));
        self.valid.set(i64::from(view.health == Health::Valid));
        self.store_lost
            .set(i64::from(matches!(view.health, Health::StoreLost { .. })));
        self.count(tally);
    }

    fn count(&self, tally: Tally) {
        let Ok(mut counted) = self.counted.lock() else {
            return;
        };
        let before = std::mem::replace(&mut *counted, tally);
        self.claims.inc_by(tally.claims - before.claims);
        self.fenced.inc_by(tally.fenced - before.fenced);
        self.membership_losses
            .inc_by(tally.memberships_lost - before.memberships_lost);
        self.maps_written.inc_by(tally.maps - before.maps);
        let moved = |cause, count| {
            self.moves.get_or_create(&CauseLabel { cause }).inc_by(count);
        };
        moved("orphaned", tally.orphaned - before.orphaned);
        moved("unread", tally.unread - before.unread);
        moved("voluntary", tally.voluntary - before.voluntary);
    }
}

fn count(view: &View, is_one: impl Fn(&ShardState) -> bool) -> i64 {
    let count = view.shards.values().filter(|state| is_one(state)).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! A worker on an embedded store in memory or on disk, an ingress that speaks `routing.proto` to it over loopback, and a
//! Connector that writes down what it gets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    dead_code,
    missing_docs,
    unreachable_pub
)]

pub mod connector;
pub mod flaky;
pub mod graph;
pub mod ingress;
pub mod layered;
pub mod next;
pub mod node;
pub mod routed;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use trunkline_bot::logic::Logic;
use trunkline_cluster::Cluster;
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore};
use trunkline_store::{SharedStore, StoreError};
use trunkline_teams::connector::{Connector, http_client};
use trunkline_worker::{HostedBot, Operator, Worker, WorkerConfig};

use self::connector::FakeConnector;
use self::ingress::FakeIngress;

/// Shards of the tests' stores: few, so that a claim is quick.
pub const SHARDS: u32 = 64;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn store_in_memory() -> SharedStore {
    Arc::new(
        EmbeddedStore::open(EmbeddedConfig {
            shards: SHARDS,
            ..EmbeddedConfig::in_memory()
        })
        .unwrap(),
    )
}

/// A store on disk. Whoever used the directory before may still let go of it: on another thread a task drops the last handle.
pub fn store_in(directory: &Path) -> SharedStore {
    let open = || {
        EmbeddedStore::open(EmbeddedConfig {
            shards: SHARDS,
            ..EmbeddedConfig::in_directory(directory)
        })
    };
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Ok(store) => return Arc::new(store),
            Err(StoreError::Unfit { .. }) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => panic!("{error}"),
        }
    }
}

pub fn hosted(logic: Arc<dyn Logic>) -> HostedBot {
    let connector = Connector::new(http_client().build().unwrap(), None);
    HostedBot::new(logic, connector)
}

/// A running worker, the ingress and the Connector around it.
pub struct House {
    pub cluster: Cluster,
    pub store: SharedStore,
    pub connector: FakeConnector,
    pub ingress: FakeIngress,
    pub registry: Registry,
    pub operator: Operator,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl House {
    pub async fn with(logic: Arc<dyn Logic>) -> Self {
        Self::start(config(), store_in_memory(), vec![hosted(logic)], FakeConnector::start()).await
    }

    pub async fn start(
        config: WorkerConfig,
        store: SharedStore,
        bots: Vec<HostedBot>,
        connector: FakeConnector,
    ) -> Self {
        let mut registry = Registry::default();
        let worker = Worker::bind(config, store.clone(), bots, &mut registry).await.unwrap();
        let address = worker.address();
        let operator = worker.operator();
        let cluster = worker.cluster().unwrap();
        let shutdown = CancellationToken::new();
        let until_then = shutdown.clone();
        let served = actix_rt::spawn(async move { worker.serve(until_then).await.unwrap() });
        let view = cluster.view();
        until("the worker serves all shards", || {
            view.borrow().serving() == SHARDS as usize
        })
        .await;
        let ingress = FakeIngress::connect(address, connector.base()).await;
        Self {
            cluster,
            store,
            connector,
            ingress,
            registry,
            operator,
            shutdown,
            served,
        }
    }

    /// Stops the worker in order; the store and the Connector stay.
    pub async fn stop(self) -> (SharedStore, FakeConnector) {
        drop(self.cluster);
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .expect("the worker stops in time")
            .unwrap();
        (self.store, self.connector)
    }

    /// As [`metric`] says of this worker.
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        metric(&self.registry, name, labels)
    }
}

/// The value of a metric, summed over its labels that hold all of `labels`.
pub fn metric(registry: &Registry, name: &str, labels: &[&str]) -> u64 {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let lines = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    });
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// Settings of the tests: two threads, so that crossing them is tested; nothing aborts.
pub fn config() -> WorkerConfig {
    WorkerConfig {
        arbiters: 2,
        abort_after: None,
        ..WorkerConfig::default()
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_it_is(what, async || is_so()).await;
}

/// As [`until`], for what must be asked of somebody.
pub async fn until_it_is(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

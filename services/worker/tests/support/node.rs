//! A worker on a thread with an actix system of its own: it can be stopped in order, and killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use trunkline_bot::logic::Logic;
use trunkline_cluster::Cluster;
use trunkline_store::SharedStore;
use trunkline_worker::{HostedBot, Worker, WorkerConfig, WorkerHealth};

use super::{PATIENCE, config, hosted, metric};

/// A running worker.
pub struct Node {
    pub address: SocketAddr,
    pub health: WorkerHealth,
    registry: Registry,
    cluster: Option<Cluster>,
    shutdown: CancellationToken,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    pub async fn start(name: &str, store: SharedStore, logic: Arc<dyn Logic>) -> Self {
        Self::start_with(name, store, vec![hosted(logic)]).await
    }

    pub async fn start_with(name: &str, store: SharedStore, bots: Vec<HostedBot>) -> Self {
        let config = WorkerConfig {
            name: name.to_owned(),
            ..config()
        };
        let (shutdown, (kill, killed)) = (CancellationToken::new(), oneshot::channel());
        let (started, facts) = oneshot::channel();
        let until_then = shutdown.clone();
        let run = async move {
            let mut registry = Registry::default();
            let worker = Worker::bind(config, store, bots, &mut registry).await.unwrap();
            let facts = (worker.address(), worker.health(), worker.cluster().unwrap(), registry);
            started.send(facts).ok().expect("the test waits");
            tokio::select! {
                served = worker.serve(until_then) => served.unwrap(),
                _ = killed => {}
            }
        };
        let thread = std::thread::spawn(move || actix_rt::System::new().block_on(run));
        let (address, health, cluster, registry) = facts.await.expect("the worker starts");
        Self {
            address,
            health,
            registry,
            cluster: Some(cluster),
            shutdown,
            kill: Some(kill),
            thread: Some(thread),
        }
    }

    pub fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().expect("it runs")
    }

    /// Shards that it serves.
    pub fn serving(&self) -> usize {
        self.cluster().view().borrow().serving()
    }

    /// As [`super::metric`] says of this worker.
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        metric(&self.registry, name, labels)
    }

    /// As by SIGTERM. How long it took.
    pub async fn stop(mut self) -> Duration {
        let began = Instant::now();
        self.shutdown.cancel();
        self.ended().await;
        began.elapsed()
    }

    /// As by SIGKILL: nothing is awaited, released or told.
    pub async fn kill(mut self) {
        // Handles keep the node alive.
        self.cluster = None;
        self.kill.take().expect("it lives").send(()).expect("it lives");
        self.ended().await;
    }

    async fn ended(&mut self) {
        let thread = self.thread.take().expect("it runs");
        let joined = tokio::task::spawn_blocking(move || thread.join());
        let joined = tokio::time::timeout(PATIENCE, joined)
            .await
            .expect("the worker ends in time");
        joined.unwrap().expect("without a panic");
    }
}

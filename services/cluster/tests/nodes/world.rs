//! Nodes of one process with a worker each that obeys, on a real store.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use trunkline_cluster::{Cluster, ClusterConfig, NodeFacts, ShardOrder, Standing};
use trunkline_store::SharedStore;
use trunkline_store::contract::{Commit, Committed, Header, Parked, Token, Wake};
use trunkline_store::key::{Key, ShardId};

/// How long something may take that has no promised time.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node and its worker.
pub(crate) struct TestNode {
    pub(crate) cluster: Cluster,
    worker: JoinHandle<()>,
    served: Arc<Mutex<BTreeMap<ShardId, Token>>>,
    pub(crate) lost: Arc<Mutex<usize>>,
    /// Its routing listener, for probes.
    listener: Option<TcpListener>,
}

impl TestNode {
    pub(crate) fn start(name: &str, store: &SharedStore) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let facts = NodeFacts {
            name: name.to_owned(),
            address: listener.local_addr().expect("an address").to_string(),
            zone: String::new(),
            weight: 1,
            build: "test".to_owned(),
            speaks: 1..=1,
            reads: 1,
        };
        let (orders, hears) = mpsc::unbounded_channel();
        let obey = move |order| {
            // The worker ends with its test.
            let _ = orders.send(order);
        };
        let cluster = Cluster::start(ClusterConfig { facts }, Arc::clone(store), obey).expect("it starts");
        let served = Arc::default();
        let lost = Arc::default();
        let worker = tokio::spawn(work(cluster.clone(), hears, Arc::clone(&served), Arc::clone(&lost)));
        Self {
            cluster,
            worker,
            served,
            lost,
            listener: Some(listener),
        }
    }

    /// Ends as a killed process ends: at once, and without a word. Its listener refuses from then on.
    pub(crate) async fn kill(mut self) {
        self.worker.abort();
        // It was told to end.
        let _ = (&mut self.worker).await;
        self.listener.take();
    }

    pub(crate) fn served(&self) -> BTreeMap<ShardId, Token> {
        if self.cluster.may_begin() {
            self.served.lock().expect("no panic").clone()
        } else {
            BTreeMap::new()
        }
    }

    pub(crate) fn leads(&self) -> bool {
        let view = self.cluster.view();
        let view = view.borrow();
        view.leader == Some(view.incarnation)
    }
}

/// Obeys; a shard takes 20 ms to quiesce.
async fn work(
    cluster: Cluster,
    mut hears: mpsc::UnboundedReceiver<ShardOrder>,
    served: Arc<Mutex<BTreeMap<ShardId, Token>>>,
    lost: Arc<Mutex<usize>>,
) {
    while let Some(order) = hears.recv().await {
        match order {
            ShardOrder::Expect { .. } => {}
            ShardOrder::Serve { shard, token } => {
                served.lock().expect("no panic").insert(shard, token);
            }
            ShardOrder::Quiesce { shard } => {
                served.lock().expect("no panic").remove(&shard);
                let cluster = cluster.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    cluster.quiesced(shard);
                });
            }
            ShardOrder::Lose { shard } => {
                *lost.lock().expect("no panic") += 1;
                served.lock().expect("no panic").remove(&shard);
            }
        }
    }
}

/// Waits until something is so, and tells how long that took.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// Whether every shard is served by exactly one of these.
pub(crate) fn all_served(nodes: &[&TestNode], shards: u32) -> bool {
    let all: Vec<ShardId> = nodes.iter().flat_map(|node| node.served().into_keys()).collect();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    all.len() == shards as usize && distinct.len() == all.len()
}

/// Waits until all is served and evenly divided.
pub(crate) async fn settled(nodes: &[&TestNode], shards: u32) -> Duration {
    let share = shards as usize / nodes.len();
    until("all shards are served and evenly divided", || {
        all_served(nodes, shards) && nodes.iter().all(|node| node.served().len().abs_diff(share) <= 1)
    })
    .await
}

/// The fences accept what the nodes would commit.
pub(crate) async fn assert_tokens_hold(nodes: &[&TestNode], store: &SharedStore) {
    for (shard, token) in nodes.iter().flat_map(|node| node.served()) {
        let commit = Commit {
            shard,
            key: Key([7; 16]),
            token,
            expected: Header::ABSENT,
            record: None,
            done: Vec::new(),
            accept: Vec::new(),
            wake: Wake::Keep,
            parked: Parked::Keep,
            retain_ms: None,
            answer: None,
        };
        let committed = store.commit(commit).await.expect("the store answers");
        assert_eq!(committed, Committed::Written, "shard {shard}");
    }
}

/// What the leader makes of a node.
pub(crate) fn standing(seen_by: &TestNode, name: &str) -> Option<Standing> {
    let view = seen_by.cluster.view();
    let view = view.borrow();
    let is_it = |facts: &NodeFacts| facts.name == name;
    let node = view.nodes.iter().find(|node| node.facts.as_ref().is_some_and(is_it))?;
    Some(node.standing)
}

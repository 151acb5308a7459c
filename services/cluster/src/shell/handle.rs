//! The handle to a node: what the rest of the process asks of it and tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::registry::Registry;
use rand::RngExt as _;
use tokio::sync::{mpsc, oneshot, watch};
use trunkline_store::SharedStore;
use trunkline_store::contract::{Incarnation, MapVersion, Token};
use trunkline_store::key::ShardId;

use super::clock::now_ms;
use super::metrics::ClusterMetrics;
use super::refusal::{ClusterError, MoveRefused};
use super::thread::{Published, Told, start};
use crate::facts::{ClusterConfig, Load, NodeFacts};
use crate::node::{Event, Node};
use crate::order::ShardOrder;
use crate::view::View;

/// Handle to the node of this process, cheap to clone.
///
/// [`Cluster::leave`] is the graceful end. When the last handle is dropped the node ends as if the process were killed:
/// the others notice after a second.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Unbounded, because a shard that was quiesced or fenced must not be forgotten: each shard says so once a token, and
    /// the rest is told as often as an operator or a second passes.
    told: mpsc::UnboundedSender<Told>,
    valid_until: Arc<AtomicU64>,
    validity: watch::Receiver<bool>,
    empty: watch::Receiver<bool>,
    view: watch::Receiver<Arc<View>>,
    metrics: ClusterMetrics,
}

impl Cluster {
    /// Starts the beats (own OS thread, own runtime), the leader's work and the claims. The store's connections for beats and
    /// claims are made in that runtime, if the engine makes them where they are first used.
    ///
    /// `orders` is called on the cluster's thread: it must not block.
    pub fn start(
        config: ClusterConfig,
        store: SharedStore,
        orders: impl Fn(ShardOrder) + Send + 'static,
    ) -> Result<Self, ClusterError> {
        check(&config.facts)?;
        let now = now_ms();
        let node = Node::new(config.facts, store.identity(), rand::rng().random(), now);
        let metrics = ClusterMetrics::default();
        let (told, hears) = mpsc::unbounded_channel();
        let valid_until = Arc::new(AtomicU64::new(0));
        let (published, (validity, empty, view)) =
            Published::new(Arc::clone(&valid_until), node.view(now), metrics.clone());
        start(node, store, hears, Box::new(orders), published).map_err(ClusterError::Thread)?;
        Ok(Self {
            told,
            valid_until,
            validity,
            empty,
            view,
            metrics,
        })
    }

    /// May a turn, a timer or a send begin now? Read before each; one atomic and one clock read.
    pub fn may_begin(&self) -> bool {
        now_ms() < self.valid_until.load(Ordering::Acquire)
    }

    /// Whether something may begin, for waking what waited. It turns false a moment after the lease has lapsed: what is about
    /// to begin asks [`Cluster::may_begin`].
    pub fn validity(&self) -> watch::Receiver<bool> {
        self.validity.clone()
    }

    /// Nothing of the shard is under way any more: it is released.
    pub fn quiesced(&self, shard: ShardId) {
        self.tell(Event::Quiesced(shard));
    }

    /// The store's fence refused this token.
    pub fn fenced(&self, shard: ShardId, token: Token) {
        self.tell(Event::Fenced(shard, token));
    }

    /// How many arbiters do not answer: told when it changes. After 3 s with any, this node gives its shards away.
    pub fn stalled(&self, arbiters: u32) {
        self.tell(Event::Stalled(arbiters));
    }

    /// An ingress or a peer named a map; a newer one than ours is read at once.
    pub fn saw_map(&self, version: MapVersion) {
        self.tell(Event::SawMap(version));
    }

    /// A connection to this node was refused or reset. The leader looks; nobody dies of the word alone.
    pub fn suspect(&self, node: Incarnation) {
        self.tell(Event::Suspect(node));
    }

    /// A record of the shard has this format, and this process cannot read it. The leader gives the shard to a node that
    /// can, if one lives; [`View::is_read_elsewhere`] says so.
    pub fn needs_reader(&self, shard: ShardId, format: u32) {
        self.tell(Event::NeedsReader(shard, format));
    }

    /// Draining: no new shards come, ours move away.
    pub fn drain(&self) {
        self.tell(Event::Drain(true));
    }

    /// The end of a drain: shards come back as balance demands.
    pub fn undrain(&self) {
        self.tell(Event::Drain(false));
    }

    /// Resolves when this node holds no shard and the map gives it none; at once, when it never had one. Alone in its
    /// cluster a node keeps its shards: wait with a deadline, then [`Cluster::leave`].
    pub async fn drained(&self) {
        let mut empty = self.empty.clone();
        // It fails when the node has ended: then it holds nothing.
        let _ = empty.wait_for(|empty| *empty).await;
    }

    /// Moves a shard to the node of this name and waits until the map says so, at most 10 s. Only the leader does that.
    pub async fn move_shard(&self, shard: ShardId, to: &str) -> Result<(), MoveRefused> {
        let (answer, answered) = oneshot::channel();
        let to = to.to_owned();
        let told = self.told.send(Told::Move { shard, to, answer });
        if told.is_err() {
            return Err(MoveRefused::NotMember);
        }
        answered.await.unwrap_or(Err(MoveRefused::NotMember))
    }

    /// What this node knows. Changes of map, membership and health are told at once, all else within 100 ms.
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Load figures for the beats, set once a second.
    pub fn load(&self, load: Load) {
        self.tell(Event::Load(load));
    }

    /// Registers `trunkline_cluster_*`.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Ends: releases what is left, leaves the table of nodes and leads no more. Takes 1 s at most when the store does not
    /// answer, 2 s when it hangs.
    pub async fn leave(self) {
        let (left, has_left) = oneshot::channel();
        if self.told.send(Told::Leave(left)).is_ok() {
            // It fails when the node has ended already.
            let _ = has_left.await;
        }
    }

    fn tell(&self, event: Event) {
        // It fails when the node has ended: then nobody is interested.
        let _ = self.told.send(Told::Event(event));
    }
}

fn check(facts: &NodeFacts) -> Result<(), ClusterError> {
    if facts.name.is_empty() {
        return Err(ClusterError::Facts {
            setting: "name",
            problem: "is empty; leave it unset for the host's name",
        });
    }
    let has_port = facts.address.rsplit_once(':').is_some_and(|(host, port)| {
        let port = port.parse::<u16>();
        !host.is_empty() && port.is_ok_and(|port| port > 0)
    });
    if !has_port {
        return Err(ClusterError::Facts {
            setting: "advertise",
            problem: "is not a host and a port at which others reach this process",
        });
    }
    Ok(())
}

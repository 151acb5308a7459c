//! This process as a node of the cluster, as its threads see it.

use std::sync::{Arc, OnceLock};

use tokio::sync::watch;
use trunkline_cluster::{Cluster, Health, Load, View};
use trunkline_store::contract::{Incarnation, MapVersion, Token};
use trunkline_store::key::ShardId;

/// The handle to the cluster. Cheap to clone; knows nothing and allows nothing until the node has started.
#[derive(Clone, Default)]
pub(crate) struct Membership(Arc<OnceLock<Cluster>>);

impl Membership {
    /// The node has started.
    pub(crate) fn started(&self, cluster: Cluster) {
        // Nobody else sets it.
        let _ = self.0.set(cluster);
    }

    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.0.get()
    }

    /// Whether a turn, a timer or a send may begin now.
    pub(crate) fn may_begin(&self) -> bool {
        self.0.get().is_some_and(Cluster::may_begin)
    }

    /// Nothing of the shard is under way any more.
    pub(crate) fn quiesced(&self, shard: ShardId) {
        self.tell(|cluster| cluster.quiesced(shard));
    }

    /// The fence of the shard refused this token.
    pub(crate) fn fenced(&self, shard: ShardId, token: Token) {
        self.tell(|cluster| cluster.fenced(shard, token));
    }

    /// A record in the shard has this format, which this build does not read.
    pub(crate) fn needs_reader(&self, shard: ShardId, format: u32) {
        self.tell(|cluster| cluster.needs_reader(shard, format));
    }

    /// Whether another worker reads records of this format.
    pub(crate) fn is_read_elsewhere(&self, format: u32) -> bool {
        self.view().is_some_and(|view| view.borrow().is_read_elsewhere(format))
    }

    /// Threads of conversations that do not answer.
    pub(crate) fn stalled(&self, threads: u32) {
        self.tell(|cluster| cluster.stalled(threads));
    }

    /// An ingress routes by a map of this version.
    pub(crate) fn saw_map(&self, version: MapVersion) {
        self.tell(|cluster| cluster.saw_map(version));
    }

    /// An ingress lost its connection to this process.
    pub(crate) fn suspect(&self, incarnation: Incarnation) {
        self.tell(|cluster| cluster.suspect(incarnation));
    }

    /// What this process is busy with.
    pub(crate) fn load(&self, load: Load) {
        self.tell(|cluster| cluster.load(load));
    }

    /// What this node knows of the cluster.
    pub(crate) fn view(&self) -> Option<watch::Receiver<Arc<View>>> {
        self.0.get().map(Cluster::view)
    }

    /// Where the worker listens that owns the shard, if that is another one.
    pub(crate) fn owner_elsewhere(&self, shard: ShardId) -> Option<String> {
        let view = self.view()?;
        let view = view.borrow();
        let owner = view.map.owner(shard)?;
        (owner.incarnation != view.incarnation).then(|| owner.address.clone())
    }

    fn tell(&self, tell: impl FnOnce(&Cluster)) {
        if let Some(cluster) = self.0.get() {
            tell(cluster);
        }
    }
}

/// Whether a worker wants work, for its readiness. Cheap to clone.
#[derive(Clone)]
pub struct WorkerHealth(Membership);

impl WorkerHealth {
    pub(crate) fn new(membership: Membership) -> Self {
        Self(membership)
    }

    /// Says whether the worker serves its shards.
    ///
    /// # Errors
    /// Why it does not, for an operator.
    pub fn check(&self) -> Result<(), String> {
        let Some(view) = self.0.view() else {
            return Err("it is joining the cluster".to_owned());
        };
        let view = view.borrow();
        match &view.health {
            Health::Valid if view.draining => Err("it is draining".to_owned()),
            Health::Valid if view.map.node(view.incarnation).is_none() => Err("it is joining the cluster".to_owned()),
            Health::Valid if view.serving() == 0 && !view.shards.is_empty() => {
                Err("its shards have not left their last owner yet".to_owned())
            }
            Health::Valid => Ok(()),
            Health::Joining => Err("it is joining the cluster".to_owned()),
            Health::Away => Err("the store does not answer: its lease has ended, and nothing begins".to_owned()),
            Health::StoreLost { problem } => Err(format!(
                "STORE_LOST: {problem}; nothing is served until the store is the right one again and this process was restarted"
            )),
            Health::Left => Err("it has left the cluster".to_owned()),
        }
    }
}

//! Which worker serves a shard, as far as this ingress has been told.
//!
//! A route is advice: a worker that does not own the shard answers `moved`, and only the fence in the store decides.

use ahash::AHashMap;
use trunkline_proto::routing as wire;
use trunkline_store::ShardId;

use super::connections::{Connections, WorkerIndex};
use super::message::Mismatch;

/// Place of an owner in the table that stands for "nobody" (`Routes.owners` of `routing.proto`).
const NOBODY: u16 = 0xFFFF;

/// The newest routing table, and where its nodes are connected. The way of an activity costs two look-ups by index.
#[derive(Debug)]
pub(super) struct Routes {
    version: u64,
    /// A table has come.
    is_known: bool,
    nodes: Vec<Node>,
    /// For each shard its owner's place in `nodes`.
    owners: Vec<u16>,
}

/// A node of the table.
#[derive(Clone, Copy, Debug)]
struct Node {
    incarnation: u64,
    worker: Option<WorkerIndex>,
}

impl Routes {
    pub(super) fn new(shards: u32) -> Self {
        Self {
            version: 0,
            is_known: false,
            nodes: Vec::new(),
            owners: vec![NOBODY; shards as usize],
        }
    }

    /// Version of the map that is routed by; 0 before the first, and when the last is not to be held against another.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Nobody that the table names can be reached: the next table counts, whatever its version. A store that came back
    /// empty begins to count anew, and an ingress must not wait until it has caught up.
    pub(super) fn forget_version(&mut self) {
        self.version = 0;
    }

    /// The connection to the worker that serves `shard`.
    pub(super) fn owner(&self, shard: ShardId) -> Option<WorkerIndex> {
        let place = *self.owners.get(shard.0 as usize)?;
        self.nodes.get(usize::from(place))?.worker
    }

    /// Takes a table, whose nodes are not connected yet; returns the shards that have another owner than before.
    ///
    /// # Errors
    /// The table is of a cluster with another number of shards.
    pub(super) fn replace(&mut self, table: &wire::Routes) -> Result<Vec<ShardId>, Mismatch> {
        if table.owners.len() != self.owners.len() * 2 {
            return Err(Mismatch::Table {
                ours: self.owners.len(),
                theirs: table.owners.len() / 2,
            });
        }
        let before: Vec<Option<u64>> = (0..self.owners.len()).map(|shard| self.incarnation_of(shard)).collect();
        self.is_known = true;
        self.version = table.version;
        self.nodes = table
            .nodes
            .iter()
            .map(|node| Node {
                incarnation: node.incarnation,
                worker: None,
            })
            .collect();
        for (owner, bytes) in self.owners.iter_mut().zip(table.owners.chunks_exact(2)) {
            *owner = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        let changed = (0_u32..)
            .zip(before)
            .filter(|(shard, before)| *before != self.incarnation_of(*shard as usize));
        Ok(changed.map(|(shard, _)| ShardId(shard)).collect())
    }

    /// Finds the connection of each node anew.
    pub(super) fn bind(&mut self, connections: &Connections) {
        let named = connections.iter().filter(|(_, connection)| connection.is_named());
        let by_incarnation: AHashMap<u64, WorkerIndex> = named
            .filter_map(|(worker, connection)| Some((connection.incarnation?, worker)))
            .collect();
        for node in &mut self.nodes {
            node.worker = by_incarnation.get(&node.incarnation).copied();
        }
    }

    fn incarnation_of(&self, shard: usize) -> Option<u64> {
        let place = usize::from(*self.owners.get(shard)?);
        self.nodes.get(place).map(|node| node.incarnation)
    }
}

//! What a node knows of the cluster, for operators, ingresses and readiness.

use std::collections::BTreeMap;
use std::sync::Arc;

use trunkline_store::contract::{Epoch, Incarnation, MapVersion};
use trunkline_store::key::ShardId;

use crate::facts::{Load, NodeFacts};
use crate::map::{MapNode, ShardMap};

/// What this node knows at one moment. Cheap to clone by its `Arc`.
#[derive(Clone, Debug)]
pub struct View {
    /// Who this node is now; another after every loss of membership.
    pub incarnation: Incarnation,
    /// What it said of itself.
    pub facts: NodeFacts,
    /// Whether it is a member, and how the store answers.
    pub health: Health,
    /// Whether it was told to drain.
    pub draining: bool,
    /// Response time of the last beat that the store answered, in milliseconds.
    pub beat_ms: Option<u64>,
    /// Since when the store answers without a gap, in milliseconds of the store's clock.
    pub store_up_since: Option<u64>,
    /// The newest map that it has read; empty and of version 0 before the first.
    pub map: Arc<ShardMap>,
    /// Why the stored map cannot be read, if a newer version wrote it.
    pub unreadable_map: Option<String>,
    /// The leader as of the last beat.
    pub leader: Option<Incarnation>,
    /// All nodes that beat, by name. The leader reads them every 100 ms, the others about once a second.
    pub nodes: Vec<NodeView>,
    /// Shards that this node has to do with.
    pub shards: BTreeMap<ShardId, ShardState>,
}

/// Where this node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It has not been a member yet, or not since it lost its membership.
    Joining,
    /// Its lease is valid.
    Valid,
    /// It was a member, and the store has not answered for too long: nothing may begin.
    Away,
    /// The store is another one or came back empty (`STORE_LOST`). Nothing is served until an operator restarts the process.
    StoreLost {
        /// What is wrong with the store, and what the operator can do.
        problem: String,
    },
    /// It has left the cluster.
    Left,
}

/// What a node knows of another, or of itself as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    /// Which process run.
    pub incarnation: Incarnation,
    /// What it says of itself; `None` when a newer version wrote what this one cannot read.
    pub facts: Option<NodeFacts>,
    /// Age of its last beat in milliseconds, on the store's clock.
    pub beat_age_ms: u64,
    /// Whether it takes new shards, and why not.
    pub standing: Standing,
    /// Shards that the map gives it.
    pub owned: u32,
    /// Shards that it serves.
    pub serving: u32,
    /// Shards that it waits for or claims.
    pub waiting: u32,
    /// Shards that it is giving away.
    pub quiescing: u32,
    /// Newest map that it has adopted.
    pub map: MapVersion,
    /// What it is busy with.
    pub load: Load,
}

/// What the leader makes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It takes shards.
    Active,
    /// It returned after a death and takes shards when it has lived for a while.
    Returning,
    /// An operator drains it.
    Draining,
    /// Threads of it do not answer: its shards move away.
    Stalled,
    /// It cannot claim shards: its shards move away.
    CannotClaim,
    /// It is late, or somebody could not reach it. No shard moves for the sake of balance meanwhile.
    Suspect,
    /// It is dead by its beats; the next map is without it.
    Dead,
}

/// Where a shard stands at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// The map gives it to this node; its old holder has not released it yet.
    Waiting,
    /// The claim is under way.
    Claiming,
    /// This node serves it under this epoch.
    Serving(Epoch),
    /// It is being given away: nothing new begins.
    Quiescing,
    /// The release is under way.
    Releasing,
}

impl View {
    /// Shards whose owner by the map is another than the one that serves them, as far as the beats say: moves in progress,
    /// counted at the nodes that wait and at those that give away.
    pub fn moves_in_progress(&self) -> u32 {
        let gaining: u32 = self.nodes.iter().map(|node| node.waiting).sum();
        let losing: u32 = self.nodes.iter().map(|node| node.quiescing).sum();
        gaining.max(losing)
    }

    /// Whether another node that may be given shards reads records of this format. Who lives is what the map says: what this
    /// node makes of the others may be older.
    pub fn is_read_elsewhere(&self, format: u32) -> bool {
        let drains = |node: &MapNode| {
            let seen = self.nodes.iter().find(|seen| seen.incarnation == node.incarnation);
            seen.is_some_and(|seen| seen.standing == Standing::Draining)
        };
        self.map.nodes().iter().any(|node| {
            node.incarnation != self.incarnation && node.weight > 0 && node.reads >= format && !drains(node)
        })
    }

    /// Shards with a record that their owner cannot read: the owner, the shard, and the format that it would have to read.
    pub fn unread(&self) -> impl Iterator<Item = (&MapNode, ShardId, u32)> + '_ {
        self.map.unread()
    }

    /// How many shards this node serves.
    pub fn serving(&self) -> usize {
        let serves = |state: &&ShardState| matches!(state, ShardState::Serving(_));
        self.shards.values().filter(serves).count()
    }
}

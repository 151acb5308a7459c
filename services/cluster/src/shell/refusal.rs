//! What the handle refuses.

use trunkline_store::key::ShardId;

/// Why a shard is not moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveRefused {
    /// Only the leader moves shards.
    #[error("this node does not lead; ask {}", leader.as_deref().unwrap_or("again when there is a leader"))]
    NotLeader {
        /// Name of the leader, where one is known.
        leader: Option<String>,
    },
    /// No living node has this name.
    #[error("no living node is called `{0}`; `trunkline status` names them")]
    UnknownNode(String),
    /// The node gives its shards away, takes none, or not this one.
    #[error(
        "node `{0}` does not take the shard: it drains, cannot claim, has weight 0, or cannot read a record in there"
    )]
    CannotTake(String),
    /// The cluster has no such shard.
    #[error("there is no shard {0}")]
    NoSuchShard(ShardId),
    /// The move had to wait for others, or for a node that may be dying, for too long.
    #[error("the move waited too long for other moves or for a node that may be dying; ask again")]
    Busy,
    /// This node has ended, or is not a member.
    #[error("this node is not a member of the cluster")]
    NotMember,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A fact about the node cannot be used.
    #[error("cluster.{setting} {problem}")]
    Facts {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong with it and what to do.
        problem: &'static str,
    },
    /// The system gives no thread.
    #[error("the thread of the cluster cannot start: {0}")]
    Thread(#[source] std::io::Error),
}

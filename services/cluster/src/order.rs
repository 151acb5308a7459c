//! What the worker must do with a shard.

use trunkline_store::contract::Token;
use trunkline_store::key::ShardId;

/// An order to the worker. Orders of one shard come in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardOrder {
    /// The map gives us the shard but we do not hold it yet: hold what arrives, bounded, each to its deadline.
    Expect {
        /// Which.
        shard: ShardId,
    },
    /// Ours under this token: load the wake index, serve.
    Serve {
        /// Which.
        shard: ShardId,
        /// What every commit names.
        token: Token,
    },
    /// Begin nothing more; finish within 1.5 s; then call `Cluster::quiesced`. When that takes longer
    /// than 2 s, `Lose` follows.
    Quiesce {
        /// Which.
        shard: ShardId,
    },
    /// Not ours (fence refused, membership lost, or given away while expected): cancel turns, drop actors, answer `Moved`,
    /// send nothing.
    Lose {
        /// Which.
        shard: ShardId,
    },
}

impl ShardOrder {
    /// The shard that it is about.
    pub fn shard(self) -> ShardId {
        match self {
            Self::Expect { shard } | Self::Serve { shard, .. } | Self::Quiesce { shard } | Self::Lose { shard } => {
                shard
            }
        }
    }
}

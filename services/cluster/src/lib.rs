//! Which node owns which shard.
//!
//! This crate knows nodes, shards and the map that gives one to the other. It must not know conversations, bots or HTTP, and
//! it never guards state: the map is advice, the store's fences and record headers are law. The way of the data: nodes beat
//! at the store, the leader reads the beats and plans the next [`map::ShardMap`], nodes claim and give back shards as the
//! map says, and every ingress routes by it.
//!
//! Beside that it knows how two processes of a cluster reach and trust each other, [`channel`], and how a request's trace goes
//! on from one to the next, [`trace`].
//!
//! Everything that decides is a value: what happened and a time go in, what to do comes out.

pub mod channel;
mod facts;
pub mod map;
pub mod node;
mod order;
pub mod plan;
mod shell;
pub mod trace;
mod view;

pub use facts::{ClusterConfig, Load, NodeFacts};
pub use map::{MapNode, ShardMap};
pub use order::ShardOrder;
pub use plan::plan;
pub use shell::{Cluster, ClusterError, MoveRefused};
pub use view::{Health, NodeView, ShardState, Standing, View};

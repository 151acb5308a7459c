//! What a node says of itself.

use std::ops::RangeInclusive;

/// How this node presents itself to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFacts {
    /// Label for people and for the balance of shards: the same again after a restart. Two processes of one name take each
    /// other's place.
    pub name: String,
    /// Host and port at which others reach its routing listener.
    pub address: String,
    /// Failure zone, empty for none.
    pub zone: String,
    /// Its part of the shards, relative to the others; 0 takes none.
    pub weight: u32,
    /// Version of the program.
    pub build: String,
    /// Routing protocols that it speaks.
    pub speaks: RangeInclusive<u32>,
    /// Newest format of records that it reads.
    pub reads: u32,
}

/// What a node is busy with, as the worker measures it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Turns that ended in the last second.
    pub turns_per_second: f64,
    /// Conversations in memory.
    pub actors: u64,
    /// Activities that wait for a turn.
    pub queued: u64,
}

/// With what a node joins the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// How it presents itself.
    pub facts: NodeFacts,
}

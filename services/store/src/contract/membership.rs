//! Who is a member of the cluster, who leads it, and which map it follows.
//!
//! All times are of the store's clock, so that no two nodes compare clocks. The store judges leadership and the order of
//! maps; who counts as dead is the leader's judgement, made from [`Nodes`].

use bytes::Bytes;

use super::{Incarnation, MapVersion};

/// A longer silence of all nodes says that the store was away: [`Pulse::up_since_ms`] begins anew. Three beats.
pub const SILENCE_MS: u64 = 600;
/// Largest payload of a beat in bytes.
pub const BEAT_BYTES: usize = 16 * 1024;
/// Largest map in bytes.
pub const MAP_BYTES: usize = 4 * 1024 * 1024;

/// One beat of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whose beat it is.
    pub me: Incarnation,
    /// What the node says of itself, up to [`BEAT_BYTES`]; the store does not read it.
    pub payload: Bytes,
    /// Newest map that the node has seen: no map up to it is ever issued again.
    pub seen_map: MapVersion,
}

/// What the store answers to a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The store's clock.
    pub now_ms: u64,
    /// Since when the store has been there without a pause: it moves to `now_ms` when no node could beat for longer than
    /// [`SILENCE_MS`] and when the clock stepped back. Everybody has a fresh lease then.
    pub up_since_ms: u64,
    /// When the store received the beat before this one of the same node, as [`NodeBeat::beat_ms`]; `None` for its first,
    /// and for the first after it left or was forgotten. So a node learns whether others could take it for dead between the
    /// two, although it did not hear an answer to beats that were received.
    pub previous_beat_ms: Option<u64>,
    /// Version of the stored map, 0 for none.
    pub map: MapVersion,
    /// Who led last; whether it still does, `leader_until_ms` says.
    pub leader: Option<Incarnation>,
    /// End of the leader's lease; 0 without a leader.
    pub leader_until_ms: u64,
    /// The store's identity. A store that lost it answers with [`super::StoreError::Unfit`] instead.
    pub cluster: u64,
}

/// The newest beat of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeBeat {
    /// Whose beat it is.
    pub incarnation: Incarnation,
    /// When the store received it. Later than `now_ms` if the clock stepped back.
    pub beat_ms: u64,
    /// What the node said of itself.
    pub payload: Bytes,
}

/// All nodes that the store knows, dead ones included until they are forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// The store's clock.
    pub now_ms: u64,
    /// As [`Pulse::up_since_ms`]. Equals `now_ms` while nobody has beaten since the store came back: silence of all is the
    /// store's fault.
    pub up_since_ms: u64,
    /// The nodes, in no order.
    pub nodes: Vec<NodeBeat>,
}

/// What became of a wish to lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Led {
    /// We lead until then; asking again renews the lease.
    Leading {
        /// End of the lease.
        until_ms: u64,
    },
    /// Another node leads.
    Following {
        /// The leader.
        leader: Incarnation,
        /// End of its lease.
        until_ms: u64,
    },
}

/// What became of a new map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapWrite {
    /// Stored, now or by an earlier copy of this very call.
    Written,
    /// The caller does not lead, or its lease has ended.
    NotLeader,
    /// The stored map is not the expected one, or the new version is not above it and above every version that a node has
    /// seen. The highest of these: read the map again, and number the next one above.
    Overtaken(MapVersion),
}

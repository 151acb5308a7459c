//! What happens to a node, and what it has done about it.

use std::sync::Arc;

use bytes::Bytes;
use trunkline_store::contract::{
    Claim, Claimed, Incarnation, Led, MapVersion, MapWrite, Nodes, Pulse, Released, Token,
};
use trunkline_store::key::ShardId;

use crate::facts::Load;
use crate::map::ShardMap;
use crate::order::ShardOrder;
use crate::shell::MoveRefused;

/// Why the store gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It did not answer, or refused for now. What was asked may have been done.
    Away,
    /// It is another one, or came back empty.
    Lost(String),
}

/// What happens to a node. Every request that an [`Action`] makes comes back as exactly one event.
///
/// `me` and `sent`, `asked` are those of the request.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A beat came back.
    Beaten {
        me: Incarnation,
        sent: u64,
        answer: Result<Pulse, Trouble>,
    },
    /// The nodes came back.
    NodesRead {
        asked: u64,
        answer: Result<Nodes, Trouble>,
    },
    /// The map came back; `None` when the store has none.
    MapRead {
        asked: u64,
        answer: Result<Option<(MapVersion, Bytes)>, Trouble>,
    },
    /// A wish to lead came back.
    Led {
        me: Incarnation,
        sent: u64,
        answer: Result<Led, Trouble>,
    },
    /// A new map came back.
    MapWritten {
        map: Arc<ShardMap>,
        answer: Result<MapWrite, Trouble>,
    },
    /// A claim came back.
    Claimed {
        me: Incarnation,
        shard: ShardId,
        answer: Result<Claimed, Trouble>,
    },
    /// A release came back.
    Released {
        shard: ShardId,
        token: Token,
        answer: Result<Released, Trouble>,
    },
    /// A probe came back: the node refused the connection, or not.
    Probed {
        node: Incarnation,
        refused: bool,
    },
    /// See the functions of [`crate::Cluster`] of the same names.
    Quiesced(ShardId),
    Fenced(ShardId, Token),
    Stalled(u32),
    SawMap(MapVersion),
    Suspect(Incarnation),
    NeedsReader(ShardId, u32),
    Drain(bool),
    Load(Load),
    /// An operator moves a shard; the answer carries the number.
    Move {
        shard: ShardId,
        to: String,
        number: u64,
    },
    /// The process ends.
    Leave,
}

/// What the shell does. Times are those of the node's clock.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields say what they are")]
pub enum Action {
    /// Beats, within [`super::times::BEAT_ANSWER`].
    Beat {
        me: Incarnation,
        sent: u64,
        payload: Bytes,
        seen_map: MapVersion,
    },
    ReadNodes {
        asked: u64,
    },
    ReadMap {
        asked: u64,
    },
    Lead {
        me: Incarnation,
        sent: u64,
    },
    WriteMap {
        me: Incarnation,
        expected: MapVersion,
        map: Arc<ShardMap>,
    },
    Claim {
        shard: ShardId,
        claim: Claim,
    },
    Release {
        shard: ShardId,
        token: Token,
    },
    /// Connects once, within [`super::times::PROBE_ANSWER`].
    Probe {
        node: Incarnation,
        address: String,
    },
    /// Removes dead nodes from the table. Nobody waits for the answer.
    Forget(Vec<Incarnation>),
    /// Removes an incarnation of this node from the table. Nobody waits for the answer.
    Leave(Incarnation),
    /// For the worker.
    Order(ShardOrder),
    /// For who asked for a move.
    Moved {
        number: u64,
        answer: Result<(), MoveRefused>,
    },
    /// This node has left: nothing more comes.
    Left,
}

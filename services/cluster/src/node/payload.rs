//! What a beat carries. `cluster.proto` says how it grows; what a newer version adds is harmless here.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use trunkline_proto::cluster as wire;
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::ShardId;

use crate::facts::{Load, NodeFacts};
use crate::map::{MapNode, needs_from_wire, needs_to_wire};

/// Awaited shards that are named in a beat: far more than move at once, far less than a beat may carry.
pub(super) const AWAITED: usize = 1_024;
/// Nodes that could not be reached, likewise.
pub(super) const SUSPECTS: usize = 64;
/// Shards with records that it cannot read, likewise.
pub(super) const NEEDS: usize = 1_024;

/// What one node says to all others with each beat.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Payload {
    pub(super) facts: NodeFacts,
    pub(super) draining: bool,
    pub(super) stalled: bool,
    pub(super) cannot_claim: bool,
    pub(super) load: Load,
    pub(super) map: MapVersion,
    pub(super) serving: u32,
    pub(super) waiting: u32,
    pub(super) quiescing: u32,
    /// Shards that it waits for, at most [`AWAITED`].
    pub(super) awaited: Vec<ShardId>,
    /// Nodes that somebody could not reach.
    pub(super) suspects: Vec<Incarnation>,
    /// Formats that it met in shards and cannot read, at most [`NEEDS`]; gone once its map says so.
    pub(super) needs: BTreeMap<ShardId, u32>,
}

impl Payload {
    /// What the map says of a node whose beat the store has lost.
    pub(super) fn of_map(node: &MapNode) -> Self {
        Self {
            facts: NodeFacts {
                name: node.name.clone(),
                address: node.address.clone(),
                zone: node.zone.clone(),
                weight: node.weight,
                build: String::new(),
                speaks: 0..=0,
                reads: node.reads,
            },
            draining: false,
            stalled: false,
            cannot_claim: false,
            load: Load::default(),
            map: MapVersion(0),
            serving: 0,
            waiting: 0,
            quiescing: 0,
            awaited: Vec::new(),
            suspects: Vec::new(),
            needs: BTreeMap::new(),
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        let facts = &self.facts;
        wire::NodePayload {
            name: facts.name.clone(),
            address: facts.address.clone(),
            zone: facts.zone.clone(),
            weight: facts.weight,
            build: facts.build.clone(),
            speaks_from: *facts.speaks.start(),
            speaks_to: *facts.speaks.end(),
            reads: facts.reads,
            draining: self.draining,
            stalled: self.stalled,
            cannot_claim: self.cannot_claim,
            turns_per_second: self.load.turns_per_second,
            actors: self.load.actors,
            queued: self.load.queued,
            map_version: self.map.0,
            serving: self.serving,
            waiting: self.waiting,
            quiescing: self.quiescing,
            awaited: self.awaited.iter().map(|shard| shard.0).collect(),
            suspects: self.suspects.iter().map(|node| node.0).collect(),
            needs: needs_to_wire(self.needs.iter().map(|(&shard, &format)| (shard, format))),
        }
        .encode_to_vec()
        .into()
    }

    /// `None` for what is no payload at all.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let wire = wire::NodePayload::decode(bytes).ok()?;
        if wire.name.is_empty() {
            return None;
        }
        Some(Self {
            facts: NodeFacts {
                name: wire.name,
                address: wire.address,
                zone: wire.zone,
                weight: wire.weight,
                build: wire.build,
                speaks: wire.speaks_from..=wire.speaks_to,
                reads: wire.reads,
            },
            draining: wire.draining,
            stalled: wire.stalled,
            cannot_claim: wire.cannot_claim,
            load: Load {
                turns_per_second: wire.turns_per_second,
                actors: wire.actors,
                queued: wire.queued,
            },
            map: MapVersion(wire.map_version),
            serving: wire.serving,
            waiting: wire.waiting,
            quiescing: wire.quiescing,
            awaited: wire.awaited.into_iter().map(ShardId).collect(),
            suspects: wire.suspects.into_iter().map(Incarnation).collect(),
            needs: needs_from_wire(wire.needs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload() -> Payload {
        Payload {
            facts: NodeFacts {
                name: "worker-1".to_owned(),
                address: "10.0.0.1:7400".to_owned(),
                zone: "a".to_owned(),
                weight: 2,
                build: "0.1.0".to_owned(),
                speaks: 1..=2,
                reads: 3,
            },
            draining: true,
            stalled: false,
            cannot_claim: true,
            load: Load {
                turns_per_second: 12.5,
                actors: 7,
                queued: 3,
            },
            map: MapVersion(9),
            serving: 4,
            waiting: 5,
            quiescing: 6,
            awaited: vec![ShardId(3), ShardId(4_000)],
            suspects: vec![Incarnation(8)],
            needs: [(ShardId(3), 4), (ShardId(7), 5), (ShardId(9), 4)].into(),
        }
    }

    #[test]
    fn a_payload_comes_back_as_it_was() {
        assert_eq!(Payload::decode(&payload().encode()), Some(payload()));
    }

    #[test]
    fn what_a_newer_version_adds_is_harmless() {
        let mut bytes = payload().encode().to_vec();
        // Field 200 as text.
        bytes.extend([0xc2, 0x0c, 0x03, b'n', b'e', b'w']);
        assert_eq!(Payload::decode(&bytes), Some(payload()));
    }

    #[test]
    fn what_is_no_payload_is_not_read_as_one() {
        assert_eq!(Payload::decode(b""), None, "a node without a name");
        assert_eq!(Payload::decode(b"\xff\xff"), None);
    }
}

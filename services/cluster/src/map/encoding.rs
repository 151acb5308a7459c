//! The map as bytes: `cluster.proto`, two bytes a shard.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use trunkline_proto::cluster as wire;
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::ShardId;

use super::{MapError, MapNode, ShardMap};

/// The format that this version writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// Only the format number of a map: read before anything else, so that a newer one is refused and never misread.
#[derive(Clone, PartialEq, Message)]
struct Front {
    #[prost(uint32, tag = "1")]
    format: u32,
}

impl ShardMap {
    /// As it is stored and sent: 8 KB for 4,096 shards, and about 80 bytes a node.
    pub fn encode(&self) -> Vec<u8> {
        let owners: Vec<u8> = self.owners.iter().flat_map(|owner| owner.to_le_bytes()).collect();
        wire::ShardMap {
            format: FORMAT,
            version: self.version.0,
            nodes: self.nodes.iter().map(node_to_wire).collect(),
            owners: Bytes::from(owners),
            pinned: self.pinned.iter().map(|shard| shard.0).collect(),
            needs: needs_to_wire(self.needs.iter().map(|(&shard, &format)| (shard, format))),
        }
        .encode_to_vec()
    }

    /// Reads what [`ShardMap::encode`] wrote; refuses what a newer version wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, MapError> {
        let front = Front::decode(bytes).map_err(|_| MapError::Malformed("it is not a message"))?;
        match front.format {
            FORMAT => {}
            0 => return Err(MapError::Malformed("it has no format number")),
            found => return Err(MapError::NewerFormat { found }),
        }
        let map = wire::ShardMap::decode(bytes).map_err(|_| MapError::Malformed("it is not a message"))?;
        let (pairs, rest) = map.owners.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(MapError::Malformed("its owners are not two bytes each"));
        }
        Self::checked(
            MapVersion(map.version),
            map.nodes.into_iter().map(node_from_wire).collect(),
            pairs.iter().copied().map(u16::from_le_bytes).collect(),
            map.pinned.into_iter().map(ShardId).collect(),
            needs_from_wire(map.needs),
        )
    }
}

fn node_to_wire(node: &MapNode) -> wire::MapNode {
    wire::MapNode {
        incarnation: node.incarnation.0,
        name: node.name.clone(),
        address: node.address.clone(),
        zone: node.zone.clone(),
        weight: node.weight,
        reads: node.reads,
    }
}

fn node_from_wire(node: wire::MapNode) -> MapNode {
    MapNode {
        incarnation: Incarnation(node.incarnation),
        name: node.name,
        address: node.address,
        zone: node.zone,
        weight: node.weight,
        reads: node.reads,
    }
}

/// Formats that shards need, as they travel: shards of one format together.
pub(crate) fn needs_to_wire(needs: impl IntoIterator<Item = (ShardId, u32)>) -> Vec<wire::Need> {
    let mut by_format: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (shard, format) in needs {
        by_format.entry(format).or_default().push(shard.0);
    }
    by_format
        .into_iter()
        .map(|(format, shards)| wire::Need { format, shards })
        .collect()
}

/// What [`needs_to_wire`] wrote; of two formats for one shard the newer counts.
pub(crate) fn needs_from_wire(needs: Vec<wire::Need>) -> BTreeMap<ShardId, u32> {
    let mut read = BTreeMap::new();
    for wire::Need { format, shards } in needs {
        for shard in shards {
            let known = read.entry(ShardId(shard)).or_default();
            *known = format.max(*known);
        }
    }
    read
}

//! The shard map: the nodes of a cluster and the owner of each shard.
//!
//! Advice, not law: a node that acts on an old map loses time, because the fence of the shard refuses it.

mod encoding;

use std::collections::{BTreeMap, BTreeSet};

use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::{MAX_SHARDS, ShardId};

pub use encoding::FORMAT;
pub(crate) use encoding::{needs_from_wire, needs_to_wire};

/// Most nodes of a map: an owner is kept in two bytes, and one value means none.
pub const MAX_NODES: usize = NOBODY as usize;

/// The owner of a shard that has none.
pub(crate) const NOBODY: u16 = u16::MAX;

/// One node that may own shards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapNode {
    /// Identity of the process run.
    pub incarnation: Incarnation,
    /// Label of the node; not unique while a process is replaced by its successor.
    pub name: String,
    /// Host and port of its routing listener.
    pub address: String,
    /// Failure zone, empty for none.
    pub zone: String,
    /// Its part of the shards, relative to the others; 0 takes none.
    pub weight: u32,
    /// Newest format of records that it reads; 0 where nobody said.
    pub reads: u32,
}

/// Who owns which shard, as of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    pub(crate) version: MapVersion,
    pub(crate) nodes: Vec<MapNode>,
    /// Place of the owner in `nodes`, [`NOBODY`] for none.
    pub(crate) owners: Vec<u16>,
    /// Shards that an operator placed by hand.
    pub(crate) pinned: BTreeSet<ShardId>,
    /// Formats that some record of a shard has and some worker could not read.
    pub(crate) needs: BTreeMap<ShardId, u32>,
}

impl ShardMap {
    /// The map before the first plan: version 0, no nodes, `shards` shards that nobody owns.
    pub fn empty(shards: u32) -> Self {
        Self {
            version: MapVersion(0),
            nodes: Vec::new(),
            owners: vec![NOBODY; shards as usize],
            pinned: BTreeSet::new(),
            needs: BTreeMap::new(),
        }
    }

    /// A map of `nodes` in which shard `i` belongs to the node at place `owners[i]`.
    pub fn new(version: MapVersion, nodes: Vec<MapNode>, owners: &[Option<usize>]) -> Result<Self, MapError> {
        let owners = owners
            .iter()
            .map(|owner| owner.map_or(NOBODY, |place| u16::try_from(place).unwrap_or(NOBODY - 1)))
            .collect();
        Self::checked(version, nodes, owners, BTreeSet::new(), BTreeMap::new())
    }

    fn checked(
        version: MapVersion,
        nodes: Vec<MapNode>,
        owners: Vec<u16>,
        pinned: BTreeSet<ShardId>,
        needs: BTreeMap<ShardId, u32>,
    ) -> Result<Self, MapError> {
        if nodes.len() >= MAX_NODES {
            return Err(MapError::TooManyNodes(nodes.len()));
        }
        if owners.is_empty() || owners.len() > MAX_SHARDS as usize {
            return Err(MapError::Malformed("its number of shards is out of range"));
        }
        if owners
            .iter()
            .any(|&owner| owner != NOBODY && usize::from(owner) >= nodes.len())
        {
            return Err(MapError::Malformed("a shard's owner is not among its nodes"));
        }
        if pinned.last().is_some_and(|shard| shard.0 as usize >= owners.len()) {
            return Err(MapError::Malformed("a pinned shard is not among its shards"));
        }
        if needs
            .last_key_value()
            .is_some_and(|(shard, _)| shard.0 as usize >= owners.len())
        {
            return Err(MapError::Malformed(
                "a shard that needs a format is not among its shards",
            ));
        }
        let distinct: BTreeSet<_> = nodes.iter().map(|node| node.incarnation).collect();
        if distinct.len() != nodes.len() {
            return Err(MapError::Malformed("an incarnation stands in it twice"));
        }
        Ok(Self {
            version,
            nodes,
            owners,
            pinned,
            needs,
        })
    }

    /// Which map this is; a later one has a higher version.
    pub fn version(&self) -> MapVersion {
        self.version
    }

    /// The nodes that lived when the map was made, those without shards too.
    pub fn nodes(&self) -> &[MapNode] {
        &self.nodes
    }

    /// Number of shards of the cluster.
    // At most `MAX_SHARDS`, checked by every constructor that takes them from outside.
    #[allow(clippy::cast_possible_truncation)]
    pub fn shards(&self) -> u32 {
        self.owners.len() as u32
    }

    /// The owner of `shard`; `None` when nobody owns it or the cluster has no such shard.
    pub fn owner(&self, shard: ShardId) -> Option<&MapNode> {
        let place = *self.owners.get(shard.0 as usize)?;
        self.nodes.get(usize::from(place))
    }

    /// The node of an incarnation; `None` means that it was dead, or not yet there, when the map was made.
    pub fn node(&self, incarnation: Incarnation) -> Option<&MapNode> {
        self.nodes.iter().find(|node| node.incarnation == incarnation)
    }

    /// The shards of an incarnation, rising.
    pub fn shards_of(&self, incarnation: Incarnation) -> impl Iterator<Item = ShardId> + '_ {
        let place = self
            .nodes
            .iter()
            .position(|node| node.incarnation == incarnation)
            .and_then(|place| u16::try_from(place).ok());
        (0_u32..)
            .zip(&self.owners)
            .filter(move |&(_, &owner)| Some(owner) == place)
            .map(|(shard, _)| ShardId(shard))
    }

    /// How many shards an incarnation would own if they were divided exactly by the weights of all nodes of the map.
    pub fn share(&self, incarnation: Incarnation) -> f64 {
        let all: u64 = self.nodes.iter().map(|node| u64::from(node.weight)).sum();
        let own = self.node(incarnation).map_or(0, |node| node.weight);
        if own == 0 {
            return 0.0;
        }
        // Sums of weights lie far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let all = all as f64;
        f64::from(self.shards()) * f64::from(own) / all
    }

    /// Shards that nobody owns, rising.
    pub fn unowned(&self) -> impl Iterator<Item = ShardId> + '_ {
        (0_u32..)
            .zip(&self.owners)
            .filter(|&(_, &owner)| owner == NOBODY)
            .map(|(shard, _)| ShardId(shard))
    }

    /// The same map under another version.
    pub(crate) fn renumbered(&self, version: MapVersion) -> Self {
        Self {
            version,
            ..self.clone()
        }
    }

    /// Whether an operator placed `shard` by hand: it is not moved for the sake of balance.
    pub fn is_pinned(&self, shard: ShardId) -> bool {
        self.pinned.contains(&shard)
    }

    /// The newest format of records in `shard` that some worker could not read; 0 as long as all could. It never sinks: a
    /// record may have gone, but nobody looks for that.
    pub fn need(&self, shard: ShardId) -> u32 {
        self.needs.get(&shard).copied().unwrap_or(0)
    }

    /// Shards whose owner cannot read all of their records, rising: the owner, and the format that it would have to read.
    pub fn unread(&self) -> impl Iterator<Item = (&MapNode, ShardId, u32)> + '_ {
        self.needs.iter().filter_map(|(&shard, &need)| {
            let owner = self.owner(shard)?;
            (owner.reads < need).then_some((owner, shard, need))
        })
    }
}

/// Why bytes are not a map, or nodes and owners do not make one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A newer version of Trunkline wrote it.
    #[error("the shard map has format {found}, this version reads {FORMAT}: run the version that the other nodes run")]
    NewerFormat {
        /// The format that it says it has.
        found: u32,
    },
    /// The bytes are no map.
    #[error("the shard map cannot be read: {0}")]
    Malformed(&'static str),
    /// More nodes than a map holds.
    #[error("a shard map holds at most {MAX_NODES} nodes, not {0}")]
    TooManyNodes(usize),
}

#[cfg(test)]
mod tests;

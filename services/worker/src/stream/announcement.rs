//! What all streams say of the cluster: who this process is, and who serves which shard.

use std::sync::Arc;

use trunkline_cluster::{Standing, View};
use trunkline_proto::routing::{RouteNode, Routes};
use trunkline_store::contract::Incarnation;
use trunkline_store::key::ShardId;

/// What stands in `Routes.owners` for a shard that nobody owns.
const NOBODY: u16 = u16::MAX;

/// Made once for each change, and shared by all streams.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Who this process is in the cluster.
    pub incarnation: Incarnation,
    /// Version of the map; 0 before the first.
    pub version: u64,
    /// The map as ingresses route by it.
    pub routes: Arc<Routes>,
}

impl Default for Announcement {
    /// Before the node has started.
    fn default() -> Self {
        Self {
            incarnation: Incarnation(0),
            version: 0,
            routes: Arc::default(),
        }
    }
}

impl Announcement {
    /// What is to be said of this view.
    pub fn of(view: &View) -> Self {
        Self {
            incarnation: view.incarnation,
            version: view.map.version().0,
            routes: Arc::new(routes_of(view)),
        }
    }

    /// Whether streams must be told of the view.
    pub fn is_out_of_date(&self, view: &View) -> bool {
        self.incarnation != view.incarnation || self.version != view.map.version().0
    }
}

fn routes_of(view: &View) -> Routes {
    let map = &view.map;
    let is_draining = |incarnation| {
        let node = view.nodes.iter().find(|node| node.incarnation == incarnation);
        node.is_some_and(|node| node.standing == Standing::Draining)
    };
    let nodes = map.nodes().iter().map(|node| RouteNode {
        incarnation: node.incarnation.0,
        name: node.name.clone(),
        address: node.address.clone(),
        draining: is_draining(node.incarnation),
    });
    let places: std::collections::HashMap<Incarnation, u16> =
        map.nodes().iter().map(|node| node.incarnation).zip(0..NOBODY).collect();
    let owner = |shard| {
        let owner = map.owner(ShardId(shard));
        owner
            .and_then(|node| places.get(&node.incarnation))
            .copied()
            .unwrap_or(NOBODY)
    };
    Routes {
        version: map.version().0,
        nodes: nodes.collect(),
        owners: (0..map.shards())
            .flat_map(|shard| owner(shard).to_le_bytes())
            .collect::<Vec<u8>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use trunkline_cluster::{Health, MapNode, NodeFacts, ShardMap};
    use trunkline_store::contract::MapVersion;

    use super::*;

    fn node(number: u64) -> MapNode {
        MapNode {
            incarnation: Incarnation(number),
            name: format!("worker-{number}"),
            address: format!("10.0.0.{number}:7400"),
            zone: String::new(),
            weight: 1,
            reads: 1,
        }
    }

    #[test]
    fn the_table_of_routes_says_what_the_map_says() {
        let owners = [Some(1), None, Some(0), Some(1)];
        let map = ShardMap::new(MapVersion(9), vec![node(11), node(12)], &owners).unwrap();
        let view = View {
            incarnation: Incarnation(11),
            facts: NodeFacts {
                name: "worker-11".to_owned(),
                address: "10.0.0.11:7400".to_owned(),
                zone: String::new(),
                weight: 1,
                build: "1".to_owned(),
                speaks: 1..=1,
                reads: 1,
            },
            health: Health::Valid,
            draining: false,
            beat_ms: None,
            store_up_since: None,
            map: Arc::new(map),
            unreadable_map: None,
            leader: None,
            nodes: Vec::new(),
            shards: BTreeMap::new(),
        };
        let announcement = Announcement::of(&view);
        let routes = &announcement.routes;
        assert_eq!(
            (routes.version, routes.owners.as_ref()),
            (9, &[1, 0, 255, 255, 0, 0, 1, 0][..])
        );
        let nodes: Vec<_> = routes
            .nodes
            .iter()
            .map(|node| (node.incarnation, node.address.as_str()))
            .collect();
        assert_eq!(nodes, [(11, "10.0.0.11:7400"), (12, "10.0.0.12:7400")]);
        assert!(!announcement.is_out_of_date(&view));
    }
}

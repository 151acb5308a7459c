//! The cluster in the words of `admin.proto`.

use std::collections::BTreeMap;

use trunkline_cluster::{Health, NodeView, ShardState, Standing, View};
use trunkline_proto::admin::{Ingress, Node, ShardStanding, ShardsReply, StatusReply, Store, UnreadShards};
use trunkline_store::contract::{Identity, Incarnation};

/// How the cluster stands.
pub(super) fn status(view: &View, identity: Identity, ingresses: Vec<Ingress>) -> StatusReply {
    StatusReply {
        answered_by: view.facts.name.clone(),
        cluster: format!("{:016x}", identity.cluster),
        shards: identity.shards,
        map_version: view.map.version().0,
        leader: view.leader.and_then(|leader| name_of(view, leader)).unwrap_or_default(),
        moves_in_progress: view.moves_in_progress(),
        nodes: view.nodes.iter().map(node).collect(),
        ingresses,
        store: Some(Store {
            problem: problem(&view.health),
            beat_ms: view.beat_ms,
            up_since_ms: view.store_up_since,
        }),
        membership: membership(&view.health).to_owned(),
        unread: unread(view),
    }
}

fn unread(view: &View) -> Vec<UnreadShards> {
    let mut found: BTreeMap<(&str, u32), UnreadShards> = BTreeMap::new();
    for (owner, shard, format) in view.unread() {
        let of_owner = found.entry((&owner.name, format)).or_insert_with(|| UnreadShards {
            worker: owner.name.clone(),
            reads: owner.reads,
            format,
            shards: Vec::new(),
        });
        of_owner.shards.push(shard.0);
    }
    found.into_values().collect()
}

fn name_of(view: &View, incarnation: Incarnation) -> Option<String> {
    let node = view.nodes.iter().find(|node| node.incarnation == incarnation)?;
    Some(node.facts.as_ref()?.name.clone())
}

fn node(node: &NodeView) -> Node {
    let facts = node.facts.as_ref();
    Node {
        // A newer version's node has no name that this one can read.
        name: facts.map_or_else(|| format!("{:016x}", node.incarnation.0), |facts| facts.name.clone()),
        incarnation: format!("{:016x}", node.incarnation.0),
        address: facts.map(|facts| facts.address.clone()).unwrap_or_default(),
        zone: facts.map(|facts| facts.zone.clone()).unwrap_or_default(),
        weight: facts.map_or(0, |facts| facts.weight),
        build: facts.map(|facts| facts.build.clone()).unwrap_or_default(),
        standing: standing(node.standing).to_owned(),
        beat_age_ms: node.beat_age_ms,
        owned: node.owned,
        serving: node.serving,
        waiting: node.waiting,
        quiescing: node.quiescing,
        map_version: node.map.0,
        turns_per_second: node.load.turns_per_second,
        conversations: node.load.actors,
        queued: node.load.queued,
        reads: facts.map_or(0, |facts| facts.reads),
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Returning => "returning",
        Standing::Draining => "draining",
        Standing::Stalled => "stalled",
        Standing::CannotClaim => "cannot claim",
        Standing::Suspect => "suspect",
        Standing::Dead => "dead",
    }
}

fn membership(health: &Health) -> &'static str {
    match health {
        Health::Joining => "joining",
        Health::Valid => "member",
        Health::Away => "away",
        Health::StoreLost { .. } => "store lost",
        Health::Left => "left",
    }
}

fn problem(health: &Health) -> String {
    match health {
        Health::Valid | Health::Left => String::new(),
        Health::Joining => "has not answered yet".to_owned(),
        Health::Away => "does not answer".to_owned(),
        Health::StoreLost { problem } => format!("STORE_LOST: {problem}"),
    }
}

/// Who owns which shard.
pub(super) fn shards(view: &View) -> ShardsReply {
    let nodes = view.map.nodes();
    let place = |shard| {
        let owner = view.map.owner(shard)?;
        nodes.iter().position(|node| node.incarnation == owner.incarnation)
    };
    let owners = (0..view.map.shards()).map(|shard| {
        let place = place(trunkline_store::key::ShardId(shard)).map_or(0, |place| place + 1);
        u32::try_from(place).unwrap_or(0)
    });
    let standings = view.shards.iter().filter_map(|(shard, state)| {
        let standing = match state {
            ShardState::Serving(_) => return None,
            ShardState::Waiting => "waiting",
            ShardState::Claiming => "claiming",
            ShardState::Quiescing => "quiescing",
            ShardState::Releasing => "releasing",
        };
        Some(ShardStanding {
            shard: shard.0,
            standing: standing.to_owned(),
        })
    });
    ShardsReply {
        map_version: view.map.version().0,
        nodes: nodes.iter().map(|node| node.name.clone()).collect(),
        owners: owners.collect(),
        standings: standings.collect(),
    }
}

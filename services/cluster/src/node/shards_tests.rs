//! The life of one shard, told event by event.
#![allow(clippy::unwrap_used, reason = "tests")]

use trunkline_store::contract::{Claimed, Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::ShardId;

use super::event::Action;
use super::shards::Shards;
use crate::map::{MapNode, ShardMap};
use crate::order::ShardOrder;

const ME: Incarnation = Incarnation(1);
const SHARD: ShardId = ShardId(0);

/// A map of one shard and two nodes, of which the first is we.
fn map(version: u64, owner: usize) -> ShardMap {
    let node = |incarnation| MapNode {
        incarnation,
        name: format!("worker-{}", incarnation.0),
        address: format!("host-{}:7400", incarnation.0),
        zone: String::new(),
        weight: 1,
        reads: 1,
    };
    ShardMap::new(
        MapVersion(version),
        vec![node(ME), node(Incarnation(2))],
        &[Some(owner)],
    )
    .unwrap()
}

fn orders(actions: &mut Vec<Action>) -> Vec<ShardOrder> {
    let order = |action| match action {
        Action::Order(order) => Some(order),
        _ => None,
    };
    actions.drain(..).filter_map(order).collect()
}

#[test]
fn a_shard_that_comes_back_while_it_leaves_is_claimed_again_though_its_fence_was_lost() {
    let (mut shards, mut actions) = (Shards::default(), Vec::new());
    let token = Token {
        epoch: Epoch(7),
        holder: ME,
        map: MapVersion(1),
    };
    shards.adopt(0, ME, &map(1, 0), &mut actions);
    shards.tick(0, ME, &map(1, 0), &mut actions);
    shards.claimed(1, (ME, ME), SHARD, &Ok(Claimed::Ours(token)), &map(1, 0), &mut actions);
    shards.adopt(2, ME, &map(2, 1), &mut actions);
    // The other has taken it by force, and the next map gives it back before we have heard of that.
    let back = map(3, 0);
    shards.adopt(3, ME, &back, &mut actions);
    actions.clear();
    assert!(shards.fenced(4, ME, (SHARD, token), &back, &mut actions));
    assert_eq!(orders(&mut actions), [ShardOrder::Lose { shard: SHARD }]);
    assert!(shards.take_doubt(), "it does not claim before the map was read again");
    shards.map_was_read(6, 5, &mut actions);
    shards.tick(1_000, ME, &back, &mut actions);
    let claims = actions.iter().filter(|action| matches!(action, Action::Claim { .. }));
    assert_eq!(claims.count(), 1);
    assert_eq!(orders(&mut actions), [ShardOrder::Expect { shard: SHARD }]);
}

//! The index of parked work: what was given up is found without reading every conversation.

use trunkline_store::ShardId;
use trunkline_store::contract::{Commit, Committed, Header, Parked};
use trunkline_store::key::Key;

use crate::on_every_engine;
use crate::world::{SHARD, World, header, key, touch, turn};

on_every_engine!(
    what_was_parked_first_is_listed_first,
    a_list_goes_on_from_a_time_and_ends_at_its_limit,
    a_commit_that_keeps_leaves_it_and_one_with_nothing_removes_it,
    a_refused_commit_does_not_touch_it,
    shards_have_lists_of_their_own,
);

async fn what_was_parked_first_is_listed_first(world: &World) {
    park(world, "a", 1_763_990_000_003).await;
    park(world, "b", 1_763_990_000_001).await;
    let expected = [(key("b"), 1_763_990_000_001), (key("a"), 1_763_990_000_003)];
    assert_eq!(list(world, 0, 10).await, expected);
    park(world, "a", 5).await;
    assert_eq!(list(world, 0, 10).await, [(key("a"), 5), (key("b"), 1_763_990_000_001)]);
}

async fn a_list_goes_on_from_a_time_and_ends_at_its_limit(world: &World) {
    for at_ms in 1..=5 {
        park(world, &format!("c{at_ms}"), at_ms).await;
    }
    assert_eq!(list(world, 0, 2).await, [(key("c1"), 1), (key("c2"), 2)]);
    assert_eq!(list(world, 3, 2).await, [(key("c3"), 3), (key("c4"), 4)]);
    assert_eq!(list(world, 6, 2).await, []);
}

async fn a_commit_that_keeps_leaves_it_and_one_with_nothing_removes_it(world: &World) {
    park(world, "c", 10).await;
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 1))).await;
    assert_eq!(list(world, 0, 10).await, [(key("c"), 10)]);
    let nothing = Commit {
        parked: Parked::Nothing,
        ..touch(token, key("c"), header(1, 1))
    };
    world.write(nothing.clone()).await;
    world.write(nothing).await;
    assert_eq!(list(world, 0, 10).await, []);
}

async fn a_refused_commit_does_not_touch_it(world: &World) {
    let token = world.own(1).await;
    let conflicting = Commit {
        parked: Parked::Since(10),
        ..touch(token, key("c"), header(1, 1))
    };
    assert_eq!(
        world.commit(conflicting.clone()).await,
        Committed::Conflict(Header::ABSENT)
    );
    world.own(1).await;
    let fenced = Commit {
        expected: Header::ABSENT,
        ..conflicting
    };
    assert_eq!(world.commit(fenced).await, Committed::Fenced);
    assert_eq!(list(world, 0, 10).await, []);
}

async fn shards_have_lists_of_their_own(world: &World) {
    park(world, "c", 10).await;
    for neighbour in [SHARD.0 - 1, SHARD.0 + 1] {
        let parked = world.store.parked(ShardId(neighbour), 0, 10).await.unwrap();
        assert_eq!(parked, [], "shard {neighbour}");
    }
}

async fn park(world: &World, conversation: &str, since_ms: u64) {
    let token = world.own(1).await;
    let commit = Commit {
        parked: Parked::Since(since_ms),
        ..touch(token, key(conversation), Header::ABSENT)
    };
    world.write(commit).await;
}

async fn list(world: &World, from_ms: u64, limit: usize) -> Vec<(Key, u64)> {
    world.store.parked(SHARD, from_ms, limit).await.unwrap()
}

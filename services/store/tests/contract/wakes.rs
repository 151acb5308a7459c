//! The wake index: which conversations need attention, and when.

use trunkline_store::ShardId;
use trunkline_store::contract::{Commit, Header, Wake};
use trunkline_store::key::Key;

use crate::on_every_engine;
use crate::world::{SHARD, World, header, key, touch, turn};

on_every_engine!(
    a_conversation_is_due_at_its_time_and_not_before,
    the_earliest_comes_first,
    no_more_than_the_limit_is_returned,
    a_commit_that_keeps_leaves_the_entry,
    a_commit_that_never_wakes_removes_the_entry,
    a_new_time_replaces_the_old_one,
    a_fenced_commit_does_not_touch_the_index,
    shards_have_indexes_of_their_own,
    a_limit_of_nothing_returns_nothing,
);

async fn a_conversation_is_due_at_its_time_and_not_before(world: &World) {
    wake(world, "c", 1_000).await;
    assert_eq!(due(world, 999).await, []);
    assert_eq!(due(world, 1_000).await, [(key("c"), 1_000)]);
    assert_eq!(due(world, u64::MAX >> 12).await, [(key("c"), 1_000)]);
}

async fn the_earliest_comes_first(world: &World) {
    for (conversation, at_ms) in [("a", 1_763_990_000_003), ("b", 1_763_990_000_001), ("c", 2), ("d", 10)] {
        wake(world, conversation, at_ms).await;
    }
    let expected = [
        (key("c"), 2),
        (key("d"), 10),
        (key("b"), 1_763_990_000_001),
        (key("a"), 1_763_990_000_003),
    ];
    assert_eq!(due(world, 1_763_990_000_003).await, expected);
}

async fn no_more_than_the_limit_is_returned(world: &World) {
    for at_ms in 1..=5 {
        wake(world, &format!("c{at_ms}"), at_ms).await;
    }
    let due = world.store.due(SHARD, 100, 2).await.unwrap();
    assert_eq!(due, [(key("c1"), 1), (key("c2"), 2)]);
}

async fn a_commit_that_keeps_leaves_the_entry(world: &World) {
    wake(world, "c", 10).await;
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 1))).await;
    assert_eq!(due(world, 10).await, [(key("c"), 10)]);
}

async fn a_commit_that_never_wakes_removes_the_entry(world: &World) {
    wake(world, "c", 10).await;
    let token = world.own(1).await;
    let commit = Commit {
        wake: Wake::Never,
        ..touch(token, key("c"), Header::ABSENT)
    };
    world.write(commit.clone()).await;
    assert_eq!(due(world, 10).await, []);
    world.write(commit).await;
}

async fn a_new_time_replaces_the_old_one(world: &World) {
    wake(world, "c", 10).await;
    wake(world, "c", 20).await;
    assert_eq!(due(world, 10).await, []);
    assert_eq!(due(world, 20).await, [(key("c"), 20)]);
    wake(world, "c", 5).await;
    assert_eq!(due(world, 20).await, [(key("c"), 5)]);
}

async fn a_fenced_commit_does_not_touch_the_index(world: &World) {
    let old = world.own(1).await;
    world.own(1).await;
    let commit = Commit {
        wake: Wake::At(10),
        ..touch(old, key("c"), Header::ABSENT)
    };
    world.commit(commit).await;
    assert_eq!(due(world, 10).await, []);
}

async fn shards_have_indexes_of_their_own(world: &World) {
    wake(world, "c", 10).await;
    for neighbour in [SHARD.0 - 1, SHARD.0 + 1] {
        let due = world.store.due(ShardId(neighbour), 10, 10).await.unwrap();
        assert_eq!(due, [], "shard {neighbour}");
    }
}

async fn a_limit_of_nothing_returns_nothing(world: &World) {
    wake(world, "c", 10).await;
    assert_eq!(world.store.due(SHARD, 10, 0).await.unwrap(), []);
}

async fn wake(world: &World, conversation: &str, at_ms: u64) {
    let token = world.own(1).await;
    let commit = Commit {
        wake: Wake::At(at_ms),
        ..touch(token, key(conversation), Header::ABSENT)
    };
    world.write(commit).await;
}

async fn due(world: &World, until_ms: u64) -> Vec<(Key, u64)> {
    world.store.due(SHARD, until_ms, 100).await.unwrap()
}

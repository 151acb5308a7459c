//! Nodes on real stores: the embedded one in memory, and redis-server. Figures of a run stand in its output
//! (`-- --nocapture`).
#![allow(clippy::expect_used, clippy::print_stdout, reason = "tests")]

mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use trunkline_cluster::{Health, MoveRefused, Standing};
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};
use trunkline_store::SharedStore;
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore};
use trunkline_store::key::ShardId;
use trunkline_store::redis::{RedisConfig, RedisStore};
use world::{TestNode, all_served, assert_tokens_hold, settled, standing, until};

const SHARDS: u32 = 96;
/// The promise of a crash: from death to service.
const SERVED_AGAIN: Duration = Duration::from_secs(2);

fn embedded(shards: u32) -> SharedStore {
    let config = EmbeddedConfig {
        shards,
        ..EmbeddedConfig::in_memory()
    };
    Arc::new(EmbeddedStore::open(config).expect("it opens"))
}

async fn on_redis(server: &RedisServer, shards: u32) -> SharedStore {
    let config = RedisConfig {
        shards,
        ..RedisConfig::at(server.url())
    };
    Arc::new(RedisStore::open(config).await.expect("it opens"))
}

/// Three nodes, each with connections of its own as separate processes have them.
async fn three_on_redis(server: &RedisServer) -> Vec<TestNode> {
    let mut nodes = Vec::new();
    for name in ["one", "two", "three"] {
        nodes.push(TestNode::start(name, &on_redis(server, SHARDS).await));
    }
    nodes
}

fn three(store: &SharedStore) -> Vec<TestNode> {
    ["one", "two", "three"].map(|name| TestNode::start(name, store)).into()
}

fn all(nodes: &[TestNode]) -> Vec<&TestNode> {
    nodes.iter().collect()
}

#[tokio::test]
async fn three_nodes_divide_the_shards_and_a_drained_one_gives_its_own_away_without_a_loss() {
    let store = embedded(SHARDS);
    drain(three(&store), &store).await;
}

#[tokio::test]
async fn the_same_on_redis() {
    let server = RedisServer::start(IN_MEMORY);
    let store = on_redis(&server, SHARDS).await;
    drain(three_on_redis(&server).await, &store).await;
}

async fn drain(nodes: Vec<TestNode>, store: &SharedStore) {
    let took = settled(&all(&nodes), SHARDS).await;
    println!("three new nodes divide {SHARDS} shards within {took:?}");
    assert_tokens_hold(&all(&nodes), store).await;

    let losses = || -> usize { nodes.iter().map(|node| *node.lost.lock().expect("no panic")).sum() };
    let before = losses();
    let began = Instant::now();
    nodes[0].cluster.drain();
    until("the others see it drain", || {
        standing(&nodes[1], "one") == Some(Standing::Draining)
    })
    .await;
    nodes[0].cluster.drained().await;
    println!("a third of {SHARDS} shards drained in {:?}", began.elapsed());
    until("the others serve all", || all_served(&all(&nodes[1..]), SHARDS)).await;
    assert_eq!(losses(), before, "a drain loses nothing");
    assert_tokens_hold(&all(&nodes[1..]), store).await;

    nodes[0].cluster.undrain();
    settled(&all(&nodes), SHARDS).await;
    assert_eq!(losses(), before, "balance loses nothing");
}

#[tokio::test]
async fn the_shards_of_a_killed_node_are_served_by_others_within_two_seconds() {
    let store = embedded(SHARDS);
    kill(three(&store), &store, false).await;
}

#[tokio::test]
async fn the_shards_of_a_killed_leader_are_served_by_others_within_two_seconds() {
    let store = embedded(SHARDS);
    kill(three(&store), &store, true).await;
}

#[tokio::test]
async fn on_redis_the_shards_of_a_killed_node_are_served_by_others_within_two_seconds() {
    let server = RedisServer::start(IN_MEMORY);
    let store = on_redis(&server, SHARDS).await;
    kill(three_on_redis(&server).await, &store, false).await;
}

#[tokio::test]
async fn on_redis_the_shards_of_a_killed_leader_are_served_by_others_within_two_seconds() {
    let server = RedisServer::start(IN_MEMORY);
    let store = on_redis(&server, SHARDS).await;
    kill(three_on_redis(&server).await, &store, true).await;
}

async fn kill(mut nodes: Vec<TestNode>, store: &SharedStore, leader: bool) {
    settled(&all(&nodes), SHARDS).await;
    until("somebody leads", || nodes.iter().any(TestNode::leads)).await;
    let victim = nodes
        .iter()
        .position(|node| node.leads() == leader)
        .expect("there is one");
    let began = Instant::now();
    nodes.remove(victim).kill().await;
    until("the others serve all", || all_served(&all(&nodes), SHARDS)).await;
    let took = began.elapsed();
    println!("leader {leader}: from death to service {took:?}");
    assert!(took < SERVED_AGAIN, "{took:?}");
    assert_tokens_hold(&all(&nodes), store).await;

    nodes.push(TestNode::start("four", store));
    settled(&all(&nodes), SHARDS).await;
    assert_tokens_hold(&all(&nodes), store).await;
}

#[tokio::test]
async fn a_node_that_refuses_connections_is_replaced_before_its_lease_ends() {
    let store = embedded(SHARDS);
    let mut nodes = three(&store);
    settled(&all(&nodes), SHARDS).await;
    let victim = nodes.iter().position(|node| !node.leads()).expect("two follow");
    let incarnation = nodes[victim].cluster.view().borrow().incarnation;
    let began = Instant::now();
    nodes.remove(victim).kill().await;
    for node in &nodes {
        node.cluster.suspect(incarnation);
    }
    until("the others serve all", || all_served(&all(&nodes), SHARDS)).await;
    println!("suspected and refused: from death to service {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_node_that_leaves_hands_over_at_once() {
    let store = embedded(SHARDS);
    let mut nodes = three(&store);
    settled(&all(&nodes), SHARDS).await;
    let leader = nodes.iter().position(TestNode::leads).expect("somebody leads");
    let began = Instant::now();
    nodes.remove(leader).cluster.leave().await;
    until("the others serve all", || all_served(&all(&nodes), SHARDS)).await;
    println!("left to service {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn one_node_claims_4096_shards_of_a_new_store_at_once() {
    let server = RedisServer::start(IN_MEMORY);
    for (engine, store) in [("embedded", embedded(4_096)), ("redis", on_redis(&server, 4_096).await)] {
        let node = TestNode::start("one", &store);
        let took = until("all are served", || node.served().len() == 4_096).await;
        println!("{engine}: one node claims 4,096 shards within {took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn an_operator_moves_a_shard_through_the_leader() {
    let store = embedded(SHARDS);
    let nodes = three(&store);
    settled(&all(&nodes), SHARDS).await;
    until("somebody leads", || nodes.iter().any(TestNode::leads)).await;
    let leader = nodes.iter().position(TestNode::leads).expect("somebody leads");
    let (follower, names) = ((leader + 1) % 3, ["one", "two", "three"]);
    let shard = *nodes[leader].served().keys().next().expect("it has some");

    let refused = nodes[follower].cluster.move_shard(shard, names[follower]).await;
    let told = MoveRefused::NotLeader {
        leader: Some(names[leader].to_owned()),
    };
    assert_eq!(refused, Err(told));
    let refused = nodes[leader].cluster.move_shard(ShardId(SHARDS), names[follower]).await;
    assert_eq!(refused, Err(MoveRefused::NoSuchShard(ShardId(SHARDS))));

    assert_eq!(nodes[leader].cluster.move_shard(shard, names[follower]).await, Ok(()));
    until("it is served there", || nodes[follower].served().contains_key(&shard)).await;
}

#[tokio::test]
async fn a_store_that_came_back_empty_is_refused_and_nothing_is_served() {
    let mut server = RedisServer::start(IN_MEMORY);
    let store = on_redis(&server, SHARDS).await;
    let node = TestNode::start("one", &store);
    until("all are served", || node.served().len() == SHARDS as usize).await;
    server.kill();
    assert!(server.launch(), "it starts again");
    until("the loss is noticed", || {
        matches!(node.cluster.view().borrow().health, Health::StoreLost { .. })
    })
    .await;
    assert!(!node.cluster.may_begin());
    // Its worker hears of it by orders, beside the view.
    until("all are lost", || {
        *node.lost.lock().expect("no panic") == SHARDS as usize
    })
    .await;
}

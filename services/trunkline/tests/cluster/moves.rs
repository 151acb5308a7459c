//! Planned moves: nobody outside sees a failed request.

use trunkline_fleet::faults::Fault;

use crate::world::{World, plan, strikes};

#[test]
fn stopped_drained_and_restarted_nodes_fail_no_request() {
    let mut world = World::start("planned moves", plan(3, 2));
    let faults = [
        Fault::StopWorker,
        Fault::DrainWorker,
        Fault::StopIngress,
        Fault::RollingRestart,
    ];
    let faults = faults.repeat(strikes().div_ceil(2));
    let noticed = world.survive("planned moves", &faults);
    for (fault, noticed) in faults.iter().zip(noticed) {
        assert!(noticed.failures.is_empty(), "{fault}: {noticed}");
    }
}

#[test]
fn a_worker_that_is_added_gets_its_share_and_fails_no_request() {
    let mut world = World::start("a further worker", plan(2, 1));
    let crowd = world.crowd();
    let began = crowd.now();
    let place = world.cluster.add_worker();
    world.cluster.workers[place].start();
    world.cluster.wait_until_whole();
    let status = world.cluster.status().unwrap();
    let owned: Vec<u64> = status["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["owned"].as_u64().unwrap())
        .collect();
    // 256 shards over three nodes, each at most a tenth above its share.
    assert!(owned.iter().all(|owned| (60..=94).contains(owned)), "{owned:?}");
    let span = began..crowd.now();
    let talks = crowd.judge("a further worker", &world.cluster.recorder);
    let noticed = trunkline_fleet::crowd::Noticed::of(&talks, &span);
    println!("  a further worker: {noticed}");
    assert!(noticed.failures.is_empty(), "{noticed}");
}

#[test]
fn a_shard_goes_where_the_operator_sends_it() {
    let world = World::start("a shard moved by hand", plan(2, 1));
    let owner_of = |shard: usize| {
        let list: serde_json::Value =
            serde_json::from_str(&world.cluster.command(&["shard", "list", "--output", "json"])).unwrap();
        let nodes = list["nodes"].as_array().unwrap().clone();
        let owner = nodes.iter().find(|node| {
            let shards = node["shards"].as_array().unwrap();
            shards.iter().any(|owned| owned.as_u64() == Some(shard as u64))
        });
        owner.unwrap()["node"].as_str().unwrap().to_owned()
    };
    let from = owner_of(7);
    let to = if from == "worker-1" { "worker-2" } else { "worker-1" };
    world.cluster.command(&["shard", "move", "7", to]);
    trunkline_fleet::wait::wait_for("the shard at its new owner", || (owner_of(7) == to).then_some(()));
    world.cluster.wait_until_whole();
}

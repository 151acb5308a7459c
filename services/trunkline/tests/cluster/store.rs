//! Redis that dies, freezes, fills up or comes back empty: requests wait or are refused, never acknowledged falsely; no shard
//! moves for it.

use std::time::Duration;

use trunkline_fleet::faults::Fault;
use trunkline_fleet::wait::wait_for;

use crate::world::{World, plan};

#[test]
fn a_redis_that_is_away_for_a_while_costs_time_and_moves_no_shard() {
    // With `everysec` a killed Redis may lose what it acknowledged while the disk was slow: seen here. `always` may not.
    let mut world = World::on_redis("Redis away", plan(3, 1), &["--appendfsync", "always"]);
    let before = world.cluster.status().unwrap()["map_version"].clone();
    let faults = [
        Fault::PauseRedis(Duration::from_secs(3)),
        Fault::KillRedis(Duration::from_secs(3)),
    ];
    world.survive("Redis away", &faults);
    assert_eq!(
        world.cluster.status().unwrap()["map_version"],
        before,
        "no shard moved for it"
    );
}

#[test]
fn a_full_redis_refuses_and_goes_on_when_it_has_room_again() {
    let world = World::start("Redis full", plan(2, 1));
    let crowd = world.crowd();
    crowd.goes_on(&world.cluster.recorder);
    assert_eq!(world.redis.ask("CONFIG SET maxmemory 1mb").unwrap(), "+OK");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(world.redis.ask("CONFIG SET maxmemory 0").unwrap(), "+OK");
    world.cluster.wait_until_whole();
    crowd.goes_on(&world.cluster.recorder);
    crowd.judge("Redis full", &world.cluster.recorder);
}

#[test]
fn a_redis_that_came_back_empty_is_refused_loudly() {
    let world = World::start("Redis empty", plan(2, 1));
    assert_eq!(world.redis.ask("FLUSHALL").unwrap(), "+OK");
    for worker in &world.cluster.workers {
        wait_for("readiness that says STORE_LOST", || {
            let (status, body) = trunkline_fleet::web::get(&format!("http://{}/readyz", worker.admin))?;
            (status == 503 && body.contains("STORE_LOST")).then_some(())
        });
        assert!(
            worker.process().log().contains("STORE_LOST"),
            "{}",
            worker.process().log()
        );
    }
}

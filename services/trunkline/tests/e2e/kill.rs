//! SIGKILL at random moments under load: what was answered 2xx is in the state exactly once, what was not zero or one time.
//! Repeated replies are allowed (the Connector has no idempotency key), counted and printed. Everybody is heard between two deaths
//! of a worker: a turn that two processes died of is given up as their killer.

use std::net::Ipv4Addr;

use crate::world::house::{Cluster, Dev, stock};
use trunkline_fleet::chance::{Chance, kills};
use trunkline_fleet::crowd::{Crowd, Habits};
use trunkline_fleet::recorder::Recorder;

#[test]
fn dev_on_disk_loses_nothing_when_it_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
    let dev = Dev::open(directory.path(), stock(), "echo");
    let mut chance = Chance::of("dev on disk");

    let mut process = dev.recipe.start();
    let crowd = Crowd::talk(&dev.surroundings(connector), Habits::default());
    for _ in 0..kills() {
        chance.moment();
        process.kill();
        process = dev.recipe.start();
        crowd.goes_on(&recorder);
    }
    crowd.judge("dev on disk", &recorder);
    drop(process);
}

#[test]
fn ingress_and_worker_on_redis_lose_nothing_when_they_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
    let cluster = Cluster::new(directory.path(), stock(), "echo", connector);
    let mut chance = Chance::of("ingress and worker on Redis");

    let mut worker = cluster.worker.start();
    let mut ingress = cluster.ingress.start();
    let crowd = Crowd::talk(&cluster.surroundings, Habits::default());
    for _ in 0..kills() {
        chance.moment();
        worker.kill();
        worker = cluster.worker.start();
        crowd.goes_on(&recorder);
        chance.moment();
        ingress.kill();
        ingress = cluster.ingress.start();
    }
    crowd.judge("ingress and worker on Redis", &recorder);
    drop((worker, ingress));
}

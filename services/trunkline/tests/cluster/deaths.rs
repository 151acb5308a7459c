//! Nodes that die, freeze or are cut off: the others go on, and nothing acknowledged is lost.

use std::time::Duration;

use trunkline_fleet::faults::Fault;

use crate::world::{World, plan, strikes};

#[test]
fn killed_workers_and_leaders_lose_nothing() {
    let mut world = World::start("killed workers", plan(3, 2));
    let faults = [Fault::KillWorker, Fault::KillLeader].repeat(strikes());
    world.survive("killed workers", &faults);
}

#[test]
fn killed_ingresses_lose_nothing() {
    let mut world = World::start("killed ingresses", plan(2, 2));
    world.survive("killed ingresses", &vec![Fault::KillIngress; strikes()]);
}

#[test]
fn a_worker_that_was_frozen_for_ten_seconds_writes_nothing_and_joins_again() {
    let mut world = World::start("a frozen worker", plan(3, 1));
    world.survive("a frozen worker", &[Fault::PauseWorker(Duration::from_secs(10))]);
}

#[test]
fn a_worker_that_is_cut_off_is_replaced_and_joins_again() {
    let mut world = World::start("a worker cut off", plan(3, 1));
    if world.cluster.workers[0].host.namespace.is_none() {
        // Said by the network already: this machine cannot cut links.
        return;
    }
    world.survive("a worker cut off", &[Fault::CutWorker(Duration::from_secs(5))]);
}

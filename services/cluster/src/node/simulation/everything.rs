//! All faults at once, then quiet: every shard is served again, and the map comes to rest.

use rand::RngExt as _;

use super::super::Event;
use super::seeds;
use super::world::{Network, World};
use crate::view::{Standing, View};

#[test]
fn whatever_fails_every_shard_is_served_again_and_the_map_comes_to_rest() {
    for seed in seeds(500) {
        let mut world = trouble(seed, true);
        recovers(&mut world);
    }
}

#[test]
fn with_a_store_that_keeps_what_it_has_two_nodes_with_a_lease_never_serve_one_shard() {
    for seed in seeds(500) {
        let mut world = trouble(seed, false);
        recovers(&mut world);
    }
}

/// A cluster with 12 seconds of trouble behind it. The store's own faults only if it may.
fn trouble(seed: u64, store_fails: bool) -> World {
    let mut world = World::new(seed, 3, 24);
    // In every third seed one of them is of the next version.
    world.start_version("node-3", if seed.is_multiple_of(3) { 2 } else { 1 });
    world.quiesce = 1_400;
    let calm = seed.is_multiple_of(5);
    world.network = Network {
        lost: if calm { 0 } else { 10 },
        repeated: if store_fails { 10 } else { 0 },
        late: if calm { 0 } else { 20 },
    };
    world.leases_exclude = !store_fails;
    for _ in 0..40 {
        let number = world.rng.random_range(0..4);
        let pause = world.rng.random_range(100..6_000);
        match world.rng.random_range(0..12) {
            0 => world.kill(number),
            1 | 2 => world.restart_if_dead(number),
            3 => world.pause(number, pause),
            4 => world.tell(number, Event::Drain(true)),
            5 => world.tell(number, Event::Drain(false)),
            6 => world.suspect(number),
            7 if store_fails => world.fail_over(15),
            8 if store_fails => world.store_ahead += world.rng.random_range(-5_000..5_000),
            9 if store_fails => world.store_away = true,
            10 if store_fails => world.store_slow = world.rng.random_range(0..600),
            _ => {
                world.store_away = false;
                world.store_slow = 0;
            }
        }
        let quiet = world.rng.random_range(0..600);
        world.run_for(quiet);
    }
    world
}

/// Once nothing fails any more.
fn recovers(world: &mut World) {
    let seed = world.seed;
    world.store_away = false;
    world.store_slow = 0;
    world.network = Network::default();
    for number in 0..world.processes.len() {
        world.pause(number, 0);
        world.restart_if_dead(number);
        world.tell(number, Event::Drain(false));
    }
    let back = world.run_until(15_000, World::all_served);
    assert!(
        back.is_some(),
        "seed {seed}: not every shard is served again\n{}",
        world.told()
    );
    // Those who died wait for their shards; then all is still.
    let mut still = 0;
    let mut last = (world.map().version(), world.orders.len());
    for _ in 0..400 {
        world.run_for(1_000);
        let now = (world.map().version(), world.orders.len());
        still = if now == last { still + 1 } else { 0 };
        last = now;
        let waits = world
            .views()
            .any(|view| view.nodes.iter().any(|node| node.standing == Standing::Returning));
        if still >= 6 && !waits && world.all_named() {
            break;
        }
    }
    assert!(
        still >= 6,
        "seed {seed}: the map does not come to rest\n{}",
        world.told()
    );
    assert!(
        world.all_served(),
        "seed {seed}: at rest without serving all\n{}",
        world.told()
    );
    assert!(
        world.all_named(),
        "seed {seed}: at rest, and a node that lives is not a member\n{}",
        world.told()
    );
    let drains = |view: &View| view.nodes.iter().any(|node| node.standing == Standing::Draining);
    assert!(
        world.all_read() || world.views().any(|view| drains(&view)),
        "seed {seed}: at rest, and a shard is served by a node that cannot read it\n{}",
        world.told()
    );
}

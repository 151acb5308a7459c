//! Two versions in one cluster: what the newer one wrote is served by the newer one, and moves for nothing else.

use trunkline_store::key::ShardId;

use super::seeds;
use super::world::{Held, World};
use crate::order::ShardOrder;

/// Reads and writes format 2; the others read 1.
const NEXT: u32 = 2;

/// Two nodes of this version and so many of the next, which have written in all of their shards.
fn mixed(seed: u64, next: usize) -> World {
    let mut world = World::new(seed, 2, 32);
    for number in 0..next {
        world.start_version(&format!("next-{number}"), NEXT);
    }
    let began = world.run_until(3_000, World::all_served);
    assert!(began.is_some(), "seed {seed}: a new cluster does not serve");
    world.run_for(30_000);
    for number in 2..2 + next {
        let held = world.processes[number].shards.keys();
        let unwritten = held.filter(|shard| world.formats.get(*shard) != Some(&NEXT)).count();
        assert_eq!(unwritten, 0, "seed {seed}: next-{number} has not written everywhere");
    }
    world.orders.clear();
    world
}

fn written_by_next(world: &World) -> Vec<ShardId> {
    let formats = world.formats.iter();
    formats
        .filter(|(_, format)| **format == NEXT)
        .map(|(&shard, _)| shard)
        .collect()
}

#[test]
fn a_shard_that_its_new_owner_cannot_read_goes_to_one_that_can_and_stays_there() {
    for seed in seeds(100) {
        let mut world = mixed(seed, 2);
        let written = written_by_next(&world);
        world.kill(2);
        // They are met one after the other, and go over in steps.
        let served = world.run_until(10_000, |world| world.all_served() && world.all_read());
        assert!(
            served.is_some(),
            "seed {seed}: not served by a reader\n{}",
            world.told()
        );
        let map = world.map();
        let known: Vec<_> = written.into_iter().filter(|shard| map.need(*shard) == NEXT).collect();
        assert!(!known.is_empty(), "seed {seed}: nobody met what it cannot read");
        world.orders.clear();
        // Whoever comes and goes among those that cannot read.
        world.kill(0);
        world.run_for(3_000);
        world.restart(0);
        world.run_for(8_000);
        world.start("node-9");
        world.run_for(8_000);
        let strayed = world.orders.iter().find(|(_, number, order)| {
            let is_expected = matches!(order, ShardOrder::Expect { .. }) && known.contains(&order.shard());
            is_expected && world.processes[*number].reads < NEXT
        });
        assert!(strayed.is_none(), "seed {seed}: {strayed:?}");
        assert!(world.all_served() && world.all_read(), "seed {seed}\n{}", world.told());
    }
}

#[test]
fn what_nobody_can_read_is_served_all_the_same_and_given_to_the_first_that_can() {
    for seed in seeds(50) {
        let mut world = mixed(seed, 1);
        let written = written_by_next(&world);
        assert!(!written.is_empty(), "seed {seed}");
        world.kill(2);
        world
            .run_until(3_000, World::all_served)
            .expect("others serve the rest of each shard");
        world.run_for(3_000);
        let map = world.map();
        assert_eq!(
            map.unread().count(),
            written.len(),
            "seed {seed}: all of them are known"
        );
        world.run_for(5_000);
        assert_eq!(world.map().version(), map.version(), "seed {seed}: it is said once");
        let back = world.start_version("next-again", NEXT);
        let took = world.run_until(2_000, |world| {
            let has = |shard| matches!(world.processes[back].shards.get(shard), Some(Held::Served(_)));
            written.iter().all(has)
        });
        assert!(took.is_some(), "seed {seed}\n{}", world.told());
        assert_eq!(world.map().unread().count(), 0, "seed {seed}");
    }
}

//! One promise at a time, with the one fault that it is about.

use trunkline_store::contract::Incarnation;
use trunkline_store::key::ShardId;

use super::super::Event;
use super::seeds;
use super::world::{Held, World};
use crate::order::ShardOrder;
use crate::shell::MoveRefused;
use crate::view::Health;

const SHARDS: u32 = 32;

/// A cluster that has come to rest.
fn settled(seed: u64, nodes: usize) -> World {
    settled_with(seed, nodes, SHARDS)
}

fn settled_with(seed: u64, nodes: usize, shards: u32) -> World {
    let mut world = World::new(seed, nodes, shards);
    let began = world.run_until(3_000, World::all_served);
    assert!(began.is_some(), "seed {seed}: a new cluster does not serve");
    world.run_for(6_000);
    assert!(world.all_served(), "seed {seed}: a cluster at rest does not serve");
    world.orders.clear();
    world
}

fn owned(world: &World, number: usize) -> usize {
    let held = &world.processes[number].shards;
    held.values().filter(|held| matches!(held, Held::Served(_))).count()
}

#[test]
fn one_node_claims_all_shards_of_a_new_cluster_at_once() {
    let mut world = World::new(1, 1, 4_096);
    let took = world.run_until(2_000, World::all_served).expect("all are served");
    assert!(took <= 500, "4,096 shards took {took} ms");
}

#[test]
fn a_cluster_at_rest_moves_nothing_and_writes_no_map() {
    for seed in seeds(20) {
        let mut world = settled(seed, 4);
        let map = world.map().version();
        world.run_for(20_000);
        assert_eq!(world.map().version(), map, "seed {seed}");
        assert!(world.orders.is_empty(), "seed {seed}: {:?}", world.orders);
        for number in 0..4 {
            assert!((7..=9).contains(&owned(&world, number)), "seed {seed}");
        }
    }
}

#[test]
fn a_blip_of_the_store_moves_no_shard_however_long_it_is() {
    for seed in seeds(100) {
        let mut world = settled(seed, 3);
        let map = world.map().version();
        let long = [100, 500, 900, 1_500, 5_000, 30_000][usize::try_from(seed % 6).unwrap()];
        world.store_away = true;
        world.run_for(long);
        if long > 1_000 {
            assert!(world.servers(ShardId(0)).is_empty(), "seed {seed}: no lease, no turn");
        }
        world.store_away = false;
        let back = world.run_until(1_500, World::all_served);
        assert!(back.is_some(), "seed {seed}: not served again after {long} ms away");
        world.run_for(5_000);
        assert!(world.orders.is_empty(), "seed {seed}: {:?}", world.orders);
        assert_eq!(world.map().version(), map, "seed {seed}");
    }
}

#[test]
fn a_store_that_answers_too_late_for_leases_moves_no_shard() {
    for seed in seeds(30) {
        let mut world = settled(seed, 3);
        let map = world.map().version();
        world.store_slow = 700;
        world.run_for(8_000);
        world.store_slow = 0;
        let back = world.run_until(1_500, World::all_served);
        assert!(back.is_some(), "seed {seed}: not served again");
        world.run_for(5_000);
        assert!(world.orders.is_empty(), "seed {seed}: {:?}", world.orders);
        assert_eq!(world.map().version(), map, "seed {seed}");
    }
}

#[test]
fn a_clock_of_the_store_that_steps_moves_no_shard() {
    for seed in seeds(30) {
        let mut world = settled(seed, 3);
        let map = world.map().version();
        for step in [3_600_000, -3_600_000, 2_000, -2_000] {
            world.store_ahead += step;
            world.run_for(3_000);
        }
        assert!(world.all_served(), "seed {seed}");
        assert!(world.orders.is_empty(), "seed {seed}: {:?}", world.orders);
        assert_eq!(world.map().version(), map, "seed {seed}");
    }
}

#[test]
fn the_shards_of_a_dead_node_are_served_again_in_time_though_it_led() {
    let mut worst = 0;
    for seed in seeds(300) {
        let mut world = settled(seed, 3);
        world.run_for(seed % 200);
        let leader = world.leader().expect("somebody leads");
        let victim = if seed % 2 == 0 { leader } else { (leader + 1) % 3 };
        world.kill(victim);
        let took = world.run_until(3_000, World::all_served);
        let took = took.unwrap_or_else(|| panic!("seed {seed}: not served again"));
        worst = worst.max(took);
        assert!(took <= 1_700, "seed {seed}: {took} ms without service");
    }
    println!("worst time from death to service: {worst} ms");
}

#[test]
fn a_node_that_refuses_connections_is_replaced_sooner() {
    for seed in seeds(50) {
        let mut world = settled(seed, 3);
        let leader = world.leader().expect("somebody leads");
        let (victim, witness) = ((leader + 1) % 3, (leader + 2) % 3);
        let dead = world.processes[victim].node.view(world.now).incarnation;
        world.kill(victim);
        world.tell(witness, Event::Suspect(dead));
        let took = world.run_until(3_000, World::all_served).expect("served again");
        assert!(took <= 900, "seed {seed}: {took} ms without service");
    }
}

#[test]
fn a_node_that_is_reached_is_not_taken_for_dead_whatever_is_said_of_it() {
    for seed in seeds(30) {
        let mut world = settled(seed, 3);
        let suspect = world.processes[0].node.view(world.now).incarnation;
        for _ in 0..20 {
            world.tell(1, Event::Suspect(suspect));
            world.tell(2, Event::Suspect(suspect));
            world.run_for(150);
        }
        assert!(world.orders.is_empty(), "seed {seed}: {:?}", world.orders);
    }
}

#[test]
fn a_restarted_process_takes_the_place_of_the_one_before_it() {
    for seed in seeds(50) {
        let mut world = settled(seed, 3);
        let before = owned(&world, 1);
        let bound = if world.leader() == Some(1) { 1_700 } else { 900 };
        world.kill(1);
        world.run_for(100);
        world.restart(1);
        let took = world.run_until(3_000, World::all_served).expect("served again");
        assert!(took <= bound, "seed {seed}: {took} ms without service");
        assert_eq!(owned(&world, 1), 0, "seed {seed}: it must live for a while first");
        let back = world.run_until(20_000, |world| owned(world, 1) + 1 >= before);
        assert!(
            back.is_some_and(|ms| ms >= 3_000),
            "seed {seed}: it gets its shards after 5 s: {back:?}"
        );
    }
}

#[test]
fn a_cluster_that_was_killed_as_a_whole_serves_when_it_is_started_again() {
    for seed in seeds(50) {
        let nodes = [1, 2, 5][usize::try_from(seed % 3).unwrap()];
        let mut world = settled(seed, nodes);
        for number in 0..nodes {
            world.kill(number);
        }
        world.run_for(seed * 100);
        for number in 0..nodes {
            world.restart(number);
        }
        let took = world.run_until(10_000, World::all_served).expect("it serves again");
        assert!(took <= 1_500, "seed {seed}: {took} ms until service");
    }
}

#[test]
fn a_node_that_dies_again_and_again_waits_longer_each_time() {
    let mut world = settled(7, 3);
    let mut waits = Vec::new();
    for _ in 0..3 {
        world.kill(1);
        world.run_for(3_000);
        world.restart(1);
        let back = world.run_until(60_000, |world| owned(world, 1) > 0);
        waits.push(back.expect("it gets shards again"));
        world.run_for(2_000);
    }
    assert!(
        (4_500..6_500).contains(&waits[0])
            && (9_500..11_500).contains(&waits[1])
            && (19_500..21_500).contains(&waits[2]),
        "{waits:?}"
    );
}

#[test]
fn a_paused_node_never_serves_as_the_one_that_it_was() {
    for seed in seeds(100) {
        let mut world = settled(seed, 3);
        let before = world.processes[0].node.view(world.now).incarnation;
        world.pause(0, 10_000);
        let took = world.run_until(3_000, World::all_served);
        assert!(took.is_some_and(|ms| ms <= 1_700), "seed {seed}: {took:?}");
        world.run_for(10_100 - took.unwrap());
        let view = world.processes[0].node.view(world.now);
        assert_ne!(view.incarnation, before, "seed {seed}");
        assert!(view.shards.is_empty(), "seed {seed}: {:?}", view.shards);
        world.run_for(1_000);
        assert_eq!(
            world.processes[0].node.view(world.now).health,
            Health::Valid,
            "seed {seed}"
        );
        assert!(world.all_served(), "seed {seed}");
    }
}

#[test]
fn a_drain_moves_everything_without_a_gap() {
    let (mut longest, mut slowest) = (0, 0);
    for seed in seeds(50) {
        let mut world = settled_with(seed, 3, 256);
        let victim = usize::try_from(seed % 3).unwrap();
        world.tell(victim, Event::Drain(true));
        let done = world.run_until(20_000, |world| {
            world.processes[victim].node.holds_nothing() && world.all_served()
        });
        slowest = slowest.max(done.unwrap_or_else(|| panic!("seed {seed}: it does not end")));
        for shard in (0..256).map(ShardId) {
            let gap = gap(&world, shard);
            longest = longest.max(gap);
            assert!(gap <= 350, "seed {seed}: shard {shard} was not served for {gap} ms");
        }
        assert!(
            !world
                .orders
                .iter()
                .any(|(_, _, order)| matches!(order, ShardOrder::Lose { .. })),
            "seed {seed}: a drain loses nothing"
        );
        world.tell(victim, Event::Drain(false));
        let back = world.run_until(20_000, |world| owned(world, victim) > 70);
        assert!(back.is_some(), "seed {seed}: shards come back after the drain");
    }
    println!("drain of a third of 256 shards: {slowest} ms, longest gap of a shard {longest} ms");
}

/// From the order to quiesce to the order to serve elsewhere; quiescing takes up to 200 ms of it.
fn gap(world: &World, shard: ShardId) -> u64 {
    let mut left = None;
    let mut gap = 0;
    for (when, _, order) in &world.orders {
        match order {
            ShardOrder::Quiesce { shard: moving } if *moving == shard => left = Some(*when),
            ShardOrder::Serve { shard: moving, .. } if *moving == shard => {
                gap = left.map_or(gap, |left: u64| gap.max(when - left));
            }
            _ => {}
        }
    }
    gap
}

#[test]
fn a_node_that_leaves_gives_its_shards_back_at_once() {
    for seed in seeds(30) {
        let mut world = settled(seed, 3);
        let leader = world.leader().expect("somebody leads");
        world.tell(leader, Event::Leave);
        let took = world.run_until(2_000, |world| world.processes[leader].left && world.all_served());
        assert!(took.is_some_and(|ms| ms <= 700), "seed {seed}: {took:?}");
    }
}

#[test]
fn an_empty_store_is_refused_loudly_and_for_good() {
    for seed in seeds(20) {
        let mut world = settled(seed, 3);
        world.store_empty = true;
        world.run_for(1_000);
        for number in 0..3 {
            let view = world.processes[number].node.view(world.now);
            assert!(
                matches!(view.health, Health::StoreLost { .. }),
                "seed {seed}: {:?}",
                view.health
            );
            assert_eq!(world.processes[number].node.valid_until(), 0);
            assert!(world.processes[number].shards.is_empty(), "seed {seed}: all are lost");
        }
        world.store_empty = false;
        world.run_for(5_000);
        assert!(
            world.servers(ShardId(0)).is_empty(),
            "seed {seed}: only a restart cures it"
        );
    }
}

#[test]
fn another_store_in_the_place_of_ours_is_refused() {
    let mut world = settled(3, 2);
    world.store.cluster = 0xbad;
    world.run_for(1_000);
    let view = world.processes[0].node.view(world.now);
    assert!(matches!(view.health, Health::StoreLost { .. }), "{:?}", view.health);
}

#[test]
fn an_operator_moves_a_shard_and_it_stays_there() {
    for seed in seeds(20) {
        let mut world = settled(seed, 3);
        let leader = world.leader().expect("somebody leads");
        let shard = ShardId(u32::try_from(seed).unwrap() % SHARDS);
        let to = (world.servers(shard)[0] + 1) % 3;
        let wish = |number: usize, to: &str| Event::Move {
            shard,
            to: format!("node-{to}"),
            number: number as u64,
        };
        world.tell(leader, wish(1, &to.to_string()));
        world.run_for(3_000);
        assert_eq!(world.moved, [Ok(())], "seed {seed}");
        assert_eq!(world.servers(shard), [to], "seed {seed}");
        world.run_for(5_000);
        assert_eq!(world.servers(shard), [to], "seed {seed}: balance leaves it alone");

        world.moved.clear();
        world.tell(leader, wish(2, "9"));
        world.tell((leader + 1) % 3, wish(3, "0"));
        world.run_for(100);
        world.moved.sort_by_key(|answer| format!("{answer:?}"));
        let expected = [
            Err(MoveRefused::NotLeader {
                leader: Some(format!("node-{leader}")),
            }),
            Err(MoveRefused::UnknownNode("node-9".to_owned())),
        ];
        assert_eq!(world.moved, expected, "seed {seed}");
    }
}

#[test]
fn a_node_with_stalled_arbiters_gives_its_shards_away_and_gets_them_back() {
    let mut world = settled(5, 3);
    world.tell(1, Event::Stalled(1));
    world.run_for(2_500);
    assert!(owned(&world, 1) > 0, "a short stall is none");
    assert!(world.run_until(5_000, |world| owned(world, 1) == 0).is_some());
    world.tell(1, Event::Stalled(0));
    assert!(world.run_until(10_000, |world| owned(world, 1) > 8).is_some());
}

#[test]
fn when_many_die_at_once_the_rest_waits_for_them() {
    let mut world = settled(11, 6);
    let map = world.map().version();
    for number in 0..4 {
        world.pause(number, 3_000);
    }
    world.run_for(3_500);
    assert_eq!(world.map().version(), map, "they come back within 5 s");
    for number in 0..4 {
        world.kill(number);
    }
    let took = world
        .run_until(20_000, World::all_served)
        .expect("the rest serves in the end");
    assert!((5_500..8_500).contains(&took), "{took} ms");
}

#[test]
fn a_lost_fence_costs_one_look_at_the_map_and_a_claim() {
    for seed in seeds(30) {
        let mut world = settled(seed, 3);
        let shard = ShardId(3);
        let server = world.servers(shard)[0];
        let Some(Held::Served(token)) = world.processes[server].shards.get(&shard).copied() else {
            panic!("seed {seed}: it is served");
        };
        let stranger = trunkline_store::contract::Claim {
            me: Incarnation(99),
            map: token.map,
            force: true,
            floor: token.epoch,
        };
        world.steal(shard, stranger);
        world.tell(server, Event::Fenced(shard, token));
        world.run_for(2_500);
        assert!(world.all_served(), "seed {seed}");
    }
}

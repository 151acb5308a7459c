//! Routing tables: which counts, which connections they make, and what moves with them.

use std::time::Duration;

use trunkline_proto::routing::ToIngress;

use super::super::*;
use super::timing::TAKEN_OVER;
use super::world::{NOBODY, SHARDS, World, done, moved, seed, table};

const A: (u64, &str, bool) = (1, "a:7400", false);
const B: (u64, &str, bool) = (2, "b:7400", false);
const A_AGAIN: (u64, &str, bool) = (3, "a:7400", false);

/// A world whose seed is worker A, which has told that A serves the first half of the shards and B the second; both are
/// connected and have plenty of places. Returns the places of A and B, too.
fn routed_world() -> (World, usize, usize) {
    let mut world = World::new(1);
    world.welcome(0, 1);
    world.grant(0, 1_000);
    world.route(0, 7, &[A, B], halves);
    let b = world.place_of("b:7400");
    world.welcome(b, 2);
    world.grant(b, 1_000);
    (world, 0, b)
}

fn halves(shard: u32) -> u16 {
    u16::from(shard >= SHARDS / 2)
}

fn all_to(place: u16) -> impl Fn(u32) -> u16 {
    move |_| place
}

/// Time in which everybody is heard of.
fn pass_in_touch(world: &mut World, time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let step = left.min(Duration::from_millis(100));
        world.pass(step);
        for place in 0..world.links.len() {
            world.grant(place, 0);
        }
        left -= step;
    }
}

#[test]
fn a_table_connects_to_its_nodes_and_each_gets_the_requests_of_its_shards() {
    let (mut world, a, b) = routed_world();
    let [low, high] = [world.submit(0), world.submit(SHARDS - 1)];
    assert_eq!((world.at(a), world.at(b)), (vec![low], vec![high]));
    assert_eq!(world.exchange.map_version(), 7);
}

#[test]
fn frames_name_the_version_that_is_routed_by() {
    let (mut world, a, b) = routed_world();
    assert_eq!((world.links[a].map_version, world.links[b].map_version), (7, 7));
    world.route(b, 8, &[A, B], halves);
    assert_eq!((world.links[a].map_version, world.links[b].map_version), (8, 8));
}

#[test]
fn the_newest_table_counts_whoever_sends_it_and_however_often() {
    let (mut world, a, b) = routed_world();
    world.route(a, 9, &[A, B], all_to(1));
    world.route(b, 8, &[A, B], all_to(0));
    world.route(b, 9, &[A, B], all_to(0));
    let request = world.submit(0);
    assert_eq!((world.exchange.map_version(), world.at(b)), (9, vec![request]));
}

#[test]
fn a_worker_that_speaks_of_a_newer_map_is_reminded_of_ours_once() {
    let (mut world, a, _) = routed_world();
    let newer = || ToIngress {
        map_version: 12,
        ..ToIngress::default()
    };
    world.links[a].map_version = 0;
    world.frame(a, newer());
    assert_eq!(world.links[a].map_version, 7);
    world.links[a].map_version = 0;
    world.frame(a, newer());
    assert_eq!(world.links[a].map_version, 0, "not again for the same version");
}

#[test]
fn a_table_of_another_number_of_shards_is_refused() {
    let (mut world, a, _) = routed_world();
    let mut wrong = table(8, &[A], all_to(0));
    wrong.owners = wrong.owners.slice(2..);
    let generation = world.links[a].generation.unwrap();
    let frame = ToIngress {
        routes: Some(wrong),
        ..ToIngress::default()
    };
    let refused = world.exchange.frame(world.now, WorkerIndex(a), generation, frame);
    assert_eq!(
        refused,
        Err(Mismatch::Table {
            ours: SHARDS as usize,
            theirs: SHARDS as usize - 1
        })
    );
    assert_eq!(world.exchange.map_version(), 7);
}

#[test]
fn a_node_that_vanishes_is_closed_once_nothing_is_outstanding_there() {
    let (mut world, a, b) = routed_world();
    let old = world.submit(SHARDS - 1);
    world.route(a, 8, &[A], all_to(0));
    let new = world.submit(SHARDS - 1);
    pass_in_touch(&mut world, Duration::from_millis(100));
    assert_eq!(world.addresses().len(), 2);
    assert_eq!(world.at(a), Vec::<u64>::new(), "the old owner has not answered");
    world.say(b, &[(old, done)]);
    pass_in_touch(&mut world, Duration::from_millis(100));
    assert_eq!((world.addresses().len(), world.at(a)), (1, vec![new]));
}

#[test]
fn seeds_that_the_table_does_not_name_are_closed() {
    let mut world = World::new(3);
    world.welcome(0, 1);
    world.welcome(1, 9);
    world.route(0, 7, &[A, B], halves);
    world.pass(TICK);
    assert_eq!(world.addresses(), [seed(0).as_str(), "b:7400"].into());
}

#[test]
fn two_seeds_that_lead_to_one_worker_become_one_connection() {
    let mut world = World::new(2);
    world.welcome(0, 1);
    world.welcome(1, 1);
    world.route(1, 7, &[A], all_to(0));
    world.pass(TICK);
    assert_eq!(world.addresses().len(), 1);
}

#[test]
fn a_new_process_at_the_same_address_is_another_worker() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    world.lose(a, Loss::Reset);
    let a = world.place_of("a:7400");
    world.welcome(a, 3);
    world.grant(a, 1_000);
    assert_eq!(world.at(a), Vec::<u64>::new(), "the owner was the process that died");
    world.route(b, 8, &[A_AGAIN, B], halves);
    let a = world.place_of("a:7400");
    world.welcome(a, 3);
    world.grant(a, 1_000);
    assert_eq!(world.at(a), [request]);
}

#[test]
fn a_process_that_joins_anew_is_another_worker_on_a_stream_of_its_own() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    world.route(b, 8, &[A_AGAIN, B], halves);
    let again = world.links.iter().rposition(|link| link.address == "a:7400").unwrap();
    assert_ne!(again, a);
    world.welcome(again, 3);
    world.grant(again, 1_000);
    assert_eq!(world.at(again), Vec::<u64>::new());
    world.say(a, &[(request, moved)]);
    assert_eq!(world.at(again), [request]);
}

#[test]
fn seeds_are_asked_again_when_no_known_worker_can_be_reached_and_any_table_counts_then() {
    let (mut world, a, b) = routed_world();
    world.lose(a, Loss::Reset);
    world.lose(b, Loss::Reset);
    let held = world.submit(0);
    for _ in 0..10 {
        world.pass(TICK);
        for address in ["a:7400", "b:7400"] {
            if world.addresses().contains(address) {
                let place = world.place_of(address);
                world.lose(place, Loss::Refused);
            }
        }
    }
    let seed = world.place_of(&seed(0));
    assert_eq!(world.links[seed].map_version, 0, "the next table counts");
    world.welcome(seed, 5);
    world.grant(seed, 1_000);
    world.route(seed, 2, &[(5, "c:7400", false)], all_to(0));
    assert_eq!(world.at(seed), [held], "the connection that is there is used");
    pass_in_touch(&mut world, Duration::from_millis(200));
    assert_eq!(world.exchange.map_version(), 2);
}

#[test]
fn seeds_are_left_alone_while_a_known_worker_can_be_reached() {
    let (mut world, a, b) = routed_world();
    world.lose(a, Loss::Reset);
    for _ in 0..40 {
        world.pass(TICK);
        world.grant(b, 0);
        if world.addresses().contains("a:7400") {
            let place = world.place_of("a:7400");
            world.lose(place, Loss::Refused);
        }
        assert!(!world.addresses().contains(seed(0).as_str()));
    }
}

#[test]
fn a_shard_that_moved_is_sent_to_its_new_owner_at_once_although_the_old_one_made_it_wait() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    for _ in 0..4 {
        if world.at(a) == [request] {
            world.say(a, &[(request, moved)]);
        }
    }
    assert_eq!(world.at(a), Vec::<u64>::new(), "it is delayed");
    world.route(a, 8, &[A, B], all_to(1));
    assert_eq!(world.at(b), [request]);
}

#[test]
fn what_is_handed_back_with_a_new_table_in_the_same_frame_goes_to_the_new_owner_only() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    let seq = *world.links[a].outstanding.keys().next().unwrap();
    world.frame(
        a,
        ToIngress {
            routes: Some(table(8, &[A, B], all_to(1))),
            outcome: vec![trunkline_proto::routing::Outcome {
                seq,
                result: Some(moved()),
            }],
            ..ToIngress::default()
        },
    );
    assert_eq!((world.at(b), world.sent.len()), (vec![request], 2));
}

#[test]
fn a_request_whose_owner_nobody_knows_or_reaches_waits_and_is_not_refused() {
    let (mut world, a, b) = routed_world();
    world.route(a, 8, &[A, B], |shard| if shard > 0 { 1 } else { NOBODY });
    let ownerless = world.submit(0);
    world.lose(b, Loss::Failed);
    let cut_off = world.submit(1);
    pass_in_touch(&mut world, Duration::from_secs(5));
    assert!(world.answers.is_empty());
    world.welcome(b, 2);
    world.grant(b, 1);
    world.route(b, 9, &[A, B], all_to(1));
    assert_eq!(world.at(b), [cut_off]);
    world.pass(Duration::from_millis(500));
    assert!(world.answers.is_empty(), "a credit is waited for, too: {ownerless}");
}

#[test]
fn an_owner_that_lost_its_shard_and_never_answers_is_not_waited_for_for_ever() {
    let (mut world, a, b) = routed_world();
    let stuck = world.submit(0);
    let gone = world.submit(0);
    world.cancel(gone);
    world.route(b, 8, &[A, B], all_to(1));
    let behind = world.submit(0);
    let moved_at = world.now;
    while world.now < moved_at + TAKEN_OVER {
        assert_eq!(world.at(b), Vec::<u64>::new());
        pass_in_touch(&mut world, Duration::from_millis(100));
    }
    pass_in_touch(&mut world, TICK);
    assert_eq!(world.at(b), [stuck, behind]);
    assert_eq!(world.cancels.len(), 2, "the old owner was told");
    assert_eq!(world.links[a].outstanding.len(), 1, "only what its caller cancelled");
}

#[test]
fn a_worker_whose_connection_breaks_off_is_reported_to_the_others() {
    let (mut world, a, b) = routed_world();
    world.lose(a, Loss::Reset);
    assert_eq!(world.suspects, [(b, 1)]);
    let a = world.place_of("a:7400");
    world.lose(a, Loss::Refused);
    assert_eq!(world.suspects, [(b, 1), (b, 1)]);
    assert_eq!(world.exchange.take_tally().suspects, 2);
}

#[test]
fn a_worker_that_is_silent_or_parts_as_agreed_is_not_reported() {
    let (mut world, a, b) = routed_world();
    world.lose(a, Loss::Ended);
    world.pass(Duration::from_millis(200));
    world.lose(a, Loss::Failed);
    world.lose(b, Loss::Failed);
    assert_eq!(world.suspects, []);
}

#[test]
fn a_drained_worker_that_has_gone_is_not_reported() {
    let (mut world, a, b) = routed_world();
    world.route(b, 8, &[(1, "a:7400", true), B], all_to(1));
    world.lose(a, Loss::Ended);
    let a = world.place_of("a:7400");
    world.lose(a, Loss::Refused);
    assert_eq!(world.suspects, []);
}

#[test]
fn what_broke_while_this_thread_was_stopped_is_nobodys_death() {
    let (mut world, a, b) = routed_world();
    world.now += Duration::from_secs(3);
    world.lose(a, Loss::Reset);
    world.pass(Duration::ZERO);
    world.grant(b, 0);
    world.lose(b, Loss::Reset);
    assert_eq!(world.suspects, []);
    // That nobody listens is no matter of the own pace.
    world.welcome(a, 1);
    world.pass(Duration::from_millis(100));
    let b = world.place_of("b:7400");
    world.lose(b, Loss::Refused);
    assert_eq!(world.suspects, [(a, 2)]);
}

#[test]
fn a_request_that_two_nodes_died_of_is_refused_and_names_them() {
    let (mut world, a, b) = routed_world();
    let (poison, innocent) = (world.submit(0), world.submit(1));
    world.lose(a, Loss::Reset);
    world.route(b, 8, &[B], all_to(0));
    assert_eq!(world.at(b), [poison, innocent]);
    assert_eq!(world.deaths, [0, 0, 1, 1], "the worker is told, and takes care");
    world.say(b, &[(innocent, done)]);
    world.lose(b, Loss::Reset);
    // A third takes over.
    let b = world.place_of("b:7400");
    world.lose(b, Loss::Refused);
    for _ in 0..5 {
        world.pass(TICK);
    }
    let seed = world.place_of(&seed(0));
    world.welcome(seed, 4);
    world.grant(seed, 10);
    world.route(seed, 9, &[(4, "c:7400", false)], all_to(0));
    assert_eq!(world.answers[&poison], Answer::Poisoned { workers: vec![1, 2] });
}

#[test]
fn a_request_that_two_nodes_were_silent_with_is_no_poison_but_they_are_counted() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    world.lose(a, Loss::Failed);
    world.route(b, 8, &[B, (4, "c:7400", false)], all_to(0));
    let c = world.place_of("c:7400");
    world.welcome(c, 4);
    world.grant(c, 10);
    world.lose(b, Loss::Failed);
    world.route(c, 9, &[(4, "c:7400", false)], all_to(0));
    assert_eq!((world.at(c), world.deaths), (vec![request], vec![0, 1, 2]));
}

#[test]
fn a_request_that_two_drained_nodes_did_not_finish_is_no_poison() {
    let (mut world, a, b) = routed_world();
    let request = world.submit(0);
    world.lose(a, Loss::Ended);
    world.route(b, 8, &[B, (4, "c:7400", false)], all_to(0));
    assert_eq!(world.at(b), [request]);
    let c = world.place_of("c:7400");
    world.welcome(c, 4);
    world.grant(c, 10);
    world.lose(b, Loss::Ended);
    world.route(c, 9, &[(4, "c:7400", false)], all_to(0));
    assert_eq!(world.at(c), [request]);
}

#[test]
fn an_operators_drain_is_passed_on() {
    let (mut world, a, _) = routed_world();
    for drain in [Some(true), None, Some(false)] {
        world.frame(
            a,
            ToIngress {
                drain,
                ..ToIngress::default()
            },
        );
    }
    assert_eq!(world.drains, [true, false]);
}

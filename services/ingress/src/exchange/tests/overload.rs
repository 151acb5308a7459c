//! Too much at once: credits, what is accepted without a turn, and what is refused.

use std::time::Duration;

use trunkline_proto::routing::ToIngress;

use super::super::*;
use super::world::{World, accepted, done};

#[test]
fn without_a_credit_a_new_request_is_held_for_100_ms_and_then_refused() {
    let mut world = World::new(1);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 1);
    let sent = world.submit(0);
    let held = world.submit(0);
    let refused = world.submit(1);
    assert_eq!(world.exchange.take_tally().credit_waits, 2);
    world.pass(Duration::from_millis(50));
    world.grant(0, 1);
    assert_eq!(world.at(0), [sent, held]);
    world.pass(Duration::from_millis(60));
    assert_eq!(world.answers[&refused], Answer::NoCredit);
    assert!(!world.answers.contains_key(&held));
}

#[test]
fn a_credit_goes_to_the_shard_that_waits_longest_one_of_each_in_turn() {
    let mut world = World::new(1);
    world.welcome_serving(0, 1, &[(0, 7)]);
    let [a, b, c, d] = [world.submit(0), world.submit(0), world.submit(1), world.submit(0)];
    world.grant(0, 3);
    assert_eq!(world.sent, [a, c, b]);
    world.grant(0, 1);
    assert_eq!(world.sent, [a, c, b, d]);
}

#[test]
fn requests_that_a_crash_handed_back_are_not_shed_for_want_of_credits() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    world.lose(0, Loss::Refused);
    world.welcome_serving(0, 2, &[(0, 7)]);
    for _ in 0..10 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert!(!world.answers.contains_key(&request));
    world.grant(0, 1);
    assert_eq!(world.at(0), [request]);
}

/// A worker without a place for turns, that accepts so many without one.
fn crowded_world(shed_window: u32) -> World {
    let mut world = World::new(1);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.frame(
        0,
        ToIngress {
            shed_window: Some(shed_window),
            ..ToIngress::default()
        },
    );
    world
}

#[test]
fn a_message_that_found_no_place_for_100_ms_is_sent_to_be_accepted_without_a_turn() {
    let mut world = crowded_world(1);
    let [shed, refused] = [world.submit(0), world.submit(1)];
    world.pass(Duration::from_millis(50));
    assert!(world.sent.is_empty(), "held first");
    world.pass(Duration::from_millis(60));
    assert_eq!((&*world.sheds, world.at(0)), (&[shed][..], vec![shed]));
    assert_eq!(world.answers[&refused], Answer::NoCredit, "acceptance is bounded, too");
    world.say(0, &[(shed, accepted)]);
    assert_eq!(world.answers[&shed], Answer::Accepted);
    let next = world.submit(1);
    world.pass(Duration::from_millis(110));
    assert_eq!(world.sheds, [shed, next], "there is room again");
    assert_eq!(world.exchange.take_tally().sheds, 2);
}

#[test]
fn an_invoke_is_never_accepted_without_a_turn() {
    let mut world = crowded_world(10);
    let invoke = world.submit_as(0, false);
    let message = world.submit(0);
    world.pass(Duration::from_millis(150));
    assert_eq!(world.answers[&invoke], Answer::NoCredit);
    assert_eq!(world.sheds, [message]);
}

#[test]
fn what_is_accepted_without_a_turn_keeps_the_order_of_its_shard() {
    let mut world = World::with_one_worker();
    let patient = world.submit_as(0, false);
    world.lose(0, Loss::Reset);
    world.pass(Duration::from_millis(100));
    world.welcome_serving(0, 2, &[(0, 7)]);
    world.frame(
        0,
        ToIngress {
            shed_window: Some(10),
            ..ToIngress::default()
        },
    );
    let late = world.submit(0);
    world.pass(Duration::from_millis(150));
    assert_eq!(world.answers[&late], Answer::NoCredit, "it may not overtake the invoke");
    world.grant(0, 1);
    assert_eq!(world.at(0), [patient]);
}

#[test]
fn a_message_that_a_crash_handed_back_is_accepted_without_a_turn_where_there_is_no_place() {
    let mut world = World::with_one_worker();
    let message = world.submit(0);
    world.lose(0, Loss::Reset);
    world.pass(Duration::from_millis(100));
    world.welcome_serving(0, 2, &[(0, 7)]);
    world.pass(Duration::from_millis(150));
    assert!(
        !world.answers.contains_key(&message),
        "it waits where it cannot be accepted"
    );
    world.frame(
        0,
        ToIngress {
            shed_window: Some(1),
            ..ToIngress::default()
        },
    );
    world.pass(Duration::from_millis(60));
    assert_eq!(world.sheds, [message]);
    world.say(0, &[(message, done)]);
}

//! The exchange with simulated time and simulated workers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod overload;
mod properties;
mod routes;
mod simulation;
mod world;

use std::time::Duration;

use bytes::Bytes;
use trunkline_proto::routing::{PROTOCOL, Reason, ToIngress, Welcome};

use super::*;
use world::{SHARDS, World, accepted, done, moved, queue_full};

#[test]
fn a_request_goes_to_the_worker_that_serves_its_shard() {
    let mut world = World::new(2);
    world.welcome_serving(0, 1, &[(0, 3)]);
    world.welcome_serving(1, 2, &[(4, 7)]);
    world.grant(0, 10);
    world.grant(1, 10);
    let low = world.submit(3);
    let high = world.submit(4);
    assert_eq!((world.at(0), world.at(1)), (vec![low], vec![high]));
    world.say(0, &[(low, done)]);
    world.say(1, &[(high, accepted)]);
    assert_eq!(
        world.answers[&low],
        Answer::Done {
            status: 200,
            body: Bytes::new()
        }
    );
    assert_eq!(world.answers[&high], Answer::Accepted);
}

#[test]
fn a_refusal_of_the_worker_is_an_answer_and_not_sent_again() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    world.say(0, &[(request, queue_full)]);
    let expected = Answer::Refused {
        reason: Reason::QueueFull,
        retry_after_ms: 2_000,
    };
    assert_eq!(world.answers[&request], expected);
    assert_eq!(world.sent, [request]);
}

#[test]
fn a_request_that_nobody_serves_waits_for_its_worker_until_its_deadline() {
    let mut world = World::new(1);
    let early = world.submit(2);
    world.pass(Duration::from_secs(1));
    let late = world.submit(2);
    world.welcome_serving(0, 1, &[(3, 3)]);
    world.grant(0, 10);
    assert!(world.sent.is_empty());
    // The worker stays in touch and never serves the shard.
    for _ in 0..130 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert_eq!(world.answers[&early], Answer::Expired);
    assert_eq!(world.answers[&late], Answer::Expired);
}

#[test]
fn hand_backs_are_sent_again_in_the_order_of_arrival_after_the_last_has_come() {
    let mut world = World::new(2);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    let [first, second, third] = [world.submit(5), world.submit(5), world.submit(5)];
    // The shard moves: the next owner is known before the old one has handed back.
    world.welcome_serving(1, 2, &[(5, 5)]);
    world.grant(1, 10);
    world.say(0, &[(third, moved)]);
    let fourth = world.submit(5);
    assert_eq!(world.at(1), Vec::<u64>::new(), "the old owner still has two");
    world.say(0, &[(first, moved)]);
    world.say(0, &[(second, done)]);
    assert_eq!(world.at(1), [first, third, fourth]);
}

#[test]
fn a_moved_shard_is_tried_at_once_and_then_with_growing_delays() {
    let mut world = World::with_one_worker();
    let request = world.submit(1);
    world.say(0, &[(request, moved)]);
    assert_eq!(world.sent.len(), 2, "the first resend is immediate");
    world.say(0, &[(request, moved)]);
    assert_eq!(world.sent.len(), 2, "the second waits");
    world.pass(Duration::from_millis(100));
    assert_eq!(world.sent.len(), 3);
    for _ in 0..130 {
        if world.at(0) == [request] {
            world.say(0, &[(request, moved)]);
        }
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert_eq!(world.answers[&request], Answer::Expired);
    assert!(
        (10..=40).contains(&world.sent.len()),
        "{} sendings in 13 s",
        world.sent.len()
    );
}

#[test]
fn a_broken_stream_is_opened_again_at_once_and_its_requests_sent_again_in_order() {
    let mut world = World::with_one_worker();
    let [first, other, second] = [world.submit(1), world.submit(2), world.submit(1)];
    world.lose(0, Loss::Reset);
    assert!(world.links[0].generation.is_some(), "asked for at once");
    let third = world.submit(1);
    world.welcome_serving(0, 1, &[(0, 7)]);
    assert_eq!(world.at(0), Vec::<u64>::new(), "a new stream begins without credits");
    world.grant(0, 10);
    let again = &world.sent[3..];
    assert_eq!(
        again
            .iter()
            .filter(|number| **number != other)
            .copied()
            .collect::<Vec<_>>(),
        [first, second, third]
    );
    assert!(again.contains(&other));
    assert_eq!(world.exchange.take_tally().resends, 3);
}

#[test]
fn a_silent_worker_is_asked_and_then_given_up_and_its_shards_go_to_the_other() {
    let mut world = World::new(2);
    world.welcome_serving(1, 2, &[]);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    world.grant(1, 10);
    let request = world.submit(4);
    assert_eq!(world.at(0), [request]);
    for _ in 0..9 {
        world.pass(Duration::from_millis(100));
        world.grant(1, 0);
    }
    assert!(world.pings >= 2, "asked from 250 ms on");
    assert_eq!(world.at(1), Vec::<u64>::new());
    world.serve(1, 2, &[(0, 7)]);
    assert_eq!(world.at(1), Vec::<u64>::new(), "it may still answer");
    world.pass(Duration::from_millis(100));
    assert_eq!(world.at(1), [request]);
}

#[test]
fn a_thread_that_was_stopped_does_not_give_up_its_workers() {
    let mut world = World::with_one_worker();
    let request = world.submit(4);
    world.now += Duration::from_secs(3);
    world.pass(Duration::ZERO);
    assert_eq!(world.at(0), [request]);
}

#[test]
fn a_ping_of_the_worker_is_answered() {
    let mut world = World::with_one_worker();
    world.frame(
        0,
        ToIngress {
            ping: true,
            ..ToIngress::default()
        },
    );
    assert_eq!(world.pongs, 1);
}

#[test]
fn a_caller_that_leaves_is_told_to_the_worker_and_still_counts_for_the_order() {
    let mut world = World::new(2);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    let gone = world.submit(3);
    world.cancel(gone);
    assert_eq!(world.cancels.len(), 1);
    world.welcome_serving(1, 2, &[(3, 3)]);
    world.grant(1, 10);
    let next = world.submit(3);
    assert_eq!(world.at(1), Vec::<u64>::new(), "the old owner may still run it");
    for _ in 0..21 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
        world.grant(1, 0);
    }
    assert_eq!(world.at(1), [next], "but not for ever");
    assert!(!world.answers.contains_key(&gone));
}

#[test]
fn a_caller_that_leaves_before_its_request_was_sent_leaves_nothing() {
    let mut world = World::new(1);
    let gone = world.submit(3);
    world.cancel(gone);
    assert!(world.exchange.requests.is_empty());
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 1);
    assert!(world.sent.is_empty());
}

#[test]
fn a_request_that_two_workers_died_of_is_not_given_to_a_third() {
    let mut world = World::with_one_worker();
    let poison = world.submit(0);
    for incarnation in 2..=3 {
        assert_eq!(world.at(0), [poison]);
        world.lose(0, Loss::Reset);
        world.pass(Duration::from_millis(100));
        world.welcome_serving(0, incarnation, &[(0, 7)]);
        world.grant(0, 10);
    }
    assert_eq!(world.answers[&poison], Answer::Poisoned { workers: vec![1, 2] });
    assert_eq!(world.sent.len(), 2);
    assert_eq!(world.exchange.take_tally().poisoned, 1);
}

#[test]
fn a_stream_that_breaks_does_not_make_a_request_suspect() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    for _ in 0..5 {
        world.lose(0, Loss::Reset);
        world.pass(Duration::from_secs(1));
        world.welcome_serving(0, 1, &[(0, 7)]);
        world.grant(0, 10);
    }
    assert_eq!(world.at(0), [request]);
    assert_eq!(world.exchange.take_tally().poisoned, 0);
}

#[test]
fn a_worker_with_another_protocol_or_number_of_shards_is_not_used() {
    let mut world = World::new(1);
    let generation = world.links[0].generation.unwrap();
    let welcome = |protocol, shards| Welcome {
        protocol,
        shards,
        ..Welcome::default()
    };
    let frame = |welcome| ToIngress {
        welcome: Some(welcome),
        credits: 10,
        ..ToIngress::default()
    };
    let now = world.now;
    let mut hear = |welcome| world.exchange.frame(now, WorkerIndex(0), generation, frame(welcome));
    assert_eq!(
        hear(welcome(PROTOCOL + 1, SHARDS)),
        Err(Mismatch::Protocol {
            ours: PROTOCOL,
            theirs: PROTOCOL + 1
        })
    );
    assert_eq!(
        hear(welcome(PROTOCOL, 9)),
        Err(Mismatch::Shards {
            ours: SHARDS,
            theirs: 9
        })
    );
}

#[test]
fn a_call_is_never_sent_to_a_worker_that_would_take_it_for_a_message() {
    let mut world = World::new(1);
    world.protocol = 1;
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    let call = world.submit_call(0);
    let message = world.submit(0);
    assert_eq!(world.answers[&call], Answer::Unspoken);
    assert_eq!(world.sent, [message], "and nothing waits behind it");
}

#[test]
fn a_call_says_how_old_it_is_whenever_it_is_sent() {
    let mut world = World::with_one_worker();
    let (call, message) = (world.submit_call(0), world.submit(1));
    world.pass(Duration::from_millis(200));
    world.lose(0, Loss::Reset);
    world.pass(Duration::from_millis(100));
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    assert_eq!(world.sent[..2], [call, message]);
    let again = world.sent.iter().rposition(|sent| *sent == call).unwrap();
    assert_eq!((world.ages[0], world.ages[1], world.ages[again]), (0, 0, 300));
}

#[test]
fn events_of_an_older_stream_are_ignored() {
    let mut world = World::with_one_worker();
    let old = world.links[0].generation.unwrap();
    world.lose(0, Loss::Reset);
    world.welcome_serving(0, 1, &[(0, 7)]);
    world.grant(0, 5);
    let request = world.submit(0);
    world.exchange.lost(world.now, WorkerIndex(0), old, Loss::Reset);
    world.perform();
    assert_eq!(world.at(0), [request]);
}

#[test]
fn attempts_to_connect_come_less_and_less_often() {
    let mut world = World::new(1);
    let mut attempts = 0;
    for _ in 0..600 {
        if world.links[0].generation.is_some() {
            attempts += 1;
            world.lose(0, Loss::Refused);
        }
        world.pass(TICK);
    }
    assert!((30..=70).contains(&attempts), "{attempts} attempts in 30 s");
}

//! The core under one seeded scheduler, with a store that answers late or not at all, turns that fail and are slow, callers
//! that repeat what was not acknowledged, a Connector that fails, and crashes. A seed that fails is printed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bot;
mod promises;
pub(super) mod store;
mod world;

use super::event::Reply;
use world::{Faults, World};

#[test]
fn what_was_acknowledged_is_applied_once_and_in_order_whatever_fails() {
    for seed in 0..seeds(250) {
        let mut world = World::new(seed, Faults::ALL);
        world.run();
        world.check();
    }
}

#[test]
fn without_faults_every_activity_is_done_at_once() {
    for seed in 0..seeds(50) {
        let mut world = World::new(seed, Faults::NONE);
        world.run();
        world.check();
        // A kept step makes its message durable, which its caller hears at once.
        assert!(
            world
                .replies()
                .all(|reply| matches!(reply, Reply::Done(_) | Reply::Accepted(_))),
            "seed {seed}"
        );
    }
}

#[test]
fn with_a_store_that_only_loses_answers_nothing_is_run_twice_into_the_state() {
    for seed in 0..seeds(100) {
        let mut world = World::new(
            seed,
            Faults {
                store: true,
                ..Faults::NONE
            },
        );
        world.run();
        world.check();
    }
}

/// More seeds by the environment, for long runs.
fn seeds(usual: u64) -> u64 {
    std::env::var("TRUNKLINE_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(usual)
}

//! The core under one seeded scheduler: processes that own the shard one after the other, with tokens as a claim gives them; a
//! store that answers late, not at all or once more, and fails over to a replica that lacks the last writes; turns that
//! fail, are slow or kill their process; timers; callers that repeat what was not acknowledged; a Connector that fails. A
//! seed that fails is printed. It checks, by the names of the design: I2 no commit removes an activity from state, I3 an
//! activity is applied at most once (both at each commit), I4 what was acknowledged is applied, unless a failover lost it,
//! I5 replies belong to committed turns (at each send) and keep their order.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bot;
mod callers;
mod faults;
mod owners;
mod promises;
pub(super) mod schedule;
pub(super) mod store;
mod world;

use super::event::Reply;
use faults::Faults;
use world::World;

fn run_all(usual: u64, faults: Faults) {
    for seed in seeds(usual) {
        let mut world = World::new(seed, faults);
        world.run();
        world.check();
    }
}

#[test]
fn what_was_acknowledged_is_applied_once_and_in_order_whatever_fails() {
    run_all(600, Faults::ALONE);
}

#[test]
fn owners_that_follow_one_another_lose_and_repeat_nothing() {
    run_all(800, Faults::SAFE);
}

#[test]
fn a_failover_loses_no_more_than_the_store_lost() {
    run_all(800, Faults::ALL);
}

#[test]
fn a_killer_alone_takes_three_processes_at_most() {
    run_all(
        200,
        Faults {
            killer: true,
            ..Faults::NONE
        },
    );
}

#[test]
fn without_faults_every_activity_is_done_at_once() {
    for seed in seeds(50) {
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
    run_all(
        200,
        Faults {
            store: true,
            ..Faults::NONE
        },
    );
}

/// More seeds by `TRUNKLINE_SEEDS`, for long runs; one alone by `TRUNKLINE_SEED`, to look at it.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match number("TRUNKLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRUNKLINE_SEEDS").unwrap_or(usual),
    }
}

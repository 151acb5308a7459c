//! A call at its actor under one seeded scheduler: owners that die, leave and follow one another, a store that answers late or
//! not at all, a Graph that throttles, whose answers are lost and whose notifications are repeated, swapped and lost, handlers
//! that fail and are slow, people who hang up, a media host whose way breaks and that dies. A seed that fails is printed.
//!
//! Checked where it happens: nobody is rung twice, no prompt is taken twice. Checked when all is calm: the call is over, its
//! bot was told so once and last, everything else at most once, and nothing of the call is left.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bot;
mod graph;
mod media;
mod owners;
mod world;

use world::{Faults, World};

/// How many of them found another media host.
fn run_all(usual: u64, faults: Faults) -> usize {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds = match number("TRUNKLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRUNKLINE_SEEDS").unwrap_or(usual),
    };
    let mut reopened = 0;
    for seed in seeds {
        let mut world = World::new(seed, faults);
        world.run();
        world.check();
        reopened += usize::from(world.found_another_host());
    }
    reopened
}

#[test]
fn without_faults_every_call_goes_its_way() {
    run_all(60, Faults::NONE);
}

#[test]
fn whatever_graph_and_the_network_do_a_call_ends_once_and_nothing_is_asked_twice() {
    let faults = Faults {
        graph: true,
        turns: true,
        ..Faults::NONE
    };
    run_all(200, faults);
}

#[test]
fn whoever_dies_and_whatever_the_store_forgets_to_answer_the_next_owner_goes_on() {
    let faults = Faults {
        store: true,
        owners: true,
        ..Faults::NONE
    };
    run_all(200, faults);
}

#[test]
fn whatever_a_media_host_does_a_call_ends_and_no_command_is_done_twice() {
    let faults = Faults {
        media: true,
        ..Faults::NONE
    };
    let reopened = run_all(200, faults);
    let is_single = std::env::var_os("TRUNKLINE_SEED").is_some();
    assert!(reopened > 0 || is_single, "no call found another media host");
}

#[test]
fn a_leg_goes_from_owner_to_owner() {
    let faults = Faults {
        media: true,
        owners: true,
        ..Faults::NONE
    };
    run_all(200, faults);
}

#[test]
fn all_of_it_at_once() {
    run_all(300, Faults::ALL);
}

//! The runs: many seeds, each with some of the faults, and the wrong variants that some seed must find out.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;

use crate::broken::Invariant;
use crate::faults::{Faults, Guards};
use crate::tally::Tally;
use crate::world::World;

/// The seeds of a test: one by `TRUNKLINE_SEED`, more by `TRUNKLINE_SEEDS`.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("TRUNKLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRUNKLINE_SEEDS").unwrap_or(usual),
    }
}

#[test]
fn whatever_fails_every_invariant_holds() {
    shows_something(&run_all(500, Faults::some));
}

#[test]
fn a_failover_loses_no_more_than_the_store_lost() {
    shows_something(&run_all(500, Faults::some_and_failovers));
}

#[test]
fn without_faults_everything_is_acknowledged_at_once() {
    for seed in seeds(40) {
        let tally = World::new(seed, |_| Faults::NONE, Guards::ALL).run();
        let tally = tally.unwrap_or_else(|broken| panic!("{broken}"));
        assert_eq!(tally.acknowledged, tally.activities, "seed {seed}: {tally:?}");
        assert!(tally.refusals.is_empty(), "seed {seed}: {tally:?}");
    }
}

#[test]
fn workers_that_leave_in_order_and_come_refuse_and_lose_nothing() {
    let faults = |_: &mut SmallRng| Faults {
        drains: true,
        ..Faults::NONE
    };
    for tally in run_all(60, faults) {
        assert_eq!(tally.acknowledged, tally.activities, "{tally:?}");
        assert!(tally.refusals.is_empty(), "{tally:?}");
    }
}

#[test]
fn an_activity_that_kills_its_process_takes_three_at_most() {
    let faults = |_: &mut SmallRng| Faults {
        killer: true,
        ..Faults::NONE
    };
    for tally in run_all(60, faults) {
        assert!(tally.killed_by_one <= 3, "{tally:?}");
    }
}

#[test]
fn a_seed_repeats_itself() {
    let run = || {
        World::new(4_711, Faults::some_and_failovers, Guards::ALL)
            .run()
            .unwrap()
    };
    assert_eq!(run(), run());
}

/// Runs many seeds; all that are broken are named, the first is told.
fn run_all(usual: u64, faults: fn(&mut SmallRng) -> Faults) -> Vec<Tally> {
    let (mut tallies, mut broken) = (Vec::new(), Vec::new());
    for seed in seeds(usual) {
        match World::new(seed, faults, Guards::ALL).run() {
            Ok(tally) => tallies.push(tally),
            Err(it) => broken.push(it),
        }
    }
    let names: Vec<_> = broken.iter().map(|it| (it.seed, it.invariant)).collect();
    if let Some(first) = broken.first() {
        panic!("{first}\nbroken seeds: {names:?}");
    }
    tallies
}

/// Runs in which little happens show little.
fn shows_something(tallies: &[Tally]) {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let activities = sum(|tally| tally.activities as u64);
    let told = format!(
        "{activities} activities, {} acknowledged, {} given up, {} commits, {} resent, {} processes, {} failovers that lost {}; \
         served after {} ms at most, at rest after {} ms at most; {:?}",
        sum(|tally| tally.acknowledged as u64),
        sum(|tally| tally.given_up as u64),
        sum(|tally| tally.commits),
        sum(|tally| tally.resent),
        sum(|tally| tally.processes),
        sum(|tally| tally.failovers),
        sum(|tally| tally.lost as u64),
        tallies.iter().map(|tally| tally.served_after).max().unwrap_or_default(),
        tallies.iter().map(|tally| tally.rested_after).max().unwrap_or_default(),
        refusals(tallies),
    );
    eprintln!("{} runs: {told}", tallies.len());
    let is_enough = tallies.len() < 100
        || (sum(|tally| tally.resent) > activities / 50
            && sum(|tally| tally.lost as u64) * 10 >= sum(|tally| tally.failovers));
    assert!(is_enough, "too quiet to show anything: {told}");
}

fn refusals(tallies: &[Tally]) -> BTreeMap<&str, usize> {
    let mut all = BTreeMap::new();
    for (name, count) in tallies.iter().flat_map(|tally| &tally.refusals) {
        *all.entry(name.as_str()).or_default() += count;
    }
    all
}

/// Runs a wrong variant until a seed breaks this invariant; some may break another one before.
fn breaks(expected: Invariant, guards: Guards) {
    let faults = |_: &mut SmallRng| Faults::OF_OWNERS;
    let run = |seed| World::new(seed, faults, guards).run().err();
    let mut broken = (0..300).filter_map(run);
    let found = broken.find(|broken| broken.invariant == expected);
    let found = found.unwrap_or_else(|| panic!("no seed breaks {expected:?}"));
    eprintln!("{found}");
}

#[test]
fn a_store_that_ignores_the_fence_breaks_i1() {
    breaks(
        Invariant::I1,
        Guards {
            fence: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn a_store_that_ignores_the_header_breaks_i2() {
    breaks(
        Invariant::I2,
        Guards {
            header: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn a_worker_that_does_not_recognise_what_is_sent_again_breaks_i3() {
    breaks(
        Invariant::I3,
        Guards {
            recognises: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn a_worker_that_acknowledges_what_it_has_not_committed_breaks_i4() {
    breaks(
        Invariant::I4,
        Guards {
            answers_after_commit: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn a_worker_that_sends_before_the_store_answers_breaks_i5() {
    breaks(
        Invariant::I5,
        Guards {
            sends_after_commit: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn a_worker_that_keeps_a_lost_fence_to_itself_breaks_i6() {
    breaks(
        Invariant::I6,
        Guards {
            tells_of_fence: false,
            ..Guards::ALL
        },
    );
}

#[test]
fn an_ingress_that_sends_to_the_new_owner_at_once_breaks_i8() {
    breaks(
        Invariant::I8,
        Guards {
            waits_for_owner: false,
            ..Guards::ALL
        },
    );
}

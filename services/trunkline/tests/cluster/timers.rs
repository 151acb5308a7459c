//! Timers under SIGKILL: each is brought once, and what was missed while nobody was there comes once.

use std::thread;
use std::time::{Duration, Instant};

use trunkline_fleet::cluster::Plan;
use trunkline_fleet::crowd::{Crowd, Habits, judge};
use trunkline_fleet::faults::Fault;
use trunkline_fleet::message;
use trunkline_fleet::verdict::Verdict;
use trunkline_fleet::wait::wait_for;

use crate::world::{World, plan, stock, strikes};

/// Nobody of the crowd, nor is the next.
const SOMEBODY: usize = 1_000;

fn reminders(workers: usize) -> Plan {
    let program = stock().with_file_name("examples").join("reminder");
    assert!(program.is_file(), "build it: cargo build -p trunkline --examples");
    Plan {
        program,
        bot: "reminder".to_owned(),
        ..plan(workers, 1)
    }
}

#[test]
fn timers_of_workers_that_are_killed_are_brought_once_each() {
    let mut world = World::start("timers", reminders(3));
    let habits = Habits {
        people: 40,
        first_person: 100,
        devices: 2,
        per_second: Some(40.0),
        patience: Duration::from_secs(15),
        ..Habits::default()
    };
    let crowd = Crowd::talk(&world.cluster.surroundings, habits);
    // Timers are under way in every conversation when the first worker dies.
    crowd.goes_on(&world.cluster.recorder);
    for fault in [Fault::KillWorker, Fault::KillLeader].repeat(strikes().div_ceil(2)) {
        fault.strike(&mut world.cluster, &mut world.redis, &crowd, &mut world.chance);
    }
    let talks = crowd.hush();
    let (sum, wrong) = judge(&talks, &world.cluster.recorder);
    println!(
        "timers: {} of acknowledged messages came once; {} unanswered, {} of them came; {} replies repeated",
        sum.acknowledged, sum.unanswered, sum.unanswered_but_applied, sum.replies_repeated
    );
    assert!(sum.acknowledged > 100, "{sum:?}");
    // A turn that two processes died of is given up, and named: the kills may have met one twice.
    let parked = world.cluster.command(&["parked", "list", "--output", "json"]);
    let parked: serde_json::Value = serde_json::from_str(&parked).unwrap();
    let given_up = parked["parked"].as_array().unwrap().len();
    assert!(sum.lost.len() <= given_up, "{given_up} parked, yet: {wrong:#?}");
    let unlike_lost: Vec<_> = wrong
        .into_iter()
        .filter(|(_, verdict)| {
            let rest = Verdict {
                lost: Vec::new(),
                ..verdict.clone()
            };
            !rest.is_correct()
        })
        .collect();
    assert!(unlike_lost.is_empty(), "{unlike_lost:#?}");
}

#[test]
fn timers_that_were_missed_come_once_and_recurring_ones_then_at_their_rhythm() {
    const AWAY: Duration = Duration::from_secs(6);
    let mut world = World::start("missed timers", reminders(1));
    let set = Instant::now();
    say_to(&world, SOMEBODY, "every second");
    let conversation = message::conversation(SOMEBODY);
    let recorder = world.cluster.recorder.clone();
    let ticks = || highest(&recorder.replies(&conversation));
    wait_for("the third tick", || (ticks() >= 3).then_some(()));
    say_to(&world, SOMEBODY + 1, "milk");
    world.cluster.workers[0].kill();
    let before = ticks();
    thread::sleep(AWAY);
    world.cluster.workers[0].start();
    wait_for("the missed tick", || (ticks() > before).then_some(()));
    wait_for("ticks at their rhythm", || (ticks() >= before + 4).then_some(()));
    let periods = set.elapsed().as_secs();
    let count = ticks();
    println!("missed timers: {count} ticks in {periods} periods, away for {AWAY:?}");
    assert!(
        count + AWAY.as_secs() <= periods + 2,
        "missed periods came one by one: {count} ticks in {periods} periods"
    );
    let replies = recorder.replies(&conversation);
    let positions: std::collections::BTreeSet<u64> = replies.iter().map(|reply| position(reply)).collect();
    assert_eq!(positions.len() as u64, count, "none left out: {replies:?}");
    // A reply may come again; another position would be another turn.
    let mut once = recorder.replies(&message::conversation(SOMEBODY + 1));
    once.dedup();
    assert_eq!(once, ["1. milk"]);
}

/// Says something once, until it is acknowledged.
fn say_to(world: &World, person: usize, text: &str) {
    let surroundings = &world.cluster.surroundings;
    let body = message::message(&surroundings.sender, person, 0, text);
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(surroundings.ingresses.pick(0))
        .bearer_auth(surroundings.token.as_ref().unwrap())
        .json(&body)
        .timeout(Duration::from_secs(15))
        .send()
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}

fn position(reply: &str) -> u64 {
    let (position, _) = reply.split_once(". ").expect("POSITION. TEXT");
    position.parse().unwrap()
}

fn highest(replies: &[String]) -> u64 {
    replies.iter().map(|reply| position(reply)).max().unwrap_or(0)
}

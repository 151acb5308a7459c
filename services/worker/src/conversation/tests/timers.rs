//! A bot asks to be called back: once committed it comes, once, whatever dies.

use std::time::Duration;

use trunkline_bot::logic::{Input, KeptStep};

use super::super::event::Event;
use super::stage::Stage;

const DAY: Duration = Duration::from_secs(86_400);

fn is_timer(stage: &Stage) -> bool {
    matches!(stage.runs.last(), Some((_, begin)) if matches!(begin.input, Input::Signal { .. }))
}

#[test]
fn a_timer_days_ahead_lets_the_conversation_leave_memory_and_wakes_it() {
    let mut stage = Stage::usual();
    stage.sets_timer("reminder", 3 * DAY, None);
    let due = stage.wall() + u64::try_from((3 * DAY).as_millis()).unwrap();
    assert_eq!(stage.store.wake, Some(due));
    assert!(stage.is_idle());
    assert_eq!(stage.core.next_wake_ms(), Some(due));
    stage.reads_anew();
    stage.passes(3 * DAY);
    stage.tell(Event::Wake);
    assert!(is_timer(&stage));
    stage.commits("rung");
    assert_eq!(stage.store.wake, None);
}

#[test]
fn a_timer_whose_owner_dies_in_its_turn_comes_again_and_commits_once() {
    let mut stage = Stage::usual();
    stage.sets_timer("reminder", DAY, None);
    stage.passes(DAY);
    assert!(is_timer(&stage));
    let first = stage.runs.last().unwrap().1.seed.clone();
    stage.dies();
    assert_eq!(stage.runs.last().unwrap().1.seed, first, "the same turn");
    stage.commits("rung");
    stage.dies();
    stage.passes(DAY);
    assert!(stage.runs.is_empty(), "once");
}

#[test]
fn a_recurring_timer_that_was_missed_for_days_comes_once_and_then_at_its_hour() {
    let mut stage = Stage::usual();
    stage.sets_timer("daily", DAY, Some(DAY));
    let first = stage.store.wake.unwrap();
    stage.reads_anew();
    stage.passes(Duration::from_secs(5 * 86_400 + 3_600));
    stage.dies();
    assert!(is_timer(&stage));
    stage.commits("rung");
    assert_eq!(stage.runs.len(), 1, "once for all that were missed");
    assert_eq!(stage.store.wake, Some(first + 5 * 86_400_000));
    stage.passes(Duration::from_secs(82_801));
    assert_eq!(stage.runs.len(), 2);
}

#[test]
fn a_recurring_timer_that_fails_is_tried_again_and_the_next_one_comes_in_time() {
    let mut stage = Stage::usual();
    stage.sets_timer("daily", DAY, Some(DAY));
    stage.passes(DAY);
    stage.fails();
    stage.passes(Duration::from_secs(1));
    assert_eq!(stage.runs.last().unwrap().1.attempt, 2);
    stage.commits("rung");
    assert!(stage.store.inbox.is_empty());
    stage.passes(DAY);
    assert_eq!(stage.runs.len(), 4, "set, failed, rung, rung: {:?}", stage.runs.len());
}

#[test]
fn steps_of_a_timer_that_failed_stay_until_its_entry_has_run() {
    let mut stage = Stage::usual();
    stage.sets_timer("reminder", DAY, None);
    stage.passes(DAY);
    let run = stage.runs.last().unwrap().0;
    let step = KeptStep {
        name: "paid".to_owned(),
        result: bytes::Bytes::from_static(b"7"),
    };
    stage.tell(Event::KeepStep {
        run,
        step: step.clone(),
    });
    stage.fails_until(Duration::from_secs(3_600));
    stage.passes(Duration::from_secs(3_601));
    assert_eq!(stage.runs.last().unwrap().1.steps, [step]);
    stage.commits("rung");
    assert!(stage.store.inbox.is_empty(), "{:?}", stage.store.inbox);
}

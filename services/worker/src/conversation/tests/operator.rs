//! What an operator sees of a conversation and does with parked work.

use std::time::Duration;

use trunkline_bot::logic::Input;
use trunkline_store::key::Triple;

use super::super::event::TurnResult;
use super::super::simulation::store::no_answer;
use super::super::{Request, Response, TurnKind, parked_in};
use super::stage::{Stage, is_accepted, text_of};

/// A message fails three times.
fn park(stage: &mut Stage, key: u64, text: &str) -> u64 {
    stage.says(key, text);
    for wait in [600, 2_500, 0] {
        stage.fails();
        stage.passes(Duration::from_millis(wait));
    }
    assert!(
        matches!(stage.runs.last().unwrap().1.input, Input::Failed(_)),
        "the bot is told"
    );
    stage.commits("told");
    stage.inspection().parked.last().expect("it is parked").sequence
}

#[test]
fn parked_work_is_found_in_the_store_with_its_reason_and_the_code_that_the_user_saw() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    let key = Triple::conversation("test", "tenant", "a:1").key();
    let found = parked_in(key.0, stage.store.load()).unwrap();
    assert_eq!(found, stage.inspection().parked);
    assert_eq!((found[0].sequence, found[0].attempts), (sequence, 3));
    assert_eq!(
        (found[0].reason.as_str(), found[0].conversation.as_str()),
        ("told to", "a:1")
    );
    assert!(found[0].reference.starts_with("TL-"), "{found:?}");
    assert_eq!(
        stage.store.parked,
        Some(found[0].since_ms),
        "the index names the conversation"
    );
}

#[test]
fn replayed_work_runs_with_all_its_attempts_and_is_committed_once() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    assert!(matches!(stage.asks(Request::Replay(sequence)), Some(Response::Done)));
    assert_eq!(stage.runs.last().unwrap().1.attempt, 1);
    assert_eq!(stage.store.parked, None);
    assert!(
        matches!(stage.asks(Request::Replay(sequence)), Some(Response::Done)),
        "it is under way"
    );
    let repeat = stage.says(1, "bad");
    assert!(is_accepted(stage.reply_to(repeat)), "a repeat of it is no new activity");
    let runs = stage.runs.len();
    stage.commits("mended");
    assert_eq!((stage.runs.len(), stage.store.inbox.len()), (runs, 0));
    assert!(matches!(
        stage.asks(Request::Replay(sequence)),
        Some(Response::NotParked)
    ));
    stage.says(1, "bad");
    assert_eq!(stage.runs.len(), runs, "nor is one after its commit");
}

#[test]
fn replayed_work_runs_before_what_came_after_it_and_in_the_order_of_arrival() {
    let mut stage = Stage::usual();
    let first = park(&mut stage, 1, "first");
    let second = park(&mut stage, 2, "second");
    stage.says(3, "running");
    stage.says(4, "waiting");
    stage.passes(Duration::from_millis(5_100));
    stage.asks(Request::Replay(second));
    stage.asks(Request::Replay(first));
    for expected in ["running", "first", "second", "waiting"] {
        assert_eq!(text_of(&stage.runs.last().unwrap().1), expected);
        stage.commits("1");
    }
}

#[test]
fn a_replay_whose_answer_was_lost_is_done_once_all_the_same() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    stage.store_says = Some(no_answer);
    assert!(stage.asks(Request::Replay(sequence)).is_none());
    stage.store_says = None;
    stage.passes(Duration::from_millis(500));
    assert!(matches!(stage.answers.pop(), Some((_, Response::Done))));
    assert!(matches!(stage.runs.last().unwrap().1.input, Input::Activity(_)));
}

#[test]
fn replayed_work_that_fails_again_is_parked_again() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    stage.asks(Request::Replay(sequence));
    for wait in [600, 2_500, 0] {
        stage.fails();
        stage.passes(Duration::from_millis(wait));
    }
    stage.commits("told");
    assert_eq!(stage.inspection().parked[0].sequence, sequence);
    assert!(stage.store.parked.is_some());
}

#[test]
fn dropped_work_is_gone_and_a_repeat_of_it_is_not_run() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    assert!(matches!(
        stage.asks(Request::DropParked(sequence)),
        Some(Response::Done)
    ));
    assert!(stage.store.inbox.is_empty() && stage.store.parked.is_none());
    let runs = stage.runs.len();
    stage.says(1, "bad");
    assert_eq!(stage.runs.len(), runs);
    assert!(matches!(
        stage.asks(Request::DropParked(sequence)),
        Some(Response::NotParked)
    ));
}

#[test]
fn parked_work_survives_its_owner() {
    let mut stage = Stage::usual();
    let sequence = park(&mut stage, 1, "bad");
    stage.dies();
    assert!(stage.runs.is_empty(), "it is not run by itself");
    assert!(matches!(stage.asks(Request::Replay(sequence)), Some(Response::Done)));
    assert_eq!(text_of(&stage.runs.last().unwrap().1), "bad");
}

#[test]
fn a_late_copy_of_the_acceptance_of_parked_work_is_taken_away_again() {
    let mut stage = Stage::usual();
    stage.says(1, "bad");
    stage.passes(Duration::from_millis(5_100));
    let accepted = stage.store.inbox.clone();
    for wait in [600, 2_500, 0] {
        stage.fails();
        stage.passes(Duration::from_millis(wait));
    }
    stage.commits("told");
    let (_, entry) = accepted.first_key_value().unwrap();
    stage.store.inbox.insert("7".to_owned(), entry.clone());
    stage.dies();
    assert_eq!(
        (stage.runs.len(), stage.store.inbox.len()),
        (0, 1),
        "{:?}",
        stage.store.inbox.keys()
    );
}

#[test]
fn an_inspection_says_what_runs_waits_and_ran() {
    let mut stage = Stage::usual();
    stage.says(1, "done");
    stage.commits("some state");
    stage.sets_timer("tomorrow", Duration::from_secs(86_400), None);
    stage.says(2, "slow");
    stage.says(3, "behind");
    stage.passes(Duration::from_secs(6));
    let inspection = stage.inspection();
    assert_eq!((inspection.state_bytes, inspection.version), (10, 2));
    let running = inspection.running.unwrap();
    assert_eq!(
        (running.kind, running.route.as_deref(), running.attempt),
        (TurnKind::Message, Some("all"), 1)
    );
    assert_eq!(running.age_ms, 6_000);
    assert_eq!((inspection.queue, inspection.inbox.len()), (1, 2));
    assert!(inspection.inbox[0].is_running && !inspection.inbox[1].is_running);
    assert_eq!(inspection.timers[0].name, "tomorrow");
    assert_eq!(inspection.last_turns.len(), 2);
    assert_eq!(inspection.last_turns[0].result, TurnResult::Committed);
}

#[test]
fn an_operator_who_asks_a_conversation_that_leaves_is_sent_on() {
    let mut stage = Stage::usual();
    stage.says(1, "slow");
    stage.tell(super::super::event::Event::Quiesce);
    assert!(matches!(stage.asks(Request::Inspect), Some(Response::Moved)));
}

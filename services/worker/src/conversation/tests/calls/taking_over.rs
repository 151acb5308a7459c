//! The process dies: the next owner goes on.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{CallEvent, OperationOutcome};
use trunkline_teams::graph::{Operation, Told};

use super::super::super::GraphAnswer;
use super::desk::{Desk, call_of};
use super::operations::prompt;

/// The next owner has read the call and asks Graph how it stands; it stands as it was.
fn dies(desk: &mut Desk, state: &str) {
    desk.stage.asks.clear();
    desk.stage.dies();
    assert_eq!(desk.asked(), "get");
    desk.graph_says(GraphAnswer::Told(Told::Call(call_of(
        json!({ "state": state, "mediaState": { "audio": "active" } }),
    ))));
}

#[test]
fn a_call_that_rings_is_decided_by_the_next_owner_at_once() {
    let mut desk = Desk::rings();
    assert_eq!(desk.stage.store.wake, Some(1), "before everything else that is due");
    desk.stage.dies();
    assert!(matches!(desk.told(), CallEvent::Incoming));
    desk.answers();
    assert_eq!(desk.asked(), "answer");
}

#[test]
fn an_answer_that_may_have_been_given_is_given_again() {
    let mut desk = Desk::rings();
    desk.answers();
    desk.stage.asks.clear();
    desk.stage.dies();
    let asked: Vec<_> = desk.stage.asks.iter().map(|ask| ask.operation.kind().name()).collect();
    assert!(asked.contains(&"answer"), "{asked:?}");
}

#[test]
fn a_prompt_that_may_have_been_asked_is_not_asked_again() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    assert_eq!(desk.asked(), "playPrompt");
    dies(&mut desk, "established");
    assert!(desk.stage.asks.is_empty());
    desk.operation_ends("hello", "completed");
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(matches!(end.outcome, OperationOutcome::Completed(_)));
    desk.commits();
    assert!(desk.stage.asks.is_empty());
}

#[test]
fn a_prompt_in_doubt_that_nobody_ends_is_unknown_after_its_time() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    dies(&mut desk, "established");
    desk.stage.passes(Duration::from_secs(131));
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert_eq!(end.outcome, OperationOutcome::Unknown);
}

#[test]
fn a_hang_up_is_asked_again() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    let effect = desk.operation("end", Operation::Delete);
    desk.commits_with(vec![effect]);
    desk.stage.asks.clear();
    desk.stage.dies();
    let asked: Vec<_> = desk.stage.asks.iter().map(|ask| ask.operation.kind().name()).collect();
    assert!(asked.contains(&"delete"), "{asked:?}");
}

#[test]
fn a_call_that_ended_meanwhile_is_over() {
    let mut desk = Desk::connected();
    desk.stage.asks.clear();
    desk.stage.dies();
    desk.graph_refuses(404);
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn an_event_that_was_not_told_is_told_by_the_next_owner_once() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    desk.press("tone2", 2);
    dies(&mut desk, "established");
    assert!(matches!(desk.told(), CallEvent::Tone(_)));
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::Tone(_)));
    desk.commits();
    assert!(desk.events().is_empty());
}

#[test]
fn a_call_that_is_over_is_closed_in_the_book_by_whoever_owns_it() {
    use super::super::super::Booking;
    let mut desk = Desk::connected();
    desk.deleted(json!({ "resultInfo": { "code": 200, "subcode": 4521 } }));
    desk.commits();
    desk.rests();
    let closed = desk
        .stage
        .bookings
        .iter()
        .filter(|it| matches!(it, Booking::Close { .. }));
    assert_eq!(closed.count(), 1);
}

#[test]
fn a_shard_that_leaves_sends_the_decision_about_a_call_that_rings_first() {
    use super::super::super::event::Event;
    let mut desk = Desk::rings();
    desk.stage.tell(Event::Quiesce);
    desk.answers();
    assert_eq!(desk.asked(), "answer");
    assert!(!desk.stage.core.is_quiet());
    desk.graph_takes();
    desk.stage.passes(Duration::from_millis(10));
    assert!(desk.stage.core.is_quiet());
}

#[test]
fn a_shard_that_leaves_takes_the_default_for_a_recording_invitation_that_its_handler_keeps_waiting() {
    use super::super::super::event::Event;
    let mut desk = Desk::new();
    desk.ring(&json!({ "incomingContext": { "observedParticipantId": "p" } }));
    desk.stage.passes(Duration::from_secs(1));
    desk.stage.tell(Event::Quiesce);
    desk.stage.passes(Duration::from_millis(1_600));
    assert_eq!(desk.asked(), "reject");
    desk.graph_takes();
    desk.stage.passes(Duration::from_millis(10));
    assert!(desk.stage.core.is_quiet());
}

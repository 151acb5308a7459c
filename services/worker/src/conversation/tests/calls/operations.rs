//! Operations on their way to Graph and back.

use std::time::Duration;

use trunkline_bot::logic::{CallEvent, Effect, OperationOutcome};
use trunkline_teams::calls::MediaInfo;
use trunkline_teams::graph::{Operation, PlayPrompt};

use super::super::super::GraphAnswer;
use super::desk::Desk;

pub(super) fn prompt() -> Operation {
    Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(
        "https://bot.example/a.wav",
        "a",
    ))))
}

fn outcome(event: CallEvent) -> (String, OperationOutcome) {
    match event {
        CallEvent::OperationEnded(end) => (end.key, end.outcome),
        other => panic!("{other:?}"),
    }
}

/// A turn runs that may ask for operations.
fn asking() -> Desk {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    desk
}

#[test]
fn a_prompt_is_pending_before_it_leaves_and_ends_by_its_notification() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    assert!(desk.call().is_pending("hello"), "committed before it leaves");
    assert!(desk.record().outbox[0].is_leaving);
    assert_eq!(desk.asked(), "playPrompt");
    desk.graph_takes();
    assert!(desk.events().is_empty());
    desk.operation_ends("hello", "completed");
    assert!(matches!(outcome(desk.told()), (key, OperationOutcome::Completed(_)) if key == "hello"));
    desk.commits();
    desk.operation_ends("hello", "completed");
    assert!(desk.events().is_empty(), "told once");
}

#[test]
fn a_notification_may_overtake_the_answer() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    desk.operation_ends("hello", "completed");
    assert!(matches!(desk.told(), CallEvent::OperationEnded(_)));
    desk.commits();
    desk.graph_takes();
    assert!(desk.events().is_empty());
    assert!(desk.call().pending.is_empty());
}

#[test]
fn operations_leave_one_at_a_time_and_in_order() {
    let mut desk = asking();
    let (mut first, mut second) = (desk.operation("a", prompt()), desk.operation("b", prompt()));
    if let (Effect::Call { sequence: first, .. }, Effect::Call { sequence: second, .. }) = (&mut first, &mut second) {
        *second = *first + 1;
    }
    desk.commits_with(vec![first, second]);
    assert_eq!(desk.stage.asks.len(), 1);
    assert_eq!(desk.record().outbox.iter().filter(|entry| entry.is_leaving).count(), 1);
    desk.graph_takes();
    assert_eq!(desk.stage.asks.len(), 1);
    let marked = desk.record();
    assert!(
        marked.outbox.len() == 1 && marked.outbox[0].is_leaving,
        "marked before it leaves"
    );
    assert_eq!(desk.ask().operation, prompt().with_client_context("b"));
}

#[test]
fn a_hang_up_after_a_prompt_waits_for_its_end() {
    let mut desk = asking();
    let play = desk.operation("bye", prompt());
    let mut hang_up = desk.operation("end", Operation::Delete);
    if let Effect::Call { sequence, after, .. } = &mut hang_up {
        *sequence += 1;
        *after = Some("bye".to_owned());
    }
    desk.commits_with(vec![play, hang_up]);
    desk.graph_takes();
    desk.stage.passes(Duration::from_secs(20));
    assert!(desk.stage.asks.is_empty());
    desk.operation_ends("bye", "completed");
    assert_eq!(desk.asked(), "delete");
}

#[test]
fn a_prompt_in_doubt_is_not_asked_again_and_is_given_up_after_its_time() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    desk.graph_is_silent();
    desk.stage.passes(Duration::from_secs(100));
    assert!(desk.stage.asks.is_empty() && desk.events().is_empty());
    desk.stage.passes(Duration::from_secs(31));
    assert!(matches!(outcome(desk.told()), (key, OperationOutcome::Unknown) if key == "hello"));
}

#[test]
fn a_hang_up_in_doubt_is_asked_again() {
    let mut desk = asking();
    let effect = desk.operation("end", Operation::Delete);
    desk.commits_with(vec![effect]);
    desk.graph_is_silent();
    desk.stage.passes(Duration::from_secs(1));
    assert_eq!(desk.asked(), "delete");
}

#[test]
fn a_throttled_operation_is_asked_again_when_graph_says_so() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    desk.graph_says(GraphAnswer::Later {
        after_ms: Some(2_128),
        reason: "429".to_owned(),
    });
    desk.stage.passes(Duration::from_millis(2_100));
    assert!(desk.stage.asks.is_empty());
    desk.stage.passes(Duration::from_millis(50));
    assert_eq!(desk.asked(), "playPrompt");
}

#[test]
fn what_graph_refuses_is_told_and_the_next_operation_leaves() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    desk.graph_refuses(400);
    let (key, refused) = outcome(desk.told());
    assert!(key == "hello" && matches!(refused, OperationOutcome::Refused { status: 400, .. }));
    let effect = desk.operation("again", prompt());
    desk.commits_with(vec![effect]);
    assert_eq!(desk.asked(), "playPrompt");
}

#[test]
fn what_is_under_way_when_the_call_ends_is_unknown_and_the_end_comes_last() {
    let mut desk = asking();
    let effect = desk.operation("hello", prompt());
    desk.commits_with(vec![effect]);
    desk.graph_takes();
    desk.deleted(serde_json::json!({}));
    assert!(matches!(outcome(desk.told()), (_, OperationOutcome::Unknown)));
    let late = desk.operation("late", prompt());
    desk.commits_with(vec![late]);
    assert!(desk.stage.asks.is_empty(), "nothing is asked of a call that is over");
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn an_operator_hangs_up() {
    use super::super::super::{Request, Response};
    let mut desk = Desk::connected();
    assert!(matches!(desk.stage.asks(Request::HangUp), Some(Response::Done)));
    assert_eq!(desk.asked(), "delete");
    desk.graph_takes();
    desk.deleted(serde_json::json!({}));
    assert!(desk.call().by_operator);
}

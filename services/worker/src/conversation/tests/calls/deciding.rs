//! Who decides about an incoming call, and until when.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::CallEvent;
use trunkline_store::contract::CallTaken;
use trunkline_teams::calls::RejectReason;
use trunkline_teams::graph::Operation;

use super::super::stage::{Stage, TestBot};
use super::desk::{Desk, ID};

fn reason(desk: &Desk) -> Option<RejectReason> {
    match &desk.ask().operation {
        Operation::Reject(reject) => reject.reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_time_to_decide_counts_from_the_receipt() {
    let mut desk = Desk::new();
    desk.age_ms = 4_000;
    desk.ring(&json!({}));
    let begin = &desk.stage.runs.last().unwrap().1;
    let within = begin.call.as_ref().unwrap().decide_within;
    assert_eq!(within, Some(Duration::from_secs(11)));
    assert_eq!(begin.call.as_ref().unwrap().key, ID);
}

#[test]
fn a_late_handler_is_dropped_and_the_default_decision_taken_before_the_deadline() {
    let mut desk = Desk::rings();
    let run = desk.stage.runs[0].0;
    desk.stage.passes(Duration::from_millis(11_990));
    assert!(desk.stage.asks.is_empty());
    desk.stage.passes(Duration::from_millis(20));
    assert_eq!(desk.stage.dropped, [run]);
    assert_eq!(reason(&desk), Some(RejectReason::Busy));
}

#[test]
fn a_recording_invitation_has_five_seconds() {
    let mut desk = Desk::new();
    desk.ring(&json!({ "incomingContext": { "observedParticipantId": "p" } }));
    desk.stage.passes(Duration::from_millis(3_490));
    assert!(desk.stage.asks.is_empty());
    desk.stage.passes(Duration::from_millis(20));
    assert_eq!(desk.asked(), "reject");
}

#[test]
fn a_handler_that_fails_is_tried_again_and_then_the_default_is_taken() {
    let mut desk = Desk::rings();
    desk.stage.fails();
    desk.stage.passes(Duration::from_millis(600));
    desk.stage.fails();
    desk.stage.passes(Duration::from_millis(2_100));
    assert_eq!(desk.stage.runs.len(), 3);
    assert!(desk.stage.asks.is_empty());
    desk.stage.fails();
    assert_eq!(desk.asked(), "reject");
    assert!(desk.stage.store.inbox.is_empty(), "nobody could do it again");
}

#[test]
fn a_handler_without_a_decision_gets_the_default() {
    let mut desk = Desk::rings();
    desk.commits();
    assert_eq!(desk.asked(), "reject");
}

#[test]
fn a_bot_that_takes_no_calls_rejects_them_without_a_turn() {
    let bot = TestBot {
        only_calls: true,
        ..TestBot::default()
    };
    let mut desk = Desk::of(Stage::of_call(bot, ID));
    desk.ring(&json!({}));
    assert!(desk.stage.runs.is_empty());
    assert_eq!(reason(&desk), Some(RejectReason::Forbidden));
    desk.graph_takes();
    desk.deleted(json!({}));
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn a_tenant_that_has_as_many_calls_as_it_may_is_busy() {
    let mut desk = Desk::new();
    desk.stage.book_says = CallTaken::Full { in_use: 5 };
    desk.ring(&json!({}));
    assert!(desk.stage.runs.is_empty());
    assert_eq!(reason(&desk), Some(RejectReason::Busy));
}

#[test]
fn a_call_that_is_never_decided_nor_ended_is_looked_for() {
    let mut desk = Desk::rings();
    desk.stage.passes(Duration::from_secs(12));
    desk.graph_refuses(404);
    desk.stage.passes(Duration::from_secs(10));
    assert_eq!(desk.asked(), "get");
    desk.graph_refuses(404);
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn the_caller_who_gives_up_ends_the_call_and_the_decision_that_runs() {
    let mut desk = Desk::rings();
    let run = desk.stage.runs[0].0;
    desk.deleted(json!({ "state": "terminated", "resultInfo": { "code": 487, "subcode": 0 } }));
    assert_eq!(desk.stage.dropped, [run]);
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

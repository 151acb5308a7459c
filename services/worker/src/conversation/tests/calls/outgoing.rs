//! Calls that a bot begins.

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{CallEvent, Effect, End, Input, OperationOutcome, Outcome};
use trunkline_store::contract::CallTaken;
use trunkline_teams::graph::Told;

use super::super::super::event::{Arrival, ArrivalKind, Event, Note, Ticket, TurnResult};
use super::super::super::{GraphAnswer, StartCall, Work};
use super::super::stage::{Stage, TestBot, is_accepted};
use super::desk::{Desk, ID, bytes_of, call_of};

const KEY: &str = "k1";

fn started(stage: Stage) -> Desk {
    let mut desk = Desk::of(stage);
    start(&mut desk);
    desk
}

fn start(desk: &mut Desk) {
    let start = StartCall {
        tenant: "tenant".to_owned(),
        service_url: String::new(),
        call: bytes_of(&json!({ "targets": [{ "identity": { "user": { "id": "ada" } } }] })),
        name: "hello".to_owned(),
        key: String::new(),
        payload: bytes_of(&json!({ "text": "hi" })),
    };
    let arrival = Arrival {
        ticket: Ticket { stream: 0, seq: 900 },
        kind: ArrivalKind::Message,
        repeat_key: Some(9),
        remaining: Duration::from_secs(13),
        traceparent: String::new(),
        is_shed: false,
        deaths: 0,
        work: Work::StartCall(Box::new(start)),
    };
    desk.stage.tell(Event::Arrived(Box::new(arrival)));
}

fn usual() -> Stage {
    Stage::of_call(TestBot::default(), KEY)
}

#[test]
fn the_intent_is_committed_and_the_hello_is_told_before_anything_else() {
    let mut desk = started(usual());
    assert!(is_accepted(desk.stage.reply_to(900)));
    assert!(desk.call().is_pending(KEY) && desk.record().outbox[0].is_leaving);
    assert_eq!(desk.asked(), "create");
    assert!(desk.ask().call.is_none() && desk.ask().key == KEY);
    let Input::Signal { name, .. } = &desk.stage.runs[0].1.input else {
        panic!("{:?}", desk.stage.runs)
    };
    assert_eq!(name, "hello");
    desk.commits();
    desk.graph_says(GraphAnswer::Told(Told::Call(call_of(
        json!({ "id": ID, "state": "establishing" }),
    ))));
    assert_eq!(desk.stage.asks.len(), 0);
    desk.hears(json!({ "state": "established", "mediaState": { "audio": "active" } }));
    assert!(matches!(desk.told(), CallEvent::Connected));
    assert_eq!(desk.call().id.as_deref(), Some(ID));
}

#[test]
fn a_wish_that_is_told_twice_makes_one_call() {
    let mut desk = started(usual());
    start(&mut desk);
    assert_eq!(desk.stage.asks.len(), 1);
    assert_eq!(desk.stage.runs.len(), 1);
}

#[test]
fn a_notification_that_overtakes_the_answer_tells_the_id() {
    let mut desk = started(usual());
    desk.commits();
    desk.hears(json!({ "state": "establishing" }));
    assert_eq!(desk.call().id.as_deref(), Some(ID));
    desk.graph_says(GraphAnswer::Told(Told::Call(call_of(
        json!({ "id": ID, "state": "establishing" }),
    ))));
    desk.stage.passes(Duration::from_secs(29));
    assert!(desk.stage.asks.is_empty() && desk.events().is_empty());
}

#[test]
fn a_create_in_doubt_is_never_repeated_and_a_notification_adopts_it() {
    let mut desk = started(usual());
    desk.commits();
    desk.graph_is_silent();
    desk.stage.passes(Duration::from_secs(29));
    assert!(desk.stage.asks.is_empty() && desk.events().is_empty());
    desk.hears(json!({ "state": "establishing" }));
    desk.stage.passes(Duration::from_secs(5));
    assert!(desk.events().is_empty(), "it is known again");
}

#[test]
fn a_create_of_which_nothing_is_heard_is_in_doubt_and_then_over() {
    let mut desk = started(usual());
    desk.commits();
    desk.graph_is_silent();
    desk.stage.passes(Duration::from_secs(31));
    assert!(matches!(desk.told(), CallEvent::InDoubt));
    desk.commits();
    assert!(desk.stage.asks.is_empty());
    desk.stage.passes(Duration::from_secs(601));
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn a_create_that_graph_refuses_is_told_with_its_reason_and_is_over() {
    let mut desk = started(usual());
    desk.commits();
    desk.graph_refuses(403);
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(end.operation == "create" && matches!(end.outcome, OperationOutcome::Refused { status: 403, .. }));
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
    desk.commits();
    desk.rests();
}

#[test]
fn a_tenant_that_has_as_many_calls_as_it_may_calls_nobody() {
    let mut stage = usual();
    stage.book_says = CallTaken::Full { in_use: 5 };
    let mut desk = started(stage);
    assert!(desk.stage.asks.is_empty());
    desk.commits();
    let CallEvent::OperationEnded(end) = desk.told() else {
        panic!()
    };
    assert!(matches!(end.outcome, OperationOutcome::Refused { status: 429, .. }));
}

/// How the turn of a conversation ends that begins a call under this key.
fn begun_under(key: &str) -> TurnResult {
    let mut stage = Stage::usual();
    stage.says(1, "call me");
    let effect = Effect::StartCall {
        sequence: stage.runs[0].1.next_sequence,
        key: key.to_owned(),
        tenant: "tenant".to_owned(),
        call: call_of(json!({ "targets": [{ "identity": { "user": { "id": "ada" } } }] })),
        name: "hello".to_owned(),
        signal_key: String::new(),
        payload: bytes_of(&json!({})),
    };
    stage.ends(End::Commit(Outcome {
        effects: vec![effect],
        ..Outcome::default()
    }));
    let ended = stage.notes.iter().find_map(|note| match note {
        Note::TurnEnded { result, .. } => Some(*result),
        _ => None,
    });
    ended.unwrap()
}

#[test]
fn a_call_is_begun_under_a_key_that_the_ingress_knows_as_ours_or_not_at_all() {
    let digits = "57dab8b1894c409ab240bd8beae78896";
    assert_eq!(begun_under(&format!("o{digits}")), TurnResult::Committed);
    let (upper, path) = (format!("o{}", digits.to_uppercase()), format!("o{digits}/.."));
    for key in ["", "k1", "o", digits, ID, &upper, &path] {
        assert_eq!(begun_under(key), TurnResult::Failed, "{key:?}");
    }
}

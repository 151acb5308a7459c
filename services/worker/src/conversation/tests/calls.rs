//! Rules of a call, one by one.

mod deciding;
mod desk;
mod leg;
mod operations;
mod outgoing;
mod recording;
mod reopening;
mod taking_over;
mod witnessed;

use std::time::Duration;

use serde_json::json;
use trunkline_bot::logic::{CallEvent, EndedBy};

use self::desk::{Desk, ID, is_taken};

#[test]
fn a_notification_is_answered_when_it_is_durable_whatever_the_bot_does() {
    let mut desk = Desk::rings();
    assert!(is_taken(desk.stage.reply_to(1)));
    assert!(matches!(desk.told(), CallEvent::Incoming));
    let while_it_runs = desk.hears(json!({ "state": "terminating" }));
    assert!(
        is_taken(desk.stage.reply_to(while_it_runs)),
        "nobody waits for a handler"
    );
}

#[test]
fn a_call_is_answered_connected_and_over_with_one_turn_for_each() {
    let mut desk = Desk::rings();
    desk.answers();
    desk.graph_takes();
    assert!(matches!(desk.told(), CallEvent::OperationEnded(_)));
    desk.commits();
    desk.hears(json!({ "state": "established" }));
    desk.hears(json!({ "state": "establishing" }));
    assert!(desk.events().is_empty(), "audio is not active yet");
    desk.hears(json!({ "state": "established", "mediaState": { "audio": "active" } }));
    assert!(matches!(desk.told(), CallEvent::Connected));
    desk.commits();
    assert_eq!(desk.asked(), "subscribeToTone");
    desk.graph_takes();
    desk.hears(json!({ "state": "Established", "mediaState": { "audio": "Active" } }));
    assert!(desk.events().is_empty(), "told once");
    desk.deleted(json!({ "state": "terminated", "resultInfo": { "code": 200, "subcode": 4521 } }));
    let CallEvent::Ended(end) = desk.told() else {
        panic!("{:?}", desk.stage.runs)
    };
    assert_eq!(end.by, EndedBy::Person);
    desk.commits();
    desk.rests();
}

#[test]
fn a_repeated_notification_changes_nothing_and_is_answered() {
    let mut desk = Desk::connected();
    let key = 77;
    let tone = json!({ "state": "established", "toneInfo": { "sequenceId": 1, "tone": "tone1" } });
    desk.hears_as(key, "updated", tone.clone());
    assert!(matches!(desk.told(), CallEvent::Tone(_)));
    desk.commits();
    let again = desk.hears_as(key, "updated", tone.clone());
    assert!(is_taken(desk.stage.reply_to(again)));
    desk.hears_as(78, "updated", tone);
    assert!(
        desk.events().is_empty(),
        "the number of a tone tells a repeat by another key"
    );
}

#[test]
fn events_of_one_notification_are_turns_in_order_and_those_nobody_handles_are_none() {
    let mut desk = Desk::connected();
    desk.roster(&[("a", false), ("b", false)]);
    assert!(matches!(desk.told(), CallEvent::Joined(people) if people.len() == 2));
    desk.commits();
    desk.roster(&[("b", true), ("c", false)]);
    assert!(matches!(desk.told(), CallEvent::Joined(people) if people.len() == 1));
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::Left(people) if people.len() == 1));
    desk.commits();
    assert!(matches!(desk.told(), CallEvent::Muted(people) if people.len() == 1));
    desk.commits();
    assert!(desk.events().is_empty());

    let mut deaf = Desk::connected_with(super::stage::TestBot {
        is_deaf: true,
        ..super::stage::TestBot::default()
    });
    deaf.roster(&[("a", false)]);
    assert!(deaf.events().is_empty());
}

#[test]
fn the_end_drops_the_handler_that_runs_and_what_waits_but_not_what_had_ended() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    let tone = desk.stage.runs.last().map(|(run, _)| *run).unwrap();
    desk.press("tone2", 2);
    desk.deleted(json!({ "resultInfo": { "code": 200, "subcode": 4521 } }));
    assert_eq!(desk.stage.dropped, [tone]);
    assert!(matches!(desk.told(), CallEvent::Ended(_)), "{:?}", desk.stage.runs);
    desk.commits();
    desk.rests();
}

#[test]
fn a_token_of_another_tenant_and_a_notification_of_another_call_change_nothing() {
    let mut desk = Desk::connected();
    desk.tenant = "other".to_owned();
    desk.deleted(json!({}));
    assert!(desk.events().is_empty());
    desk.tenant = "tenant".to_owned();
    desk.id = "99999999-0000-4000-8000-000000000000".to_owned();
    desk.deleted(json!({}));
    assert!(desk.events().is_empty());
    desk.id = ID.to_owned();
    desk.deleted(json!({}));
    assert!(matches!(desk.told(), CallEvent::Ended(_)));
}

#[test]
fn what_is_told_of_an_unknown_call_is_taken_and_dropped() {
    let mut desk = Desk::new();
    let ticket = desk.hears(json!({ "state": "established" }));
    assert!(is_taken(desk.stage.reply_to(ticket)));
    assert!(desk.events().is_empty() && desk.stage.store.record.is_none());
}

#[test]
fn graph_is_told_that_the_call_is_wanted_and_a_call_that_has_gone_is_over() {
    let mut desk = Desk::connected();
    desk.stage.passes(Duration::from_secs(601));
    assert_eq!(desk.asked(), "keepAlive");
    desk.graph_takes();
    desk.stage.passes(Duration::from_secs(600));
    assert_eq!(desk.asked(), "keepAlive");
    desk.graph_refuses(404);
    let CallEvent::Ended(end) = desk.told() else { panic!() };
    assert_eq!(end.by, EndedBy::Unknown);
    desk.commits();
    desk.rests();
}

#[test]
fn a_call_whose_end_is_never_told_is_looked_for_and_is_over() {
    let mut desk = Desk::connected();
    desk.press("tone1", 1);
    desk.commits_with(vec![desk.operation("end", trunkline_teams::graph::Operation::Delete)]);
    desk.graph_takes();
    // The end of the operation.
    desk.commits();
    desk.stage.passes(Duration::from_secs(31));
    assert_eq!(desk.asked(), "get");
    desk.graph_refuses(404);
    let CallEvent::Ended(end) = desk.told() else { panic!() };
    assert_eq!(end.by, EndedBy::Bot);
    desk.commits();
    desk.rests();
}

#[test]
fn a_delta_roster_with_a_gap_asks_for_the_whole() {
    let mut desk = Desk::connected();
    let change = |number: u64, who: &str| {
        json!({ "@odata.type": "#microsoft.graph.deltaParticipants", "sequenceNumber": number,
                "participants": [{ "id": who, "isMuted": false }] })
    };
    desk.hears_at("participants", "updated", &change(1, "a"));
    desk.commits();
    desk.hears_at("participants", "updated", &change(3, "c"));
    assert_eq!(desk.asked(), "listParticipants");
}

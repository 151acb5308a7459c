//! Shared content and several recorded people: each told once, whatever is repeated.

use serde_json::{Value, json};
use trunkline_bot::logic::CallEvent;

use super::desk::{Desk, is_taken};

fn shares(desk: &mut Desk, change: &str, id: &str) -> u64 {
    let session = json!([{ "@odata.type": "#microsoft.graph.contentSharingSession", "id": id }]);
    desk.hears_at("contentsharingsessions", change, &session)
}

fn joining(participant: &str) -> Value {
    json!({ "@odata.type": "#microsoft.graph.participantJoiningNotification", "call": {
        "@odata.type": "#microsoft.graph.call", "state": "incoming", "id": super::desk::ID,
        "source": { "identity": { "user": { "id": "grace" } } },
        "incomingContext": { "observedParticipantId": participant },
    } })
}

#[test]
fn content_that_is_shared_is_told_once_and_so_is_its_end() {
    let mut desk = Desk::connected();
    shares(&mut desk, "created", "s-1");
    assert!(matches!(desk.told(), CallEvent::SharingStarted(session) if session == "s-1"));
    desk.commits();
    let again = shares(&mut desk, "created", "s-1");
    shares(&mut desk, "updated", "s-1");
    shares(&mut desk, "deleted", "of-before");
    assert!(is_taken(desk.stage.reply_to(again)) && desk.events().is_empty());
    shares(&mut desk, "deleted", "s-1");
    assert!(matches!(desk.told(), CallEvent::SharingEnded(session) if session == "s-1"));
    desk.commits();
    shares(&mut desk, "deleted", "s-1");
    assert!(desk.events().is_empty());
}

#[test]
fn a_recorded_person_who_joins_and_leaves_is_told_once_each_and_a_look_at_the_call_moves_nothing() {
    let mut desk = Desk::connected();
    desk.hears_at("participantJoiningNotification", "created", &joining("p-2"));
    let CallEvent::RecordedJoins(about) = desk.told() else {
        panic!("{:?}", desk.events())
    };
    assert_eq!(about.observed_participant(), Some("p-2"));
    desk.commits();
    desk.hears_at("participantJoiningNotification", "created", &joining("p-2"));
    assert!(desk.events().is_empty());
    let left = json!({ "@odata.type": "#microsoft.graph.participantLeftNotification", "participantId": "p-2",
                       "call": { "resultInfo": { "code": 200, "subcode": 5000 } } });
    desk.hears_at("participantLeftNotification", "deleted", &left);
    let CallEvent::RecordedLeft(told) = desk.told() else {
        panic!("{:?}", desk.events())
    };
    assert_eq!(
        (told.participant.as_str(), told.result.unwrap().subcode()),
        ("p-2", 5000)
    );
    desk.commits();
    desk.hears_at("participantLeftNotification", "deleted", &left);
    assert!(desk.events().is_empty());
    assert!(!desk.call().is_over(), "its end is not the call's");
}

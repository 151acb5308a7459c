#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;
use trunkline_bot::logic::{CallEvent, EndedBy as By};
use trunkline_teams::calls::{Call, CallState, CommsOperation, Participant};
use trunkline_teams::graph::Operation;

use super::life::who;
use super::*;

const NOW: u64 = 1_800_000_000_000;

fn call(value: serde_json::Value) -> News {
    News::Call(serde_json::from_value(value).unwrap())
}

fn over() -> News {
    let call: Box<Call> = serde_json::from_value(json!({ "resultInfo": { "code": 200, "subcode": 4521 } })).unwrap();
    News::Over(call)
}

fn ringing() -> CallRecord {
    CallRecord::incoming(Call::default(), "tenant", NOW)
}

fn established() -> CallRecord {
    let mut record = ringing();
    record.hear(call(json!({ "state": "established" })), NOW);
    record
}

fn person(id: u8, is_muted: bool) -> Participant {
    serde_json::from_value(json!({ "id": id.to_string(), "isMuted": is_muted })).unwrap()
}

#[test]
fn established_before_establishing_stays_established() {
    let mut record = established();
    record.hear(call(json!({ "state": "establishing" })), NOW);
    assert_eq!(record.state(), CallState::Established);
}

#[test]
fn who_ended_a_call_is_read_from_the_codes() {
    assert_eq!(who(200, 4_521), EndedBy::Person);
    assert_eq!(who(603, 0), EndedBy::Person);
    assert_eq!(who(200, 7_000), EndedBy::Bot);
    assert_eq!(who(0, 7_015), EndedBy::Bot);
    assert_eq!(who(200, 5_014), EndedBy::Service, "nobody can be the host");
    assert_eq!(who(408, 8_537), EndedBy::Service);
}

#[test]
fn a_late_repeat_of_established_does_not_end_a_transfer_and_a_failure_does() {
    let mut record = established();
    record.hear(call(json!({ "state": "transferring" })), NOW);
    assert!(record.hear(call(json!({ "state": "established" })), NOW).is_empty());
    assert_eq!(record.state(), CallState::Transferring);
    let failure = json!({ "state": "established", "resultInfo": { "code": 500, "subCode": 7000 } });
    let failed = record.hear(call(failure), NOW);
    assert!(
        matches!(failed.as_slice(), [CallEvent::TransferFailed(_)]),
        "{failed:?}"
    );
}

#[test]
fn a_second_sound_has_the_time_of_the_first_beside_its_own() {
    let mut record = established();
    let prompt = Operation::PlayPrompt(Box::default());
    for key in ["a", "b"] {
        record.ask(key, &prompt);
        record.leaves(key, NOW);
    }
    let until = |key: &str| {
        record
            .pending
            .iter()
            .find(|pending| pending.key == key)
            .unwrap()
            .until_ms
            - NOW
    };
    assert_eq!((until("a"), until("b")), (130_000, 260_000));
}

#[test]
fn an_operation_is_joined_to_its_end_by_graph_s_id_where_no_context_is_told() {
    let mut record = established();
    record.ask("hello", &Operation::PlayPrompt(Box::default()));
    let running: CommsOperation = serde_json::from_value(json!({ "id": "7", "status": "running" })).unwrap();
    record.answered("hello", trunkline_teams::graph::Told::Operation(Box::new(running)), NOW);
    let operation = serde_json::from_value(json!({ "status": "completed" })).unwrap();
    let ended = record.hear(
        News::Operation {
            id: Some("7".to_owned()),
            operation,
            is_over: true,
        },
        NOW,
    );
    assert!(matches!(ended.as_slice(), [CallEvent::OperationEnded(_)]));
}

#[test]
fn the_largest_meeting_fits_a_record_whatever_its_handler_keeps_waiting() {
    let meeting = |round: u32| -> Vec<Participant> {
        let person = |number: u32| {
            json!({ "id": format!("{number:08}-894c-409a-b240-{round:012}"), "isMuted": true, "isInLobby": false,
                "metadata": "m".repeat(200), "mediaStreams": [{ "mediaType": "audio", "sourceId": "17" }],
                "info": { "identity": { "user": { "id": "3".repeat(36), "displayName": "n".repeat(60) } } } })
        };
        (0..3_000)
            .map(|number| serde_json::from_value(person(number)).unwrap())
            .collect()
    };
    let mut record = established();
    for round in 0..5 {
        for event in record.hear(News::Roster(meeting(round)), NOW) {
            record.queue(&event, "", NOW);
        }
    }
    let bytes = prost::Message::encoded_len(&record);
    assert!(bytes < crate::record::BODY_BYTES - 256 * 1024, "{bytes}");
    assert!(record.roster().len() > 900);
}

#[test]
fn the_timeline_keeps_the_beginning_and_the_newest() {
    let mut record = ringing();
    for number in 0..500 {
        record.note(MomentKind::Host, number.to_string(), NOW);
    }
    let words: Vec<&str> = record.timeline.iter().map(|moment| moment.what.as_str()).collect();
    assert_eq!((words.first(), words.last()), (Some(&"0"), Some(&"499")));
    assert!(words.len() < 100);
}

fn news() -> impl Strategy<Value = News> {
    let states = [
        "establishing",
        "established",
        "hold",
        "transferring",
        "transferAccepted",
        "redirecting",
        "terminating",
        "Ringing",
    ];
    prop_oneof![
        proptest::sample::select(states.to_vec()).prop_map(|state| call(json!({ "state": state }))),
        Just(call(
            json!({ "state": "established", "resultInfo": { "code": 500, "subcode": 7000 } })
        )),
        any::<bool>().prop_map(|is_active| {
            let audio = if is_active { "active" } else { "inactive" };
            call(json!({ "mediaState": { "audio": audio } }))
        }),
        (0_i64..5).prop_map(|number| call(json!({ "toneInfo": { "sequenceId": number, "tone": "tone1" } }))),
        proptest::collection::btree_map(0_u8..5, any::<bool>(), 0..5)
            .prop_map(|all| News::Roster(all.into_iter().map(|(id, muted)| person(id, muted)).collect())),
        Just(News::Operation {
            id: None,
            operation: serde_json::from_value(json!({ "clientContext": "prompt", "status": "completed" })).unwrap(),
            is_over: true
        }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_swapped_repeated_or_lost_a_call_ends_once_and_last(
        before in proptest::collection::vec(news(), 0..20),
        after in proptest::collection::vec(news(), 0..10),
    ) {
        let mut record = ringing();
        record.ask("prompt", &Operation::PlayPrompt(Box::default()));
        let all = before.into_iter().chain([over()]).chain(after).chain([over()]);
        let happened: Vec<CallEvent> = all.flat_map(|heard| record.hear(heard, NOW)).collect();
        let count = |wanted: fn(&CallEvent) -> bool| happened.iter().filter(|it| wanted(it)).count();
        prop_assert_eq!(count(|it| matches!(it, CallEvent::Ended(end) if end.by == By::Person)), 1);
        prop_assert!(matches!(happened.last(), Some(CallEvent::Ended(_))));
        prop_assert!(count(|it| matches!(it, CallEvent::Connected)) <= 1);
        prop_assert_eq!(count(|it| matches!(it, CallEvent::OperationEnded(_))), 1);
        prop_assert!(record.is_over() && record.pending.is_empty() && record.present.is_empty());
        prop_assert_eq!(record.next_due_ms(), None);
    }

    #[test]
    fn differences_of_the_roster_sum_up_to_it(
        all in proptest::collection::vec(proptest::collection::btree_map(0_u8..6, any::<bool>(), 0..6), 1..12),
    ) {
        let mut record = established();
        let mut known = std::collections::BTreeMap::new();
        let id = |one: &Participant| one.id.clone().unwrap();
        for roster in all {
            let present = roster.iter().map(|(id, muted)| person(*id, *muted)).collect();
            for happened in record.hear(News::Roster(present), NOW) {
                match happened {
                    CallEvent::Left(left) => {
                        for one in left {
                            prop_assert!(known.remove(&id(&one)).is_some());
                        }
                    }
                    CallEvent::Joined(people) | CallEvent::Muted(people) => {
                        for one in people {
                            known.insert(id(&one), one.is_muted == Some(true));
                        }
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            let expected: std::collections::BTreeMap<String, bool> =
                roster.into_iter().map(|(id, muted)| (id.to_string(), muted)).collect();
            prop_assert_eq!(&known, &expected);
        }
    }
}

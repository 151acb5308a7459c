//! Notifications of calls as they come: own samples of each row of the catalogue, the samples of the environment, and what
//! nobody should send.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use trunkline_teams::calls::{
    Batch, CallState, ChangeType, MediaState, Notification, OperationStatus, Outline, SendDtmfCompletionReason,
    Subject, SubjectKind, Tone,
};

const CALL: &str = "6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901";
const OPERATION: &str = "9d4c2b1a-6f5e-4d3c-8b2a-190807060504";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/notifications")
}

fn split(body: &[u8]) -> Vec<&[u8]> {
    match Batch::read(body) {
        Batch::Notifications(all) => all.into_iter().map(|raw| raw.get().as_bytes()).collect(),
        other => panic!("{other:?}"),
    }
}

fn body(name: &str) -> Vec<u8> {
    let path = fixtures().join(format!("{name}.json"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(name: &str) -> Notification {
    let body = body(name);
    Notification::read(split(&body)[0]).unwrap()
}

fn call_of(name: &str) -> trunkline_teams::calls::Call {
    match read(name).subject {
        Subject::Call(call) => *call,
        other => panic!("{name}: {other:?}"),
    }
}

fn kind_of(subject: &Subject, change: &ChangeType) -> SubjectKind {
    match subject {
        Subject::Call(_) if *change == ChangeType::Created => SubjectKind::Incoming,
        Subject::Call(_) => SubjectKind::Call,
        Subject::Roster(_) => SubjectKind::Roster,
        Subject::RosterChanges(_) => SubjectKind::RosterChanges,
        Subject::Operation { .. } => SubjectKind::Operation,
        Subject::ContentSharing(_) => SubjectKind::ContentSharing,
        Subject::Joining(_) => SubjectKind::Joining,
        Subject::Left(_) => SubjectKind::Left,
        Subject::Other => SubjectKind::Other,
    }
}

/// Kind by the beginning of a fixture's name; the longest that fits.
const KINDS: [(&str, SubjectKind); 13] = [
    ("call-incoming", SubjectKind::Incoming),
    ("call-", SubjectKind::Call),
    ("unknown-change", SubjectKind::Call),
    ("roster-changes", SubjectKind::RosterChanges),
    ("roster-one-participant", SubjectKind::RosterChanges),
    ("roster-deleted", SubjectKind::Other),
    ("roster-without", SubjectKind::Other),
    ("roster", SubjectKind::Roster),
    ("operation-", SubjectKind::Operation),
    ("content-sharing-", SubjectKind::ContentSharing),
    ("participant-joining", SubjectKind::Joining),
    ("participant-left", SubjectKind::Left),
    ("unknown-resource", SubjectKind::Other),
];

#[test]
fn every_fixture_is_about_what_its_name_says_and_about_its_call() {
    let mut seen = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (_, expected) = KINDS.iter().find(|(start, _)| name.starts_with(start)).expect(&name);
        let body = std::fs::read(&path).unwrap();
        for raw in split(&body) {
            let outline = Outline::read(raw);
            let whole = Notification::read(raw).unwrap();
            assert_eq!(outline.kind, *expected, "{name}");
            assert_eq!(kind_of(&whole.subject, &whole.change), *expected, "{name}");
            assert_eq!(outline.call.as_deref(), Some(CALL), "{name}");
            assert_eq!((outline.call, outline.tenant), (whole.call, whole.tenant), "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 35, "{seen}");
}

#[test]
fn an_incoming_call_tells_who_calls_whom_and_in_which_tenant() {
    let notification = read("call-incoming");
    assert_eq!(notification.change, ChangeType::Created);
    assert_eq!(
        notification.tenant.as_deref(),
        Some("3c02559b-3c42-4cdd-b64e-2ec636ec8a8f")
    );
    assert_eq!(
        notification.scenario.as_deref(),
        Some("b7e5d3c1-0a29-4837-a6f5-e4d3c2b1a098")
    );
    let call = call_of("call-incoming");
    assert_eq!(call.state, Some(CallState::Incoming));
    let caller = call.source.unwrap().identity.unwrap().user.unwrap();
    assert_eq!(caller.display_name.as_deref(), Some("Inês Duarte"));
    assert_eq!(call.targets.len(), 1);
}

#[test]
fn an_invitation_to_record_is_one() {
    assert!(call_of("call-incoming-recording").is_recording_invitation());
    assert!(!call_of("call-incoming").is_recording_invitation());
    let Subject::Joining(joining) = read("participant-joining").subject else {
        panic!("joining")
    };
    assert!(joining.call.unwrap().is_recording_invitation());
}

#[test]
fn states_media_and_tones_are_read_in_either_case() {
    assert_eq!(
        call_of("call-establishing-old-path-only").state,
        Some(CallState::Establishing)
    );
    let active = call_of("call-media-active");
    assert_eq!(active.state, Some(CallState::Established));
    assert_eq!(active.media_state.unwrap().audio, Some(MediaState::Active));
    let tone = call_of("call-tone").tone_info.unwrap();
    assert_eq!((tone.sequence_id, tone.tone), (Some(4), Some(Tone::Pound)));
}

#[test]
fn an_end_tells_its_codes_or_nothing() {
    let failed = call_of("call-transfer-failed").result_info.unwrap();
    assert_eq!((failed.code(), failed.subcode()), (500, 7_000));
    let ended = call_of("call-terminated").result_info.unwrap();
    assert_eq!((ended.code(), ended.subcode()), (487, 0));
    for name in ["call-deleted-with-nothing", "call-deleted-without-resource"] {
        assert_eq!(read(name).change, ChangeType::Deleted, "{name}");
        let call = call_of(name);
        assert_eq!((call.state, call.result_info), (None, None), "{name}");
    }
}

#[test]
fn a_list_of_participants_is_the_roster_and_an_object_is_a_change() {
    let Subject::Roster(all) = read("roster").subject else {
        panic!("roster")
    };
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].is_in_lobby, Some(true));
    assert_eq!(read("roster-empty").subject, Subject::Roster(Vec::new()));
    let Subject::RosterChanges(changes) = read("roster-changes").subject else {
        panic!("changes")
    };
    assert_eq!((changes.sequence_number, changes.participants.len()), (Some(12), 2));
    assert!(changes.participants[1].removed_state.is_some());
    let Subject::RosterChanges(one) = read("roster-one-participant").subject else {
        panic!("one change")
    };
    assert_eq!((one.sequence_number, one.participants.len()), (None, 1));
    assert_eq!(one.participants[0].is_muted, Some(true));
}

#[rstest]
#[case("operation-prompt-finished", Some(OperationStatus::Completed), Some("o-1"))]
#[case("operation-prompt-failed", Some(OperationStatus::Failed), Some("o-1"))]
#[case("operation-recording-finished", Some(OperationStatus::Completed), Some("o-2"))]
#[case("operation-hold-music-start", Some(OperationStatus::Completed), Some("o-5"))]
#[case("operation-without-resource", None, None)]
fn an_operation_ends_as_deleted_and_is_known_by_context_and_id(
    #[case] name: &str,
    #[case] status: Option<OperationStatus>,
    #[case] context: Option<&str>,
) {
    let notification = read(name);
    assert_eq!(notification.change, ChangeType::Deleted);
    let Subject::Operation { id, operation } = notification.subject else {
        panic!("operation")
    };
    assert_eq!(id.as_deref(), Some(OPERATION));
    assert_eq!(
        (operation.status, operation.client_context.as_deref()),
        (status, context)
    );
}

#[test]
fn what_an_operation_brought_is_read() {
    let Subject::Operation { operation, .. } = read("operation-recording-finished").subject else {
        panic!("operation")
    };
    assert_eq!(operation.recording_access_token.unwrap().expose(), "not-a-token");
    assert_eq!(operation.result_info.unwrap().subcode(), 8_514);
    let Subject::Operation { operation, .. } = read("operation-tones-cancelled").subject else {
        panic!("operation")
    };
    assert_eq!(
        operation.completion_reason,
        Some(SendDtmfCompletionReason::MediaOperationCanceled)
    );
}

#[rstest]
#[case("content-sharing-started", ChangeType::Created)]
#[case("content-sharing-ended", ChangeType::Deleted)]
#[case("content-sharing-one-session", ChangeType::Created)]
fn shared_content_is_known_by_its_id_whether_told_or_in_the_path(#[case] name: &str, #[case] change: ChangeType) {
    let notification = read(name);
    assert_eq!(notification.change, change);
    let Subject::ContentSharing(sessions) = notification.subject else {
        panic!("content sharing")
    };
    assert_eq!(sessions.len(), 1);
    assert!(
        sessions[0].id.as_deref().is_some_and(|id| !id.is_empty()),
        "{sessions:?}"
    );
}

#[rstest]
#[case(json!({"resourceUrl": "https://graph.microsoft.com/v1.0/communications/calls/6B1F2F004C214F0E9A550C7BE1D2A901"}))]
#[case(json!({"resourceUrl": "communications/calls/6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901/participants?x=1"}))]
#[case(json!({"resource": "/app/calls/6B1F2F00-4C21-4F0E-9A55-0C7BE1D2A901"}))]
#[case(json!({"resourceUrl": "/communications/calls/....", "resource": "/app/calls/6B1F2F00-4C21-4F0E-9A55-0C7BE1D2A901"}))]
#[case(json!({"resourceData": {"@odata.id": "/communications/calls/6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901"}}))]
#[case(json!({"resourceData": {"@odata.type": "#Microsoft.Graph.Call", "id": "6B1F2F00-4C21-4F0E-9A55-0C7BE1D2A901"}}))]
#[case(json!({"resourceUrl": 7, "resourceData": {"call": {"id": "6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901"}}}))]
fn the_call_is_found_in_every_spelling(#[case] notification: Value) {
    let text = notification.to_string();
    assert_eq!(Outline::read(text.as_bytes()).call.as_deref(), Some(CALL));
    assert_eq!(Notification::read(text.as_bytes()).unwrap().call.as_deref(), Some(CALL));
}

#[test]
fn an_operation_without_a_path_has_no_call() {
    let text =
        json!({"resourceData": {"@odata.type": "#microsoft.graph.playPromptOperation", "id": OPERATION}}).to_string();
    let notification = Notification::read(text.as_bytes()).unwrap();
    assert_eq!(notification.call, None);
    let Subject::Operation { id, .. } = notification.subject else {
        panic!("operation")
    };
    assert_eq!(id.as_deref(), Some(OPERATION));
}

#[test]
fn a_call_in_a_list_of_one_is_that_call() {
    let text = json!({
        "changeType": "updated", "resourceUrl": format!("/communications/calls/{CALL}"),
        "resourceData": [{"@odata.type": "#microsoft.graph.call", "state": "established"}],
    });
    let notification = Notification::read(text.to_string().as_bytes()).unwrap();
    let Subject::Call(call) = notification.subject else {
        panic!("call")
    };
    assert_eq!(call.state, Some(CallState::Established));
}

#[test]
fn a_body_is_split_without_building_what_is_in_it() {
    // Too deep for anything that builds a tree.
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let body = format!(
        r#"{{"value":[{{"changeType":"updated","resourceUrl":"/communications/calls/{CALL}/participants","resourceData":{deep}}}]}}"#
    );
    let raw = split(body.as_bytes())[0];
    let outline = Outline::read(raw);
    assert_eq!(
        (outline.kind, outline.call.as_deref()),
        (SubjectKind::Roster, Some(CALL))
    );
    assert_eq!(Notification::read(raw).unwrap().subject, Subject::Roster(Vec::new()));
}

#[test]
fn the_older_format_and_nothing_are_told_apart() {
    assert!(matches!(Batch::read(br#"{"callState":"incoming"}"#), Batch::Legacy));
    for nothing in [&br#"{"value":{}}"#[..], b"{}", b"[]", b"", b"\xff", b"{\"value\":[}"] {
        assert!(matches!(Batch::read(nothing), Batch::Nothing), "{nothing:?}");
    }
    for nothing in [&b"7"[..], b"null", b"[]", b"", b"{\"a\":1}}"] {
        assert!(Notification::read(nothing).is_err(), "{nothing:?}");
        assert_eq!(Outline::read(nothing).kind, SubjectKind::Other);
    }
}

/// Kind by the beginning of a sample's name, without what says where it comes from.
const KINDS_OF_SAMPLES: [(&str, SubjectKind); 9] = [
    ("call-created-incoming", SubjectKind::Incoming),
    ("call-", SubjectKind::Call),
    ("batch-two-calls", SubjectKind::Call),
    ("participants-updated", SubjectKind::Roster),
    ("participants-delta", SubjectKind::RosterChanges),
    ("operation-", SubjectKind::Operation),
    ("content-sharing-", SubjectKind::ContentSharing),
    ("participant-joining", SubjectKind::Joining),
    ("participant-left", SubjectKind::Left),
];

#[test]
fn every_sample_of_the_environment_is_read_to_its_subject() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(Path::new(&samples).join("calls")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let Some((origin, what)) = name.split_once("notification-") else {
            continue;
        };
        if !matches!(origin, "" | "constructed-" | "observed-") {
            continue;
        }
        let (_, expected) = KINDS_OF_SAMPLES
            .iter()
            .find(|(start, _)| what.starts_with(start))
            .expect(&name);
        let body = std::fs::read(&path).unwrap();
        for raw in split(&body) {
            let outline = Outline::read(raw);
            let whole = Notification::read(raw).unwrap();
            assert_eq!(outline.kind, *expected, "{name}");
            assert_eq!(kind_of(&whole.subject, &whole.change), *expected, "{name}");
            assert!(whole.call.is_some(), "{name}");
            let changes = [ChangeType::Created, ChangeType::Updated, ChangeType::Deleted];
            assert!(changes.contains(&whole.change), "{name}");
            keeps_everything(raw, &whole.subject, &name);
            seen += 1;
        }
    }
    assert!(seen > 35, "{seen} samples");
}

/// Nothing that Graph tells of a resource is lost by reading it.
fn keeps_everything(raw: &[u8], subject: &Subject, name: &str) {
    let notification: Value = serde_json::from_slice(raw).unwrap();
    let told = &notification["resourceData"];
    let kept = match subject {
        Subject::Call(call) => serde_json::to_value(call),
        Subject::Roster(all) => serde_json::to_value(all),
        Subject::RosterChanges(changes) => serde_json::to_value(changes),
        Subject::Operation { operation, .. } => serde_json::to_value(operation),
        Subject::Joining(joining) => serde_json::to_value(joining),
        Subject::Left(left) => serde_json::to_value(left),
        // A path stands in for a resource that is not told.
        Subject::ContentSharing(_) if told.is_null() => return,
        Subject::ContentSharing(sessions) => serde_json::to_value(sessions),
        Subject::Other => return,
    };
    assert_eq!(lower(&kept.unwrap()), lower(told), "{name}");
}

/// Words are written as the metadata declares them, whatever case they came in, and numbers as numbers.
fn lower(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.to_lowercase()),
        Value::Number(number) => Value::String(number.to_string()),
        Value::Array(items) => items.iter().map(lower).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), lower(value)))
            .collect(),
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "value",
        "changeType",
        "resourceUrl",
        "resource",
        "resourceData",
        "@odata.type",
        "@odata.id",
        "id",
        "call",
        "state",
        "participants",
        "resultInfo",
        "code",
        "toneInfo",
        "tenantId",
        "x",
    ]);
    let texts = prop_oneof![
        "\\PC{0,8}",
        prop::sample::select(vec![
            "created",
            "deleted",
            "#microsoft.graph.call",
            "#microsoft.graph.participant",
            "#microsoft.graph.playPromptOperation",
            "#microsoft.graph.participantJoiningNotification",
            "/communications/calls/6B1F2F004C214F0E9A550C7BE1D2A901",
            "/communications/calls/6B1F2F004C214F0E9A550C7BE1D2A901/participants",
            "/app/calls//operations/",
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_json_comes_is_read_alike_by_both_readers(value in any_json()) {
        let text = value.to_string();
        let outline = Outline::read(text.as_bytes());
        match Notification::read(text.as_bytes()) {
            Ok(whole) => {
                prop_assert_eq!(outline.kind, kind_of(&whole.subject, &whole.change));
                prop_assert_eq!((outline.call, outline.tenant), (whole.call, whole.tenant));
            }
            Err(_) => prop_assert!(!value.is_object()),
        }
        if let Batch::Notifications(all) = Batch::read(text.as_bytes()) {
            prop_assert_eq!(all.len(), value["value"].as_array().map_or(0, Vec::len));
        }
    }

    #[test]
    fn whatever_bytes_come_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Batch::read(&bytes), Outline::read(&bytes), Notification::read(&bytes).is_ok());
    }

    #[test]
    fn a_fixture_that_was_cut_is_refused_and_harms_nobody(
        name in prop::sample::select(vec!["roster", "call-incoming-recording", "operation-recording-finished"]),
        share in 0.0_f64..1.0,
    ) {
        let body = body(name);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let end = ((body.len() - 2) as f64 * share) as usize;
        prop_assert!(matches!(Batch::read(&body[..end]), Batch::Nothing));
        prop_assert!(Notification::read(&body[..end]).is_err());
    }
}

//! Documented requests and answers, where the directory with them is named.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use trunkline_teams::graph::{GraphError, Operation, OperationKind, Told};

use crate::operations::every_operation;
use crate::support::Reply;
use crate::{CALL, perform, world};

fn samples(start: &str) -> Vec<(String, Vec<u8>)> {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(Path::new(&samples).join("calls")).unwrap();
    let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let named = paths.iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.strip_suffix(".json")?;
        Some((name.strip_prefix(start)?.to_owned(), std::fs::read(path).unwrap()))
    });
    named.collect()
}

/// Kind by the beginning of a sample's name; `None` for what is no operation on a call that the product has.
const KINDS: [(&str, Option<OperationKind>); 26] = [
    ("add-large-gallery-view", Some(OperationKind::AddLargeGalleryView)),
    ("answer", Some(OperationKind::Answer)),
    ("audio-routing-group", Some(OperationKind::CreateAudioRoutingGroup)),
    ("cancel-media-processing", Some(OperationKind::CancelMediaProcessing)),
    ("create-call", Some(OperationKind::Create)),
    ("get-call", Some(OperationKind::Get)),
    ("get-participant", Some(OperationKind::GetParticipant)),
    ("invite", Some(OperationKind::Invite)),
    ("join-meeting", Some(OperationKind::Create)),
    ("list-participants", Some(OperationKind::ListParticipants)),
    (
        "log-teleconference",
        Some(OperationKind::LogTeleconferenceDeviceQuality),
    ),
    ("mute-participant", Some(OperationKind::MuteParticipant)),
    ("mute", Some(OperationKind::Mute)),
    ("online-meeting", Some(OperationKind::CreateOrGetMeeting)),
    ("participant-joining", None),
    ("play-prompt", Some(OperationKind::PlayPrompt)),
    ("record-response", Some(OperationKind::RecordResponse)),
    ("redirect", Some(OperationKind::Redirect)),
    ("reject", Some(OperationKind::Reject)),
    ("rejoin", Some(OperationKind::Create)),
    ("send-dtmf-tones", Some(OperationKind::SendDtmfTones)),
    ("start-hold-music", Some(OperationKind::StartHoldMusic)),
    ("subscribe-to-tone", Some(OperationKind::SubscribeToTone)),
    ("transfer", Some(OperationKind::Transfer)),
    ("unmute", Some(OperationKind::Unmute)),
    ("update-recording-status", Some(OperationKind::UpdateRecordingStatus)),
];

fn kind_of(name: &str) -> Option<OperationKind> {
    let known = KINDS.iter().find(|(start, _)| name.starts_with(start));
    known.unwrap_or_else(|| panic!("{name} is a sample of what?")).1
}

/// Members with null mean the same as absent ones, and no operation sends them.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        Value::Object(members) => {
            let there = members.iter().filter(|(_, value)| !value.is_null());
            there
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        other => other.clone(),
    }
}

#[test]
fn every_documented_request_is_an_operation_and_is_written_back() {
    let mut seen = 0;
    for (name, sample) in samples("request-").into_iter().chain(samples("constructed-request-")) {
        let Some(kind) = kind_of(&name) else { continue };
        let mut body: Value = serde_json::from_slice(&sample).unwrap();
        // Each in one sample, and no declared parameter of its operation.
        let undeclared = match kind {
            OperationKind::Transfer => "clientContext",
            OperationKind::Redirect => "routingPolicies",
            _ => "",
        };
        body.as_object_mut().unwrap().remove(undeclared);
        let with = match kind {
            OperationKind::CreateOrGetMeeting => json!({"user": "u-1", "body": body}),
            _ => body.clone(),
        };
        let stored = json!({"operation": kind.name(), "with": with});
        let operation: Operation =
            serde_json::from_value(stored).unwrap_or_else(|error| panic!("{name} as {kind:?}: {error}"));
        let sent = operation.request(Some(CALL)).unwrap().body.unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(without_nulls(&sent), without_nulls(&body), "{name}");
        seen += 1;
    }
    assert!(seen >= 29 || std::env::var_os("TRUNKLINE_SAMPLES").is_none(), "{seen}");
}

#[tokio::test]
async fn every_documented_answer_is_read() {
    let mut seen = 0;
    for (name, sample) in samples("response-") {
        let Some(kind) = kind_of(&name) else { continue };
        let Some(operation) = every_operation().into_iter().find(|operation| operation.kind() == kind) else {
            panic!("{kind:?}")
        };
        let text: &'static str = String::from_utf8(sample).unwrap().leak();
        let (_server, client) = world([Reply::Answer(200, &[], text)]).await;
        let told = perform(&client, &operation).await;
        let told = told.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let kept = match &told {
            Told::Call(call) => serde_json::to_value(call).unwrap(),
            Told::Operation(operation) => serde_json::to_value(operation).unwrap(),
            Told::Participant(who) => serde_json::to_value(who).unwrap(),
            Told::Roster(all) => json!({"value": all}),
            Told::Meeting(meeting) => serde_json::to_value(meeting).unwrap(),
            other => panic!("{name}: {other:?}"),
        };
        let sample: Value = serde_json::from_str(text).unwrap();
        assert_eq!(without_nulls(&lower(&kept)), without_nulls(&lower(&sample)), "{name}");
        seen += 1;
    }
    assert!(seen >= 15 || std::env::var_os("TRUNKLINE_SAMPLES").is_none(), "{seen}");
}

/// Words are written as the metadata declares them, whatever case they came in.
fn lower(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.to_lowercase()),
        Value::Array(items) => items.iter().map(lower).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "@odata.context");
            members.map(|(name, value)| (name.clone(), lower(value))).collect()
        }
        other => other.clone(),
    }
}

#[tokio::test]
async fn every_documented_error_keeps_its_code() {
    for (name, sample) in samples("error-") {
        let text: &'static str = String::from_utf8(sample).unwrap().leak();
        let (_server, client) = world([Reply::Answer(403, &[], text)]).await;
        let error = perform(&client, &Operation::Get).await.unwrap_err();
        let GraphError::Refused { code, message, .. } = error else {
            panic!("{name}: {error:?}")
        };
        assert!(name.contains(&code) && !message.is_empty(), "{name}: {code}");
    }
}

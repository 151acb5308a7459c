//! Bodies of requests against Microsoft's metadata, where the directory with the schema is named.

use std::path::Path;

use serde_json::{Value, json};
use trunkline_teams::calls::{CallOptions, ChatInfo, IdentitySet, MeetingInfo, ParticipantInfo, Secret};
use trunkline_teams::graph::Operation;

use crate::CALL;
use crate::operations::every_operation;

/// `openapi-communications.json`: paths, parameters and types derived from Graph's metadata (v1.0).
fn schema() -> Option<Value> {
    let samples = std::env::var_os("TRUNKLINE_SAMPLES")?;
    let path = Path::new(&samples).join("calls/openapi-communications.json");
    Some(serde_json::from_slice(&std::fs::read(path).ok()?).unwrap())
}

/// The path of a request as the schema writes it.
fn template(segments: &[String]) -> String {
    let mut path = String::new();
    for (place, segment) in segments.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| segments[before].as_str());
        let name = match before {
            Some("calls") if segment != "logTeleconferenceDeviceQuality" => "{call-id}",
            Some("audioRoutingGroups") => "{audioRoutingGroup-id}",
            Some("operations") => "{commsOperation-id}",
            Some("contentSharingSessions") => "{contentSharingSession-id}",
            Some("participants") if segment != "invite" => "{participant-id}",
            _ => segment,
        };
        path.push('/');
        path.push_str(name);
    }
    path
}

/// What the schema has for the body of an operation.
fn expected_body<'a>(schema: &'a Value, operation: &Operation) -> Option<&'a Value> {
    let request = operation.request(Some(CALL)).unwrap();
    let path = template(&request.segments);
    let method = format!("{:?}", request.method).to_lowercase();
    let described = &schema["paths"][&path][&method];
    assert!(described.is_object(), "{method} {path} is no operation of Graph");
    let content = &described["requestBody"]["content"];
    let body = &content["application/json"]["schema"];
    body.is_object().then_some(body)
}

fn check(schema: &Value, body: &Value, operation: &Operation) {
    // The schema of the body, beside all others that it refers to.
    let whole = json!({"allOf": [body], "components": schema["components"]});
    let validator = jsonschema::validator_for(&nullable(&whole)).unwrap();
    let sent: Value = serde_json::from_slice(&operation.request(Some(CALL)).unwrap().body.unwrap()).unwrap();
    let problems: Vec<String> = validator
        .iter_errors(&sent)
        .map(|problem| format!("{}: {problem}", problem.instance_path()))
        .collect();
    assert!(problems.is_empty(), "{:?}: {problems:?}\n{sent}", operation.kind());
}

/// `nullable` of OpenAPI 3.0 as JSON Schema says it.
fn nullable(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(nullable).collect(),
        Value::Object(members) => {
            let mut plain: serde_json::Map<String, Value> = members
                .iter()
                .map(|(name, value)| (name.clone(), nullable(value)))
                .collect();
            if plain.remove("nullable") == Some(Value::Bool(true)) {
                return json!({"anyOf": [plain, {"type": "null"}]});
            }
            Value::Object(plain)
        }
        other => other.clone(),
    }
}

/// Calls that a bot can begin beside that of [`every_operation`].
fn other_creates() -> Vec<Operation> {
    let of = |change: fn(&mut trunkline_teams::calls::Call)| {
        let Operation::Create(mut call) = every_operation().remove(0) else {
            panic!("the first is Create")
        };
        change(&mut call);
        Operation::Create(call)
    };
    vec![
        of(|call| {
            call.targets.clear();
            call.chat_info = Some(ChatInfo {
                thread_id: Some("19:meeting_x@thread.v2".to_owned()),
                message_id: Some("0".to_owned()),
                ..ChatInfo::default()
            });
            call.meeting_info = Some(MeetingInfo::of_organizer("dcef2282", "3c02559b"));
        }),
        of(|call| call.meeting_info = Some(MeetingInfo::of_meeting_id("1234567", Some("p".to_owned())))),
        of(|call| call.meeting_info = Some(MeetingInfo::of_token(Secret::new("t")))),
        of(|call| {
            call.source = Some(ParticipantInfo {
                identity: Some(IdentitySet::of_application_instance("a1b9c7de")),
                ..ParticipantInfo::default()
            });
            call.call_options = Some(CallOptions {
                odata_type: Some("#microsoft.graph.outgoingCallOptions".to_owned()),
                is_delta_roster_enabled: Some(true),
                ..CallOptions::default()
            });
        }),
    ]
}

#[test]
fn every_body_is_what_microsofts_metadata_declares() {
    let Some(schema) = schema() else { return };
    let mut checked = 0;
    // The schema has the calls API only.
    let is_of_calls = |operation: &Operation| !matches!(operation, Operation::CreateOrGetMeeting(_));
    let all = every_operation().into_iter().filter(is_of_calls);
    for operation in all.chain(other_creates()) {
        let expected = expected_body(&schema, &operation);
        let sent = operation.request(Some(CALL)).unwrap().body;
        assert_eq!(
            expected.is_some(),
            sent.is_some(),
            "{:?} has a body or not",
            operation.kind()
        );
        if let Some(body) = expected {
            check(&schema, body, &operation);
            checked += 1;
        }
    }
    assert!(checked >= 25, "{checked}");
}

#[test]
fn a_wrong_body_would_be_noticed() {
    let Some(schema) = schema() else { return };
    let wrong = Operation::Redirect(Box::default());
    let body = expected_body(&schema, &wrong).unwrap();
    let whole = nullable(&json!({"allOf": [body], "components": schema["components"]}));
    let validator = jsonschema::validator_for(&whole).unwrap();
    assert!(!validator.is_valid(&json!({"targets": "all", "timeout": "soon"})));
}

//! Operations as they are stored and sent.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::calls::{MediaConfig, MediaInfo, Modality, RejectReason};

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}

#[test]
fn an_answer_is_stored_without_and_sent_with_its_callback() {
    let answer = Operation::Answer(Box::new(Answer {
        accepted_modalities: vec![Modality::Audio],
        media_config: Some(MediaConfig::service_hosted(Vec::new())),
        ..Answer::default()
    }));
    let stored = serde_json::to_string(&answer).unwrap();
    assert!(!stored.contains("callbackUri"), "{stored}");
    let again: Operation = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, answer);
    let request = again
        .with_callback("https://bot.example/api/calls/k")
        .request(Some("a/b"))
        .unwrap();
    assert_eq!(
        (request.method, request.segments.join("|").as_str()),
        (Method::Post, "communications|calls|a/b|answer")
    );
    assert_eq!(
        body(&request),
        json!({
            "callbackUri": "https://bot.example/api/calls/k",
            "acceptedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        })
    );
}

#[test]
fn a_prompt_carries_its_client_context() {
    let prompt = Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(
        "https://bot.example/a.wav",
        "a",
    ))));
    let request = prompt.with_client_context("o1").request(Some("1")).unwrap();
    assert_eq!(
        body(&request),
        json!({
            "prompts": [{
                "@odata.type": "#microsoft.graph.mediaPrompt",
                "mediaInfo": {"uri": "https://bot.example/a.wav", "resourceId": "a"},
            }],
            "clientContext": "o1",
        })
    );
}

#[test]
fn what_has_no_body_has_none() {
    for (operation, method, below) in [
        (Operation::Delete, Method::Delete, None),
        (Operation::Get, Method::Get, None),
        (Operation::KeepAlive, Method::Post, Some("keepAlive")),
        (Operation::ListParticipants, Method::Get, Some("participants")),
    ] {
        let request = operation.request(Some("1")).unwrap();
        let segments = ["communications", "calls", "1"].into_iter().chain(below);
        assert_eq!(
            request,
            Request {
                method,
                segments: segments.map(str::to_owned).collect(),
                body: None
            }
        );
    }
}

#[test]
fn stored_operations_of_a_release_can_still_be_read() {
    for (stored, operation) in [
        (json!({"operation": "delete"}), Operation::Delete),
        (
            json!({"operation": "reject", "with": {"reason": "busy"}}),
            Operation::Reject(Reject {
                reason: Some(RejectReason::Busy),
                callback_uri: None,
            }),
        ),
        (
            json!({"operation": "removeParticipant", "with": {"participant": "p", "body": null}}),
            Operation::RemoveParticipant(OfParticipant {
                participant: "p".to_owned(),
                body: (),
            }),
        ),
    ] {
        assert_eq!(serde_json::from_value::<Operation>(stored.clone()).unwrap(), operation);
        assert_eq!(serde_json::to_value(&operation).unwrap(), stored);
    }
}

#[test]
fn names_of_kinds_lead_back_to_them() {
    for kind in OperationKind::ALL {
        assert_eq!(OperationKind::by_name(kind.name()), Some(kind));
    }
    assert_eq!(OperationKind::by_name("dance"), None);
}

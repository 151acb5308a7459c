//! What Graph tells of operations and people, made by hand.

use trunkline_teams::calls::{CommsOperation, Identity, IdentitySet, Participant, ParticipantInfo, ResultInfo, Secret};
use trunkline_teams::graph::OperationKind;

use crate::logic::{CallEvent, OperationEnd, OperationOutcome};

pub(super) fn ended(key: &str, operation: OperationKind, outcome: OperationOutcome) -> CallEvent {
    ended_as(key, operation.name(), outcome)
}

pub(super) fn ended_as(key: &str, operation: &str, outcome: OperationOutcome) -> CallEvent {
    CallEvent::OperationEnded(Box::new(OperationEnd {
        key: key.to_owned(),
        operation: operation.to_owned(),
        outcome,
    }))
}

pub(super) fn completed(key: &str, operation: OperationKind) -> CallEvent {
    let told = CommsOperation {
        result_info: Some(ResultInfo::new(200, 0)),
        ..CommsOperation::default()
    };
    ended(key, operation, OperationOutcome::Completed(Box::new(told)))
}

pub(super) fn failed(key: &str, operation: OperationKind, code: i64, subcode: i64) -> CallEvent {
    let told = CommsOperation {
        result_info: Some(ResultInfo::new(code, subcode)),
        ..CommsOperation::default()
    };
    ended(key, operation, OperationOutcome::Failed(Box::new(told)))
}

pub(super) fn recorded(key: &str, code: i64, subcode: i64, clip: Option<&str>) -> CallEvent {
    let Some(clip) = clip else {
        return failed(key, OperationKind::RecordResponse, code, subcode);
    };
    let told = CommsOperation {
        result_info: Some(ResultInfo::new(code, subcode)),
        recording_location: Some(clip.to_owned()),
        recording_access_token: Some(Secret::new("token")),
        ..CommsOperation::default()
    };
    ended(
        key,
        OperationKind::RecordResponse,
        OperationOutcome::Completed(Box::new(told)),
    )
}

/// Somebody as the kit writes them: the name makes the ids.
pub(in crate::test) fn somebody(name: &str) -> ParticipantInfo {
    let user = Identity {
        display_name: Some(name.to_owned()),
        ..Identity::of(format!("user-{}", name.to_lowercase()))
    };
    ParticipantInfo {
        identity: Some(IdentitySet {
            user: Some(Box::new(user)),
            ..IdentitySet::default()
        }),
        participant_id: Some(participant_id(name)),
        ..ParticipantInfo::default()
    }
}

pub(in crate::test) fn participant_id(name: &str) -> String {
    format!("participant-{}", name.to_lowercase())
}

pub(super) fn participant(name: &str) -> Participant {
    Participant {
        id: Some(participant_id(name)),
        info: Some(somebody(name)),
        is_muted: Some(false),
        ..Participant::default()
    }
}

pub(super) fn id_of(identity: Option<&IdentitySet>) -> Option<&str> {
    identity?.any()?.id.as_deref()
}

/// The last part of an address: what people call a prompt.
pub(super) fn file_of(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or(address)
}

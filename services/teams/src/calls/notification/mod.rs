//! What Graph tells of a call, as it comes to the webhook.
//!
//! Two readers: [`Batch`] and [`Outline`] split a body by call and build nothing (what an ingress needs); [`Notification`]
//! reads one of them whole (what the call's actor needs). Both follow one table (`kind.rs`). Everything is read that ever was
//! seen: words in any case, a resource that is absent, alone or a list, paths with and without leading slash, below the older
//! root and with ids of 32 upper-case digits. What is not known is [`Subject::Other`], never an error: the types are open.
//!
//! Source: Microsoft Graph v1.0, `commsNotification`, `commsOperation`, `participantJoiningNotification`,
//! `participantLeftNotification`; "Incoming call notifications" (Teams). What is documented of all this and what was only
//! observed or inferred stands in `docs/calls.md` of this crate.

mod batch;
mod kind;
mod members;
mod path;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

pub use batch::{Batch, Outline};
pub use kind::SubjectKind;
#[cfg(feature = "clients")]
pub(crate) use path::id_in_path;

use super::word::wire_word;
use super::{Call, CommsOperation, ContentSharingSession, DeltaParticipants, Participant, normal_id};
use crate::wire::wire_object;
use batch::Parts;

/// One notification of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Whether its resource came, changed or went. An operation goes when it ends.
    pub change: ChangeType,
    /// Graph's id of the call in [normal form](normal_id), if the notification says it.
    pub call: Option<String>,
    /// Entra tenant, if the notification says it.
    pub tenant: Option<String>,
    /// The call's chain, which equals the `Scenario-Id` of requests about it; if the notification says it.
    pub scenario: Option<String>,
    /// What it is about.
    pub subject: Subject,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// A call, as far as it is told: with [`ChangeType::Created`] somebody calls, with [`ChangeType::Deleted`] it is over,
    /// even if it has no state.
    Call(Box<Call>),
    /// Everybody who is in the call: who is not named has left.
    Roster(Vec<Participant>),
    /// What changed in the roster.
    RosterChanges(DeltaParticipants),
    /// An operation: with [`ChangeType::Deleted`] it is over.
    Operation {
        /// Graph's id of the operation, in [normal form](normal_id) where it is a GUID.
        id: Option<String>,
        /// As far as it is told.
        operation: Box<CommsOperation>,
    },
    /// Content is shared, or, with [`ChangeType::Deleted`], no longer; what has changed with [`ChangeType::Updated`] is nowhere
    /// documented.
    ContentSharing(Vec<ContentSharingSession>),
    /// A recorded person wants to join; the HTTP answer decides.
    Joining(Box<ParticipantJoining>),
    /// A recorded person left.
    Left(Box<ParticipantLeft>),
    /// Something that is not known.
    Other,
}

wire_word! {
    /// What became of a resource. Source: Graph, `changeType`.
    pub enum ChangeType {
        /// It came.
        Created => "created",
        /// It changed.
        Updated => "updated",
        /// It went.
        Deleted => "deleted",
    }
}

wire_object! {
    /// A recorded person wants to join a call that the bot is in, while there is room by its `participantCapacity`. Source:
    /// Graph, `participantJoiningNotification`; its form on the wire is inferred.
    pub struct ParticipantJoining {
        /// `#microsoft.graph.participantJoiningNotification`.
        odata_type: Option<String> => "@odata.type",
        /// An incoming call that tells who it is.
        call: Option<Box<Call>> => "call",
    }
}

wire_object! {
    /// A recorded person left. Source: Graph, `participantLeftNotification`; its form on the wire is inferred.
    pub struct ParticipantLeft {
        /// `#microsoft.graph.participantLeftNotification`.
        odata_type: Option<String> => "@odata.type",
        /// Who.
        participant_id: Option<String> => "participantId",
        /// The call, with the reason in its `resultInfo`.
        call: Option<Box<Call>> => "call",
    }
}

/// Why a notification cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the notification is no JSON object, or its resource is no JSON that can be read")]
pub struct NotificationError(#[from] serde_json::Error);

impl Notification {
    /// Reads one element of a [`Batch`].
    ///
    /// # Errors
    /// It is no JSON object, or too deep. What is in it is never wrong.
    pub fn read(raw: &[u8]) -> Result<Self, NotificationError> {
        let parts = Parts::read(raw)?;
        let subject = subject(&parts)?;
        let scenario = subject.call().and_then(|call| call.call_chain_id.clone());
        let change = ChangeType::from(parts.change.as_deref().unwrap_or_default());
        let outline = parts.outline();
        Ok(Self {
            change,
            call: outline.call,
            tenant: outline.tenant,
            scenario,
            subject,
        })
    }
}

impl Subject {
    /// The call that is told of, or stands inside what is told.
    pub fn call(&self) -> Option<&Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Joining(joining) => joining.call.as_deref(),
            Self::Left(left) => left.call.as_deref(),
            _ => None,
        }
    }
}

fn subject(parts: &Parts<'_>) -> Result<Subject, serde_json::Error> {
    Ok(match parts.kind {
        SubjectKind::Incoming | SubjectKind::Call => Subject::Call(entity(parts.resource)?),
        SubjectKind::Roster => Subject::Roster(entities(parts.resource)?),
        SubjectKind::RosterChanges => Subject::RosterChanges(changes(parts.resource)?),
        SubjectKind::Operation => Subject::Operation {
            id: operation_id(parts),
            operation: entity(parts.resource)?,
        },
        SubjectKind::ContentSharing => Subject::ContentSharing(sessions(parts)?),
        SubjectKind::Joining => Subject::Joining(entity(parts.resource)?),
        SubjectKind::Left => Subject::Left(entity(parts.resource)?),
        SubjectKind::Other => Subject::Other,
    })
}

/// The entity, or the first of a list; an empty one where nothing is told.
fn entity<T: DeserializeOwned + Default>(resource: Option<&RawValue>) -> Result<T, serde_json::Error> {
    let all: Vec<T> = match resource.map(RawValue::get) {
        Some(one) if one.starts_with('{') => return serde_json::from_str(one),
        Some(list) if list.starts_with('[') => objects(list)?,
        _ => Vec::new(),
    };
    Ok(all.into_iter().next().unwrap_or_default())
}

/// All entities of a list.
fn entities<T: DeserializeOwned>(resource: Option<&RawValue>) -> Result<Vec<T>, serde_json::Error> {
    resource.map_or(Ok(Vec::new()), |list| objects(list.get()))
}

/// What is an object in a list; what stands between is left out.
fn objects<T: DeserializeOwned>(list: &str) -> Result<Vec<T>, serde_json::Error> {
    let all: Vec<&RawValue> = serde_json::from_str(list)?;
    let objects = all.into_iter().map(RawValue::get).filter(|raw| raw.starts_with('{'));
    objects.map(serde_json::from_str).collect()
}

/// Sessions as a list, one alone, or none but the one that the path names.
fn sessions(parts: &Parts<'_>) -> Result<Vec<ContentSharingSession>, serde_json::Error> {
    let told = parts.resource.map(RawValue::get);
    let mut sessions: Vec<ContentSharingSession> = match told {
        Some(one) if one.starts_with('{') => vec![serde_json::from_str(one)?],
        Some(list) if list.starts_with('[') => objects(list)?,
        _ => Vec::new(),
    };
    let of_path = parts.path.as_ref().map(|path| path.item.as_str());
    let of_path = of_path.filter(|id| !id.is_empty()).map(str::to_owned);
    match (sessions.as_mut_slice(), of_path) {
        ([], Some(id)) => sessions.push(ContentSharingSession {
            id: Some(id),
            ..ContentSharingSession::default()
        }),
        ([one], Some(id)) if one.id.is_none() => one.id = Some(id),
        _ => {}
    }
    Ok(sessions)
}

/// `deltaParticipants`, or a participant alone as the one change.
fn changes(resource: Option<&RawValue>) -> Result<DeltaParticipants, serde_json::Error> {
    let changes: DeltaParticipants = entity(resource)?;
    let is_participant = changes.extra.get("info").is_some() || changes.extra.get("id").is_some();
    if !is_participant || changes.sequence_number.is_some() || !changes.participants.is_empty() {
        return Ok(changes);
    }
    Ok(DeltaParticipants {
        participants: vec![entity(resource)?],
        ..DeltaParticipants::default()
    })
}

/// The path's, else the resource's.
fn operation_id(parts: &Parts<'_>) -> Option<String> {
    let of_path = parts.path.as_ref().map(|path| path.item.clone());
    of_path.filter(|id| !id.is_empty()).or_else(|| {
        let id = parts.resource_id.as_deref()?;
        Some(normal_id(id).unwrap_or_else(|| id.to_owned()))
    })
}

//! What Graph answers to an operation that it took.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::Error as _;

use super::error::Failure;
use super::kind::OperationKind;
use crate::calls::{
    AudioRoutingGroup, Call, CommsOperation, ContentSharingSession, OnlineMeeting, Participant, id_in_path,
};

/// What Graph told when it took an operation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Told {
    /// That it was taken, and no more.
    Nothing,
    /// The call.
    Call(Box<Call>),
    /// What it makes of the operation: its end follows by a notification unless
    /// [`it is over`](CommsOperation::is_over).
    Operation(Box<CommsOperation>),
    /// Everybody in the call.
    Roster(Vec<Participant>),
    /// The participant.
    Participant(Box<Participant>),
    /// The way of sound, as it is now.
    RoutingGroup(Box<AudioRoutingGroup>),
    /// All ways of sound.
    RoutingGroups(Vec<AudioRoutingGroup>),
    /// Operations on the call.
    Operations(Vec<CommsOperation>),
    /// One sharing.
    Session(Box<ContentSharingSession>),
    /// All that is shared.
    Sessions(Vec<ContentSharingSession>),
    /// The meeting.
    Meeting(Box<OnlineMeeting>),
}

impl Told {
    /// Whether further pages may follow.
    pub(super) fn is_collection(&self) -> bool {
        matches!(
            self,
            Self::Roster(_) | Self::RoutingGroups(_) | Self::Operations(_) | Self::Sessions(_)
        )
    }

    /// Adds a further page of the same collection.
    pub(super) fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Roster(all), Self::Roster(more)) => all.extend(more),
            (Self::RoutingGroups(all), Self::RoutingGroups(more)) => all.extend(more),
            (Self::Operations(all), Self::Operations(more)) => all.extend(more),
            (Self::Sessions(all), Self::Sessions(more)) => all.extend(more),
            _ => {}
        }
    }
}

/// A successful answer, unread.
#[derive(Debug, Default)]
pub(super) struct Success {
    pub(super) body: Bytes,
    /// Names the call or the operation.
    pub(super) location: Option<String>,
}

/// A page of a collection.
#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
}

/// Where the rest of a collection lies.
#[derive(Deserialize)]
struct Next {
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

impl Success {
    /// Reads it. What was done is not undone by an answer that nobody can read: only what was asked for must be there.
    pub(super) fn read(&self, kind: OperationKind) -> Result<Told, Failure> {
        match kind {
            OperationKind::Create => self.created(),
            OperationKind::Get => self.json().map(|call| Told::Call(Box::new(call))),
            OperationKind::GetParticipant => self.json().map(|who| Told::Participant(Box::new(who))),
            OperationKind::ListParticipants => self.page().map(Told::Roster),
            // What was done is known to be done, also where its answer cannot be read.
            OperationKind::CreateAudioRoutingGroup | OperationKind::UpdateAudioRoutingGroup => {
                let group = self.json().map(|group| Told::RoutingGroup(Box::new(group)));
                Ok(group.unwrap_or(Told::Nothing))
            }
            OperationKind::GetAudioRoutingGroup => self.json().map(|group| Told::RoutingGroup(Box::new(group))),
            OperationKind::ListAudioRoutingGroups => self.page().map(Told::RoutingGroups),
            OperationKind::GetOperation => self.json().map(|operation| Told::Operation(Box::new(operation))),
            OperationKind::ListOperations => self.page().map(Told::Operations),
            OperationKind::GetContentSharingSession => self.json().map(|session| Told::Session(Box::new(session))),
            OperationKind::ListContentSharingSessions => self.page().map(Told::Sessions),
            OperationKind::CreateOrGetMeeting => self.json().map(|meeting| Told::Meeting(Box::new(meeting))),
            _ => Ok(self.operation()),
        }
    }

    /// Where the rest of a collection lies. That these collections come in pages is not documented; collections of Graph may
    /// ("Paging Microsoft Graph data").
    pub(super) fn next_page(&self) -> Option<String> {
        self.json::<Next>().ok()?.next
    }

    fn page<'de, T: Deserialize<'de>>(&'de self) -> Result<Vec<T>, Failure> {
        self.json::<Page<T>>().map(|page| page.value)
    }

    fn json<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }

    /// The new call: its id stands in the body and in `Location`.
    fn created(&self) -> Result<Told, Failure> {
        let read = self.json::<Call>();
        let id = || id_in_path(self.location.as_deref()?, None);
        let mut call = match (read, id()) {
            (Ok(call), _) => call,
            (Err(_), Some(_)) => Call::default(),
            (Err(failure), None) => return Err(failure),
        };
        call.id = call.id.or_else(id);
        if call.id.is_some() {
            Ok(Told::Call(Box::new(call)))
        } else {
            let message = "the answer holds no id of the call";
            Err(Failure::Unreadable(serde_json::Error::custom(message)))
        }
    }

    fn operation(&self) -> Told {
        let id = || id_in_path(self.location.as_deref()?, Some("operations"));
        match self.json::<CommsOperation>() {
            Ok(mut operation) => {
                operation.id = operation.id.or_else(id);
                Told::Operation(Box::new(operation))
            }
            Err(_) => id().map_or(Told::Nothing, |id| {
                Told::Operation(Box::new(CommsOperation {
                    id: Some(id),
                    ..CommsOperation::default()
                }))
            }),
        }
    }
}

//! What Graph answers to an operation that it took.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::Error as _;

use super::error::Failure;
use super::kind::OperationKind;
use crate::calls::{Call, CommsOperation, Participant, id_in_path};

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
struct Page {
    value: Vec<Participant>,
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
            OperationKind::ListParticipants => self.json::<Page>().map(|page| Told::Roster(page.value)),
            _ => Ok(self.operation()),
        }
    }

    /// Where the rest of a roster lies. That this collection comes in pages is not documented; collections of Graph may ("Paging
    /// Microsoft Graph data").
    pub(super) fn next_page(&self) -> Option<String> {
        self.json::<Page>().ok()?.next
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

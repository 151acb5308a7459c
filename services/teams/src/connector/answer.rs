//! What the Connector answers.

use bytes::Bytes;
use serde::{Deserialize, Deserializer};

use super::error::Failure;
use crate::activity::RosterMember;

/// An answer that is a success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status: 200, 201 or 202; 404 when what was to be deleted is gone.
    pub status: u16,
    /// `MS-CV` of the answer.
    pub correlation: Option<String>,
    pub(super) body: Bytes,
}

/// A message that the Connector has taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Sent {
    /// Id of the message, to update, delete or stream it. The Connector gives none for parts of a stream but the first, for
    /// some targeted messages, and for a text that comes with attachments.
    #[serde(default, deserialize_with = "filled")]
    pub id: Option<String>,
}

/// A conversation that was created or found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Id of the conversation.
    pub id: String,
    /// Id of its first message, for a thread or a session.
    #[serde(default, deserialize_with = "filled")]
    pub activity_id: Option<String>,
    /// Base that serves the conversation from now on, if it is another.
    #[serde(default, deserialize_with = "filled")]
    pub service_url: Option<String>,
}

/// A page of the roster.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MembersPage {
    /// The members.
    pub members: Vec<RosterMember>,
    /// Where the next page begins; `None` on the last.
    #[serde(default, deserialize_with = "filled")]
    pub continuation_token: Option<String>,
}

impl Answer {
    /// The message that was taken. An answer without a body, or with one that nobody can read, is a success without an id:
    /// the message must not be sent again for it.
    pub fn sent(&self) -> Sent {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The conversation that was created.
    ///
    /// # Errors
    /// The answer is none.
    pub fn created(&self) -> Result<Created, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }

    /// The page of the roster.
    ///
    /// # Errors
    /// The answer is none.
    pub fn members(&self) -> Result<MembersPage, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }

    /// The person of the roster.
    ///
    /// # Errors
    /// The answer is none.
    pub fn member(&self) -> Result<RosterMember, Failure> {
        serde_json::from_slice(&self.body).map_err(Failure::Unreadable)
    }
}

/// Reads `null`, a missing text and an empty one alike.
fn filled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

//! Streamed messages: what each part looks like and how a stream ends.
//!
//! Source: Teams "Stream bot messages". One-to-one chats only; each part holds the whole text so far; the next call begins
//! after the answer to the one before; at most [`crate::limits::STREAM_PARTS_PER_SECOND`] call a second; all of it within
//! [`crate::limits::STREAM_TIME`].

use bytes::Bytes;
use serde_json::Value;

use super::code::ErrorCode;
use super::error::{ConnectorError, Failure};
use crate::activity::{Activity, ActivityError};
use crate::entity::{Entity, StreamInfo};

/// A message that is being streamed: it counts its parts and remembers its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    id: Option<String>,
    parts: u64,
    has_text: bool,
}

/// What a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// What the bot is doing; only before the first text.
    Informative,
    /// The text so far.
    Text,
}

impl Stream {
    /// A stream of which nothing was sent yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Id of the streamed message: the one that the first part was answered with.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The next part as an activity; `None` for an informative part that comes after text, and for an empty one, which
    /// Teams refuses. The part counts as sent: Teams wants rising numbers, not adjacent ones.
    pub fn part(&mut self, kind: PartKind, text: &str) -> Option<Bytes> {
        if text.is_empty() || (kind == PartKind::Informative && self.has_text) {
            return None;
        }
        self.parts += 1;
        self.has_text |= kind == PartKind::Text;
        let stream_type = match kind {
            PartKind::Informative => "informative",
            PartKind::Text => "streaming",
        };
        let activity = Activity {
            kind: Some("typing".to_owned()),
            text: Some(text.to_owned()),
            entities: vec![self.entity(stream_type, Some(self.parts))],
            ..Activity::default()
        };
        activity.to_json().ok().map(Bytes::from)
    }

    /// Notes the id that the first part was answered with.
    pub fn started(&mut self, id: impl Into<String>) {
        self.id.get_or_insert_with(|| id.into());
    }

    /// The message that ends the stream, made of the one that is to be shown; unchanged if no part has gone out.
    ///
    /// # Errors
    /// The message is no activity.
    pub fn finish(&self, message: Bytes) -> Result<Bytes, ActivityError> {
        if self.id.is_none() {
            return Ok(message);
        }
        let mut activity = Activity::parse(&message)?;
        activity.entities.push(self.entity("final", None));
        Ok(activity.to_json()?.into())
    }

    fn entity(&self, stream_type: &str, sequence: Option<u64>) -> Entity {
        Entity::StreamInfo(StreamInfo {
            stream_id: self.id.clone(),
            stream_type: Some(stream_type.to_owned()),
            stream_sequence: sequence,
            ..StreamInfo::default()
        })
    }
}

/// Why a part of a stream was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamRefusal {
    /// The person pressed Stop: end the turn quietly and send nothing more.
    CancelledByUser,
    /// Over the time that a stream may take: the message is updated instead, without `streaminfo`.
    TimeExceeded,
    /// The stream has ended before.
    Completed,
    /// The text is too long.
    TooLarge,
    /// Streaming is switched off for the person or the bot.
    NotAllowed,
    /// The part came out of order and was dropped; later parts may go well.
    OutOfOrder,
}

impl StreamRefusal {
    /// Reads it from a failed call. The cases share one code and differ by the text of the message only.
    pub fn of(error: &ConnectorError) -> Option<Self> {
        let Failure::Refused {
            code: Some(code),
            message,
            ..
        } = &error.failure
        else {
            return None;
        };
        match code {
            ErrorCode::ContentStreamSequenceOrderPreConditionFailed => Some(Self::OutOfOrder),
            ErrorCode::ContentStreamNotAllowed => Some(Self::by_message(message)),
            _ => None,
        }
    }

    fn by_message(message: &str) -> Self {
        const PARTS: [(&str, StreamRefusal); 6] = [
            ("cancelled by user", StreamRefusal::CancelledByUser),
            ("canceled by user", StreamRefusal::CancelledByUser),
            ("exceeded streaming time", StreamRefusal::TimeExceeded),
            ("already completed", StreamRefusal::Completed),
            ("size too large", StreamRefusal::TooLarge),
            ("too large", StreamRefusal::TooLarge),
        ];
        let message = message.to_ascii_lowercase();
        let known = PARTS
            .into_iter()
            .find_map(|(part, refusal)| message.contains(part).then_some(refusal));
        known.unwrap_or(Self::NotAllowed)
    }
}

/// Whether the body of a 202 says that a part was dropped: the one error that comes with a status of success.
pub(super) fn is_refused(body: &[u8]) -> bool {
    const EMPTY: usize = b"{}".len();
    body.len() > EMPTY && serde_json::from_slice::<Value>(body).is_ok_and(|json| json["error"].is_object())
}

//! Streamed answers. Microsoft's page: "Stream bot messages".

use serde_json::{Map, Value, json};

use super::{
    Reply, body,
    limit::Limiter,
    refusal::{Refusal, StreamRefusal},
};
use crate::{
    config::Limits,
    world::{
        Place, World,
        chat::{Author, ChatKind, Content, Stream, StreamState},
        id::MessageId,
        people::BotNumber,
    },
};

/// A stream must end within two minutes of its start.
const LONGEST: u64 = 120_000;
/// One call a second. A twentieth is forgiven: a bot that waits a full second between its calls may be seen a little early.
const PACE: u64 = 950;

/// The `streaminfo` entity of an activity.
#[derive(Debug, PartialEq)]
pub(crate) struct Part<'a> {
    id: Option<&'a str>,
    kind: &'a str,
    sequence: Option<u64>,
}

impl<'a> Part<'a> {
    /// Documents write `streamInfo`, all samples `streaminfo`.
    pub(crate) fn find(activity: &'a Map<String, Value>) -> Option<Self> {
        let entities = activity.get("entities")?.as_array()?;
        let is_stream = |entity: &&Value| {
            entity
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind.eq_ignore_ascii_case("streaminfo"))
        };
        let entity = entities.iter().find(is_stream)?;
        Some(Self {
            id: entity.get("streamId").and_then(Value::as_str),
            kind: entity.get("streamType").and_then(Value::as_str).unwrap_or("streaming"),
            sequence: entity.get("streamSequence").and_then(Value::as_u64),
        })
    }
}

impl World {
    pub(crate) fn stream_part(
        &mut self,
        limiter: &Limiter,
        bot: BotNumber,
        place: Place,
        part: &Part<'_>,
        activity: &Map<String, Value>,
        now: u64,
    ) -> Result<Reply, Refusal> {
        if !matches!(self.chats[place.chat].kind, ChatKind::Personal { .. }) {
            return Err(Refusal::Stream(StreamRefusal::NotAllowed));
        }
        let content = body::content(activity)?;
        let is_message = activity.get("type").and_then(Value::as_str) == Some("message");
        let result = match part.id {
            None => self.start_stream(bot, place, part, is_message, content, now),
            Some(id) => self.continue_stream(limiter, bot, place, (id, part), is_message, content, now),
        };
        result.map_err(Refusal::Stream)
    }

    fn start_stream(
        &mut self,
        bot: BotNumber,
        place: Place,
        part: &Part<'_>,
        is_message: bool,
        content: Content,
        now: u64,
    ) -> Result<Reply, StreamRefusal> {
        if content.text.is_empty() {
            return Err(StreamRefusal::Malformed(
                "Start streaming activities should include text",
            ));
        }
        let state = match (is_message, part.kind, part.sequence) {
            (false, "informative", Some(1)) => StreamState::Informative,
            (false, "streaming", Some(1)) => StreamState::Streaming,
            (true, ..) => return Err(StreamRefusal::Malformed("A stream starts with a typing activity")),
            _ => return Err(StreamRefusal::Malformed("A stream starts with streamSequence 1")),
        };
        let id = self.write(bot, place, content, now);
        if let Some(message) = self.chats[place.chat].message_mut(id) {
            message.stream = Some(Stream {
                started: now,
                last_call: now,
                sequence: 1,
                state,
            });
        }
        self.show_message(place.chat, id);
        Ok(Reply::created(&id))
    }

    #[allow(clippy::too_many_arguments, reason = "one call with everything it is judged by")]
    fn continue_stream(
        &mut self,
        limiter: &Limiter,
        bot: BotNumber,
        place: Place,
        (id, part): (&str, &Part<'_>),
        is_message: bool,
        content: Content,
        now: u64,
    ) -> Result<Reply, StreamRefusal> {
        let unknown = StreamRefusal::Malformed("There is no stream with this streamId");
        let id = MessageId::parse(id).ok_or(unknown)?;
        let message = self.chats[place.chat].message_mut(id).ok_or(unknown)?;
        let is_own = message.author == Author::Bot(bot);
        let stream = message.stream.as_mut().filter(|_| is_own).ok_or(unknown)?;
        match stream.state {
            StreamState::Stopped => return Err(StreamRefusal::CancelledByUser),
            StreamState::Done => return Err(StreamRefusal::AlreadyCompleted),
            StreamState::Informative | StreamState::Streaming => {}
        }
        if now.saturating_sub(stream.started) > LONGEST {
            return Err(StreamRefusal::TimeExceeded);
        }
        let since = now.saturating_sub(stream.last_call);
        if limiter.limits() != Limits::Off && since < PACE {
            return Err(StreamRefusal::TooFast {
                retry_after: limiter.retry_after(PACE - since),
            });
        }
        let state = match (is_message, part.kind) {
            (true, "final") => StreamState::Done,
            (false, "streaming") => StreamState::Streaming,
            (false, "informative") if stream.state == StreamState::Informative => StreamState::Informative,
            (false, "informative") => return Err(StreamRefusal::Malformed("Text has been streamed already")),
            _ => {
                return Err(StreamRefusal::Malformed(
                    "The activity type does not fit the streamType",
                ));
            }
        };
        if state != StreamState::Done {
            let sequence = part
                .sequence
                .ok_or(StreamRefusal::Malformed("streamSequence is missing"))?;
            if sequence <= stream.sequence {
                return Err(StreamRefusal::OutOfOrder);
            }
            if !content.attachments.is_empty() {
                return Err(StreamRefusal::Malformed(
                    "Attachments may come with the final message only",
                ));
            }
            stream.sequence = sequence;
        }
        stream.last_call = now;
        stream.state = state;
        message.content = content;
        self.show_message(place.chat, id);
        Ok(Reply::new(202, json!({})))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connector::Call,
        world::{action::UserAction, people::PersonNumber},
    };

    const START: u64 = 1_800_000_000_000;
    const BOT: BotNumber = BotNumber(0);

    struct Chat {
        world: World,
        limiter: Limiter,
        conversation: String,
        now: u64,
    }

    impl Chat {
        fn new() -> Self {
            let world = World::for_tests();
            let conversation = world.chats[0].id.clone();
            Self {
                world,
                limiter: Limiter::new(Limits::Real),
                conversation,
                now: START,
            }
        }

        fn call(&mut self, kind: &str, text: &str, info: &Value) -> Reply {
            let mut entity = json!({ "type": "streaminfo" });
            for (name, value) in info.as_object().into_iter().flatten() {
                entity[name] = value.clone();
            }
            let body = json!({ "type": kind, "text": text, "entities": [entity] }).to_string();
            let call = Call::Send {
                conversation: &self.conversation,
                reply_to: None,
                body: body.as_bytes(),
            };
            self.world.serve(&mut self.limiter, BOT, call, self.now)
        }

        fn start(&mut self) -> String {
            let reply = self.call(
                "typing",
                "Looking",
                &json!({ "streamType": "informative", "streamSequence": 1 }),
            );
            assert_eq!(reply.status, 201);
            self.now += 1_000;
            reply
                .body
                .and_then(|body| body["id"].as_str().map(str::to_owned))
                .unwrap_or_default()
        }

        fn part(&mut self, id: &str, sequence: u64, text: &str) -> Reply {
            let info = json!({ "streamId": id, "streamType": "streaming", "streamSequence": sequence });
            let reply = self.call("typing", text, &info);
            self.now += 1_000;
            reply
        }

        fn end(&mut self, id: &str, text: &str) -> Reply {
            self.call("message", text, &json!({ "streamId": id, "streamType": "final" }))
        }

        fn shown(&self) -> (String, StreamState) {
            let message = &self.world.chats[0].messages[0];
            (
                message.content.text.clone(),
                message.stream.map_or(StreamState::Done, |stream| stream.state),
            )
        }
    }

    fn refused(reply: &Reply) -> (u16, &str) {
        let body = reply.body.as_ref();
        (
            reply.status,
            body.and_then(|body| body["error"]["message"].as_str()).unwrap_or(""),
        )
    }

    #[test]
    fn a_stream_shows_the_whole_text_so_far_and_ends_with_the_message() {
        let mut chat = Chat::new();
        let id = chat.start();
        assert_eq!(chat.shown(), ("Looking".to_owned(), StreamState::Informative));
        assert_eq!(chat.part(&id, 2, "A brown"), Reply::new(202, json!({})));
        assert_eq!(chat.shown(), ("A brown".to_owned(), StreamState::Streaming));
        assert_eq!(chat.end(&id, "A brown fox"), Reply::new(202, json!({})));
        assert_eq!(chat.shown(), ("A brown fox".to_owned(), StreamState::Done));
        chat.now += 1_000;
        let reply = chat.part(&id, 3, "more");
        assert_eq!(
            refused(&reply),
            (
                403,
                "Content stream is not allowed on an already completed streamed message"
            )
        );
    }

    #[test]
    fn a_part_out_of_order_is_dropped_with_a_success_status_and_an_error_body() {
        let mut chat = Chat::new();
        let id = chat.start();
        chat.part(&id, 3, "A brown fox");
        let reply = chat.part(&id, 2, "A brown");
        assert_eq!((reply.status, chat.shown().0.as_str()), (202, "A brown fox"));
        let code = reply.body.map(|body| body["error"]["code"].clone());
        assert_eq!(code, Some("ContentStreamSequenceOrderPreConditionFailed".into()));
    }

    #[test]
    fn two_calls_within_a_second_are_over_the_quota() {
        let mut chat = Chat::new();
        let id = chat.start();
        chat.now -= 600;
        let reply = chat.part(&id, 2, "A brown");
        assert_eq!(refused(&reply), (429, "API calls quota exceeded"));
        assert_eq!(reply.retry_after, Some(1));
        chat.limiter.set(Limits::Off);
        chat.now -= 900;
        assert_eq!(chat.part(&id, 2, "A brown").status, 202);
    }

    #[test]
    fn after_two_minutes_only_an_update_can_finish_the_message() {
        let mut chat = Chat::new();
        let id = chat.start();
        chat.now = START + 120_001;
        let reply = chat.end(&id, "too late");
        assert_eq!(
            refused(&reply),
            (403, "Content stream finished due to exceeded streaming time.")
        );
        let body = br#"{"type":"message","text":"late but whole"}"#;
        let call = Call::Update {
            conversation: &chat.conversation,
            activity: &id,
            body,
        };
        assert_eq!(chat.world.serve(&mut chat.limiter, BOT, call, chat.now).status, 200);
        assert_eq!(chat.shown(), ("late but whole".to_owned(), StreamState::Done));
    }

    #[test]
    fn the_stop_button_ends_the_stream_for_the_bot() {
        let mut chat = Chat::new();
        let id = chat.start();
        let message = chat.world.chats[0].messages[0].id;
        let stop = UserAction::StopStream {
            person: PersonNumber(0),
            conversation: chat.conversation.clone(),
            message,
        };
        assert!(chat.world.act(&stop, chat.now).is_ok());
        let reply = chat.part(&id, 2, "A brown");
        assert_eq!(refused(&reply), (403, "Content stream was cancelled by user."));
    }

    #[test]
    fn streams_start_with_text_and_number_one_and_only_in_personal_chats() {
        let mut chat = Chat::new();
        let reply = chat.call("typing", "", &json!({ "streamSequence": 1 }));
        assert_eq!(refused(&reply), (400, "Start streaming activities should include text"));
        assert_eq!(chat.call("typing", "x", &json!({ "streamSequence": 2 })).status, 400);
        let long = "x".repeat(60_000);
        assert_eq!(
            refused(&chat.call("typing", &long, &json!({ "streamSequence": 1 }))),
            (403, "Message size too large")
        );
        chat.conversation = chat
            .world
            .chats
            .iter()
            .find(|other| other.kind == ChatKind::Group)
            .map_or_else(String::new, |group| group.id.clone());
        let reply = chat.call("typing", "x", &json!({ "streamSequence": 1 }));
        assert_eq!(refused(&reply), (403, "Content stream is not allowed"));
    }

    #[test]
    fn the_entity_is_found_in_the_spelling_of_the_prose_too() {
        let activity = json!({ "entities": [{ "type": "streamInfo", "streamSequence": 1 }] });
        let part = activity.as_object().and_then(Part::find);
        assert_eq!(
            part,
            Some(Part {
                id: None,
                kind: "streaming",
                sequence: Some(1)
            })
        );
    }
}

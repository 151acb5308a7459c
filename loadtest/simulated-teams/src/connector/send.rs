//! Sending: messages, typing, parts of a streamed answer.

use serde_json::{Map, Value, json};

use super::{
    Reply, body,
    limit::{Class, Limiter},
    refusal::{Refusal, StreamRefusal},
    size, stream,
};
use crate::world::{
    Place, World,
    change::Change,
    chat::{Author, ChatKind, Content, Message},
    id::MessageId,
    people::BotNumber,
};

impl World {
    pub(crate) fn send(
        &mut self,
        limiter: &mut Limiter,
        bot: BotNumber,
        place: Place,
        reply_to: Option<&str>,
        raw: &[u8],
        now: u64,
    ) -> Result<Reply, Refusal> {
        let text = std::str::from_utf8(raw).map_err(|_| Refusal::BadSyntax("The body is not UTF-8"))?;
        let activity = body::object(raw)?;
        let stream_part = stream::Part::find(&activity);
        if size::counted(text) > size::LARGEST {
            return Err(match stream_part {
                Some(_) => Refusal::Stream(StreamRefusal::TooLarge),
                None => Refusal::TooBig,
            });
        }
        let kind = activity.get("type").and_then(Value::as_str);
        if let (Some(part), Some("message" | "typing")) = (&stream_part, kind) {
            limiter.admit(bot, place.chat, Class::Send, 1, now)?;
            return self.stream_part(limiter, bot, place, part, &activity, now);
        }
        match kind {
            None => Err(Refusal::MissingProperty("The 'type' property is required")),
            Some("typing") => {
                limiter.admit(bot, place.chat, Class::Send, 1, now)?;
                let conversation = self.chats[place.chat].id.clone();
                self.show(Change::Typing { conversation, bot });
                Ok(Reply::new(202, json!({})))
            }
            Some("message") => {
                let content = body::message(&activity)?;
                // The service splits text and cards into two messages, and both count.
                let parts = if content.text.is_empty() || content.attachments.is_empty() {
                    1
                } else {
                    2
                };
                limiter.admit(bot, place.chat, Class::Send, parts, now)?;
                let thread = self.thread_of_reply(place, reply_to, &activity);
                Ok(self.post(
                    bot,
                    Place {
                        chat: place.chat,
                        thread,
                    },
                    content,
                    now,
                ))
            }
            Some(other) => Err(Refusal::BadArgument(format!(
                "Activities of type {other} cannot be sent"
            ))),
        }
    }

    /// Writes a bot's message. The id in the answer cannot be used when the service made two messages of it.
    pub(crate) fn post(&mut self, bot: BotNumber, place: Place, content: Content, now: u64) -> Reply {
        if content.text.is_empty() || content.attachments.is_empty() {
            return Reply::created(&self.write(bot, place, content, now));
        }
        let cards = Content {
            attachments: content.attachments.clone(),
            attachment_layout: content.attachment_layout.clone(),
            ..Content::default()
        };
        let words = Content {
            attachments: Vec::new(),
            attachment_layout: None,
            ..content
        };
        let first = self.write(bot, place, words, now);
        let is_channel = self.chats[place.chat].kind == ChatKind::Channel;
        let thread = if is_channel {
            Some(place.thread.unwrap_or(first))
        } else {
            None
        };
        self.write(
            bot,
            Place {
                chat: place.chat,
                thread,
            },
            cards,
            now,
        );
        Reply::created(&self.message_ids.next(now))
    }

    /// Adds one message; in a channel without a thread it starts one.
    pub(crate) fn write(&mut self, bot: BotNumber, place: Place, content: Content, now: u64) -> MessageId {
        let id = self.message_ids.next(now);
        let is_channel = self.chats[place.chat].kind == ChatKind::Channel;
        let thread = if is_channel {
            Some(place.thread.unwrap_or(id))
        } else {
            None
        };
        let arrival = self.next_arrival();
        self.chats[place.chat]
            .messages
            .push(Message::new(id, arrival, thread, Author::Bot(bot), content));
        self.show_message(place.chat, id);
        id
    }

    /// A reply into a channel goes to the thread of the message that it answers. Ids of events are no messages.
    fn thread_of_reply(
        &self,
        place: Place,
        reply_to: Option<&str>,
        activity: &Map<String, Value>,
    ) -> Option<MessageId> {
        if place.thread.is_some() {
            return place.thread;
        }
        let answered = reply_to.or_else(|| activity.get("replyToId").and_then(Value::as_str))?;
        self.chats[place.chat].message(MessageId::parse(answered)?)?.thread
    }
}

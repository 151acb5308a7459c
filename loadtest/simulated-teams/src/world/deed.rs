//! What people do to messages, and what bots hear of it.

use super::{
    Place, World,
    action::{Acted, ActionRefusal},
    activity::{Delivery, MessageEvent, Scene},
    change::Change,
    chat::{Author, ChatKind, Content, Message, StreamState},
    id::MessageId,
    mention::{self, Mentionable},
    people::{BotNumber, PersonNumber},
};

impl World {
    /// Writes what a person typed and tells the bots whom it concerns: all in a personal chat, elsewhere those mentioned.
    pub(crate) fn say(
        &mut self,
        person: PersonNumber,
        place: Place,
        typed: &str,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let (content, mentioned) = self.compose(place.chat, typed)?;
        let id = self.message_ids.next(now);
        let is_channel = self.chats[place.chat].kind == ChatKind::Channel;
        let thread = if is_channel {
            Some(place.thread.unwrap_or(id))
        } else {
            None
        };
        let arrival = self.next_arrival();
        let mut message = Message::new(id, arrival, thread, Author::Person(person), content);
        message.told = self.concerned(place.chat, &mentioned);
        let place = Place {
            chat: place.chat,
            thread,
        };
        let deliveries = self.tell(MessageEvent::Written, person, place, &message, now);
        self.chats[place.chat].messages.push(message);
        self.show_message(place.chat, id);
        Ok(Acted {
            message: Some(id),
            deliveries,
        })
    }

    pub(crate) fn edit(
        &mut self,
        person: PersonNumber,
        chat: usize,
        id: MessageId,
        typed: &str,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let (content, mentioned) = self.compose(chat, typed)?;
        let told = self.concerned(chat, &mentioned);
        let message = self.own_message(person, chat, id)?;
        if message.deleted {
            return Err(ActionRefusal::NoSuchMessage);
        }
        message.content = content;
        message.edited = true;
        for bot in told {
            if !message.told.contains(&bot) {
                message.told.push(bot);
            }
        }
        self.announce(MessageEvent::Edited, person, chat, id, now)
    }

    pub(crate) fn set_deleted(
        &mut self,
        person: PersonNumber,
        chat: usize,
        id: MessageId,
        deleted: bool,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let message = self.own_message(person, chat, id)?;
        if message.deleted == deleted {
            return Err(ActionRefusal::NothingToChange);
        }
        message.deleted = deleted;
        let event = if deleted {
            MessageEvent::Deleted
        } else {
            MessageEvent::Restored
        };
        self.announce(event, person, chat, id, now)
    }

    pub(crate) fn react(
        &mut self,
        person: PersonNumber,
        chat: usize,
        id: MessageId,
        (reaction, added): (&str, bool),
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let message = self.chats[chat].message_mut(id).filter(|message| !message.deleted);
        let message = message.ok_or(ActionRefusal::NoSuchMessage)?;
        let mine = (Author::Person(person), reaction.to_owned());
        if message.reactions.contains(&mine) == added {
            return Err(ActionRefusal::NothingToChange);
        }
        if added {
            message.reactions.push(mine);
        } else {
            message.reactions.retain(|other| *other != mine);
        }
        let (author, thread) = (message.author, message.thread);
        self.show_message(chat, id);
        let Author::Bot(bot) = author else {
            return Ok(Acted::default());
        };
        if !self.is_installed(chat, bot) {
            return Ok(Acted::default());
        }
        let scene = Scene {
            bot,
            person,
            place: Place { chat, thread },
            now,
        };
        let activity = self.reaction_activity(scene, id, reaction, added);
        Ok(Acted {
            message: None,
            deliveries: vec![Delivery {
                bot,
                person,
                message: None,
                invoke: None,
                activity,
            }],
        })
    }

    pub(crate) fn stop_stream(&mut self, chat: usize, id: MessageId) -> Result<Acted, ActionRefusal> {
        let message = self.chats[chat].message_mut(id).ok_or(ActionRefusal::NoSuchMessage)?;
        let stream = message.stream.as_mut().ok_or(ActionRefusal::NotABotMessage)?;
        if matches!(stream.state, StreamState::Done | StreamState::Stopped) {
            return Err(ActionRefusal::NothingToChange);
        }
        stream.state = StreamState::Stopped;
        self.show_message(chat, id);
        Ok(Acted::default())
    }

    fn compose(&self, chat: usize, typed: &str) -> Result<(Content, Vec<BotNumber>), ActionRefusal> {
        if typed.trim().is_empty() {
            return Err(ActionRefusal::EmptyText);
        }
        let roster = self.roster(chat);
        let bots = self.bots.iter().enumerate().filter(|(bot, _)| roster.installed[*bot]);
        let bots = bots.map(|(number, bot)| Mentionable {
            name: &bot.name,
            id: &bot.account,
            bot: Some(BotNumber(number)),
        });
        let people = roster.members.iter().map(|member| &self.people[member.0]);
        let people = people.map(|person| Mentionable {
            name: &person.name,
            id: &person.object_id,
            bot: None,
        });
        let who: Vec<Mentionable<'_>> = bots.chain(people).collect();
        let marked = mention::mark(typed, &who);
        let content = Content {
            text: marked.text,
            text_format: Some("plain".to_owned()),
            attachments: marked.rendered.into_iter().collect(),
            entities: marked.entities,
            ..Content::default()
        };
        Ok((content, marked.bots))
    }

    fn concerned(&self, chat: usize, mentioned: &[BotNumber]) -> Vec<BotNumber> {
        match self.chats[chat].kind {
            ChatKind::Personal { bot } => self.is_installed(chat, bot).then_some(bot).into_iter().collect(),
            ChatKind::Group | ChatKind::Channel => mentioned.to_vec(),
        }
    }

    fn own_message(&mut self, person: PersonNumber, chat: usize, id: MessageId) -> Result<&mut Message, ActionRefusal> {
        let message = self.chats[chat].message_mut(id).ok_or(ActionRefusal::NoSuchMessage)?;
        if message.author == Author::Person(person) {
            Ok(message)
        } else {
            Err(ActionRefusal::NotTheAuthor)
        }
    }

    /// Shows a changed message and tells the bots that know it.
    fn announce(
        &mut self,
        event: MessageEvent,
        person: PersonNumber,
        chat: usize,
        id: MessageId,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let message = self.chats[chat].message(id).ok_or(ActionRefusal::NoSuchMessage)?;
        let place = Place {
            chat,
            thread: message.thread,
        };
        let deliveries = self.tell(event, person, place, message, now);
        self.show_message(chat, id);
        Ok(Acted {
            message: None,
            deliveries,
        })
    }

    fn tell(
        &self,
        event: MessageEvent,
        person: PersonNumber,
        place: Place,
        message: &Message,
        now: u64,
    ) -> Vec<Delivery> {
        let installed = message.told.iter().filter(|bot| self.is_installed(place.chat, **bot));
        let deliveries = installed.map(|bot| {
            let scene = Scene {
                bot: *bot,
                person,
                place,
                now,
            };
            let activity = self.message_activity(event, scene, message);
            Delivery {
                bot: *bot,
                person,
                message: Some((place.chat, message.id)),
                invoke: None,
                activity,
            }
        });
        deliveries.collect()
    }

    /// A message that a button writes for the person: `imBack`, and the visible part of `messageBack`.
    pub(crate) fn write_for(&mut self, person: PersonNumber, place: Place, text: &str, now: u64) -> MessageId {
        let id = self.message_ids.next(now);
        let arrival = self.next_arrival();
        let content = Content {
            text: text.to_owned(),
            text_format: Some("plain".to_owned()),
            ..Content::default()
        };
        let message = Message::new(id, arrival, place.thread, Author::Person(person), content);
        self.chats[place.chat].messages.push(message);
        self.show_message(place.chat, id);
        id
    }

    /// Marks a message that did not reach its bot, or tells the person when there is no message to mark.
    pub(crate) fn mark_undelivered(&mut self, delivery: &Delivery, reason: &str) {
        if let Some((chat, id)) = delivery.message {
            if let Some(message) = self.chats[chat].message_mut(id) {
                message.undelivered = Some(reason.to_owned());
            }
            self.show_message(chat, id);
        } else {
            self.show(Change::Notice {
                person: delivery.person,
                text: reason.to_owned(),
            });
        }
    }
}

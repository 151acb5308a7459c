//! What people do, and what bots hear of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    Place, World,
    activity::{Delivery, MessageEvent, Scene},
    chat::{Author, ChatKind, Content, Message, StreamState},
    id::MessageId,
    mention::{self, Mentionable},
    people::{BotNumber, PersonNumber},
    press::Press,
};

/// Something that a person does in a Teams client. `conversation` is the id of a chat, a channel, or a thread
/// (`;messageid=`); a message in a channel without a thread starts one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(missing_docs, reason = "who, where and which message are the same in every variant")]
pub enum UserAction {
    /// Writes a message. `@Name` mentions a bot or a person.
    Say {
        person: PersonNumber,
        conversation: String,
        text: String,
    },
    /// Changes an own message.
    Edit {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
        text: String,
    },
    /// Deletes an own message.
    Delete {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
    },
    /// Restores an own message that was deleted.
    Undelete {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
    },
    /// Reacts to a message, or takes the reaction back.
    React {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
        reaction: String,
        added: bool,
    },
    /// Presses a button of a card, or a suggested action, of a bot's message.
    Press {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
        press: Press,
    },
    /// Stops a streamed answer.
    StopStream {
        person: PersonNumber,
        conversation: String,
        message: MessageId,
    },
    /// Installs a bot in the chat, or in the team of the channel.
    Install {
        person: PersonNumber,
        conversation: String,
        bot: BotNumber,
    },
    /// Removes a bot from the chat, or from the team of the channel.
    Uninstall {
        person: PersonNumber,
        conversation: String,
        bot: BotNumber,
    },
    /// Adds somebody to a group chat or team.
    AddMember {
        person: PersonNumber,
        conversation: String,
        member: PersonNumber,
    },
    /// Removes somebody from a group chat or team, possibly oneself.
    RemoveMember {
        person: PersonNumber,
        conversation: String,
        member: PersonNumber,
    },
}

/// Why a person cannot do something: the client would not offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ActionRefusal {
    /// No person has this number.
    #[error("nobody has this number")]
    NobodyThere,
    /// No chat, channel or thread has this id.
    #[error("there is no such conversation")]
    NoSuchConversation,
    /// The person is not in the conversation.
    #[error("the person is not in this conversation")]
    NotAMember,
    /// The message does not exist, or is deleted.
    #[error("there is no such message")]
    NoSuchMessage,
    /// Only the author may change a message.
    #[error("only who wrote a message may change it")]
    NotTheAuthor,
    /// The text is empty.
    #[error("the text is empty")]
    EmptyText,
    /// The message is not a bot's, so it has no buttons and no stream.
    #[error("the message is not one of a bot")]
    NotABotMessage,
    /// No bot has this number, or it has no place in this conversation.
    #[error("there is no such bot in this conversation")]
    NoSuchBot,
    /// Installed what is installed, added who is there, or the reverse.
    #[error("nothing would change")]
    NothingToChange,
    /// Members of a personal chat cannot change.
    #[error("the members of a personal chat cannot change")]
    FixedMembers,
    /// The button opens a window or a link and sends nothing.
    #[error("this button sends nothing to the bot")]
    SendsNothing,
}

/// What came of an action.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// The message that the person wrote, if that is what the action was.
    pub(crate) message: Option<MessageId>,
    /// To be sent in this order.
    pub(crate) deliveries: Vec<Delivery>,
}

impl World {
    /// Lets a person do something at `now` (milliseconds since 1970).
    pub(crate) fn act(&mut self, action: &UserAction, now: u64) -> Result<Acted, ActionRefusal> {
        match action {
            UserAction::Say {
                person,
                conversation,
                text,
            } => {
                let place = self.enter(*person, conversation)?;
                self.say(*person, place, text, now)
            }
            UserAction::Edit {
                person,
                conversation,
                message,
                text,
            } => {
                let place = self.enter(*person, conversation)?;
                self.edit(*person, place.chat, *message, text, now)
            }
            UserAction::Delete {
                person,
                conversation,
                message,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_deleted(*person, place.chat, *message, true, now)
            }
            UserAction::Undelete {
                person,
                conversation,
                message,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_deleted(*person, place.chat, *message, false, now)
            }
            UserAction::React {
                person,
                conversation,
                message,
                reaction,
                added,
            } => {
                let place = self.enter(*person, conversation)?;
                self.react(*person, place.chat, *message, (reaction, *added), now)
            }
            UserAction::Press {
                person,
                conversation,
                message,
                press,
            } => {
                let place = self.enter(*person, conversation)?;
                self.press(*person, place.chat, *message, press, now)
            }
            UserAction::StopStream {
                person,
                conversation,
                message,
            } => {
                let place = self.enter(*person, conversation)?;
                self.stop_stream(place.chat, *message)
            }
            UserAction::Install {
                person,
                conversation,
                bot,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_installed(*person, place.chat, *bot, true, now)
            }
            UserAction::Uninstall {
                person,
                conversation,
                bot,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_installed(*person, place.chat, *bot, false, now)
            }
            UserAction::AddMember {
                person,
                conversation,
                member,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_member(*person, place.chat, *member, true, now)
            }
            UserAction::RemoveMember {
                person,
                conversation,
                member,
            } => {
                let place = self.enter(*person, conversation)?;
                self.set_member(*person, place.chat, *member, false, now)
            }
        }
    }

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

    fn edit(
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

    fn set_deleted(
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

    fn react(
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

    fn stop_stream(&mut self, chat: usize, id: MessageId) -> Result<Acted, ActionRefusal> {
        let message = self.chats[chat].message_mut(id).ok_or(ActionRefusal::NoSuchMessage)?;
        let stream = message.stream.as_mut().ok_or(ActionRefusal::NotABotMessage)?;
        if matches!(stream.state, StreamState::Done | StreamState::Stopped) {
            return Err(ActionRefusal::NothingToChange);
        }
        stream.state = StreamState::Stopped;
        self.show_message(chat, id);
        Ok(Acted::default())
    }

    /// Finds the conversation and checks that the person is in it.
    fn enter(&self, person: PersonNumber, conversation: &str) -> Result<Place, ActionRefusal> {
        if person.0 >= self.people.len() {
            return Err(ActionRefusal::NobodyThere);
        }
        let place = self.place(conversation).ok_or(ActionRefusal::NoSuchConversation)?;
        if !self.roster(place.chat).members.contains(&person) {
            return Err(ActionRefusal::NotAMember);
        }
        Ok(place)
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
            self.show(super::change::Change::Notice {
                person: delivery.person,
                text: reason.to_owned(),
            });
        }
    }
}

/// `{name: value}` as a map to merge into an activity.
pub(crate) fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

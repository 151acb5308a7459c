//! What people can do, and why it may be refused. [`super::deed`] does it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Place, World,
    activity::Delivery,
    id::MessageId,
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
}

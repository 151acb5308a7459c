//! What a bot does to messages that exist: it changes and deletes its own, and reacts to any.

use super::{Reply, body, refusal::Refusal, size};
use crate::world::{
    Place, World,
    chat::{Author, Message, StreamState},
    id::MessageId,
    people::BotNumber,
};

/// Reactions of one message that bots may add; more are answered and dropped.
const MOST_REACTIONS: usize = 100;

impl World {
    pub(crate) fn update(
        &mut self,
        bot: BotNumber,
        place: Place,
        activity: &str,
        raw: &[u8],
    ) -> Result<Reply, Refusal> {
        let text = std::str::from_utf8(raw).map_err(|_| Refusal::BadSyntax("The body is not UTF-8"))?;
        if size::counted(text) > size::LARGEST {
            return Err(Refusal::TooBig);
        }
        let content = body::message(&body::object(raw)?)?;
        let message = self.own_bot_message(bot, place, activity)?;
        let id = message.id;
        message.content = content;
        message.edited = true;
        // What one person saw in its place was an answer to the card that is gone.
        message.replaced.clear();
        // A stream that ran out of time is finished by an update.
        if let Some(stream) = message
            .stream
            .as_mut()
            .filter(|stream| stream.state != StreamState::Stopped)
        {
            stream.state = StreamState::Done;
        }
        self.show_message(place.chat, id);
        Ok(Reply::new(200, serde_json::json!({ "id": id })))
    }

    pub(crate) fn delete(&mut self, bot: BotNumber, place: Place, activity: &str) -> Result<Reply, Refusal> {
        let message = self.own_bot_message(bot, place, activity)?;
        let id = message.id;
        message.deleted = true;
        self.show_message(place.chat, id);
        Ok(Reply::empty(200))
    }

    /// Adding what is there, or removing what is not, is a success.
    pub(crate) fn bot_reacts(
        &mut self,
        bot: BotNumber,
        place: Place,
        activity: &str,
        reaction: &str,
        added: bool,
    ) -> Result<Reply, Refusal> {
        let message = self.any_message(place, activity)?;
        let id = message.id;
        let mine = (Author::Bot(bot), reaction.to_owned());
        if added && !message.reactions.contains(&mine) && message.reactions.len() < MOST_REACTIONS {
            message.reactions.push(mine);
        } else if !added {
            message.reactions.retain(|other| *other != mine);
        }
        self.show_message(place.chat, id);
        Ok(Reply::empty(200))
    }

    fn own_bot_message(&mut self, bot: BotNumber, place: Place, activity: &str) -> Result<&mut Message, Refusal> {
        let message = self.any_message(place, activity)?;
        if message.author == Author::Bot(bot) {
            Ok(message)
        } else {
            Err(Refusal::NotOwnMessage)
        }
    }

    fn any_message(&mut self, place: Place, activity: &str) -> Result<&mut Message, Refusal> {
        let id = MessageId::parse(activity).ok_or(Refusal::ActivityNotFound)?;
        let message = self.chats[place.chat]
            .message_mut(id)
            .filter(|message| !message.deleted);
        message.ok_or(Refusal::ActivityNotFound)
    }
}

//! What the page, tests and load drivers see of the tenant. The same bytes go to all of them.

use serde::Serialize;
use serde_json::Value;

use super::{
    Place, World,
    chat::{Author, ChatKind, Message, StreamState},
    id::MessageId,
    people::{BotNumber, PersonNumber},
};

/// A person of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    /// Names the person in [`UserAction`](crate::UserAction).
    pub number: PersonNumber,
    /// Given name and surname.
    pub name: String,
    /// Entra object id.
    pub object_id: String,
}

/// A registered bot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BotView {
    /// Names the bot in [`UserAction`](crate::UserAction).
    pub number: BotNumber,
    /// The name that people see and mention.
    pub name: String,
    /// Application id.
    pub app_id: String,
}

/// A chat or channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    /// The id that bots see; threads append `;messageid=`.
    pub id: String,
    /// `personal`, `groupChat` or `channel`, as `conversationType` on the wire.
    pub kind: &'static str,
    /// The name of the chat, of the channel, or of the bot in a personal chat.
    pub name: String,
    /// The team of a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The bot of a personal chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot: Option<BotNumber>,
    /// Who takes part.
    pub members: Vec<PersonNumber>,
    /// Bots that are installed here.
    pub installed: Vec<BotNumber>,
}

/// One message as its readers see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    /// The chat or channel, without a thread.
    pub conversation: String,
    /// 13 digits.
    pub id: MessageId,
    /// Place in the order of arrival over all conversations; an edit does not change it.
    pub arrival: u64,
    /// Channels: the post that starts the thread; it names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<MessageId>,
    /// Who wrote it.
    pub from: AuthorView,
    /// Text, empty when there is none or the message was deleted.
    pub text: String,
    /// `plain`, `markdown` or `xml`; absent: plain for people, markdown for bots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_format: Option<String>,
    /// Cards and files, as the bot wrote them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Value>,
    /// `list` or `carousel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachment_layout: Option<String>,
    /// Mentions, citations and whatever else the bot wrote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<Value>,
    /// Buttons below the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_actions: Option<Value>,
    /// Whether it was changed after it was written.
    pub edited: bool,
    /// Whether it was deleted; it can be restored by who wrote it.
    pub deleted: bool,
    /// Reactions in the order in which they were made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ReactionView>,
    /// Why a bot did not get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undelivered: Option<String>,
    /// How far a streamed answer has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamView>,
    /// Cards that only one person sees, as the answer to an action of hers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<ReplacedView>,
}

impl MessageView {
    /// Whether a bot wrote it.
    pub fn is_from_bot(&self) -> bool {
        matches!(self.from, AuthorView::Bot { .. })
    }

    /// Whether nothing more will be added to it by a stream.
    pub fn is_complete(&self) -> bool {
        !matches!(self.stream, Some(StreamView::Informative | StreamView::Streaming))
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum AuthorView {
    /// A person of the tenant.
    Person {
        /// Who.
        number: PersonNumber,
        /// Given name and surname.
        name: String,
    },
    /// A registered bot.
    Bot {
        /// Which.
        number: BotNumber,
        /// The name that people see.
        name: String,
    },
}

/// One reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactionView {
    /// Who reacted.
    pub from: AuthorView,
    /// `like`, `heart`, `laugh`, `surprised`, `sad`, `angry` or the id of an emoji.
    pub reaction: String,
}

/// How far a streamed answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StreamView {
    /// Only notes on what the bot is doing so far.
    Informative,
    /// Text is growing.
    Streaming,
    /// The final message came.
    Done,
    /// The person pressed Stop.
    Stopped,
}

/// Attachments that one person sees in place of the bot's.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplacedView {
    /// Who sees them.
    pub person: PersonNumber,
    /// What is seen.
    pub attachments: Vec<Value>,
}

impl World {
    pub(crate) fn people_view(&self) -> Vec<PersonView> {
        let view = |(number, person): (usize, &super::people::Person)| PersonView {
            number: PersonNumber(number),
            name: person.name.clone(),
            object_id: person.object_id.clone(),
        };
        self.people.iter().enumerate().map(view).collect()
    }

    pub(crate) fn bots_view(&self) -> Vec<BotView> {
        let view = |(number, bot): (usize, &super::people::Bot)| BotView {
            number: BotNumber(number),
            name: bot.name.clone(),
            app_id: bot.app_id.clone(),
        };
        self.bots.iter().enumerate().map(view).collect()
    }

    pub(crate) fn conversations_view(&self) -> Vec<ConversationView> {
        (0..self.chats.len()).map(|chat| self.conversation_view(chat)).collect()
    }

    pub(crate) fn conversation_view(&self, place: usize) -> ConversationView {
        let chat = &self.chats[place];
        let roster = self.roster(place);
        let (kind, team, bot) = match chat.kind {
            ChatKind::Personal { bot } => ("personal", None, Some(bot)),
            ChatKind::Group => ("groupChat", None, None),
            ChatKind::Channel => ("channel", Some(self.team.name.clone()), None),
        };
        let name = match (&chat.name, bot) {
            (Some(name), _) => name.clone(),
            (None, Some(bot)) => self.bots[bot.0].name.clone(),
            (None, None) => String::new(),
        };
        let installed = roster.installed.iter().enumerate().filter(|(_, installed)| **installed);
        ConversationView {
            id: chat.id.clone(),
            kind,
            name,
            team,
            bot,
            members: roster.members.clone(),
            installed: installed.map(|(bot, _)| BotNumber(bot)).collect(),
        }
    }

    pub(crate) fn transcript(&self, place: usize, thread: Option<MessageId>) -> Vec<MessageView> {
        let chat = &self.chats[place];
        let shown = chat
            .messages
            .iter()
            .filter(|message| thread.is_none() || message.thread == thread);
        shown.map(|message| self.view_of(&chat.id, message)).collect()
    }

    /// The first message of a bot that arrived after the one with the number `seen`.
    pub(crate) fn bot_message_after(&self, place: Place, seen: u64) -> Option<MessageView> {
        let chat = &self.chats[place.chat];
        // Within a chat, messages arrive in the order in which they are kept.
        let start = chat.messages.partition_point(|message| message.arrival <= seen);
        let mut later = chat.messages[start..].iter();
        let is_next = |message: &&Message| {
            matches!(message.author, Author::Bot(_)) && (place.thread.is_none() || message.thread == place.thread)
        };
        later.find(is_next).map(|message| self.view_of(&chat.id, message))
    }

    pub(crate) fn message_view(&self, place: usize, message: MessageId) -> Option<MessageView> {
        let chat = &self.chats[place];
        chat.message(message).map(|message| self.view_of(&chat.id, message))
    }

    fn view_of(&self, conversation: &str, message: &Message) -> MessageView {
        let content = if message.deleted {
            &super::chat::Content::default()
        } else {
            &message.content
        };
        MessageView {
            conversation: conversation.to_owned(),
            id: message.id,
            arrival: message.arrival,
            thread: message.thread,
            from: self.author_view(message.author),
            text: content.text.clone(),
            text_format: content.text_format.clone(),
            attachments: content.attachments.clone(),
            attachment_layout: content.attachment_layout.clone(),
            entities: content.entities.clone(),
            suggested_actions: content.suggested_actions.clone(),
            edited: message.edited,
            deleted: message.deleted,
            reactions: message
                .reactions
                .iter()
                .map(|(from, reaction)| ReactionView {
                    from: self.author_view(*from),
                    reaction: reaction.clone(),
                })
                .collect(),
            undelivered: message.undelivered.clone(),
            stream: message.stream.map(|stream| match stream.state {
                StreamState::Informative => StreamView::Informative,
                StreamState::Streaming => StreamView::Streaming,
                StreamState::Done => StreamView::Done,
                StreamState::Stopped => StreamView::Stopped,
            }),
            replaced: message
                .replaced
                .iter()
                .map(|(person, attachments)| ReplacedView {
                    person: *person,
                    attachments: attachments.clone(),
                })
                .collect(),
        }
    }

    fn author_view(&self, author: Author) -> AuthorView {
        let name = self.author_name(author).to_owned();
        match author {
            Author::Person(number) => AuthorView::Person { number, name },
            Author::Bot(number) => AuthorView::Bot { number, name },
        }
    }
}

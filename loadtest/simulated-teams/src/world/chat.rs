//! Conversations and the messages in them.

use serde_json::Value;

use super::{
    id::MessageId,
    people::{BotNumber, PersonNumber},
};

/// What kind of conversation a chat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatKind {
    Personal { bot: BotNumber },
    Group,
    Channel,
}

/// Who belongs to a chat, or to a team and so to all of its channels.
#[derive(Debug)]
pub(crate) struct Roster {
    pub(crate) members: Vec<PersonNumber>,
    /// By bot number.
    pub(crate) installed: Vec<bool>,
}

/// One chat or channel with everything that was said in it.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) id: String,
    pub(crate) kind: ChatKind,
    pub(crate) name: Option<String>,
    /// Place of the roster in the world.
    pub(crate) roster: usize,
    /// In the order of their ids, which is the order of writing.
    pub(crate) messages: Vec<Message>,
}

impl Chat {
    pub(crate) fn new(id: String, kind: ChatKind, name: Option<String>, roster: usize) -> Self {
        Self {
            id,
            kind,
            name,
            roster,
            messages: Vec::new(),
        }
    }

    pub(crate) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages
            .binary_search_by_key(&id, |message| message.id)
            .ok()
            .map(|place| &self.messages[place])
    }

    pub(crate) fn message_mut(&mut self, id: MessageId) -> Option<&mut Message> {
        self.messages
            .binary_search_by_key(&id, |message| message.id)
            .ok()
            .map(|place| &mut self.messages[place])
    }
}

/// Who wrote something or reacted to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    Person(PersonNumber),
    Bot(BotNumber),
}

/// What a message shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) text: String,
    /// `textFormat`; absent means markdown for a bot's message.
    pub(crate) text_format: Option<String>,
    pub(crate) attachments: Vec<Value>,
    pub(crate) attachment_layout: Option<String>,
    pub(crate) entities: Vec<Value>,
    pub(crate) suggested_actions: Option<Value>,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    /// Place in the order of arrival over all conversations.
    pub(crate) arrival: u64,
    /// Channels only: the post that starts the thread; a post that starts one names itself.
    pub(crate) thread: Option<MessageId>,
    pub(crate) author: Author,
    pub(crate) content: Content,
    pub(crate) edited: bool,
    pub(crate) deleted: bool,
    pub(crate) reactions: Vec<(Author, String)>,
    /// Bots that were sent this message; they also hear of its edits and its deletion.
    pub(crate) told: Vec<BotNumber>,
    /// Why the bot could not be told, as the person reads it.
    pub(crate) undelivered: Option<String>,
    pub(crate) stream: Option<Stream>,
    /// Cards that were replaced by the answer to an action, for one person each.
    pub(crate) replaced: Vec<(PersonNumber, Vec<Value>)>,
}

impl Message {
    pub(crate) fn new(
        id: MessageId,
        arrival: u64,
        thread: Option<MessageId>,
        author: Author,
        content: Content,
    ) -> Self {
        Self {
            id,
            arrival,
            thread,
            author,
            content,
            edited: false,
            deleted: false,
            reactions: Vec::new(),
            told: Vec::new(),
            undelivered: None,
            stream: None,
            replaced: Vec::new(),
        }
    }
}

/// How far a streamed answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Milliseconds since 1970.
    pub(crate) started: u64,
    pub(crate) last_call: u64,
    /// `streamSequence` of the last accepted part.
    pub(crate) sequence: u64,
    pub(crate) state: StreamState,
}

/// What a streamed answer is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// Only notes on what the bot is doing so far.
    Informative,
    /// Text is growing.
    Streaming,
    /// The final message came.
    Done,
    /// The person pressed Stop.
    Stopped,
}

//! What open pages are told as it happens.

use serde::Serialize;

use super::{
    people::{BotNumber, PersonNumber},
    view::{ConversationView, MessageView},
};
use crate::traffic::Exchange;

/// Something that a page shows differently from now on.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub(crate) enum Change {
    /// A message is new, or was edited, deleted, restored, reacted to, streamed or refused.
    Message { message: Box<MessageView> },
    /// A bot is typing.
    Typing { conversation: String, bot: BotNumber },
    /// Members or installed bots changed.
    Conversation { conversation: Box<ConversationView> },
    /// One person must read this once.
    Notice { person: PersonNumber, text: String },
    /// A call is new or looks different; the page asks for it.
    Call { call: String },
    /// A request and its answer, for the inspector.
    Exchange { exchange: Box<Exchange> },
}

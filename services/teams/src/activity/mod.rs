//! The activity: what Teams and a bot send each other.
//!
//! Source: Activity protocol specification (microsoft/Agents, `specs/activity/protocol-activity.md`).

mod account;
mod meeting;
mod reading;
mod suggested;

pub use account::{ChannelAccount, ConversationAccount, RosterMember, Scope};
pub use meeting::{MeetingDetails, MeetingParticipant, TeamsEvent};
pub use suggested::{CardAction, SuggestedActions};

pub use crate::wire::Extra;

use serde_json::Value;

use crate::attachment::Attachment;
use crate::channel_data::ChannelData;
use crate::entity::Entity;
use crate::wire::wire_object;

wire_object! {
    /// One activity, in either direction.
    ///
    /// Nothing is lost on the way through: what has no field here, or another shape than documented, is in `extra` of its
    /// object. A field that is `None` is not written, never as `null`.
    pub struct Activity {
        /// `type` on the wire: `message`, `invoke` and others; compared exactly, unknown ones are legal.
        kind: Option<String> => "type",
        /// Messages: milliseconds since 1970 as text. Everything else: `f:` and a UUID. Left out when sending.
        id: Option<String> => "id",
        /// UTC with 2 to 7 digits of a second; see [`Activity::sent_at`].
        timestamp: Option<String> => "timestamp",
        /// With the offset of the person's clock; not always in a form that a standard knows.
        local_timestamp: Option<String> => "localTimestamp",
        /// IANA name; see [`Activity::time_zone`].
        local_timezone: Option<String> => "localTimezone",
        /// `msteams`.
        channel_id: Option<String> => "channelId",
        /// Base of the Connector that this conversation is served by.
        service_url: Option<String> => "serviceUrl",
        /// Who caused it.
        from: Option<ChannelAccount> => "from",
        /// The bot, or the member that a targeted message is for.
        recipient: Option<ChannelAccount> => "recipient",
        /// Where.
        conversation: Option<ConversationAccount> => "conversation",
        /// BCP 47.
        locale: Option<String> => "locale",
        /// Holds `<at>Name</at>` for mentions.
        text: Option<String> => "text",
        /// `plain`, `markdown`, `xml`.
        text_format: Option<String> => "textFormat",
        /// Files, pictures, cards.
        attachments: Vec<Attachment> => "attachments",
        /// `list` or `carousel`.
        attachment_layout: Option<String> => "attachmentLayout",
        /// Mentions, the person's client and more.
        entities: Vec<Entity> => "entities",
        /// What Teams adds to the schema.
        channel_data: Option<ChannelData> => "channelData",
        /// Of invokes, events and card actions; sometimes JSON inside a text.
        value: Option<Value> => "value",
        /// Kind of `value`, on traces.
        value_type: Option<String> => "valueType",
        /// Of invokes and events. Absent on an invoke from a card's `invoke` button.
        name: Option<String> => "name",
        /// The message that a card action or a reaction is about, or that is answered.
        reply_to_id: Option<String> => "replyToId",
        /// Buttons below the message.
        suggested_actions: Option<Box<SuggestedActions>> => "suggestedActions",
        /// Text of the notification.
        summary: Option<String> => "summary",
        /// `low`, `normal`, `high`.
        importance: Option<String> => "importance",
        /// Who came, on conversation updates.
        members_added: Vec<ChannelAccount> => "membersAdded",
        /// Who went, on conversation updates.
        members_removed: Vec<ChannelAccount> => "membersRemoved",
        /// Reactions that were added.
        reactions_added: Vec<Reaction> => "reactionsAdded",
        /// Reactions that were taken away.
        reactions_removed: Vec<Reaction> => "reactionsRemoved",
        /// New topic of a chat.
        topic_name: Option<String> => "topicName",
        /// Whether the history before is shown.
        history_disclosed: Option<bool> => "historyDisclosed",
        /// Of installation updates: `add`, `remove`, `upgrade`, ..; compare without case.
        action: Option<String> => "action",
        /// `normal`, or `expectReplies`, which no channel takes.
        delivery_mode: Option<String> => "deliveryMode",
        /// Has no effect in Teams.
        input_hint: Option<String> => "inputHint",
        /// Has no effect in Teams.
        speak: Option<String> => "speak",
        /// Has no effect in Teams.
        expiration: Option<String> => "expiration",
        /// Has no effect in Teams.
        listen_for: Vec<String> => "listenFor",
        /// Has no effect in Teams.
        semantic_action: Option<Value> => "semanticAction",
        /// Has no effect in Teams.
        relates_to: Option<Value> => "relatesTo",
        /// Why a conversation ended.
        code: Option<String> => "code",
        /// What a trace is about.
        label: Option<String> => "label",
    }
}

wire_object! {
    /// One reaction to a message.
    pub struct Reaction {
        /// `like`, `heart`, `laugh`, `surprised`, `sad`, `angry`, or the id of an emoji such as `1f440_eyes`.
        kind: Option<String> => "type",
    }
}

/// Why a body is not an activity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActivityError {
    /// Not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// Not JSON, not an object, or nested deeper than 127.
    #[error("the body is not an activity")]
    Unreadable(#[from] serde_json::Error),
}

impl Activity {
    /// Reads an activity from a body.
    ///
    /// # Errors
    /// The body is not a JSON object, or is nested deeper than 127.
    pub fn parse(body: &[u8]) -> Result<Self, ActivityError> {
        Ok(serde_json::from_str(std::str::from_utf8(body)?)?)
    }

    /// Writes the activity as JSON.
    ///
    /// # Errors
    /// None in practice: every member is JSON by its type.
    pub fn to_json(&self) -> Result<Vec<u8>, ActivityError> {
        Ok(serde_json::to_vec(self)?)
    }
}

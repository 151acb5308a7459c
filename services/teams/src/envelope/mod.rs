//! The envelope of an activity: what an ingress needs of a body, borrowed from it, in one pass.
//!
//! [`Envelope::parse`] checks that the whole body is JSON that [`crate::activity::Activity::parse`] will read later, without
//! building any of it, and refuses what could hurt a reader behind it: deep nesting, endless ids, no conversation. Where a
//! member stands twice the last one counts, as it does for the activity, so that nobody can show the ingress one service
//! address and the bot another.

mod kind;
mod scan;

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::{DeserializeSeed, MapAccess};

pub use kind::Kind;
use scan::{Depth, Members, Object, Skip, Text};

/// Levels of arrays and objects that a body may have, unless configured otherwise. Activities of Teams have about 12; cards
/// inside `messagePayload` are the deepest.
pub const DEFAULT_DEPTH: usize = 64;

/// Most levels that can be configured: the JSON reader of activities refuses more than this.
pub const MAX_DEPTH: usize = 126;

/// Longest id, name, type or address in bytes. Ids of Teams have up to about 200; the conversation id is part of keys in the
/// store, which is why it must be bounded.
pub const MAX_TEXT_BYTES: usize = 1024;

/// What an ingress needs of an activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// `type`; never empty.
    pub activity_type: Cow<'a, str>,
    /// `conversation.id`, thread suffix included; never empty.
    pub conversation_id: Cow<'a, str>,
    /// `id`.
    pub id: Option<Cow<'a, str>>,
    /// `name`, of invokes and events.
    pub name: Option<Cow<'a, str>>,
    /// `timestamp` as it came.
    pub timestamp: Option<Cow<'a, str>>,
    /// `channelId`.
    pub channel_id: Option<Cow<'a, str>>,
    /// `serviceUrl`, to be compared with the token's claim.
    pub service_url: Option<Cow<'a, str>>,
    /// `from.id`.
    pub from_id: Option<Cow<'a, str>>,
    /// `recipient.id`: the bot as Teams knows it.
    pub recipient_id: Option<Cow<'a, str>>,
    /// `conversation.tenantId`, else `channelData.tenant.id`.
    pub tenant_id: Option<Cow<'a, str>>,
    /// `channelData.eventType`.
    pub event_type: Option<Cow<'a, str>>,
    /// `replyToId`.
    pub reply_to_id: Option<Cow<'a, str>>,
}

/// Why a body is refused: 400 in each case.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Not UTF-8, as JSON between systems must be (RFC 8259, section 8.1).
    #[error("the body is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    /// Not JSON.
    #[error("the body is not JSON")]
    Unreadable(#[source] serde_json::Error),
    /// JSON, but no object.
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    /// Nested deeper than allowed.
    #[error("the body is nested deeper than {limit} levels")]
    TooDeep {
        /// Levels that are allowed.
        limit: usize,
    },
    /// No `type`, an empty one, or one that is no text.
    #[error("the activity has no type")]
    NoType,
    /// No `conversation.id`, an empty one, or one that is no text.
    #[error("the activity has no conversation")]
    NoConversation,
    /// A member that must be short is not.
    #[error("{member} has {length} bytes, allowed are {limit}", limit = MAX_TEXT_BYTES)]
    TooLong {
        /// Name of the member on the wire.
        member: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

impl EnvelopeError {
    /// Short name for metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => "not_utf8",
            Self::Unreadable(_) => "unreadable_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep { .. } => "too_deep",
            Self::NoType => "no_type",
            Self::NoConversation => "no_conversation",
            Self::TooLong { .. } => "text_too_long",
        }
    }
}

/// Looks whether a body is an object of JSON that nests at most `depth` levels, at most [`MAX_DEPTH`], for bodies that are no
/// activities.
///
/// # Errors
/// It is none, or nests deeper.
pub fn check_object(body: &[u8], depth: usize) -> Result<(), EnvelopeError> {
    let limit = depth.min(MAX_DEPTH);
    let exceeded = Cell::new(false);
    let text = std::str::from_utf8(body).map_err(EnvelopeError::NotUtf8)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Skip(Depth::new(limit, &exceeded)).deserialize(&mut json);
    match read.and_then(|()| json.end()) {
        Ok(()) if text.trim_ascii_start().starts_with('{') => Ok(()),
        Ok(()) => Err(EnvelopeError::NotAnObject),
        Err(_) if exceeded.get() => Err(EnvelopeError::TooDeep { limit }),
        Err(error) => Err(EnvelopeError::Unreadable(error)),
    }
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of a body whose nesting may have `depth` levels, at most [`MAX_DEPTH`].
    ///
    /// # Errors
    /// The body cannot be an activity that we want to handle; the error says why.
    pub fn parse(body: &'a [u8], depth: usize) -> Result<Self, EnvelopeError> {
        let limit = depth.min(MAX_DEPTH);
        let exceeded = Cell::new(false);
        // Once for the whole body: the reader would check each text by itself, at five times the price.
        let text = std::str::from_utf8(body).map_err(EnvelopeError::NotUtf8)?;
        let mut json = serde_json::Deserializer::from_str(text);
        let read = Object::<Body<'a>>::new(Depth::new(limit, &exceeded)).deserialize(&mut json);
        let body = match read.and_then(|body| json.end().map(|()| body)) {
            Ok(body) => body.ok_or(EnvelopeError::NotAnObject)?,
            Err(_) if exceeded.get() => return Err(EnvelopeError::TooDeep { limit }),
            Err(error) => return Err(EnvelopeError::Unreadable(error)),
        };
        body.into_envelope()
    }

    /// What kind of work the activity is.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.activity_type)
    }

    /// Recognises repeats of the activity within its conversation; `None` for kinds that are never remembered.
    ///
    /// `body` is what the envelope was read from: it stands in for an id where there is none.
    pub fn repeat_key(&self, body: &[u8]) -> Option<u64> {
        kind::repeat_key(self, body)
    }
}

/// Members of an activity.
#[derive(Default)]
struct Body<'a> {
    activity_type: Option<Cow<'a, str>>,
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    timestamp: Option<Cow<'a, str>>,
    channel_id: Option<Cow<'a, str>>,
    service_url: Option<Cow<'a, str>>,
    reply_to_id: Option<Cow<'a, str>>,
    from: Option<Account<'a>>,
    recipient: Option<Account<'a>>,
    conversation: Option<Conversation<'a>>,
    channel_data: Option<ChannelData<'a>>,
}

#[derive(Default)]
struct Account<'a> {
    id: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct Conversation<'a> {
    id: Option<Cow<'a, str>>,
    tenant_id: Option<Cow<'a, str>>,
}

#[derive(Default)]
struct ChannelData<'a> {
    tenant: Option<Account<'a>>,
    event_type: Option<Cow<'a, str>>,
}

impl<'de> Members<'de> for Body<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A, depth: Depth<'_>) -> Result<(), A::Error> {
        match name {
            "type" => self.activity_type = members.next_value_seed(Text(depth))?,
            "id" => self.id = members.next_value_seed(Text(depth))?,
            "name" => self.name = members.next_value_seed(Text(depth))?,
            "timestamp" => self.timestamp = members.next_value_seed(Text(depth))?,
            "channelId" => self.channel_id = members.next_value_seed(Text(depth))?,
            "serviceUrl" => self.service_url = members.next_value_seed(Text(depth))?,
            "replyToId" => self.reply_to_id = members.next_value_seed(Text(depth))?,
            "from" => self.from = members.next_value_seed(Object::new(depth))?,
            "recipient" => self.recipient = members.next_value_seed(Object::new(depth))?,
            "conversation" => self.conversation = members.next_value_seed(Object::new(depth))?,
            "channelData" => self.channel_data = members.next_value_seed(Object::new(depth))?,
            _ => members.next_value_seed(Skip(depth))?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Account<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A, depth: Depth<'_>) -> Result<(), A::Error> {
        match name {
            "id" => self.id = members.next_value_seed(Text(depth))?,
            _ => members.next_value_seed(Skip(depth))?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Conversation<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A, depth: Depth<'_>) -> Result<(), A::Error> {
        match name {
            "id" => self.id = members.next_value_seed(Text(depth))?,
            "tenantId" => self.tenant_id = members.next_value_seed(Text(depth))?,
            _ => members.next_value_seed(Skip(depth))?,
        }
        Ok(())
    }
}

impl<'de> Members<'de> for ChannelData<'de> {
    fn read<A: MapAccess<'de>>(&mut self, name: &str, members: &mut A, depth: Depth<'_>) -> Result<(), A::Error> {
        match name {
            "tenant" => self.tenant = members.next_value_seed(Object::new(depth))?,
            "eventType" => self.event_type = members.next_value_seed(Text(depth))?,
            _ => members.next_value_seed(Skip(depth))?,
        }
        Ok(())
    }
}

impl<'a> Body<'a> {
    fn into_envelope(self) -> Result<Envelope<'a>, EnvelopeError> {
        let activity_type = filled("type", self.activity_type)?.ok_or(EnvelopeError::NoType)?;
        let conversation = self.conversation.unwrap_or_default();
        let conversation_id = filled("conversation.id", conversation.id)?.ok_or(EnvelopeError::NoConversation)?;
        let channel_data = self.channel_data.unwrap_or_default();
        let tenant_of_conversation = filled("conversation.tenantId", conversation.tenant_id)?;
        let tenant_of_data = filled(
            "channelData.tenant.id",
            channel_data.tenant.and_then(|tenant| tenant.id),
        )?;
        Ok(Envelope {
            activity_type,
            conversation_id,
            id: filled("id", self.id)?,
            name: filled("name", self.name)?,
            timestamp: filled("timestamp", self.timestamp)?,
            channel_id: filled("channelId", self.channel_id)?,
            service_url: filled("serviceUrl", self.service_url)?,
            from_id: filled("from.id", self.from.and_then(|account| account.id))?,
            recipient_id: filled("recipient.id", self.recipient.and_then(|account| account.id))?,
            tenant_id: tenant_of_conversation.or(tenant_of_data),
            event_type: filled("channelData.eventType", channel_data.event_type)?,
            reply_to_id: filled("replyToId", self.reply_to_id)?,
        })
    }
}

/// A bounded text; an empty one is as good as absent.
fn filled<'a>(member: &'static str, text: Option<Cow<'a, str>>) -> Result<Option<Cow<'a, str>>, EnvelopeError> {
    match text {
        Some(text) if text.len() > MAX_TEXT_BYTES => Err(EnvelopeError::TooLong {
            member,
            length: text.len(),
        }),
        Some(text) if text.is_empty() => Ok(None),
        text => Ok(text),
    }
}

//! Entities: what is known about an activity beside its text.
//!
//! Sources: Activity protocol specification, appendix II; Teams "Bot messages with AI-generated content", "Stream bot
//! messages".

use std::borrow::Cow;

use serde::de::value::MapDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::activity::ChannelAccount;
use crate::wire::{Name, Read, Tolerant, wire_object};

/// One entity. Kinds that are not known here are kept as they came.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Entity {
    /// The person's client.
    ClientInfo(ClientInfo),
    /// Somebody, or something, is mentioned in the text.
    Mention(Box<Mention>),
    /// The message quotes another.
    QuotedReply(QuotedReply),
    /// Outgoing: shows the prompt that the message answers.
    TargetedMessageInfo(TargetedMessageInfo),
    /// Outgoing: a part of a streamed message.
    StreamInfo(StreamInfo),
    /// Outgoing: label, citations and sensitivity of a message.
    Message(Box<MessageMarks>),
    /// The product that the person used.
    ProductInfo(ProductInfo),
    /// Anything else, as it came.
    Other(Value),
}

wire_object! {
    /// The person's client.
    pub struct ClientInfo as "clientInfo" {
        /// BCP 47.
        locale: Option<String> => "locale",
        /// Two letters.
        country: Option<String> => "country",
        /// `Web`, `Windows`, `Mac`, `iOS` or `Android`.
        platform: Option<String> => "platform",
        /// IANA name.
        timezone: Option<String> => "timezone",
    }
}

wire_object! {
    /// Somebody, or something, is mentioned in the text.
    pub struct Mention as "mention" {
        /// Who. In cards the id may also be a user principal name or an Entra object id.
        mentioned: Option<ChannelAccount> => "mentioned",
        /// `<at>Name</at>`, exactly as it occurs in the text.
        text: Option<String> => "text",
    }
}

wire_object! {
    /// The message quotes another; the text holds `<quoted messageId="..."/>`.
    pub struct QuotedReply as "quotedReply" {
        /// What is quoted.
        quoted_reply: Option<QuotedMessage> => "quotedReply",
    }
}

wire_object! {
    /// A quoted message. Outgoing, only the id matters.
    pub struct QuotedMessage {
        /// Id of the quoted message.
        message_id: Option<String> => "messageId",
        /// Who wrote it.
        sender_id: Option<String> => "senderId",
        /// Who wrote it, for people.
        sender_name: Option<String> => "senderName",
        /// Its first words.
        preview: Option<String> => "preview",
        /// Milliseconds since 1970 as text.
        time: Option<String> => "time",
        /// The quoted message was deleted.
        is_reply_deleted: Option<bool> => "isReplyDeleted",
        /// Teams has checked the reference.
        validated_message_reference: Option<bool> => "validatedMessageReference",
    }
}

wire_object! {
    /// Shows the prompt that a message answers.
    pub struct TargetedMessageInfo as "targetedMessageInfo" {
        /// Id of the prompt. Unknown or expired: the message is delivered without it.
        message_id: Option<String> => "messageId",
    }
}

wire_object! {
    /// A part of a streamed message; at most one on an activity.
    pub struct StreamInfo as "streaminfo" {
        /// Id that the first part was answered with; absent on the first.
        stream_id: Option<String> => "streamId",
        /// `informative`, `streaming` or `final`.
        stream_type: Option<String> => "streamType",
        /// From 1, rising by 1; absent on the final part.
        stream_sequence: Option<u64> => "streamSequence",
        /// How the stream ended, where an SDK says it.
        stream_result: Option<String> => "streamResult",
    }
}

wire_object! {
    /// The product that the person used.
    pub struct ProductInfo as "ProductInfo" {
        /// For example `COPILOT`.
        id: Option<String> => "id",
    }
}

wire_object! {
    /// Label "AI generated", citations and sensitivity of a message. Exactly one on an activity, else Teams answers 400.
    pub struct MessageMarks as "https://schema.org/Message" {
        /// `Message`.
        schema_type: Option<String> => "@type",
        /// `https://schema.org`.
        context: Option<String> => "@context",
        /// Empty.
        schema_id: Option<String> => "@id",
        /// `AIGeneratedContent` shows the label.
        additional_type: Vec<String> => "additionalType",
        /// At most [`crate::limits::CITATIONS`].
        citation: Vec<Citation> => "citation",
        /// Sensitivity of the message.
        usage: Option<SensitivityUsage> => "usageInfo",
    }
}

wire_object! {
    /// One source that the text cites.
    pub struct Citation {
        /// `Claim`.
        schema_type: Option<String> => "@type",
        /// The number in brackets in the text.
        position: Option<u64> => "position",
        /// What is shown of the source.
        appearance: Option<Appearance> => "appearance",
    }
}

wire_object! {
    /// What is shown of a cited source.
    pub struct Appearance {
        /// `DigitalDocument`.
        schema_type: Option<String> => "@type",
        /// At most 80 characters.
        name: Option<String> => "name",
        /// Where it leads.
        url: Option<String> => "url",
        /// At most 160 characters.
        summary: Option<String> => "abstract",
        /// A card as JSON text.
        text: Option<String> => "text",
        /// Type of `text`.
        encoding_format: Option<String> => "encodingFormat",
        /// At most 3, each at most 28 characters.
        keywords: Vec<String> => "keywords",
        /// Icon.
        image: Option<CitationImage> => "image",
        /// Sensitivity of the source; must match that of the message.
        usage: Option<SensitivityUsage> => "usageInfo",
    }
}

wire_object! {
    /// Icon of a cited source.
    pub struct CitationImage {
        /// `ImageObject`.
        schema_type: Option<String> => "@type",
        /// Name of one of the icons that Teams has.
        name: Option<String> => "name",
    }
}

wire_object! {
    /// A sensitivity label.
    pub struct SensitivityUsage {
        /// `CreativeWork`.
        schema_type: Option<String> => "@type",
        /// Equal ids need equal names and descriptions.
        schema_id: Option<String> => "@id",
        /// Name for people.
        name: Option<String> => "name",
        /// Explanation for people.
        description: Option<String> => "description",
        /// The rule that the label comes from.
        pattern: Option<Value> => "pattern",
    }
}

/// Members of an entity that is not typed yet: `type`, which decides, often stands last.
type Members<'de> = Vec<(Cow<'de, str>, Value)>;

/// Reads an entity from its members. Some documents write `streamInfo` for `streaminfo`.
fn from_members(mut members: Members<'_>) -> Result<Entity, serde_json::Error> {
    let kind = members
        .iter()
        .rev()
        .find(|(name, _)| name == "type")
        .and_then(|(_, value)| value.as_str());
    let Some(kind) = kind else { return Ok(untyped(members)) };
    let Some(known) = KINDS.iter().find(|known| known.name.eq_ignore_ascii_case(kind)) else {
        return Ok(untyped(members));
    };
    if known.name == kind {
        members.retain(|(name, _)| name != "type");
    }
    (known.read)(members)
}

struct Kind {
    name: &'static str,
    read: fn(Members<'_>) -> Result<Entity, serde_json::Error>,
}

/// Every kind that is typed.
const KINDS: [Kind; 7] = [
    Kind {
        name: "mention",
        read: |members| typed(members, |mention| Entity::Mention(Box::new(mention))),
    },
    Kind {
        name: "clientInfo",
        read: |members| typed(members, Entity::ClientInfo),
    },
    Kind {
        name: "quotedReply",
        read: |members| typed(members, Entity::QuotedReply),
    },
    Kind {
        name: "streaminfo",
        read: |members| typed(members, Entity::StreamInfo),
    },
    Kind {
        name: "targetedMessageInfo",
        read: |members| typed(members, Entity::TargetedMessageInfo),
    },
    Kind {
        name: "https://schema.org/Message",
        read: |members| typed(members, |marks| Entity::Message(Box::new(marks))),
    },
    Kind {
        name: "ProductInfo",
        read: |members| typed(members, Entity::ProductInfo),
    },
];

fn typed<T: Tolerant>(members: Members<'_>, entity: impl FnOnce(T) -> Entity) -> Result<Entity, serde_json::Error> {
    Ok(match T::from_object(MapDeserializer::new(members.into_iter()))? {
        Read::Known(known) => entity(known),
        Read::Other(value) => Entity::Other(value),
    })
}

fn untyped(members: Members<'_>) -> Entity {
    Entity::Other(
        members
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value))
            .collect(),
    )
}

impl Tolerant for Entity {
    fn from_object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Read<Self>, A::Error> {
        let mut members = Members::with_capacity(6);
        while let Some(Name(name)) = object.next_key()? {
            members.push((name, object.next_value()?));
        }
        from_members(members).map(Read::Known).map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Read::deserialize(deserializer)? {
            Read::Known(entity) => entity,
            Read::Other(value) => Self::Other(value),
        })
    }
}

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ClientInfo(entity) => entity.serialize(serializer),
            Self::Mention(entity) => entity.serialize(serializer),
            Self::QuotedReply(entity) => entity.serialize(serializer),
            Self::TargetedMessageInfo(entity) => entity.serialize(serializer),
            Self::StreamInfo(entity) => entity.serialize(serializer),
            Self::Message(entity) => entity.serialize(serializer),
            Self::ProductInfo(entity) => entity.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

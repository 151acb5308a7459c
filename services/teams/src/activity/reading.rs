//! What bots and the worker ask of an activity.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::{Activity, ChannelAccount, Scope};
use crate::entity::{ClientInfo, Entity, Mention};
use crate::envelope::Kind;

impl Activity {
    /// Whether `type` is this one. Types are compared exactly (Activity protocol specification, A2006).
    pub fn is(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }

    /// What kind of work the activity is.
    pub fn work(&self) -> Kind {
        Kind::of(self.kind.as_deref().unwrap_or_default())
    }

    /// `value` as an object, also where it is JSON inside a text (card actions of older clients).
    pub fn value_object(&self) -> Option<Cow<'_, Value>> {
        match self.value.as_ref()? {
            object @ Value::Object(_) => Some(Cow::Borrowed(object)),
            Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object).map(Cow::Owned),
            _ => None,
        }
    }

    /// Entra tenant: that of the conversation, else that of `channelData`, where old traffic has it only there.
    pub fn tenant_id(&self) -> Option<&str> {
        let of_conversation = self
            .conversation
            .as_ref()
            .and_then(|conversation| conversation.tenant_id.as_deref());
        let of_data = || self.channel_data.as_ref()?.tenant_id();
        of_conversation
            .filter(|tenant| !tenant.is_empty())
            .or_else(of_data)
            .filter(|tenant| !tenant.is_empty())
    }

    /// Id of the conversation, thread suffix included.
    pub fn conversation_id(&self) -> Option<&str> {
        self.conversation.as_ref()?.id.as_deref()
    }

    /// Where it happens; `None` if it is not said or new to us.
    pub fn scope(&self) -> Option<Scope> {
        self.conversation.as_ref()?.scope()
    }

    /// Whether it happens in a chat of one person with the bot.
    pub fn is_personal(&self) -> bool {
        self.scope() == Some(Scope::Personal)
    }

    /// Whether `channelData.eventType` is this one; documents differ in case.
    pub fn is_event(&self, event_type: &str) -> bool {
        self.channel_data.as_ref().is_some_and(|data| data.is_event(event_type))
    }

    /// `name`, without the blanks that some documents show around it.
    pub fn trimmed_name(&self) -> Option<&str> {
        self.name.as_deref().map(str::trim)
    }

    /// When Teams sent it, if `timestamp` can be read.
    pub fn sent_at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref()?.trim().parse().ok()
    }

    /// IANA name of the person's time zone, under either spelling of the member, else that of the person's client.
    pub fn time_zone(&self) -> Option<&str> {
        self.local_timezone
            .as_deref()
            .or_else(|| self.extra.get("localTimeZone")?.as_str())
            .or_else(|| self.client()?.timezone.as_deref())
    }

    /// The person's client.
    pub fn client(&self) -> Option<&ClientInfo> {
        self.entities.iter().find_map(|entity| match entity {
            Entity::ClientInfo(client) => Some(client),
            _ => None,
        })
    }

    /// Everything that the text mentions, the bot included.
    pub fn mentions(&self) -> impl Iterator<Item = &Mention> {
        self.entities.iter().filter_map(|entity| match entity {
            Entity::Mention(mention) => Some(mention.as_ref()),
            _ => None,
        })
    }

    /// Whether the text mentions the bot that got the activity.
    pub fn mentions_bot(&self) -> bool {
        self.mentions().any(|mention| self.is_of_recipient(mention))
    }

    /// The text as the person meant it: without the mentions of the bot that got it, trimmed.
    pub fn text_without_bot(&self) -> Cow<'_, str> {
        let mut text = Cow::Borrowed(self.text.as_deref().unwrap_or_default().trim());
        let of_bot = self.mentions().filter(|mention| self.is_of_recipient(mention));
        for mark in of_bot
            .filter_map(|mention| mention.text.as_deref())
            .filter(|mark| !mark.is_empty())
        {
            text = without(text, mark);
        }
        text
    }

    fn is_of_recipient(&self, mention: &Mention) -> bool {
        let bot = self.recipient.as_ref().and_then(|recipient| recipient.id.as_deref());
        bot.is_some() && mention.mentioned.as_ref().and_then(|mentioned| mentioned.id.as_deref()) == bot
    }

    /// Members that came, without the bot itself.
    pub fn people_added(&self) -> impl Iterator<Item = &ChannelAccount> {
        self.members_added.iter().filter(|member| !self.is_recipient(member))
    }

    /// Whether the bot itself is among the members that came.
    pub fn adds_bot(&self) -> bool {
        self.members_added.iter().any(|member| self.is_recipient(member))
    }

    /// Whether the bot itself is among the members that went.
    pub fn removes_bot(&self) -> bool {
        self.members_removed.iter().any(|member| self.is_recipient(member))
    }

    fn is_recipient(&self, member: &ChannelAccount) -> bool {
        let bot = self.recipient.as_ref().and_then(|recipient| recipient.id.as_deref());
        bot.is_some() && member.id.as_deref() == bot
    }
}

/// A text without every occurrence of a mark, joined by one blank where words stood on both sides.
fn without<'a>(text: Cow<'a, str>, mark: &str) -> Cow<'a, str> {
    if !text.contains(mark) {
        return text;
    }
    // Nearly always the mark stands in front: no new text is needed then.
    if let Cow::Borrowed(whole) = text
        && let Some(rest) = whole.strip_prefix(mark)
        && !rest.contains(mark)
    {
        return Cow::Borrowed(rest.trim());
    }
    let parts = text.split(mark).map(str::trim).filter(|part| !part.is_empty());
    Cow::Owned(parts.collect::<Vec<_>>().join(" "))
}

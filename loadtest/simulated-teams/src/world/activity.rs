//! Activities as Teams composes them: the members that each kind has, in the forms that were recorded.
//!
//! They are composed as plain JSON on purpose. A simulated Teams that used the types by which the bot reads would forgive
//! both sides the same mistake.

use serde_json::{Map, Value, json};

use super::{
    Place, World,
    chat::{ChatKind, Message},
    id::{self, MessageId},
    people::{BotNumber, PersonNumber},
    time::{self, Precision},
};

/// An activity on its way to a bot.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) bot: BotNumber,
    /// Who caused it, and is told when it fails.
    pub(crate) person: PersonNumber,
    /// The message that is marked when the bot cannot be told.
    pub(crate) message: Option<(usize, MessageId)>,
    /// An invoke: the HTTP answer carries a body for the person.
    pub(crate) invoke: Option<InvokeTarget>,
    pub(crate) activity: Map<String, Value>,
}

/// The card whose button raised an invoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvokeTarget {
    pub(crate) chat: usize,
    pub(crate) message: MessageId,
    pub(crate) kind: InvokeKind,
}

/// What the answer to an invoke means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InvokeKind {
    /// `adaptiveCard/action`: the body has its own status, and may replace the card.
    CardAction,
    /// Anything else: the HTTP status is the result.
    Other,
}

/// Who did something where, towards which bot, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) bot: BotNumber,
    pub(crate) person: PersonNumber,
    pub(crate) place: Place,
    pub(crate) now: u64,
}

impl World {
    /// A `message`, `messageUpdate` or `messageDelete` about something that a person wrote.
    pub(crate) fn message_activity(&self, kind: MessageEvent, scene: Scene, message: &Message) -> Map<String, Value> {
        let mut activity = self.envelope(kind.activity_type(), &message.id.to_string(), scene, Precision::Message);
        let mut entities = Vec::new();
        if kind != MessageEvent::Deleted {
            activity.insert("text".to_owned(), message.content.text.clone().into());
            activity.insert("textFormat".to_owned(), "plain".into());
            if !message.content.attachments.is_empty() {
                activity.insert("attachments".to_owned(), message.content.attachments.clone().into());
            }
            entities.extend(
                message
                    .content
                    .entities
                    .iter()
                    .map(|entity| self.entity_for_bot(entity, scene.bot)),
            );
        }
        entities.push(self.client_info(scene.person));
        activity.insert("entities".to_owned(), entities.into());
        let mut channel_data = self.channel_data(scene.place);
        if let Some(event_type) = kind.event_type() {
            channel_data.insert("eventType".to_owned(), event_type.into());
        }
        activity.insert("channelData".to_owned(), channel_data.into());
        self.insert_locale(&mut activity, scene.person);
        activity
    }

    /// A `messageReaction` to one of the bot's messages.
    pub(crate) fn reaction_activity(
        &mut self,
        scene: Scene,
        message: MessageId,
        reaction: &str,
        added: bool,
    ) -> Map<String, Value> {
        let event_id = self.event_ids.next();
        let mut activity = self.nameless_envelope("messageReaction", &event_id, scene);
        let member = if added { "reactionsAdded" } else { "reactionsRemoved" };
        activity.insert(member.to_owned(), json!([{ "type": reaction }]));
        activity.insert("replyToId".to_owned(), message.to_string().into());
        activity.insert("channelData".to_owned(), self.channel_data(scene.place).into());
        activity
    }

    /// What a button of a card sends: an `invoke`, or a `message` without text. `extra` is merged over the envelope.
    pub(crate) fn card_activity(
        &mut self,
        kind: &str,
        scene: Scene,
        card: MessageId,
        extra: Map<String, Value>,
    ) -> Map<String, Value> {
        let event_id = self.event_ids.next();
        let precision = if kind == "invoke" {
            Precision::Event
        } else {
            Precision::Message
        };
        let mut activity = self.envelope(kind, &event_id, scene, precision);
        activity.extend(extra);
        activity.insert("replyToId".to_owned(), card.to_string().into());
        activity.insert("entities".to_owned(), json!([self.client_info(scene.person)]));
        let mut channel_data = self.channel_data(scene.place);
        channel_data.insert("source".to_owned(), json!({ "name": "message" }));
        let conversation = self.conversation_id(scene.place.chat, scene.place.thread);
        channel_data.insert(
            "legacy".to_owned(),
            json!({ "replyToId": id::legacy_message(&conversation, card) }),
        );
        activity.insert("channelData".to_owned(), channel_data.into());
        self.insert_locale(&mut activity, scene.person);
        activity
    }

    /// `conversationUpdate` and `installationUpdate` share this much.
    pub(crate) fn nameless_envelope(&self, kind: &str, event_id: &str, scene: Scene) -> Map<String, Value> {
        let mut activity = self.envelope(kind, event_id, scene, Precision::Event);
        activity.shift_remove("localTimestamp");
        if let Some(Value::Object(from)) = activity.get_mut("from") {
            from.shift_remove("name");
        }
        activity
    }

    /// The same activity under a new timestamp and, unless it is a chat message, a new id: Teams' second layer of repeats.
    pub(crate) fn renew(&mut self, activity: &mut Map<String, Value>, now: u64) {
        let is_event = activity
            .get("id")
            .and_then(Value::as_str)
            .is_some_and(|id| id.starts_with("f:"));
        if is_event {
            activity.insert("id".to_owned(), self.event_ids.next().into());
        }
        let precision = if is_event { Precision::Event } else { Precision::Message };
        activity.insert("timestamp".to_owned(), time::utc(now, precision).into());
    }

    /// `channelData` of everything that happens in this place.
    pub(crate) fn channel_data(&self, place: Place) -> Map<String, Value> {
        let mut channel_data = Map::new();
        if self.chats[place.chat].kind == ChatKind::Channel {
            let channel = &self.chats[place.chat].id;
            channel_data.insert("teamsChannelId".to_owned(), channel.clone().into());
            channel_data.insert("teamsTeamId".to_owned(), self.team.id.clone().into());
            channel_data.insert("channel".to_owned(), json!({ "id": channel }));
            channel_data.insert("team".to_owned(), json!({ "id": self.team.id }));
        }
        channel_data.insert("tenant".to_owned(), json!({ "id": self.tenant }));
        channel_data
    }

    fn envelope(&self, kind: &str, id: &str, scene: Scene, precision: Precision) -> Map<String, Value> {
        let person = &self.people[scene.person.0];
        let bot = &self.bots[scene.bot.0];
        let mut activity = Map::with_capacity(18);
        activity.insert("type".to_owned(), kind.into());
        activity.insert("timestamp".to_owned(), time::utc(scene.now, precision).into());
        let local = time::local(scene.now, precision, &person.time_zone);
        activity.insert("localTimestamp".to_owned(), local.into());
        activity.insert("id".to_owned(), id.into());
        activity.insert("channelId".to_owned(), "msteams".into());
        activity.insert("serviceUrl".to_owned(), self.service_url.clone().into());
        let from = json!({ "id": person.account(scene.bot), "name": person.name, "aadObjectId": person.object_id });
        activity.insert("from".to_owned(), from);
        activity.insert("conversation".to_owned(), self.conversation_account(scene.place).into());
        activity.insert("recipient".to_owned(), json!({ "id": bot.account, "name": bot.name }));
        activity
    }

    fn conversation_account(&self, place: Place) -> Map<String, Value> {
        let mut account = Map::new();
        let kind = match self.chats[place.chat].kind {
            ChatKind::Personal { .. } => "personal",
            ChatKind::Group => "groupChat",
            ChatKind::Channel => "channel",
        };
        if kind != "personal" {
            account.insert("isGroup".to_owned(), true.into());
        }
        account.insert("conversationType".to_owned(), kind.into());
        account.insert("tenantId".to_owned(), self.tenant.clone().into());
        account.insert("id".to_owned(), self.conversation_id(place.chat, place.thread).into());
        account
    }

    fn client_info(&self, person: PersonNumber) -> Value {
        let person = &self.people[person.0];
        json!({
            "locale": person.locale, "country": person.country(), "platform": person.platform,
            "timezone": person.time_zone, "type": "clientInfo",
        })
    }

    fn insert_locale(&self, activity: &mut Map<String, Value>, person: PersonNumber) {
        let person = &self.people[person.0];
        activity.insert("locale".to_owned(), person.locale.clone().into());
        activity.insert("localTimezone".to_owned(), person.time_zone.clone().into());
    }

    /// A stored mention names a person by object id; each bot knows the person by another id.
    fn entity_for_bot(&self, entity: &Value, bot: BotNumber) -> Value {
        let mut entity = entity.clone();
        let mentioned = entity.pointer("/mentioned/id").and_then(Value::as_str);
        let person = mentioned.and_then(|id| self.people.iter().find(|person| person.object_id == id));
        if let (Some(person), Some(id)) = (person, entity.pointer_mut("/mentioned/id")) {
            *id = person.account(bot).into();
        }
        entity
    }
}

/// What happened to a person's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageEvent {
    Written,
    Edited,
    Restored,
    Deleted,
}

impl MessageEvent {
    fn activity_type(self) -> &'static str {
        match self {
            Self::Written => "message",
            Self::Edited | Self::Restored => "messageUpdate",
            Self::Deleted => "messageDelete",
        }
    }

    fn event_type(self) -> Option<&'static str> {
        match self {
            Self::Written => None,
            Self::Edited => Some("editMessage"),
            Self::Restored => Some("undeleteMessage"),
            Self::Deleted => Some("softDeleteMessage"),
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

//! `POST /v3/conversations`, as it was recorded: personal chats and threads of channels, never group chats.

use serde_json::{Map, Value, json};

use super::{
    Reply, body,
    limit::{Class, Limiter},
    refusal::Refusal,
    size,
};
use crate::world::{Place, World, chat::ChatKind, id, people::BotNumber};

const INCORRECT: Refusal = Refusal::BadSyntax("Incorrect conversation creation parameters");

impl World {
    pub(crate) fn create_conversation(
        &mut self,
        limiter: &mut Limiter,
        bot: BotNumber,
        raw: &[u8],
        now: u64,
    ) -> Result<Reply, Refusal> {
        let request = body::object(raw)?;
        if std::str::from_utf8(raw).is_ok_and(|text| size::counted(text) > size::LARGEST) {
            return Err(Refusal::TooBig);
        }
        let is_group = request.get("isGroup").and_then(Value::as_bool).unwrap_or(false);
        let channel = text_at(&request, "/channelData/channel/id");
        match (is_group, channel) {
            (true, Some(channel)) => self.create_thread(limiter, bot, &channel, &request, now),
            (true, None) => Err(INCORRECT),
            (false, _) => self.create_personal(limiter, bot, &request, now),
        }
    }

    /// The same person always gives the same chat; an activity is sent even if the chat exists.
    fn create_personal(
        &mut self,
        limiter: &mut Limiter,
        bot: BotNumber,
        request: &Map<String, Value>,
        now: u64,
    ) -> Result<Reply, Refusal> {
        let tenant = text_at(request, "/tenantId").or_else(|| text_at(request, "/channelData/tenant/id"));
        if tenant.is_none_or(|tenant| !tenant.eq_ignore_ascii_case(&self.tenant)) {
            return Err(Refusal::NoTenant);
        }
        let members = request
            .get("members")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let [member] = members else { return Err(INCORRECT) };
        let account = member.get("id").and_then(Value::as_str).unwrap_or("");
        let person = self.people.iter().find(|person| person.account(bot) == account);
        let Some(person) = person else {
            return Err(Refusal::BadSyntax("Invalid user identity in provided tenant"));
        };
        let conversation = id::personal_chat(&self.tenant, &self.bots[bot.0].app_id, &person.name);
        let place = self.place(&conversation).ok_or(Refusal::ConversationNotFound)?;
        if !self.is_installed(place.chat, bot) {
            return Err(Refusal::NotInRoster);
        }
        limiter.admit(bot, place.chat, Class::Create, 1, now)?;
        if let Some(Value::Object(activity)) = request.get("activity") {
            self.post(bot, place, body::message(activity)?, now);
        }
        Ok(Reply::created(&conversation))
    }

    fn create_thread(
        &mut self,
        limiter: &mut Limiter,
        bot: BotNumber,
        channel: &str,
        request: &Map<String, Value>,
        now: u64,
    ) -> Result<Reply, Refusal> {
        let Some(Value::Object(activity)) = request.get("activity") else {
            return Err(INCORRECT);
        };
        let place = self
            .place(channel)
            .filter(|place| self.chats[place.chat].kind == ChatKind::Channel);
        let place = place.ok_or(Refusal::ConversationNotFound)?;
        if !self.is_installed(place.chat, bot) {
            return Err(Refusal::NotInRoster);
        }
        let content = body::message(activity)?;
        limiter.admit(bot, place.chat, Class::Create, 1, now)?;
        let root = self.write(
            bot,
            Place {
                chat: place.chat,
                thread: None,
            },
            content,
            now,
        );
        Ok(Reply::new(
            201,
            json!({ "id": id::thread(&self.chats[place.chat].id, root), "activityId": root }),
        ))
    }
}

fn text_at(request: &Map<String, Value>, pointer: &str) -> Option<String> {
    let mut steps = pointer.split('/').skip(1);
    let first = request.get(steps.next()?)?;
    let found = steps.try_fold(first, |value, step| value.get(step))?;
    found.as_str().map(str::to_owned)
}

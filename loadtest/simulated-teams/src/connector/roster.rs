//! Who is in a conversation, and what a team has. The Entra object id is `objectId` in the two whole lists and
//! `aadObjectId` elsewhere.

use serde_json::{Value, json};

use super::{Reply, refusal::Refusal};
use crate::world::{
    Place, World,
    chat::{Author, ChatKind},
    id::MessageId,
    people::{BotNumber, PersonNumber},
};

/// `pageSize` when none is asked for.
const PAGE: usize = 200;
/// What `pageSize` is held to.
const PAGES: std::ops::RangeInclusive<usize> = 50..=500;

impl World {
    /// Whether the bot could ever see this chat: all but the personal chats of other bots.
    pub(crate) fn is_visible(&self, bot: BotNumber, chat: usize) -> bool {
        match self.chats[chat].kind {
            ChatKind::Personal { bot: own } => own == bot,
            ChatKind::Group | ChatKind::Channel => true,
        }
    }

    pub(crate) fn all_members(&self, bot: BotNumber, chat: usize) -> Reply {
        let members = self.roster(chat).members.iter();
        let accounts = members.map(|member| self.account(bot, *member, "objectId"));
        Reply::new(200, accounts.collect())
    }

    pub(crate) fn activity_members(&self, bot: BotNumber, place: Place, activity: &str) -> Result<Reply, Refusal> {
        let message = MessageId::parse(activity).and_then(|id| self.chats[place.chat].message(id));
        let author = message.ok_or(Refusal::ActivityNotFound)?.author;
        let author = match author {
            Author::Person(person) => vec![self.account(bot, person, "objectId")],
            Author::Bot(_) => Vec::new(),
        };
        Ok(Reply::new(200, author.into()))
    }

    /// The continuation token is the place of the next member: opaque to bots, cheap for us.
    pub(crate) fn paged_members(
        &self,
        bot: BotNumber,
        chat: usize,
        page_size: Option<usize>,
        continuation: Option<&str>,
    ) -> Result<Reply, Refusal> {
        let size = page_size.unwrap_or(PAGE).clamp(*PAGES.start(), *PAGES.end());
        let start: usize = match continuation.filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => token
                .parse()
                .map_err(|_| Refusal::BadArgument("The continuation token is invalid".to_owned()))?,
        };
        let members = &self.roster(chat).members;
        let page = members.iter().skip(start).take(size);
        let accounts: Vec<Value> = page.map(|member| self.account(bot, *member, "aadObjectId")).collect();
        let next = start + accounts.len();
        let mut body = json!({ "members": accounts });
        if next < members.len() {
            body["continuationToken"] = next.to_string().into();
        }
        Ok(Reply::new(200, body))
    }

    /// `member` is a `29:` id, an Entra object id or a sign-in name.
    pub(crate) fn one_member(&self, bot: BotNumber, chat: usize, member: &str) -> Result<Reply, Refusal> {
        let found = self.roster(chat).members.iter().find(|number| {
            let person = &self.people[number.0];
            person.account(bot) == member
                || person.object_id.eq_ignore_ascii_case(member)
                || person.principal_name().eq_ignore_ascii_case(member)
        });
        let found = found.ok_or(Refusal::MemberNotFound)?;
        Ok(Reply::new(200, self.account(bot, *found, "aadObjectId")))
    }

    pub(crate) fn team_details(&self, chat: usize) -> Result<Reply, Refusal> {
        self.require_team(chat)?;
        let channels = self.chats.iter().filter(|chat| chat.kind == ChatKind::Channel).count();
        let team = &self.team;
        let body = json!({
            "id": team.id, "name": team.name, "aadGroupId": team.group_id, "channelCount": channels,
            "memberCount": self.roster(chat).members.len(), "tenantId": self.tenant,
        });
        Ok(Reply::new(200, body))
    }

    /// General has no name and the team's id.
    pub(crate) fn team_channels(&self, chat: usize) -> Result<Reply, Refusal> {
        self.require_team(chat)?;
        let channels = self.chats.iter().filter(|chat| chat.kind == ChatKind::Channel);
        let channels = channels.map(|chat| {
            let name = if chat.id == self.team.id {
                None
            } else {
                chat.name.as_deref()
            };
            json!({ "id": chat.id, "name": name })
        });
        let channels: Vec<Value> = channels.collect();
        Ok(Reply::new(200, json!({ "conversations": channels })))
    }

    fn require_team(&self, chat: usize) -> Result<(), Refusal> {
        if self.chats[chat].id == self.team.id {
            Ok(())
        } else {
            Err(Refusal::ConversationNotFound)
        }
    }

    fn account(&self, bot: BotNumber, member: PersonNumber, object_id: &str) -> Value {
        let person = &self.people[member.0];
        let (given, surname) = person.name.split_once(' ').unwrap_or((&person.name, ""));
        json!({
            "id": person.account(bot), "name": person.name, "givenName": given, "surname": surname,
            "email": person.principal_name(), "userPrincipalName": person.principal_name(),
            "tenantId": self.tenant, "userRole": "user", object_id: person.object_id,
        })
    }
}

//! The rules of the Connector: what a bot's call does and how it is answered.
//!
//! Source: Microsoft's "API reference for the Bot Framework Connector service", "Send and receive messages" and "Rate
//! limiting" of the Teams platform; what was seen on the wire wins over both. [`World::serve`] takes one call of a bot that
//! is known, with the time at which it arrives.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod fault;
pub(crate) mod limit;
pub(crate) mod own;
pub(crate) mod refusal;
pub(crate) mod roster;
pub(crate) mod send;
pub(crate) mod size;
pub(crate) mod stream;

use serde_json::{Value, json};

use self::{
    limit::{Class, Limiter},
    refusal::Refusal,
};
use crate::world::{Place, World, people::BotNumber};

/// One call of a bot; ids are decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call<'a> {
    CreateConversation {
        body: &'a [u8],
    },
    Send {
        conversation: &'a str,
        reply_to: Option<&'a str>,
        body: &'a [u8],
    },
    Update {
        conversation: &'a str,
        activity: &'a str,
        body: &'a [u8],
    },
    Delete {
        conversation: &'a str,
        activity: &'a str,
    },
    React {
        conversation: &'a str,
        activity: &'a str,
        reaction: &'a str,
        added: bool,
    },
    Members {
        conversation: &'a str,
    },
    ActivityMembers {
        conversation: &'a str,
        activity: &'a str,
    },
    PagedMembers {
        conversation: &'a str,
        page_size: Option<usize>,
        continuation: Option<&'a str>,
    },
    Member {
        conversation: &'a str,
        member: &'a str,
    },
    Team {
        team: &'a str,
    },
    TeamChannels {
        team: &'a str,
    },
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    /// Seconds.
    pub(crate) retry_after: Option<u32>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            retry_after: None,
        }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            retry_after: None,
        }
    }

    /// 201 with the id by which the new message can be changed.
    pub(crate) fn created(id: &impl ToString) -> Self {
        Self::new(201, json!({ "id": id.to_string() }))
    }
}

impl World {
    /// Serves one call of `bot` that arrives at `now`.
    pub(crate) fn serve(&mut self, limiter: &mut Limiter, bot: BotNumber, call: Call<'_>, now: u64) -> Reply {
        self.try_serve(limiter, bot, call, now)
            .unwrap_or_else(|refusal| refusal.reply())
    }

    fn try_serve(&mut self, limiter: &mut Limiter, bot: BotNumber, call: Call<'_>, now: u64) -> Result<Reply, Refusal> {
        match call {
            Call::CreateConversation { body } => self.create_conversation(limiter, bot, body, now),
            Call::Send {
                conversation,
                reply_to,
                body,
            } => {
                let place = self.visible(bot, conversation)?;
                self.send(limiter, bot, place, reply_to, body, now)
            }
            Call::Update {
                conversation,
                activity,
                body,
            } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Send, 1, now)?;
                self.update(bot, place, activity, body)
            }
            Call::Delete { conversation, activity } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Send, 1, now)?;
                self.delete(bot, place, activity)
            }
            Call::React {
                conversation,
                activity,
                reaction,
                added,
            } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Reaction, 1, now)?;
                self.bot_reacts(bot, place, activity, reaction, added)
            }
            Call::Members { conversation } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::UnpagedMembers, 1, now)?;
                limiter.admit(bot, place.chat, Class::Members, 1, now)?;
                Ok(self.all_members(bot, place.chat))
            }
            Call::ActivityMembers { conversation, activity } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Members, 1, now)?;
                self.activity_members(bot, place, activity)
            }
            Call::PagedMembers {
                conversation,
                page_size,
                continuation,
            } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Members, 1, now)?;
                self.paged_members(bot, place.chat, page_size, continuation)
            }
            Call::Member { conversation, member } => {
                let place = self.visible(bot, conversation)?;
                limiter.admit(bot, place.chat, Class::Members, 1, now)?;
                self.one_member(bot, place.chat, member)
            }
            Call::Team { team } => {
                let place = self.visible(bot, team)?;
                limiter.admit(bot, place.chat, Class::Conversations, 1, now)?;
                self.team_details(place.chat)
            }
            Call::TeamChannels { team } => {
                let place = self.visible(bot, team)?;
                limiter.admit(bot, place.chat, Class::Conversations, 1, now)?;
                self.team_channels(place.chat)
            }
        }
    }

    /// Finds a conversation as this bot may see it: somebody's chat with another bot is none, and where the bot is not
    /// installed it may not act.
    fn visible(&self, bot: BotNumber, conversation: &str) -> Result<Place, Refusal> {
        let place = self
            .place(conversation)
            .filter(|place| self.is_visible(bot, place.chat));
        let place = place.ok_or(Refusal::ConversationNotFound)?;
        if self.is_installed(place.chat, bot) {
            Ok(place)
        } else {
            Err(Refusal::NotInRoster)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Limits, SimulatedBot, SimulatedPerson, SimulatedTeamsConfig};

    const NOW: u64 = 1_800_000_000_000;

    fn world(people: usize) -> World {
        let second = SimulatedBot {
            app_id: "two".to_owned(),
            ..SimulatedBot::default()
        };
        let config = SimulatedTeamsConfig {
            bots: vec![SimulatedBot::default(), second],
            people: (0..people)
                .map(|number| SimulatedPerson::named(format!("Person {number}")))
                .collect(),
            ..SimulatedTeamsConfig::default()
        };
        World::new(&config, "http://127.0.0.1:1/amer/t/".to_owned(), 1)
    }

    #[test]
    fn a_bot_cannot_see_the_personal_chats_of_another() {
        let mut world = world(1);
        let mut limiter = Limiter::new(Limits::Off);
        let conversation = world.chats[0].id.clone();
        let call = Call::Members {
            conversation: &conversation,
        };
        assert_eq!(world.serve(&mut limiter, BotNumber(0), call, NOW).status, 200);
        assert_eq!(
            world.serve(&mut limiter, BotNumber(1), call, NOW),
            Refusal::ConversationNotFound.reply()
        );
    }

    #[test]
    fn pages_of_a_roster_follow_each_other_until_all_are_told() {
        let mut world = world(141);
        let mut limiter = Limiter::new(Limits::Off);
        let group = world.chats[world.chats.len() - 3].id.clone();
        let (mut names, mut token, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let call = Call::PagedMembers {
                conversation: &group,
                page_size: Some(60),
                continuation: token.as_deref(),
            };
            let body = world
                .serve(&mut limiter, BotNumber(0), call, NOW)
                .body
                .unwrap_or_default();
            let members = body["members"].as_array().cloned().unwrap_or_default();
            names.extend(members.iter().map(|member| member["name"].to_string()));
            pages += 1;
            token = body["continuationToken"].as_str().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        names.sort();
        names.dedup();
        assert_eq!((pages, names.len()), (3, 140));
        let call = Call::PagedMembers {
            conversation: &group,
            page_size: None,
            continuation: Some("nonsense"),
        };
        assert_eq!(world.serve(&mut limiter, BotNumber(0), call, NOW).status, 400);
    }
}

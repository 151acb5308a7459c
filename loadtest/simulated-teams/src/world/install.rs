//! Bots that are installed and removed, people who come and go.

use serde_json::{Map, Value, json};

use super::{
    Place, World,
    action::{Acted, ActionRefusal},
    activity::{Delivery, Scene},
    change::Change,
    chat::ChatKind,
    people::{BotNumber, PersonNumber},
};

/// The version of the app that `channelData.app` names.
const APP_VERSION: &str = "1.0.0";

impl World {
    /// Installs or removes a bot. An install brings both an `installationUpdate` and a `conversationUpdate`.
    pub(crate) fn set_installed(
        &mut self,
        person: PersonNumber,
        chat: usize,
        bot: BotNumber,
        installed: bool,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        let has_place = match self.chats[chat].kind {
            ChatKind::Personal { bot: own } => own == bot,
            ChatKind::Group | ChatKind::Channel => bot.0 < self.bots.len(),
        };
        if !has_place {
            return Err(ActionRefusal::NoSuchBot);
        }
        if self.is_installed(chat, bot) == installed {
            return Err(ActionRefusal::NothingToChange);
        }
        let roster = self.chats[chat].roster;
        self.rosters[roster].installed[bot.0] = installed;
        self.show_roster(roster);
        let scene = Scene {
            bot,
            person,
            place: Place { chat, thread: None },
            now,
        };
        let mut activities = vec![self.installation_activity(scene, if installed { "add" } else { "remove" })];
        let is_personal = matches!(self.chats[chat].kind, ChatKind::Personal { .. });
        // Removing a personal app is told by the installationUpdate alone.
        if installed || !is_personal {
            let mut accounts = vec![json!({ "id": self.bots[bot.0].account })];
            if is_personal {
                accounts.push(self.member_account(person, bot));
            }
            activities.push(self.members_activity(scene, installed, accounts, installed));
        }
        let deliver = |activity| Delivery {
            bot,
            person,
            message: None,
            invoke: None,
            activity,
        };
        Ok(Acted {
            message: None,
            deliveries: activities.into_iter().map(deliver).collect(),
        })
    }

    /// Adds somebody to a group chat or team, or removes somebody; every bot that is installed there hears of it.
    pub(crate) fn set_member(
        &mut self,
        person: PersonNumber,
        chat: usize,
        member: PersonNumber,
        added: bool,
        now: u64,
    ) -> Result<Acted, ActionRefusal> {
        if matches!(self.chats[chat].kind, ChatKind::Personal { .. }) {
            return Err(ActionRefusal::FixedMembers);
        }
        if member.0 >= self.people.len() {
            return Err(ActionRefusal::NobodyThere);
        }
        if self.roster(chat).members.contains(&member) == added {
            return Err(ActionRefusal::NothingToChange);
        }
        let roster = self.chats[chat].roster;
        if added {
            self.rosters[roster].members.push(member);
        } else {
            self.rosters[roster].members.retain(|other| *other != member);
        }
        self.show_roster(roster);
        let mut deliveries = Vec::new();
        for bot in (0..self.bots.len()).map(BotNumber) {
            if self.is_installed(chat, bot) {
                let scene = Scene {
                    bot,
                    person,
                    place: Place { chat, thread: None },
                    now,
                };
                let account = self.member_account(member, bot);
                let activity = self.members_activity(scene, added, vec![account], false);
                deliveries.push(Delivery {
                    bot,
                    person,
                    message: None,
                    invoke: None,
                    activity,
                });
            }
        }
        Ok(Acted {
            message: None,
            deliveries,
        })
    }

    fn installation_activity(&mut self, scene: Scene, action: &str) -> Map<String, Value> {
        let event_id = self.event_ids.next();
        let mut activity = self.nameless_envelope("installationUpdate", &event_id, scene);
        let chat = &self.chats[scene.place.chat];
        let is_channel = chat.kind == ChatKind::Channel;
        if let (true, Some(name), Some(Value::Object(account))) =
            (is_channel, &chat.name, activity.get_mut("conversation"))
        {
            account.insert("name".to_owned(), name.clone().into());
        }
        let locale = self.people[scene.person.0].locale.clone();
        activity.insert("locale".to_owned(), locale.clone().into());
        activity.insert("action".to_owned(), action.into());
        activity.insert(
            "entities".to_owned(),
            json!([{ "type": "clientInfo", "locale": locale }]),
        );
        let mut channel_data = Map::new();
        channel_data.insert("settings".to_owned(), json!({ "selectedChannel": { "id": chat.id } }));
        if is_channel {
            channel_data.insert("channel".to_owned(), json!({ "id": chat.id }));
            channel_data.insert("team".to_owned(), self.team_account());
        } else {
            let app = json!({ "id": self.bots[scene.bot.0].app_id, "version": APP_VERSION });
            channel_data.insert("app".to_owned(), app);
        }
        channel_data.insert("tenant".to_owned(), json!({ "id": self.tenant }));
        channel_data.insert("source".to_owned(), json!({ "name": "message" }));
        activity.insert("channelData".to_owned(), channel_data.into());
        activity
    }

    /// A `conversationUpdate`. In a team it happens in the team, whose id is that of General, but the bot's own install
    /// happens in the channel that was chosen.
    fn members_activity(
        &mut self,
        mut scene: Scene,
        added: bool,
        accounts: Vec<Value>,
        in_chosen_channel: bool,
    ) -> Map<String, Value> {
        let is_channel = self.chats[scene.place.chat].kind == ChatKind::Channel;
        if is_channel && !in_chosen_channel {
            let general = self.place(&self.team.id).unwrap_or(scene.place);
            scene.place = general;
        }
        let event_id = self.event_ids.next();
        let mut activity = self.nameless_envelope("conversationUpdate", &event_id, scene);
        let member = if added { "membersAdded" } else { "membersRemoved" };
        activity.insert(member.to_owned(), accounts.into());
        let mut channel_data = Map::new();
        if is_channel {
            channel_data.insert("team".to_owned(), self.team_account());
            let event_type = if added { "teamMemberAdded" } else { "teamMemberRemoved" };
            channel_data.insert("eventType".to_owned(), event_type.into());
        }
        channel_data.insert("tenant".to_owned(), json!({ "id": self.tenant }));
        activity.insert("channelData".to_owned(), channel_data.into());
        activity
    }

    fn member_account(&self, person: PersonNumber, bot: BotNumber) -> Value {
        let person = &self.people[person.0];
        json!({ "id": person.account(bot), "aadObjectId": person.object_id })
    }

    fn team_account(&self) -> Value {
        json!({ "aadGroupId": self.team.group_id, "name": self.team.name, "id": self.team.id })
    }

    /// Shows every conversation that has this roster.
    fn show_roster(&mut self, roster: usize) {
        for chat in 0..self.chats.len() {
            if self.chats[chat].roster == roster {
                let view = self.conversation_view(chat);
                self.show(Change::Conversation {
                    conversation: Box::new(view),
                });
            }
        }
    }
}

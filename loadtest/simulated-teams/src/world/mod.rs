//! The tenant as a value: who lives in it, where they talk, what was said.
//!
//! Nothing in here knows a socket or a clock. A person's action and a bot's call go in with the time at which they happen;
//! out come activities to deliver and changes to show. [`action`] holds what people do, [`crate::connector`] what bots do.

pub(crate) mod action;
pub(crate) mod activity;
pub(crate) mod card;
pub(crate) mod change;
pub(crate) mod chat;
pub(crate) mod deed;
pub(crate) mod id;
pub(crate) mod install;
pub(crate) mod invoke;
pub(crate) mod mention;
pub(crate) mod people;
pub(crate) mod press;
#[cfg(test)]
mod samples;
pub(crate) mod time;
pub(crate) mod view;
#[cfg(test)]
mod walk;

use ahash::AHashMap;

use self::{
    change::Change,
    chat::{Author, Chat, ChatKind, Roster},
    id::{EventIds, MessageId, MessageIds, ThreadPart},
    people::{Bot, BotNumber, Person, PersonNumber},
};
use crate::config::SimulatedTeamsConfig;

/// The name of the group chat.
const GROUP_NAME: &str = "Lunch and roadmaps";
/// The name of the team.
const TEAM_NAME: &str = "Harbour Works";
/// The team's second channel; the first is General, whose id is the team's.
const CHANNEL_NAME: &str = "Quay planning";

/// One team; its channels are [`Chat`]s that share its roster.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) group_id: String,
}

/// One tenant with its people, bots and conversations.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tenant: String,
    pub(crate) service_url: String,
    pub(crate) bots: Vec<Bot>,
    pub(crate) people: Vec<Person>,
    pub(crate) chats: Vec<Chat>,
    pub(crate) team: Team,
    pub(crate) rosters: Vec<Roster>,
    pub(crate) message_ids: MessageIds,
    pub(crate) event_ids: EventIds,
    chats_by_id: AHashMap<String, usize>,
    changes: Vec<Change>,
    arrivals: u64,
}

/// A conversation that an id led to: the chat, and the thread when the id names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) chat: usize,
    pub(crate) thread: Option<MessageId>,
}

impl World {
    /// The tenant that `config` describes, reached by bots at `service_url`. `seed` makes ids of events differ from those
    /// of an earlier start.
    pub(crate) fn new(config: &SimulatedTeamsConfig, service_url: String, seed: u64) -> Self {
        let tenant = config.tenant.clone();
        let bots: Vec<Bot> = config.bots.iter().map(Bot::new).collect();
        let people: Vec<Person> = config
            .people
            .iter()
            .map(|person| Person::new(person, &tenant, &bots))
            .collect();
        let team_id = id::channel(&tenant, TEAM_NAME, "General");
        let mut world = Self {
            service_url,
            chats: Vec::with_capacity(people.len() * bots.len() + 3),
            team: Team {
                id: team_id.clone(),
                name: TEAM_NAME.to_owned(),
                group_id: id::object_id(&tenant, TEAM_NAME),
            },
            rosters: Vec::new(),
            message_ids: MessageIds::default(),
            event_ids: EventIds::new(seed),
            chats_by_id: AHashMap::new(),
            changes: Vec::new(),
            arrivals: 0,
            tenant,
            bots,
            people,
        };
        for person in 0..world.people.len() {
            for bot in 0..world.bots.len() {
                let id = id::personal_chat(&world.tenant, &world.bots[bot].app_id, &world.people[person].name);
                let mut installed = vec![false; world.bots.len()];
                installed[bot] = config.installed;
                let (bot, person) = (BotNumber(bot), PersonNumber(person));
                world.rosters.push(Roster {
                    members: vec![person],
                    installed,
                });
                world.add_chat(id, ChatKind::Personal { bot }, None);
            }
        }
        let everywhere = vec![config.installed; world.bots.len()];
        // The last one stays outside, so that somebody can be added.
        let inside = if world.people.len() > 3 {
            world.people.len() - 1
        } else {
            world.people.len()
        };
        let members: Vec<PersonNumber> = (0..inside).map(PersonNumber).collect();
        world.rosters.push(Roster {
            members: members.clone(),
            installed: everywhere.clone(),
        });
        world.add_chat(
            id::group_chat(&world.tenant, GROUP_NAME),
            ChatKind::Group,
            Some(GROUP_NAME),
        );
        world.rosters.push(Roster {
            members,
            installed: everywhere,
        });
        world.add_chat(team_id, ChatKind::Channel, Some("General"));
        let channel = id::channel(&world.tenant, TEAM_NAME, CHANNEL_NAME);
        world.add_chat(channel, ChatKind::Channel, Some(CHANNEL_NAME));
        world
    }

    /// Adds a chat that shares the roster that was added last.
    fn add_chat(&mut self, id: String, kind: ChatKind, name: Option<&str>) {
        self.chats_by_id.insert(id.clone(), self.chats.len());
        self.chats
            .push(Chat::new(id, kind, name.map(str::to_owned), self.rosters.len() - 1));
    }

    /// Finds the conversation with this id; a thread exists only below a post that was made.
    pub(crate) fn place(&self, conversation: &str) -> Option<Place> {
        let (chat_id, thread) = id::split_thread(conversation);
        let chat = *self.chats_by_id.get(chat_id)?;
        let thread = match thread {
            ThreadPart::None => None,
            ThreadPart::Unreadable => return None,
            ThreadPart::Root(root) => {
                let is_root = self.chats[chat].kind == ChatKind::Channel
                    && self.chats[chat]
                        .message(root)
                        .is_some_and(|message| message.thread == Some(root));
                Some(is_root.then_some(root)?)
            }
        };
        Some(Place { chat, thread })
    }

    /// The id by which bots know the conversation of a message: of the thread in a channel, of the chat elsewhere.
    pub(crate) fn conversation_id(&self, chat: usize, thread: Option<MessageId>) -> String {
        match thread {
            Some(root) => id::thread(&self.chats[chat].id, root),
            None => self.chats[chat].id.clone(),
        }
    }

    pub(crate) fn roster(&self, chat: usize) -> &Roster {
        &self.rosters[self.chats[chat].roster]
    }

    pub(crate) fn is_installed(&self, chat: usize, bot: BotNumber) -> bool {
        self.roster(chat).installed[bot.0]
    }

    pub(crate) fn author_name(&self, author: Author) -> &str {
        match author {
            Author::Person(person) => &self.people[person.0].name,
            Author::Bot(bot) => &self.bots[bot.0].name,
        }
    }

    /// Remembers something that the page must show.
    pub(crate) fn show(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Remembers that a message is new or looks different now.
    pub(crate) fn show_message(&mut self, chat: usize, message: MessageId) {
        if let Some(view) = self.message_view(chat, message) {
            self.changes.push(Change::Message {
                message: Box::new(view),
            });
        }
    }

    /// What must be shown since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The number of the next message in order of arrival, over all conversations.
    pub(crate) fn next_arrival(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }
}

#[cfg(test)]
impl World {
    /// The default tenant with one bot.
    pub(crate) fn for_tests() -> Self {
        Self::new(
            &SimulatedTeamsConfig::default(),
            "http://127.0.0.1:1/amer/t/".to_owned(),
            1,
        )
    }
}

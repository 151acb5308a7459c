//! Who takes part: people and bots.

use serde::{Deserialize, Serialize};

use super::id;
use crate::config::{SimulatedBot, SimulatedPerson};

/// A person, by the place in [`SimulatedTeamsConfig::people`](crate::SimulatedTeamsConfig::people).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonNumber(pub usize);

/// A bot, by the place in [`SimulatedTeamsConfig::bots`](crate::SimulatedTeamsConfig::bots).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BotNumber(pub usize);

/// A registered bot.
#[derive(Debug)]
pub(crate) struct Bot {
    pub(crate) name: String,
    pub(crate) app_id: String,
    /// `28:` and the application id.
    pub(crate) account: String,
}

impl Bot {
    pub(crate) fn new(bot: &SimulatedBot) -> Self {
        Self {
            name: bot.name.clone(),
            app_id: bot.app_id.clone(),
            account: id::bot_account(&bot.app_id),
        }
    }
}

/// Somebody of the tenant.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) object_id: String,
    pub(crate) locale: String,
    pub(crate) time_zone: String,
    pub(crate) platform: String,
    /// `29:` ids, one for each bot.
    accounts: Vec<String>,
}

impl Person {
    pub(crate) fn new(person: &SimulatedPerson, tenant: &str, bots: &[Bot]) -> Self {
        Self {
            object_id: id::object_id(tenant, &person.name),
            accounts: bots
                .iter()
                .map(|bot| id::person_for_bot(tenant, &bot.app_id, &person.name))
                .collect(),
            name: person.name.clone(),
            locale: person.locale.clone(),
            time_zone: person.time_zone.clone(),
            platform: person.platform.clone(),
        }
    }

    /// The `29:` id by which `bot` knows this person.
    pub(crate) fn account(&self, bot: BotNumber) -> &str {
        &self.accounts[bot.0]
    }

    /// The sign-in name, in a domain that can never exist.
    pub(crate) fn principal_name(&self) -> String {
        format!("{}@harbour.example", self.name.to_lowercase().replace(' ', "."))
    }

    /// Country of the locale, for `clientInfo`.
    pub(crate) fn country(&self) -> &str {
        self.locale.rsplit('-').next().unwrap_or("")
    }
}

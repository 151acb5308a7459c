//! The bots of a process: gathered from the author's code, and checked against the configuration.

use std::collections::BTreeSet;
use std::sync::Arc;

use trunkline_bot::logic::Logic;
use trunkline_bot::{Bot, BotError, CallBot, State};

use crate::configuration::{Code, Configuration, ConfigurationError, Problem, Purpose};
use crate::roles::BotCode;

/// The bots of this process, as the author's code gathers them.
pub struct House<'a> {
    configuration: &'a Configuration,
    bots: Vec<BotCode>,
    offered: BTreeSet<(String, Half)>,
    problems: Vec<Problem>,
}

/// A bot has a half for messages, one for calls, or both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Half {
    Chat,
    Calls,
}

impl Half {
    fn of(self, bot: &mut BotCode) -> &mut Option<Arc<dyn Logic>> {
        match self {
            Self::Chat => &mut bot.chat,
            Self::Calls => &mut bot.calls,
        }
    }
}

impl<'a> House<'a> {
    pub(crate) fn new(configuration: &'a Configuration) -> Self {
        Self {
            configuration,
            bots: Vec::new(),
            offered: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    /// What the code of the bot `name` asks for: `[bots.NAME.settings]`, typed. An absent table is an empty one.
    ///
    /// # Errors
    /// A wrong value or an unknown key, with its place and the nearest name.
    pub fn settings<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ConfigurationError> {
        self.configuration.settings_of(name)
    }

    /// Hosts this bot. It needs a section `[bots.NAME]` (not in `dev`), and the section needs it.
    pub fn bot<S: State, A: Send + Sync + 'static>(&mut self, bot: Bot<S, A>) -> &mut Self {
        self.add(bot.name(), Half::Chat, bot.build())
    }

    /// Hosts this bot if it has a section `[bots.NAME]`, and always in `dev`.
    pub fn offer<S: State, A: Send + Sync + 'static>(&mut self, bot: Bot<S, A>) -> &mut Self {
        self.offered.insert((bot.name().to_owned(), Half::Chat));
        self.bot(bot)
    }

    /// Hosts this calling bot. Its section `[bots.NAME]` needs `calling = true` (not in `dev`). A bot that also takes messages
    /// is a [`Bot`] of the same name: both have one registration.
    pub fn call_bot<S: State, A: Send + Sync + 'static>(&mut self, bot: CallBot<S, A>) -> &mut Self {
        self.add(bot.name(), Half::Calls, bot.build())
    }

    /// Hosts this calling bot if its section `[bots.NAME]` says `calling = true`, and always in `dev`.
    pub fn offer_call_bot<S: State, A: Send + Sync + 'static>(&mut self, bot: CallBot<S, A>) -> &mut Self {
        self.offered.insert((bot.name().to_owned(), Half::Calls));
        self.call_bot(bot)
    }

    fn add(&mut self, name: &str, half: Half, built: Result<Arc<dyn Logic>, BotError>) -> &mut Self {
        let logic = match built {
            Ok(logic) => logic,
            Err(error) => {
                self.refuse(name, error.to_string(), "correct the bot's code");
                return self;
            }
        };
        let known = self.bots.iter().position(|bot| bot.name == name);
        let place = known.unwrap_or_else(|| {
            self.bots.push(BotCode::named(name));
            self.bots.len() - 1
        });
        let half = half.of(&mut self.bots[place]);
        if half.is_some() {
            self.refuse(
                name,
                format!("two bots of this binary are called \"{name}\""),
                "give each a name of its own; one for messages and one for calls may share it",
            );
        } else {
            *half = Some(logic);
        }
        self
    }

    fn refuse(&mut self, name: &str, message: String, remedy: &str) {
        self.problem(format!("bots.{name}"), message, remedy.to_owned());
    }

    fn problem(&mut self, setting: String, message: String, remedy: String) {
        self.problems.push(Problem {
            code: Code::Bots,
            message,
            remedy,
            origin: self.configuration.origin(&setting),
            setting,
        });
    }

    /// The bots, when code and configuration name the same ones.
    pub(crate) fn checked(mut self, purpose: Purpose) -> Result<Vec<BotCode>, ConfigurationError> {
        let configuration = self.configuration;
        self.find_sections_without_code();
        if purpose != Purpose::Dev {
            self.leave_out_what_is_only_offered();
            self.find_code_without_sections();
        }
        if self.problems.is_empty() {
            Ok(self.bots)
        } else {
            Err(configuration.refuse(self.problems))
        }
    }

    fn find_sections_without_code(&mut self) {
        let has = |bots: &[BotCode], name: &str, is_meant: fn(&BotCode) -> bool| {
            bots.iter().any(|bot| bot.name == name && is_meant(bot))
        };
        for (name, section) in &self.configuration.bots {
            if !has(&self.bots, name, |_| true) {
                let remedy = match &names(&self.bots, |_| true)[..] {
                    "" => "add it by `house.bot(..)`, or remove the section".to_owned(),
                    names => format!("it has {names}; add it by `house.bot(..)`, or remove the section"),
                };
                self.refuse(name, format!("this binary has no bot \"{name}\""), &remedy);
            } else if section.calling && !has(&self.bots, name, |bot| bot.calls.is_some()) {
                let remedy = match &names(&self.bots, |bot| bot.calls.is_some())[..] {
                    "" => "add its calls by `house.call_bot(..)`, or remove the setting".to_owned(),
                    names => format!("{names} can; add its calls by `house.call_bot(..)`, or remove the setting"),
                };
                self.problem(
                    format!("bots.{name}.calling"),
                    format!("the bot \"{name}\" of this binary takes no calls"),
                    remedy,
                );
            }
        }
    }

    fn leave_out_what_is_only_offered(&mut self) {
        let (sections, offered) = (&self.configuration.bots, &self.offered);
        for bot in &mut self.bots {
            let is_offered = |half| offered.contains(&(bot.name.clone(), half));
            let section = sections.get(&bot.name);
            let has_no_chat = is_offered(Half::Chat) && section.is_none();
            let has_no_calls = is_offered(Half::Calls) && section.is_none_or(|section| !section.calling);
            if has_no_chat {
                bot.chat = None;
            }
            if has_no_calls {
                bot.calls = None;
            }
        }
        // One of which nothing is left, although somebody wrote a section, is told of below.
        self.bots
            .retain(|bot| bot.chat.is_some() || bot.calls.is_some() || sections.contains_key(&bot.name));
    }

    fn find_code_without_sections(&mut self) {
        let found: Vec<(String, bool)> = self
            .bots
            .iter()
            .map(|bot| (bot.name.clone(), bot.calls.is_some()))
            .collect();
        for (name, takes_calls) in found {
            let Some(section) = self.configuration.bots.get(&name) else {
                let remedy = format!("add [bots.{name}] with its app_id; `trunkline config explain bots` says more");
                self.refuse(
                    &name,
                    format!("the bot \"{name}\" of this binary is not configured"),
                    &remedy,
                );
                continue;
            };
            let is_only_offered = self.bots.iter().any(|bot| bot.name == name && bot.is_empty());
            if (takes_calls && !section.calling) || is_only_offered {
                self.problem(
                    format!("bots.{name}.calling"),
                    format!("the bot \"{name}\" of this binary takes calls, and bots.{name}.calling is not set"),
                    "set calling = true, and [calls] with its callback; `trunkline config explain calls` says more"
                        .to_owned(),
                );
            }
        }
    }
}

/// Names of these bots, for a message.
fn names(bots: &[BotCode], is_meant: impl Fn(&BotCode) -> bool) -> String {
    let meant = bots.iter().filter(|bot| is_meant(bot)).map(|bot| bot.name.as_str());
    meant.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use serde::{Deserialize, Serialize};
    use trunkline_bot::{Bot, CallBot, Decision, State};

    use super::House;
    use crate::configuration::{Configuration, Inputs, Purpose};

    #[derive(Default, Serialize, Deserialize)]
    struct Nothing;
    impl State for Nothing {}

    fn chat() -> Bot<Nothing> {
        Bot::new("front")
    }

    fn calls() -> CallBot<Nothing> {
        CallBot::answering("front", (), async |_, _, _| Ok(Decision::answer()))
    }

    /// What comes of these bots with `[bots.front]` (as far as it is written) in a worker: who has which halves, or the setting
    /// that is told of.
    fn gathered(written: Option<bool>, gather: impl FnOnce(&mut House<'_>)) -> Result<Vec<(bool, bool)>, String> {
        let flags = match written {
            None => Vec::new(),
            Some(calling) => vec![
                ("app_id", "5c1f0a2e-6d4b-4f7a-9b7e-0d9c6a3f1e52".to_owned()),
                ("app_type", "multi-tenant".to_owned()),
                ("client_secret", "hunter2".to_owned()),
                ("calling", calling.to_string()),
            ],
        };
        let of_bot = flags
            .into_iter()
            .map(|(name, value)| (format!("bots.front.{name}"), value, String::new()));
        let callback = "https://bots.example.org/api/calls".to_owned();
        let inputs = Inputs {
            flags: of_bot
                .chain([("calls.callback".to_owned(), callback, String::new())])
                .collect(),
            ..Inputs::default()
        };
        let configuration = Configuration::load(&inputs, Purpose::Worker).unwrap();
        let mut house = House::new(&configuration);
        gather(&mut house);
        match house.checked(Purpose::Worker) {
            Ok(bots) => Ok(bots
                .iter()
                .map(|bot| (bot.chat.is_some(), bot.calls.is_some()))
                .collect()),
            Err(error) => Err(error.facts()[0].setting.to_owned()),
        }
    }

    #[test]
    fn a_bot_for_messages_and_one_for_calls_share_a_name() {
        let both = |house: &mut House<'_>| {
            house.bot(chat()).call_bot(calls());
        };
        assert_eq!(gathered(Some(true), both), Ok(vec![(true, true)]));
        assert_eq!(gathered(Some(false), both), Err("bots.front.calling".to_owned()));
        let twice = |house: &mut House<'_>| {
            house.call_bot(calls()).call_bot(calls());
        };
        assert_eq!(gathered(Some(true), twice), Err("bots.front".to_owned()));
    }

    #[test]
    fn what_is_only_offered_is_hosted_where_it_is_configured() {
        let offered = |house: &mut House<'_>| {
            house.offer(chat()).offer_call_bot(calls());
        };
        assert_eq!(gathered(None, offered), Ok(vec![]));
        assert_eq!(gathered(Some(false), offered), Ok(vec![(true, false)]));
        assert_eq!(gathered(Some(true), offered), Ok(vec![(true, true)]));
    }

    #[test]
    fn a_section_that_wants_calls_of_a_bot_without_is_refused() {
        let chat_only = |house: &mut House<'_>| {
            house.bot(chat());
        };
        assert_eq!(gathered(Some(true), chat_only), Err("bots.front.calling".to_owned()));
        let calls_only = |house: &mut House<'_>| {
            house.offer_call_bot(calls());
        };
        assert_eq!(gathered(Some(false), calls_only), Err("bots.front.calling".to_owned()));
    }
}

//! One typed configuration from three layers, low to high: a TOML file, the environment, flags.
//!
//! The way of a value: `tree` keeps what was written and where, `layers` lays the environment and flags over the file,
//! `read` turns it into the typed sections of [`schema`] and notes every `problem` on the way, `checks` finds values that do not
//! go together. `explain` and `show` tell people what there is and what holds.

mod bot_settings;
mod checks;
mod choice;
mod explain;
mod layers;
mod mask;
mod near;
mod problem;
mod read;
pub mod schema;
mod section;
mod show;
mod tree;
mod value;

use std::collections::BTreeMap;

pub use explain::{example, explain};
pub use layers::{Inputs, find_file};
pub use problem::{Code, ConfigurationError, Problem, SourceFile};
pub use show::{Effective, effective};
pub use tree::Origin;
pub use value::{Guid, HostPort, Size, StoreUrl};
pub(crate) use value::{duration, is_of_this_machine};

use schema::{
    AdminSection, BotSection, CallsSection, CloudSection, ClusterSection, DevSection, IngressSection, LogSection,
    MediaSection, OtlpSection, StoreSection, WorkerSection,
};

/// What the operator wants, complete and checked.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// `[bots.NAME]`, by name.
    pub bots: BTreeMap<String, BotSection>,
    /// `[calls]`.
    pub calls: CallsSection,
    /// `[ingress]`.
    pub ingress: IngressSection,
    /// `[worker]`.
    pub worker: WorkerSection,
    /// `[media]`.
    pub media: MediaSection,
    /// `[store]`.
    pub store: StoreSection,
    /// `[cluster]`.
    pub cluster: ClusterSection,
    /// `[cloud]`.
    pub cloud: CloudSection,
    /// `[admin]`.
    pub admin: AdminSection,
    /// `[log]`.
    pub log: LogSection,
    /// `[otlp]`.
    pub otlp: OtlpSection,
    /// `[dev]`.
    pub dev: DevSection,
    /// Where each written setting came from, by full name.
    origins: BTreeMap<String, Origin>,
    /// The file that was read.
    file: Option<SourceFile>,
}

/// What a configuration is wanted for: each role demands something else of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `config check` and `config show`: what is written must hold together.
    Inspect,
    /// All roles in one process for an author.
    Dev,
    /// The edge.
    Ingress,
    /// The process that runs turns.
    Worker,
    /// The process at which the audio of calls ends.
    Media,
}

impl Configuration {
    /// Reads all layers and checks them for this purpose.
    pub fn load(inputs: &Inputs, purpose: Purpose) -> Result<Self, ConfigurationError> {
        let (mut root, file, mut found) = layers::join(inputs)?;
        let mut bots = BTreeMap::new();
        let written_bots = read::take_table(&mut root, "bots", "bots", &mut found);
        let mut bots_are_complete = true;
        for entry in written_bots.entries() {
            match layers::bot(entry, &mut found) {
                Some(bot) => {
                    bots.insert(entry.key.clone(), bot);
                }
                None => bots_are_complete = false,
            }
        }
        macro_rules! section {
            ($name:literal) => {{
                let table = read::take_table(&mut root, $name, $name, &mut found);
                read::section($name, table, &mut found)
            }};
        }
        let sections = (
            section!("calls"),
            section!("ingress"),
            section!("worker"),
            section!("media"),
            section!("store"),
            section!("cluster"),
            section!("cloud"),
            section!("admin"),
            section!("log"),
            section!("otlp"),
            section!("dev"),
        );
        for entry in root.entries() {
            found.problems.push(read::unknown("", entry, schema::top_level()));
        }
        let read::Findings { mut problems, origins } = found;
        if let (
            Some(calls),
            Some(ingress),
            Some(worker),
            Some(media),
            Some(store),
            Some(cluster),
            Some(cloud),
            Some(admin),
            Some(log),
            Some(otlp),
            Some(dev),
        ) = sections
        {
            let configuration = Self {
                bots,
                calls,
                ingress,
                worker,
                media,
                store,
                cluster,
                cloud,
                admin,
                log,
                otlp,
                dev,
                origins,
                file: file.clone(),
            };
            problems.extend(checks::contradictions(&configuration, purpose));
            if problems.is_empty() && bots_are_complete {
                return Ok(configuration);
            }
        }
        Err(ConfigurationError::new(problems, file.as_ref()))
    }

    /// The section of this bot; all defaults when nobody wrote one.
    pub fn bot(&self, name: &str) -> Option<BotSection> {
        let defaults = || {
            read::section(
                &format!("bots.{name}"),
                tree::Table::default(),
                &mut read::Findings::default(),
            )
        };
        self.bots.get(name).cloned().or_else(defaults)
    }

    /// Where this setting was written.
    pub fn origin(&self, setting: &str) -> Origin {
        self.origins.get(setting).cloned().unwrap_or(Origin::Default)
    }

    /// The same, for people: `file:line:column`, a variable, a flag, `default`.
    pub fn place(&self, setting: &str) -> String {
        SourceFile::place(self.file.as_ref(), &self.origin(setting))
    }

    /// Whether anybody wrote something into this section.
    fn has_section(&self, path: &str) -> bool {
        self.origins
            .keys()
            .any(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// Joins problems found later (bots that differ from the code, settings of bots) with the file they lie in.
    pub fn refuse(&self, problems: Vec<Problem>) -> ConfigurationError {
        ConfigurationError::new(problems, self.file.as_ref())
    }

    /// What a bot's own code asks for: `[bots.NAME.settings]` as its type. An absent table is an empty one.
    pub fn settings_of<T: serde::de::DeserializeOwned>(&self, bot: &str) -> Result<T, ConfigurationError> {
        let item = self.bots.get(bot).and_then(|section| section.settings.0.as_ref());
        bot_settings::read(bot, item).map_err(|problem| self.refuse(vec![problem]))
    }
}

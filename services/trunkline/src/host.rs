//! One function by which a binary of the author's own gets all commands with the author's bots.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use trunkline_bot::logic::Logic;
use trunkline_bot::{Bot, State};

use crate::command::{self, Arguments, Command, DevArguments, DevCommand, Exit};
use crate::configuration::{Code, Configuration, ConfigurationError, Inputs, Origin, Problem, Purpose};
use crate::roles::{CrewEnd, DevOptions, Running};
use crate::telemetry::Telemetry;

/// Bots by name.
type Bots = Vec<(String, Arc<dyn Logic>)>;

/// The bots of this process, as the author's code gathers them.
pub struct House<'a> {
    configuration: &'a Configuration,
    bots: Bots,
    offered: BTreeSet<String>,
    problems: Vec<Problem>,
}

impl<'a> House<'a> {
    fn new(configuration: &'a Configuration) -> Self {
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
        let name = bot.name().to_owned();
        if self.bots.iter().any(|(known, _)| *known == name) {
            self.refuse(
                &name,
                format!("two bots of this binary are called \"{name}\""),
                "give each a name of its own",
            );
            return self;
        }
        match bot.build() {
            Ok(logic) => self.bots.push((name, logic)),
            Err(error) => self.refuse(&name, error.to_string(), "correct the bot's code"),
        }
        self
    }

    /// Hosts this bot if it has a section `[bots.NAME]`, and always in `dev`.
    pub fn offer<S: State, A: Send + Sync + 'static>(&mut self, bot: Bot<S, A>) -> &mut Self {
        self.offered.insert(bot.name().to_owned());
        self.bot(bot)
    }

    fn refuse(&mut self, name: &str, message: String, remedy: &str) {
        self.problems.push(Problem {
            code: Code::Bots,
            setting: format!("bots.{name}"),
            message,
            remedy: remedy.to_owned(),
            origin: Origin::Default,
        });
    }

    /// The bots, when code and configuration name the same ones.
    fn checked(mut self, purpose: Purpose) -> Result<Bots, ConfigurationError> {
        let configuration = self.configuration;
        let names: Vec<String> = self.bots.iter().map(|(name, _)| name.clone()).collect();
        for name in configuration.bots.keys().filter(|name| !names.contains(name)) {
            self.problems.push(Problem {
                code: Code::Bots,
                setting: format!("bots.{name}"),
                message: format!("this binary has no bot \"{name}\""),
                remedy: match &names[..] {
                    [] => "add it by `house.bot(..)`, or remove the section".to_owned(),
                    names => format!(
                        "it has {}; add it by `house.bot(..)`, or remove the section",
                        names.join(", ")
                    ),
                },
                origin: configuration.origin(&format!("bots.{name}")),
            });
        }
        for (name, _) in configuration.bots.iter().filter(|(_, section)| section.calling) {
            self.problems.push(Problem {
                code: Code::Bots,
                setting: format!("bots.{name}.calling"),
                message: format!("this binary has no bot \"{name}\" that takes calls"),
                remedy: "remove the setting".to_owned(),
                origin: configuration.origin(&format!("bots.{name}.calling")),
            });
        }
        if purpose != Purpose::Dev {
            self.bots
                .retain(|(name, _)| !self.offered.contains(name) || configuration.bots.contains_key(name));
            for (name, _) in &self.bots {
                if !configuration.bots.contains_key(name) {
                    self.problems.push(Problem {
                        code: Code::Bots,
                        setting: format!("bots.{name}"),
                        message: format!("the bot \"{name}\" of this binary is not configured"),
                        remedy: format!("add [bots.{name}] with its app_id; `trunkline config explain bots` says more"),
                        origin: Origin::Default,
                    });
                }
            }
        }
        if self.problems.is_empty() {
            Ok(self.bots)
        } else {
            Err(configuration.refuse(self.problems))
        }
    }
}

/// Why a process did not start or did not go on.
enum Stopped {
    Refused(ConfigurationError),
    Failed(anyhow::Error),
}

impl From<ConfigurationError> for Stopped {
    fn from(error: ConfigurationError) -> Self {
        Self::Refused(error)
    }
}

impl From<anyhow::Error> for Stopped {
    /// The author's `?` on settings turns a refusal into an `anyhow` error: it is found again here.
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<ConfigurationError>() {
            Ok(refused) => Self::Refused(refused),
            Err(error) => Self::Failed(error),
        }
    }
}

/// Runs the command line of this process: `dev`, `ingress`, `worker`, `config ..`, with the bots that `gather` names.
///
/// ```no_run
/// # use trunkline_bot::Bot;
/// # use trunkline_bot::prelude::*;
/// # #[derive(Default, Serialize, Deserialize)] struct Nothing;
/// # impl State for Nothing {}
/// # fn greeter() -> Bot<Nothing> { Bot::new("greeter") }
/// fn main() -> std::process::ExitCode {
///     trunkline::host(|house| {
///         house.bot(greeter());
///         Ok(())
///     })
/// }
/// ```
///
/// `gather` is called by the commands that run or check bots. Its errors end the process; a refused setting is told with its
/// place. The exit code is one of [`Exit`].
pub fn host(gather: impl FnOnce(&mut House<'_>) -> anyhow::Result<()>) -> ExitCode {
    let arguments = Arguments::parse();
    let exit = match &arguments.command {
        Command::Config(question) => {
            let inputs = arguments.sources.inputs(question.file());
            command::run_config(question, &inputs, |configuration, purpose| {
                let bots = gathered(configuration, purpose, gather).map_err(|stopped| match stopped {
                    Stopped::Refused(error) => error,
                    Stopped::Failed(error) => refused_by_code(configuration, &error),
                })?;
                Ok(bots.into_iter().map(|(name, _)| name).collect())
            })
        }
        Command::Dev(DevArguments {
            instead: Some(DevCommand::Certificate(asked)),
            ..
        }) => ended(
            command::make_certificates(asked)
                .map_err(Stopped::from)
                .map(|said| command::print(&said)),
        ),
        Command::Dev(dev) => {
            let mut inputs = arguments.sources.inputs(None);
            inputs.flags.extend(dev.settings());
            ended(run(&inputs, Purpose::Dev, gather, |running, configuration, bots| {
                let options = DevOptions {
                    fresh: dev.fresh,
                    allow_unauthenticated: dev.allow_unauthenticated,
                };
                let banner = running.dev(configuration, bots, options)?;
                command::print(&banner);
                Ok(())
            }))
        }
        Command::Explain { code, output } => command::run_explain(code.as_deref(), *output),
        Command::Ingress => {
            let inputs = arguments.sources.inputs(None);
            // The edge knows bots by their registration only; their code is not even built here.
            ended(run(
                &inputs,
                Purpose::Ingress,
                |_| Ok(()),
                |running, configuration, _| running.ingress(configuration),
            ))
        }
        Command::Operate(operation) => {
            let inputs = arguments.sources.inputs(None);
            match Configuration::load(&inputs, Purpose::Inspect) {
                Ok(configuration) => command::run_operation(operation, &configuration),
                Err(error) => {
                    command::report(&error);
                    Exit::Refused
                }
            }
        }
        Command::Worker => {
            let inputs = arguments.sources.inputs(None);
            ended(run(&inputs, Purpose::Worker, gather, Running::worker))
        }
    };
    exit.into()
}

/// The bots of the code, checked against the configuration.
fn gathered(
    configuration: &Configuration,
    purpose: Purpose,
    gather: impl FnOnce(&mut House<'_>) -> anyhow::Result<()>,
) -> Result<Bots, Stopped> {
    let mut house = House::new(configuration);
    gather(&mut house)?;
    Ok(house.checked(purpose)?)
}

fn refused_by_code(configuration: &Configuration, error: &anyhow::Error) -> ConfigurationError {
    configuration.refuse(vec![Problem {
        code: Code::Bots,
        setting: String::new(),
        message: format!("the bots of this binary cannot be made: {error:#}"),
        remedy: "see what the code that gathers the bots demands".to_owned(),
        origin: Origin::Default,
    }])
}

/// Starts a process, runs it until its end, and leaves nothing behind.
fn run(
    inputs: &Inputs,
    purpose: Purpose,
    gather: impl FnOnce(&mut House<'_>) -> anyhow::Result<()>,
    start: impl FnOnce(&mut Running, &Configuration, Bots) -> anyhow::Result<()>,
) -> Result<(), Stopped> {
    let configuration = Configuration::load(inputs, purpose)?;
    let bots = match purpose {
        Purpose::Ingress => Bots::new(),
        Purpose::Inspect | Purpose::Dev | Purpose::Worker => gathered(&configuration, purpose, gather)?,
    };
    let service = match purpose {
        Purpose::Ingress => "trunkline-ingress",
        Purpose::Worker => "trunkline-worker",
        Purpose::Dev | Purpose::Inspect => "trunkline-dev",
    };
    let telemetry = Telemetry::start(&configuration.log, &configuration.otlp, service).map_err(anyhow::Error::from)?;
    let ended = started(&configuration, bots, start);
    telemetry.finish();
    Ok(ended?)
}

fn started(
    configuration: &Configuration,
    bots: Bots,
    start: impl FnOnce(&mut Running, &Configuration, Bots) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut running = Running::start(configuration)?;
    if let Err(error) = start(&mut running, configuration, bots) {
        running.give_up();
        return Err(error);
    }
    match running.run() {
        CrewEnd::Signal => Ok(()),
        CrewEnd::Failed(error) => Err(error),
    }
}

fn ended(end: Result<(), Stopped>) -> Exit {
    match end {
        Ok(()) => Exit::Done,
        Err(Stopped::Refused(error)) => {
            command::report(&error);
            Exit::Refused
        }
        Err(Stopped::Failed(error)) => {
            command::report_failure(&error);
            Exit::of(&error)
        }
    }
}

//! One function by which a binary of the author's own gets all commands with the author's bots.

use std::process::ExitCode;

use crate::command::{self, Arguments, Command, DevArguments, DevCommand, Exit, MediaArguments};
use crate::configuration::{Code, Configuration, ConfigurationError, Inputs, Origin, Problem, Purpose};
use crate::house::House;
use crate::roles::{BotCode, CrewEnd, DevOptions, Running};
use crate::telemetry::Telemetry;
use clap::Parser as _;

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
                Ok(bots.into_iter().map(|bot| bot.name).collect())
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
        Command::Operate(operation) => inspected(&arguments.sources.inputs(None), |configuration| {
            command::run_operation(operation, configuration)
        }),
        Command::Media(MediaArguments {
            instead: Some(question),
        }) => inspected(&arguments.sources.inputs(None), |configuration| {
            command::run_media(question, configuration)
        }),
        Command::Media(MediaArguments { instead: None }) => {
            let inputs = arguments.sources.inputs(None);
            // It knows calls by their legs only.
            ended(run(
                &inputs,
                Purpose::Media,
                |_| Ok(()),
                |running, configuration, _| running.media(configuration),
            ))
        }
        Command::Worker => {
            let inputs = arguments.sources.inputs(None);
            ended(run(&inputs, Purpose::Worker, gather, |running, configuration, bots| {
                running.worker(configuration, &bots)
            }))
        }
    };
    exit.into()
}

/// Asks a running cluster, as the configuration says where it is.
fn inspected(inputs: &Inputs, ask: impl FnOnce(&Configuration) -> Exit) -> Exit {
    match Configuration::load(inputs, Purpose::Inspect) {
        Ok(configuration) => ask(&configuration),
        Err(error) => {
            command::report(&error);
            Exit::Refused
        }
    }
}

/// The bots of the code, checked against the configuration.
fn gathered(
    configuration: &Configuration,
    purpose: Purpose,
    gather: impl FnOnce(&mut House<'_>) -> anyhow::Result<()>,
) -> Result<Vec<BotCode>, Stopped> {
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
    start: impl FnOnce(&mut Running, &Configuration, Vec<BotCode>) -> anyhow::Result<()>,
) -> Result<(), Stopped> {
    let configuration = Configuration::load(inputs, purpose)?;
    let bots = match purpose {
        Purpose::Ingress | Purpose::Media => Vec::new(),
        Purpose::Inspect | Purpose::Dev | Purpose::Worker => gathered(&configuration, purpose, gather)?,
    };
    let service = match purpose {
        Purpose::Ingress => "trunkline-ingress",
        Purpose::Worker => "trunkline-worker",
        Purpose::Media => "trunkline-media",
        Purpose::Dev | Purpose::Inspect => "trunkline-dev",
    };
    let telemetry = Telemetry::start(&configuration.log, &configuration.otlp, service).map_err(anyhow::Error::from)?;
    let ended = started(&configuration, bots, start);
    telemetry.finish();
    Ok(ended?)
}

fn started(
    configuration: &Configuration,
    bots: Vec<BotCode>,
    start: impl FnOnce(&mut Running, &Configuration, Vec<BotCode>) -> anyhow::Result<()>,
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

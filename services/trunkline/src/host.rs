//! One function by which a binary of the author's own gets all commands with the author's bots.

use std::process::ExitCode;

use clap::Parser as _;

use crate::command::{self, Arguments, Command};
use crate::configuration::{Configuration, ConfigurationError};

/// The bots of this process.
pub struct House<'a> {
    configuration: &'a Configuration,
}

impl House<'_> {
    /// What the code of the bot `name` asks for: `[bots.NAME.settings]`, typed. Unknown keys are refused with a near name.
    pub fn settings<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ConfigurationError> {
        self.configuration.settings_of(name)
    }
}

/// Runs the command line of this process with these bots.
pub fn host(gather: impl FnOnce(&mut House<'_>) -> anyhow::Result<()>) -> ExitCode {
    let arguments = Arguments::parse();
    let file = match &arguments.command {
        Command::Config(question) => question.file(),
    };
    let inputs = arguments.sources.inputs(file);
    match &arguments.command {
        Command::Config(question) => command::run_config(question, &inputs, |configuration| {
            let mut house = House { configuration };
            let _ = gather(&mut house);
            Ok(configuration.bots.keys().cloned().collect())
        })
        .into(),
    }
}

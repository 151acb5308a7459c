//! The command line as types.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::configuration::Inputs;
use crate::configuration::find_file;

const LOOK_UP: &str = "\
Configuration, low to high: a file, the environment, flags.
  File         --config FILE, else $TRUNKLINE_CONFIG, else ./trunkline.toml, else /etc/trunkline/trunkline.toml.
  Environment  TRUNKLINE_INGRESS__LISTEN=0.0.0.0:8443 sets ingress.listen; lists are parted by commas.
  Flags        --set ingress.listen=0.0.0.0:8443, as often as needed.

Examples:
  trunkline dev                          talk to the example bots, no file needed
  trunkline config example > trunkline.toml
  trunkline config check edge.toml       is what is written right?
  trunkline config explain ingress       what is there to set?
  trunkline ingress --config edge.toml
  trunkline worker --set worker.shards=0-2047

Exit codes: 0 done or stopped by a signal, 1 failed while running, 2 wrong command line, 3 configuration refused,
4 an address could not be listened on.";

/// Hosts Microsoft Teams bots.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, after_help = LOOK_UP)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub sources: Sources,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the configuration comes from.
#[derive(Args, Debug)]
pub struct Sources {
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE", env = "TRUNKLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Sets one setting, over file and environment.
    #[arg(long, global = true, value_name = "SETTING=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

impl Sources {
    /// The layers to read, with this file in place of the named one.
    pub fn inputs(&self, file: Option<&Path>) -> Inputs {
        Inputs {
            file: find_file(file.or(self.config.as_deref())),
            environment: std::env::vars()
                .filter(|(name, _)| name.starts_with("TRUNKLINE_"))
                .collect(),
            flags: self
                .set
                .iter()
                .map(|(setting, value)| (setting.clone(), value.clone(), format!("--set {setting}")))
                .collect(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask about the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Questions about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: names every problem with its place and its remedy.
    Check {
        /// The file to check, in place of --config.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Form of the answer.
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print every setting with its value and where that came from. Secrets are dots.
    Show {
        /// The file to read, in place of --config.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Form of the answer.
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print a file with every setting, its documentation and its default.
    Example,
    /// Explain a setting, a section, or all.
    #[command(after_help = "Examples:\n  trunkline config explain ingress.listen\n  trunkline config explain bots")]
    Explain {
        /// Full name of a setting, or of a section.
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

impl ConfigCommand {
    /// The file that the question names.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Check { file, .. } | Self::Show { file, .. } => file.as_deref(),
            Self::Example | Self::Explain { .. } => None,
        }
    }
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((setting, value)) if setting.contains('.') => Ok((setting.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write SECTION.SETTING=VALUE, such as ingress.listen=0.0.0.0:8443".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}

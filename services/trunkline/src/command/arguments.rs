//! The command line as types.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use trunkline_cluster::channel::Role;

use super::{MediaCommand, OperationCommand};
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
  trunkline status                       how is the cluster?
  trunkline ingress --config edge.toml
  trunkline worker --set cluster.name=worker-1
  trunkline media --config media.toml

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
    /// Run all roles and a simulated Teams in one process, on this machine only. Needs no configuration.
    #[command(
        after_help = "Examples:\n  trunkline dev\n  trunkline dev --bot echo --allow-unauthenticated    for tools such as Microsoft 365 Agents Playground\n  trunkline dev --fresh --data /tmp/try\n  trunkline dev certificate --out tls          certificates for a cluster on several machines",
        args_conflicts_with_subcommands = true
    )]
    Dev(DevArguments),
    /// Run the edge that Teams sends activities to.
    #[command(
        after_help = "Examples:\n  trunkline ingress --config edge.toml\n  trunkline ingress --set ingress.plain_http=true --set ingress.listen=127.0.0.1:3978"
    )]
    Ingress,
    /// Run the process that holds conversations and runs the bots' turns.
    #[command(
        after_help = "Examples:\n  trunkline worker --config worker.toml\n  trunkline worker --set worker.listen=127.0.0.1:7401 --set cluster.name=worker-1"
    )]
    Worker,
    /// Run a media host: the process at which the audio of calls ends whose bot handles it itself.
    #[command(
        after_help = "Examples:\n  trunkline media --config media.toml\n  trunkline media --set media.udp_advertise=203.0.113.7 --set media.udp_ports=20000    one UDP port for all\n  trunkline media list                  the hosts that are announced\n  trunkline media decrypt leg-received.opus.sealed",
        args_conflicts_with_subcommands = true
    )]
    Media(MediaArguments),
    /// Ask about the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Explain a code from a log, a metric or a call. Asks nobody.
    #[command(
        after_help = "Examples:\n  trunkline explain TL-1013               a request that was refused, by its number\n  trunkline explain tenant_not_allowed    the same, by its name in metrics\n  trunkline explain 8544                  a result of a call, by its sub-code\n  trunkline explain 408/8537              the same with its code; messages of Graph write 408#8537\n  trunkline explain                       everything that can be explained"
    )]
    Explain {
        /// The code.
        #[arg(value_name = "CODE")]
        code: Option<String>,
        /// Form of the answer.
        #[arg(long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Ask a running cluster.
    #[command(flatten)]
    Operate(OperationCommand),
}

/// What `dev` takes beside the settings.
#[derive(Args, Debug)]
pub struct DevArguments {
    /// Something else than to run.
    #[command(subcommand)]
    pub instead: Option<DevCommand>,
    /// Host this bot only.
    #[arg(long, value_name = "NAME")]
    pub bot: Option<String>,
    /// Port of the messaging endpoint; 0 takes a free one.
    #[arg(long)]
    pub port: Option<u16>,
    /// Directory for the data.
    #[arg(long, value_name = "DIRECTORY")]
    pub data: Option<PathBuf>,
    /// Forget what earlier runs stored.
    #[arg(long)]
    pub fresh: bool,
    /// Accept requests without a token for the first bot, or the one of --bot. For tools on this machine that have none; whoever
    /// reaches the port can speak as anybody.
    #[arg(long)]
    pub allow_unauthenticated: bool,
}

impl DevArguments {
    /// Flags that are short names of settings: setting, value, flag.
    pub fn settings(&self) -> Vec<(String, String, String)> {
        let bot = self.bot.as_ref().map(|name| ("dev.bot", name.clone(), "--bot"));
        let port = self
            .port
            .map(|port| ("dev.listen", format!("127.0.0.1:{port}"), "--port"));
        let data = self
            .data
            .as_ref()
            .map(|data| ("dev.data", data.display().to_string(), "--data"));
        [bot, port, data]
            .into_iter()
            .flatten()
            .map(|(setting, value, flag)| (setting.to_owned(), value, flag.to_owned()))
            .collect()
    }
}

/// What `media` takes beside the settings.
#[derive(Args, Debug)]
pub struct MediaArguments {
    /// Something else than to run.
    #[command(subcommand)]
    pub instead: Option<MediaCommand>,
}

/// What an author needs beside a running `dev`.
#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Make a small authority and certificates of nodes, for the TLS between processes: for tests, laptops and first steps.
    #[command(
        after_help = "Examples:\n  trunkline dev certificate --out tls\n  trunkline dev certificate --out tls --node worker-1 --node worker-2    with the authority that is in tls, if there is one"
    )]
    Certificate(CertificateArguments),
}

/// What certificates to make.
#[derive(Args, Debug)]
pub struct CertificateArguments {
    /// Directory to write to. An authority that is there (ca.crt with ca.key) is used, else a new one is made.
    #[arg(long, value_name = "DIRECTORY")]
    pub out: PathBuf,
    /// A node: its role (ingress, worker, operator, media), alone or with a suffix, as in worker-1. Its files are called so.
    #[arg(long = "node", value_name = "NAME", default_values = ["ingress", "worker", "operator", "media"])]
    pub nodes: Vec<String>,
    /// The cluster's domain (cluster.tls_domain).
    #[arg(long, value_name = "DOMAIN", default_value = Role::DOMAIN)]
    pub domain: String,
    /// Write over certificates of these nodes that are there: renews them.
    #[arg(long)]
    pub force: bool,
}

/// Questions about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check the configuration: names every problem with its place and its remedy.
    Check {
        /// The file to check, in place of --config.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Check what this role demands.
        #[arg(long, value_enum)]
        role: Option<RoleArgument>,
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

/// A role to check for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// All roles in one process.
    Dev,
    /// The edge.
    Ingress,
    /// The process that runs turns.
    Worker,
    /// The process at which the audio of calls ends.
    Media,
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

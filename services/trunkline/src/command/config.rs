//! `trunkline config ...`.

use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::json;

use super::{ConfigCommand, Exit, Output, RoleArgument, print, report};
use crate::configuration::{self, Configuration, ConfigurationError, Inputs, Purpose};

/// Answers a question about the configuration. `bots` checks the bots of the code against it.
pub fn run(
    command: &ConfigCommand,
    inputs: &Inputs,
    bots: impl FnOnce(&Configuration, Purpose) -> Result<Vec<String>, ConfigurationError>,
) -> Exit {
    match command {
        ConfigCommand::Check { role, output, .. } => check(inputs, purpose(*role), *output, bots),
        ConfigCommand::Show { output, .. } => show(inputs, *output),
        ConfigCommand::Example => {
            print(&configuration::example());
            Exit::Done
        }
        ConfigCommand::Explain { name } => match configuration::explain(name.as_deref()) {
            Ok(text) => {
                print(&text);
                Exit::Done
            }
            Err(text) => {
                report(&miette::MietteDiagnostic::new(text));
                Exit::Failed
            }
        },
    }
}

fn purpose(role: Option<RoleArgument>) -> Purpose {
    match role {
        None => Purpose::Inspect,
        Some(RoleArgument::Dev) => Purpose::Dev,
        Some(RoleArgument::Ingress) => Purpose::Ingress,
        Some(RoleArgument::Worker) => Purpose::Worker,
        Some(RoleArgument::Media) => Purpose::Media,
    }
}

fn check(
    inputs: &Inputs,
    purpose: Purpose,
    output: Output,
    bots: impl FnOnce(&Configuration, Purpose) -> Result<Vec<String>, ConfigurationError>,
) -> Exit {
    let checked = Configuration::load(inputs, purpose).and_then(|configuration| bots(&configuration, purpose));
    let file = inputs.file.as_ref().map(|path| path.display().to_string());
    match (checked, output) {
        (Ok(bots), Output::Json) => {
            print(&json!({ "ok": true, "file": file, "bots": bots, "problems": [] }).to_string());
            Exit::Done
        }
        (Ok(bots), Output::Table) => {
            let mut text = match file {
                Some(file) => format!("The configuration is right: {file}"),
                None => "The configuration is right: no file, all defaults".to_owned(),
            };
            let _ = write!(
                text,
                "\nBots: {}",
                if bots.is_empty() {
                    "none".to_owned()
                } else {
                    bots.join(", ")
                }
            );
            print(&text);
            Exit::Done
        }
        (Err(error), Output::Json) => {
            print(&json!({ "ok": false, "file": file, "problems": error.facts() }).to_string());
            Exit::Refused
        }
        (Err(error), Output::Table) => {
            report(&error);
            Exit::Refused
        }
    }
}

fn show(inputs: &Inputs, output: Output) -> Exit {
    let configuration = match Configuration::load(inputs, Purpose::Inspect) {
        Ok(configuration) => configuration,
        Err(error) => {
            report(&error);
            return Exit::Refused;
        }
    };
    let settings = configuration::effective(&configuration);
    match output {
        Output::Json => print(&json!({ "settings": settings }).to_string()),
        Output::Table => {
            let mut table = Table::new();
            table.load_style(NOTHING).set_header(["SETTING", "VALUE", "FROM"]);
            for setting in settings {
                table.add_row([
                    setting.setting,
                    setting.value.unwrap_or_else(|| "-".to_owned()),
                    setting.from,
                ]);
            }
            print(&table.to_string());
        }
    }
    Exit::Done
}

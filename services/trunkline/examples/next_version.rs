//! A worker of the next version, for tests of clusters with two versions: it writes what this version cannot read.
//!
//! `next_version worker --config FILE` is `trunkline worker` with the bot `echo`, but for the format of its records
//! (`services/worker/tests/support/next.rs`).
#![allow(missing_docs, unreachable_pub, reason = "the support of tests is included as it is")]

#[path = "../../worker/tests/support/layered.rs"]
mod layered;
#[path = "../../worker/tests/support/next.rs"]
mod next;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use trunkline::command::{Arguments, Command};
use trunkline::configuration::{Configuration, Purpose};
use trunkline::roles::{BotCode, CrewEnd, Running};
use trunkline::telemetry::Telemetry;
use trunkline_example_bots::echo;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            trunkline::command::report_failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    anyhow::ensure!(matches!(arguments.command, Command::Worker), "only `worker` is here");
    let configuration = Configuration::load(&arguments.sources.inputs(None), Purpose::Worker)?;
    let echo = BotCode {
        chat: Some(echo::bot().build().context("the bot echo")?),
        ..BotCode::named("echo")
    };
    let telemetry = Telemetry::start(&configuration.log, &configuration.otlp, "trunkline-worker")?;
    let mut running = Running::start(&configuration)?;
    running.worker_through(&configuration, &[echo], next::NextVersion::on)?;
    let end = running.run();
    telemetry.finish();
    match end {
        CrewEnd::Signal => Ok(()),
        CrewEnd::Failed(error) => Err(error),
    }
}

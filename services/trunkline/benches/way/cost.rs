//! CPU time of an activity.

use std::io;
use std::time::Duration;

use crate::answers::Answers;
use crate::arguments::Arguments;
use crate::generator::Load;
use crate::outside::MEASURED_CORE;
use crate::pace::Pace;
use crate::report::{Spread, microseconds_each, milliseconds, table};
use crate::setting::{Hosting, Measured, Setting};

/// Activities of the second run, and how many a second.
const STEADY: f64 = 1_000.0;
const STEADY_TIME: Duration = Duration::from_secs(20);

pub(crate) async fn run(arguments: Arguments) -> io::Result<()> {
    let arguments = arguments.only(&["--activities", "--rounds", "--arbiters", "--trunkline"])?;
    let activities = arguments.number("--activities", 100_000)?;
    let rounds: usize = arguments.number("--rounds", 1)?;
    let hosting = Hosting {
        program: arguments.trunkline(),
        bot: "echo",
        arbiters: arguments.number("--arbiters", 1)?,
        ingress_core: MEASURED_CORE,
        settings: Vec::new(),
    };
    let setting = Setting::start(hosting).await?;
    println!("Warming up: connections, tokens, caches");
    setting.run(closed_loop(activities / 10, 64)).await?;
    let (mut saturation, mut steady) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        println!("Round {round} of {rounds}: 256 connections, each sends again as soon as it is answered");
        saturation.push(setting.run(closed_loop(activities, 256)).await?);
        println!("Round {round} of {rounds}: 1,000 activities a second");
        steady.push(setting.run(paced(STEADY, STEADY_TIME, 64)).await?);
    }
    print(&[("saturation", &saturation), ("1,000 a second", &steady)]);
    Ok(())
}

/// Messages in 10,000 conversations, as fast as they are answered.
pub(crate) fn closed_loop(activities: u64, connections: usize) -> Load {
    Load {
        activities,
        connections,
        pace: Pace::Unpaced,
        conversations: 0..10_000,
        text: None,
        progress: None,
    }
}

/// Messages in 10,000 conversations at a rate.
pub(crate) fn paced(per_second: f64, lasts: Duration, connections: usize) -> Load {
    let pace = Pace::steady(per_second, lasts);
    Load {
        activities: pace.activities(),
        pace,
        ..closed_loop(0, connections)
    }
}

/// CPU time and rates, one row for all runs of a name.
fn print(runs: &[(&str, &[Measured])]) {
    let mut table = table(&[
        "CPU of an activity",
        "ingress",
        "worker",
        "redis-server",
        "sum",
        "activities/s",
        "deliveries/frame",
        "p50",
        "p99",
    ]);
    for (name, runs) in runs {
        let spread = |figure: &dyn Fn(&Measured) -> f64| runs.iter().map(figure).collect::<Spread>();
        let each = |run: &Measured, cpu: Duration| microseconds_each(cpu, run.answers.accepted());
        let latency = |quantile: f64| spread(&|run| milliseconds(run.answers.latency().quantile(quantile)));
        table.add_row([
            (*name).to_owned(),
            spread(&|run| each(run, run.cpu.ingress)).show(1, "us"),
            spread(&|run| each(run, run.cpu.worker)).show(1, "us"),
            spread(&|run| each(run, run.cpu.redis)).show(1, "us"),
            spread(&|run| each(run, run.cpu.sum())).show(1, "us"),
            spread(&|run| rate(&run.answers)).show(0, ""),
            spread(&|run| run.batches.deliveries / run.batches.frames.max(1.0)).show(1, ""),
            latency(0.50).show(1, "ms"),
            latency(0.99).show(1, "ms"),
        ]);
    }
    println!("{table}");
    for (name, runs) in runs {
        let sum = |count: fn(&Measured) -> u64| runs.iter().map(count).sum::<u64>();
        println!(
            "{name}: {} accepted, {} refused, {} replies",
            sum(|run| run.answers.accepted()),
            sum(|run| run.answers.refused()),
            sum(|run| run.replies)
        );
    }
}

/// Accepted in a second.
#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) fn rate(answers: &Answers) -> f64 {
    answers.accepted() as f64 / answers.took.as_secs_f64()
}

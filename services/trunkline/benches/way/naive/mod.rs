//! A calibration: what the least that any host would do costs on this machine, beside what ours does for the same activities.
//!
//! A naive host ([`host`]) and ours with the bot [`COUNTER`] take turns on the measured core, each with a Redis of its own that is
//! empty at first: what disturbs the machine disturbs both.

mod host;
mod redis;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use trunkline_simulated_teams::SimulatedTeamsConfig;

pub(crate) use self::host::{is_the_host, serve};
use crate::answers::Answers;
use crate::arguments::Arguments;
use crate::bot::COUNTER;
use crate::cost::{closed_loop, paced, rate};
use crate::generator::{Load, Target};
use crate::outside::{MEASURED_CORE, OTHER_CORE, Outside, free_ports, listening};
use crate::processes::{Process, pin_this_process};
use crate::report::{Spread, microseconds_each, milliseconds, table};
use crate::setting::{Hosting, Setting};

/// The second load, in activities a second.
const STEADY: f64 = 1_000.0;
const STEADY_TIME: Duration = Duration::from_secs(10);

/// What the naive host is told, in a file.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    port: u16,
    redis_port: u16,
    metadata: String,
    token_endpoint: String,
    app_id: String,
    app_secret: String,
    tenant: String,
}

/// One load on one host.
struct Run {
    /// Of its processes, without Redis.
    host: Duration,
    redis: Duration,
    answers: Answers,
    replies: u64,
}

/// Runs of a host: at saturation, and at the steady rate.
#[derive(Default)]
struct Runs {
    saturation: Vec<Run>,
    steady: Vec<Run>,
}

pub(crate) async fn run(arguments: Arguments) -> io::Result<()> {
    let arguments = arguments.only(&["--activities", "--rounds"])?;
    let activities: u64 = arguments.number("--activities", 100_000)?;
    let rounds: usize = arguments.number("--rounds", 3)?;
    let (mut naive, mut ours) = (Runs::default(), Runs::default());
    for round in 1..=rounds {
        println!("Round {round} of {rounds}: the naive host");
        let setting = NaiveSetting::start().await?;
        setting.run(closed_loop(activities / 10, 64)).await?;
        naive.saturation.push(setting.run(closed_loop(activities, 256)).await?);
        naive.steady.push(setting.run(paced(STEADY, STEADY_TIME, 64)).await?);
        drop(setting);

        println!("Round {round} of {rounds}: ours");
        let setting = Setting::start(Hosting::own(COUNTER, 1)?).await?;
        ours_does(&setting, closed_loop(activities / 10, 64)).await?;
        let saturation = ours_does(&setting, closed_loop(activities, 256)).await?;
        ours.saturation.push(saturation);
        let steady = ours_does(&setting, paced(STEADY, STEADY_TIME, 64)).await?;
        ours.steady.push(steady);
    }
    print(&naive, &ours);
    Ok(())
}

async fn ours_does(setting: &Setting, load: Load) -> io::Result<Run> {
    let run = setting.run(load).await?;
    Ok(Run {
        host: run.cpu.ingress + run.cpu.worker,
        redis: run.cpu.redis,
        answers: run.answers,
        replies: run.replies,
    })
}

/// The naive host, and everything that it talks to.
struct NaiveSetting {
    host: Process,
    outside: Outside,
    target: Arc<Target>,
}

impl NaiveSetting {
    async fn start() -> io::Result<Self> {
        let outside = Outside::start().await?;
        let [port] = free_ports()?;
        let registration = SimulatedTeamsConfig::default().bots.remove(0);
        let facts = Facts {
            port,
            redis_port: outside.redis_port,
            metadata: outside.teams.metadata_url(),
            token_endpoint: outside.teams.token_endpoint(),
            app_id: registration.app_id,
            app_secret: registration.app_secret,
            tenant: trunkline_fleet::teams::TENANT.to_owned(),
        };
        let file = outside.directory.path().join("naive.json");
        fs::write(&file, serde_json::to_vec(&facts)?)?;
        let arguments = [host::WORD.to_owned(), file.display().to_string()];
        let program = std::env::current_exe()?;
        let host = Process::start("naive host", Some(MEASURED_CORE), program.as_ref(), &arguments)?;
        listening(port).await?;
        pin_this_process(OTHER_CORE)?;
        Ok(Self {
            host,
            target: Arc::new(outside.target(port)),
            outside,
        })
    }

    async fn run(&self, load: Load) -> io::Result<Run> {
        let (host, redis) = (self.host.cpu()?, self.outside.redis.cpu()?);
        let (answers, replies) = self.outside.send(&self.target, load, 1).await?;
        Ok(Run {
            host: self.host.cpu()?.saturating_sub(host),
            redis: self.outside.redis.cpu()?.saturating_sub(redis),
            answers,
            replies,
        })
    }
}

fn print(naive: &Runs, ours: &Runs) {
    let mut table = table(&[
        "CPU of an activity",
        "host",
        "redis-server",
        "sum",
        "activities/s",
        "p50",
        "p99",
    ]);
    let rows = [
        ("naive, saturation", &naive.saturation),
        ("ours, saturation", &ours.saturation),
        ("naive, 1,000 a second", &naive.steady),
        ("ours, 1,000 a second", &ours.steady),
    ];
    for (name, runs) in rows {
        let spread = |figure: &dyn Fn(&Run) -> f64| runs.iter().map(figure).collect::<Spread>();
        let each = |cpu: fn(&Run) -> Duration| {
            let figure = |run: &Run| microseconds_each(cpu(run), run.answers.accepted());
            spread(&figure).show(1, "us")
        };
        let latency = |quantile: f64| {
            let figure = |run: &Run| milliseconds(run.answers.latency().quantile(quantile));
            spread(&figure).show(1, "ms")
        };
        table.add_row([
            name.to_owned(),
            each(|run| run.host),
            each(|run| run.redis),
            each(|run| run.host + run.redis),
            spread(&|run| rate(&run.answers)).show(0, ""),
            latency(0.50),
            latency(0.99),
        ]);
    }
    println!("{table}");
    for (name, runs) in rows {
        let sum = |count: fn(&Run) -> u64| runs.iter().map(count).sum::<u64>();
        println!(
            "{name}: {} accepted, {} refused, {} replies",
            sum(|run| run.answers.accepted()),
            sum(|run| run.answers.refused()),
            sum(|run| run.replies)
        );
    }
    for (name, naive, ours) in [
        ("saturation", &naive.saturation, &ours.saturation),
        ("1,000 a second", &naive.steady, &ours.steady),
    ] {
        let sum = |run: &Run| microseconds_each(run.host + run.redis, run.answers.accepted());
        let factors: Spread = naive
            .iter()
            .zip(ours)
            .map(|(naive, ours)| sum(ours) / sum(naive))
            .collect();
        println!(
            "{name}: ours takes {} of the naive host's CPU time, round by round",
            factors.show(2, "times")
        );
    }
}

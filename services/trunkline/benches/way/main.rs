//! What an activity costs from end to end: redis-server, `trunkline worker` and `trunkline ingress` as processes, pinned to
//! one core; on the other core the generator, the login service and the Connector.
//!
//! The work is a verified token (a new one every 1,000 activities), the echo bot with its counter, one commit in Redis, one
//! reply by HTTP. CPU time is read from `/proc`, so it does not depend on what else the machine does; rates do.
//!
//! `cargo bench -p trunkline --bench way [-- --activities 100000] [--trunkline PATH] [--arbiters 1]`: with the path of another
//! build's binary, two builds are compared one after the other.
#![allow(clippy::print_stdout, reason = "a benchmark reports to people")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its world fails")]

mod generator;
mod processes;
mod report;
mod setting;
mod sink;

use std::time::Duration;

use setting::Setting;

/// Activities of one run, unless told otherwise.
const ACTIVITIES: u64 = 100_000;

fn main() -> std::io::Result<()> {
    let activities = asked("--activities")
        .and_then(|number| number.parse().ok())
        .unwrap_or(ACTIVITIES);
    let trunkline = asked("--trunkline").unwrap_or_else(|| env!("CARGO_BIN_EXE_trunkline").to_owned());
    let arbiters = asked("--arbiters").unwrap_or_else(|| "1".to_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let setting = Setting::start(&trunkline, &arbiters).await?;
        println!("Warming up: connections, tokens, caches");
        setting.run(activities / 10, 64, None, 0..1_000).await?;

        println!("Saturation: 256 connections, each sends again as soon as it is answered");
        let saturation = setting.run(activities, 256, None, 0..10_000).await?;
        println!("1,000 activities a second");
        let steady = setting.run(1_000 * 20, 64, Some(1_000.0), 0..10_000).await?;
        report::print(&[("saturation", &saturation), ("1,000 a second", &steady)]);

        println!("Memory: one message in each of {activities} new conversations");
        let memory = setting.memory(activities).await?;
        report::print_memory(&memory);
        Ok(())
    })
}

/// What stands behind a flag of the command line.
fn asked(flag: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != flag).nth(1)
}

/// How long after the last answer replies may still come.
const LAST_REPLIES: Duration = Duration::from_secs(30);

//! What an activity costs from end to end, and what rests: redis-server, `trunkline worker` and `trunkline ingress` as
//! processes, pinned to one core; on the other core the generator, the login service and the Connector.
//!
//! `cargo bench -p trunkline --bench way -- MODE`, each with a table at the end:
//! - `cost [--activities 100000] [--rounds 1] [--arbiters 1] [--trunkline PATH]`, also without a mode: CPU time of an activity at
//!   saturation and at 1,000 a second. The work is a verified token (a new one every 1,000 activities), the echo bot with its
//!   counter, one commit in Redis, one reply by HTTP. With the path of another build's binary, two builds are compared one
//!   after the other.
//! - `memory [--conversations 1000000] [--steps 5] [--rest 20]`: bytes of a conversation, active and stored.
//! - `timers [--timers 1000000] [--due 10000] [--rounds 3] [--rest 30]`: what timers cost that are not due, and how late those come
//!   that are.
//! - `overload [--bound-ms 250] [--seconds 20] [--rounds 3] [--connections 5000] [--ingress-core 1] [--trunkline PATH]`: twice
//!   the load that can be sustained.
//! - `naive [--activities 100000] [--rounds 3]`: the least that any host would do, beside what ours does.
//!
//! CPU time is read from `/proc`, so it depends less than rates do on what else the machine does. Every mode ends by itself, and
//! no packet leaves loopback.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to people")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where its world fails")]

mod answers;
mod arguments;
mod bot;
mod cost;
mod generator;
mod memory;
mod naive;
mod outside;
mod overload;
mod pace;
mod processes;
mod progress;
mod report;
mod setting;
mod sink;
mod timers;

use std::io;
use std::process::ExitCode;

use arguments::Arguments;
use report::Machine;

fn main() -> ExitCode {
    if bot::is_a_role() {
        return bot::host();
    }
    let done = if naive::is_the_host() {
        naive::serve()
    } else {
        measure()
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> io::Result<()> {
    let (mode, arguments) = Arguments::read();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let machine = Machine::describe();
    runtime.block_on(async {
        match mode.as_str() {
            "cost" => cost::run(arguments).await,
            "memory" => memory::run(arguments).await,
            "timers" => timers::run(arguments).await,
            "overload" => overload::run(arguments).await,
            "naive" => naive::run(arguments).await,
            _ => Err(io::Error::other(
                "the modes are cost, memory, timers, overload and naive",
            )),
        }
    })?;
    machine.noise();
    Ok(())
}

//! What a conversation takes in the worker and in Redis: active and at rest, and stored only.
//!
//! The bot counts and says back what it hears, and leaves no timer: a timer would be memory of its own. Every conversation hears
//! one message. Bytes of the worker are what is in RAM (`VmRSS`), allocator and directory included.

use std::io;
use std::time::{Duration, Instant};

use comfy_table::Table;

use crate::arguments::Arguments;
use crate::bot::COUNTER;
use crate::cost::closed_loop;
use crate::generator::Load;
use crate::pace::Pace;
use crate::report::{Spread, microseconds_each, milliseconds_a_second, ratio, table};
use crate::setting::{Hosting, Measured, Rest, Setting};

/// No other run uses conversations from here on.
const NEW: u64 = 1_000_000;
/// What was sent is settled within 50 ms, what was freed is given back within seconds.
const SETTLES: Duration = Duration::from_secs(2);
/// A new worker reads the wake index of all shards, some 640 in a second.
const STARTS: Duration = Duration::from_secs(15);
/// How long conversations of the last part may take to leave memory.
const LONGEST_PASSIVATION: Duration = Duration::from_secs(180);

/// Memory so far, in bytes.
#[derive(Clone, Copy)]
struct Bytes {
    worker: u64,
    redis: u64,
    redis_resident: u64,
}

impl Bytes {
    async fn read(setting: &Setting) -> io::Result<Self> {
        tokio::time::sleep(SETTLES).await;
        Ok(Self {
            worker: setting.worker_resident()?,
            redis: setting.outside.redis_says("used_memory").await?,
            redis_resident: setting.outside.redis.resident()?,
        })
    }
}

/// A part of the conversations: what it cost, and memory before and after.
struct Step {
    conversations: u64,
    run: Measured,
    before: Bytes,
    after: Bytes,
}

/// A worker that does nothing, and how many conversations are in its memory.
struct Idle {
    name: String,
    active: f64,
    resident: u64,
    rest: Rest,
}

pub(crate) async fn run(arguments: Arguments) -> io::Result<()> {
    let arguments = arguments.only(&["--conversations", "--steps", "--rest", "--arbiters"])?;
    let conversations: u64 = arguments.number("--conversations", 1_000_000)?;
    let parts: u64 = arguments.number("--steps", 5)?.max(1);
    let rest = arguments.seconds("--rest", 20)?;
    // Nobody leaves memory before he is told to.
    let hosting = Hosting::own(COUNTER, arguments.number("--arbiters", 1)?)?
        .with("worker.passivate_after=24 h")
        .with("worker.memory_bound=1024 GiB");
    let setting = Setting::start(hosting).await?;
    tokio::time::sleep(STARTS).await;
    let mut idle = vec![at_rest("nothing stored", &setting, rest).await?];
    println!("Warming up: connections, tokens, caches");
    setting.run(closed_loop(20_000, 64)).await?;

    let mut steps = Vec::new();
    let part = conversations / parts;
    println!("One message in each of {conversations} new conversations, in {parts} steps");
    for number in 0..parts {
        steps.push(fill(&setting, NEW + number * part..NEW + (number + 1) * part).await?);
    }
    idle.push(at_rest("conversations active", &setting, rest).await?);

    println!("Another worker, for which all of them are stored only");
    let setting = setting.with_a_new_worker(&["worker.passivate_after=5 s"]).await?;
    tokio::time::sleep(STARTS).await;
    idle.push(at_rest("conversations stored", &setting, rest).await?);

    let again = (conversations / 10).max(1);
    println!("A second message in {again} of them, until all have left memory");
    setting.run(messages(NEW..NEW + again)).await?;
    passivated(&setting).await?;
    idle.push(at_rest(&format!("{again} were active"), &setting, rest).await?);
    print(&steps, &idle);
    Ok(())
}

/// One message in each of these conversations.
fn messages(conversations: std::ops::Range<u64>) -> Load {
    Load {
        activities: conversations.end - conversations.start,
        connections: 64,
        pace: Pace::Unpaced,
        conversations,
        text: None,
        progress: Some("conversations"),
    }
}

async fn fill(setting: &Setting, conversations: std::ops::Range<u64>) -> io::Result<Step> {
    let before = Bytes::read(setting).await?;
    let load = messages(conversations);
    let conversations = load.activities;
    let run = setting.run(load).await?;
    let (refused, missing) = (run.answers.refused(), conversations.saturating_sub(run.replies));
    if refused > 0 || missing > 0 {
        println!(
            "  of {conversations} messages {refused} were not accepted and {missing} not replied to: figures are too low"
        );
    }
    Ok(Step {
        conversations,
        run,
        before,
        after: Bytes::read(setting).await?,
    })
}

async fn at_rest(name: &str, setting: &Setting, time: Duration) -> io::Result<Idle> {
    tokio::time::sleep(SETTLES).await;
    Ok(Idle {
        name: name.to_owned(),
        active: setting.worker_says("trunkline_worker_actors").await?,
        rest: setting.rest(time).await?,
        resident: setting.worker_resident()?,
    })
}

/// Waits until no conversation is in memory.
async fn passivated(setting: &Setting) -> io::Result<()> {
    let deadline = Instant::now() + LONGEST_PASSIVATION;
    while setting.worker_says("trunkline_worker_actors").await? > 0.0 {
        if Instant::now() > deadline {
            return Err(io::Error::other("conversations do not leave memory"));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

fn print(steps: &[Step], idle: &[Idle]) {
    let conversations: u64 = steps.iter().map(|step| step.conversations).sum();
    println!("{}", bytes_of(steps, conversations));
    println!("{}", cost_of(steps));
    let mut table = table(&[
        "at rest",
        "in memory",
        "worker, RAM",
        "worker, CPU ms/s",
        "redis-server, CPU ms/s",
        "Redis, commands/s",
    ]);
    for idle in idle {
        let Rest { cpu, commands, took } = idle.rest;
        table.add_row([
            idle.name.clone(),
            format!("{:.0}", idle.active),
            format!("{:.1} MB", ratio(idle.resident, 1_000_000)),
            format!("{:.2}", milliseconds_a_second(cpu.worker, took)),
            format!("{:.2}", milliseconds_a_second(cpu.redis, took)),
            format!("{:.1}", commands / took.as_secs_f64()),
        ]);
    }
    println!("{table}");
    if let [fresh, _, stored, ..] = idle {
        let more = ratio(stored.resident, 1) - ratio(fresh.resident, 1);
        println!(
            "A conversation that is stored only takes {:.1} bytes of a worker ({:.1} MB more than with nothing stored).",
            more / ratio(conversations, 1),
            more / 1e6
        );
    }
}

fn bytes_of(steps: &[Step], conversations: u64) -> Table {
    let mut table = table(&["bytes of a conversation", "all", "in a step"]);
    let (first, last) = (&steps[0].before, &steps[steps.len() - 1].after);
    let each = |name: &str, of: fn(&Bytes) -> u64| {
        let spread: Spread = steps
            .iter()
            .map(|step| ratio(of(&step.after).saturating_sub(of(&step.before)), step.conversations))
            .collect();
        [
            name.to_owned(),
            format!("{:.0}", ratio(of(last).saturating_sub(of(first)), conversations)),
            spread.show(0, ""),
        ]
    };
    table.add_row(each("worker, active and at rest (RAM)", |bytes| bytes.worker));
    table.add_row(each("Redis, stored (used_memory)", |bytes| bytes.redis));
    table.add_row(each("Redis, stored (RAM)", |bytes| bytes.redis_resident));
    table
}

fn cost_of(steps: &[Step]) -> Table {
    let mut table = table(&[
        "CPU of a conversation's first message",
        "ingress",
        "worker",
        "redis-server",
    ]);
    let each = |cpu: fn(&Measured) -> Duration| {
        let figures = steps
            .iter()
            .map(|step| microseconds_each(cpu(&step.run), step.conversations));
        figures.collect::<Spread>().show(1, "us")
    };
    table.add_row([
        format!("{} steps", steps.len()),
        each(|run| run.cpu.ingress),
        each(|run| run.cpu.worker),
        each(|run| run.cpu.redis),
    ]);
    table
}

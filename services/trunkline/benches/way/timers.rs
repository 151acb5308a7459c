//! What pending timers cost while none is due, and how late those come that are.
//!
//! One timer in each conversation, set by a message to the bot [`ALARM`], which then rings at the Connector: lateness counts from
//! the due time to the reply's arrival there, turn and commit included. All are stored only when they fall due: the worker is
//! another one by then. Both read one clock, as one machine has only one.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;
use crate::bot::ALARM;
use crate::generator::Load;
use crate::pace::Pace;
use crate::report::{Spread, microseconds_each, milliseconds_a_second, ratio, table};
use crate::setting::{Cpu, Hosting, Rest, Setting};

/// When those timers ring that are only there.
const FAR: Duration = Duration::from_secs(30 * 86_400);
/// From setting the last timer of a round to the time at which all ring, at least: another worker starts meanwhile.
const LEAD: Duration = Duration::from_secs(30);
/// A new worker reads the wake index of all shards, some 640 in a second.
const SETTLES: Duration = Duration::from_secs(15);
/// How long the last timer of a round is waited for, beside a time for each.
const LONGEST_LATENESS: Duration = Duration::from_secs(30);
const LATENESS_EACH: Duration = Duration::from_millis(10);

/// Timers that fell due at once.
struct Due {
    timers: u64,
    /// Milliseconds of each that rang.
    late: Vec<f64>,
    cpu: Cpu,
}

pub(crate) async fn run(arguments: Arguments) -> io::Result<()> {
    let arguments = arguments.only(&["--timers", "--due", "--rounds", "--rest", "--arbiters"])?;
    let timers: u64 = arguments.number("--timers", 1_000_000)?;
    let due: u64 = arguments.number("--due", 10_000)?;
    let rounds: u64 = arguments.number("--rounds", 3)?;
    let rest = arguments.seconds("--rest", 30)?;
    let hosting = Hosting::own(ALARM, arguments.number("--arbiters", 1)?)?.with("worker.passivate_after=5 s");
    let mut setting = Setting::start(hosting).await?;
    let without = rests(&setting, rounds, rest).await?;

    println!("Setting {timers} timers that ring in 30 days");
    let began = Instant::now();
    set(&setting, 0..timers, now() + FAR).await?;
    let each = began.elapsed().div_f64(ratio(timers, 1));
    println!("Another worker");
    let began = Instant::now();
    setting = setting.with_a_new_worker(&[]).await?;
    println!("  served after {:.1} s", began.elapsed().as_secs_f64());
    let pending = rests(&setting, rounds, rest).await?;

    let mut rounds_due = Vec::new();
    for round in 0..rounds {
        println!("Round {} of {rounds}: {due} timers ring at once", round + 1);
        // Twice what setting the others took.
        let ring = now() + LEAD + each.mul_f64(2.0 * ratio(due, 1));
        let first = timers + round * due;
        set(&setting, first..first + due, ring).await?;
        setting = setting.with_a_new_worker(&[]).await?;
        rounds_due.push(falls_due(&setting, due, ring).await?);
    }
    print(timers, &without, &pending, &rounds_due);
    Ok(())
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What a worker at rest costs, several times.
async fn rests(setting: &Setting, rounds: u64, time: Duration) -> io::Result<Vec<Rest>> {
    println!("At rest, {rounds} times {} s", time.as_secs());
    tokio::time::sleep(SETTLES).await;
    let mut rests = Vec::new();
    for _ in 0..rounds {
        rests.push(setting.rest(time).await?);
    }
    Ok(rests)
}

/// One timer in each of these conversations.
async fn set(setting: &Setting, conversations: Range<u64>, ring: Duration) -> io::Result<()> {
    let timers = conversations.end - conversations.start;
    let load = Load {
        activities: timers,
        connections: 64,
        pace: Pace::Unpaced,
        conversations,
        text: Some(ring.as_millis().to_string()),
        progress: Some("timers"),
    };
    let run = setting.run_unreplied(load).await?;
    let refused = run.answers.refused();
    if refused > 0 {
        return Err(io::Error::other(format!("{refused} of {timers} timers were not set")));
    }
    Ok(())
}

async fn falls_due(setting: &Setting, timers: u64, ring: Duration) -> io::Result<Due> {
    tokio::time::sleep(SETTLES).await;
    let until = ring.checked_sub(now()).ok_or_else(|| {
        io::Error::other("the timers were due before the worker had started: the machine is too busy")
    })?;
    // What a worker costs that waits is not what the timers cost.
    tokio::time::sleep(until.saturating_sub(Duration::from_secs(1))).await;
    let before = setting.cpu()?;
    let due_ms = u64::try_from(ring.as_millis()).unwrap_or(u64::MAX);
    let each = u32::try_from(timers).unwrap_or(u32::MAX);
    let deadline = Instant::now() + LONGEST_LATENESS + LATENESS_EACH * each;
    let ring_of = || setting.outside.sink.alarms(due_ms);
    while (ring_of().len() as u64) < timers && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What was sent is settled within 50 ms, and a repeat would come soon.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(Due {
        timers,
        late: ring_of().into_iter().map(crate::sink::Alarm::late_ms).collect(),
        cpu: setting.cpu()?.since(before),
    })
}

fn print(timers: u64, without: &[Rest], pending: &[Rest], due: &[Due]) {
    let mut idle = table(&["none is due", "worker", "redis-server", "Redis, commands/s"]);
    for (name, rests) in [("no timers".to_owned(), without), (format!("{timers} timers"), pending)] {
        let spread = |figure: &dyn Fn(&Rest) -> f64| rests.iter().map(figure).collect::<Spread>();
        idle.add_row([
            name,
            spread(&|rest| milliseconds_a_second(rest.cpu.worker, rest.took)).show(2, "ms CPU/s"),
            spread(&|rest| milliseconds_a_second(rest.cpu.redis, rest.took)).show(2, "ms CPU/s"),
            spread(&|rest| rest.commands / rest.took.as_secs_f64()).show(1, ""),
        ]);
    }
    println!("{idle}");

    let mut rung = table(&[
        "due at once",
        "earliest",
        "p50",
        "p99",
        "worst",
        "missing",
        "worker, CPU each",
        "redis-server, CPU each",
    ]);
    for due in due {
        let late: Spread = due.late.iter().copied().collect();
        let came = due.late.len() as u64;
        let name = match came.checked_sub(due.timers) {
            Some(repeated) if repeated > 0 => format!("{} ({repeated} came twice)", due.timers),
            _ => due.timers.to_string(),
        };
        rung.add_row([
            name,
            format!("{:.0} ms", late.quantile(0.0)),
            format!("{:.0} ms", late.quantile(0.5)),
            format!("{:.0} ms", late.quantile(0.99)),
            format!("{:.0} ms", late.quantile(1.0)),
            due.timers.saturating_sub(came).to_string(),
            format!("{:.1} us", microseconds_each(due.cpu.worker, came)),
            format!("{:.1} us", microseconds_each(due.cpu.redis, came)),
        ]);
    }
    println!("{rung}");
}

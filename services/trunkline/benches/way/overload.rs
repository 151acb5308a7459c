//! Twice the load that can be sustained: what is kept of the throughput, what is refused and how, and how soon all is as before.
//!
//! The best throughput is that of the highest rate at which p99 stays under the bound, nobody is refused and every reply comes.
//! Then one load without a pause: half the best rate, twice the best rate, half of it again. Throughput is replies at the Connector
//! in a second, since an accepted message alone is no work done. Half the best rate is what is called normal.

use std::io;
use std::ops::Range;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::answers::{Answer, Answers, Latency};
use crate::arguments::Arguments;
use crate::cost::{closed_loop, paced};
use crate::generator::Load;
use crate::outside::MEASURED_CORE;
use crate::pace::{Pace, Step};
use crate::report::{Spread, milliseconds, ratio, table};
use crate::setting::{Hosting, Measured, Setting};
use crate::sink::Sink;

/// How long each rate is tried while the best is looked for.
const TRY: Duration = Duration::from_secs(6);
/// Halvings of the range in which the best rate is.
const TRIES: u32 = 6;
/// A rate below this part of what a closed loop reaches is not called the best.
const LEAST: f64 = 0.1;
/// Before each try: what was sent before is settled.
const PAUSE: Duration = Duration::from_secs(1);
/// Normal load before the flood, and after it.
const BEFORE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(30);
/// Recovery is looked for in windows of this length,
const WINDOW: Duration = Duration::from_millis(250);
/// and so many in a row must be fine.
const CALM_WINDOWS: usize = 4;
/// Replies are counted so often.
const NOTE_EVERY: Duration = Duration::from_millis(50);
/// A generator that sends this much later than planned did not send what it was to.
const LATE: Duration = Duration::from_millis(50);

pub(crate) async fn run(arguments: Arguments) -> io::Result<()> {
    let known = [
        "--bound-ms",
        "--seconds",
        "--rounds",
        "--connections",
        "--arbiters",
        "--ingress-core",
        "--trunkline",
    ];
    let arguments = arguments.only(&known)?;
    let bound = Duration::from_millis(arguments.number("--bound-ms", 250)?);
    let seconds = arguments.seconds("--seconds", 20)?;
    let rounds: usize = arguments.number("--rounds", 3)?;
    let connections: usize = arguments.number("--connections", 5_000)?;
    let hosting = Hosting {
        program: arguments.trunkline(),
        bot: "echo",
        arbiters: arguments.number("--arbiters", 1)?,
        ingress_core: arguments.number("--ingress-core", MEASURED_CORE)?,
        settings: Vec::new(),
    };
    let setting = Setting::start(hosting).await?;
    println!("Warming up: connections, tokens, caches, 10,000 conversations");
    setting.run(closed_loop(20_000, 64)).await?;
    let best = best_rate(&setting, bound, seconds).await?;
    println!(
        "Best: {:.0} replies a second, p99 {:.0} ms",
        best.replies,
        milliseconds(best.p99)
    );
    let mut floods = Vec::new();
    for round in 1..=rounds {
        println!(
            "Round {round} of {rounds}: {:.0} a second for {} s",
            best.rate * 2.0,
            seconds.as_secs()
        );
        floods.push(flood(&setting, &best, bound, seconds, connections).await?);
    }
    print(&best, &floods);
    Ok(())
}

/// The highest rate that was sustained.
struct Best {
    rate: f64,
    /// Replies in a second.
    replies: f64,
    p99: Duration,
}

/// Looks for the best rate: from what a closed loop reaches, by halving; then as long as a flood lasts.
async fn best_rate(setting: &Setting, bound: Duration, time: Duration) -> io::Result<Best> {
    let closed = setting.run(closed_loop(20_000, 256)).await?;
    let reached = ratio(closed.answers.accepted(), 1) / closed.answers.took.as_secs_f64();
    println!("A closed loop of 256 connections reaches {reached:.0} a second");
    let (mut low, mut high) = (0.0, reached * 1.5);
    for _ in 0..TRIES {
        let rate = f64::midpoint(low, high);
        if tried(setting, rate, TRY, bound).await?.is_some() {
            low = rate;
        } else {
            high = rate;
        }
    }
    // A rate that is borne for seconds need not be borne for longer.
    while low > reached * LEAST {
        if let Some(best) = tried(setting, low, time, bound).await? {
            return Ok(best);
        }
        low *= 0.9;
    }
    Err(io::Error::other(format!(
        "not even {low:.0} a second keeps p99 under {} ms: the machine is too busy",
        bound.as_millis()
    )))
}

/// A rate, if it is sustained: at the second try at the latest, for what disturbs the machine once says nothing of the rate.
async fn tried(setting: &Setting, rate: f64, time: Duration, bound: Duration) -> io::Result<Option<Best>> {
    match try_once(setting, rate, time, bound).await? {
        Some(best) => Ok(Some(best)),
        None => try_once(setting, rate, time, bound).await,
    }
}

async fn try_once(setting: &Setting, rate: f64, time: Duration, bound: Duration) -> io::Result<Option<Best>> {
    tokio::time::sleep(PAUSE).await;
    let run = setting.run(paced(rate, time, 1_024)).await?;
    let p99 = run.answers.latency().quantile(0.99);
    let is_sustained = p99 <= bound && run.answers.refused() == 0 && run.replies >= run.answers.accepted();
    println!(
        "  {rate:.0} a second for {} s: p99 {:.0} ms, {} refused{}",
        time.as_secs(),
        milliseconds(p99),
        run.answers.refused(),
        if is_sustained { "" } else { ": too much" }
    );
    Ok(is_sustained.then(|| Best {
        rate,
        replies: ratio(run.replies, 1) / run.answers.took.as_secs_f64().max(time.as_secs_f64()),
        p99,
    }))
}

/// One flood, with normal load before and after it.
struct Flood {
    /// In a second, while it lasted.
    sent: f64,
    replies: f64,
    accepted: f64,
    /// Of those that were due while it lasted.
    refused: Refused,
    accepted_p99: Duration,
    normal_p99: Duration,
    /// From the end of the flood until p99 stays under the bound, and under twice the normal one.
    until_bound: Option<Duration>,
    until_normal: Option<Duration>,
    /// Accepted, of all three parts, and not replied to.
    unreplied: u64,
    /// The part that the generator sent late.
    late: f64,
}

#[derive(Default)]
struct Refused {
    with_retry_after: u64,
    without: u64,
    broken: u64,
    /// `None`: nobody was refused.
    p99: Option<Duration>,
}

async fn flood(
    setting: &Setting,
    best: &Best,
    bound: Duration,
    time: Duration,
    connections: usize,
) -> io::Result<Flood> {
    let step = |part: f64, lasts: Duration| Step {
        per_second: best.rate * part,
        lasts,
    };
    let pace = Pace::Steps(vec![step(0.5, BEFORE), step(2.0, time), step(0.5, AFTER)]);
    let load = Load {
        activities: pace.activities(),
        pace,
        ..closed_loop(0, connections)
    };
    let (run, replies) = Replies::noted_during(&setting.outside.sink, setting.run(load)).await;
    Ok(Flood::of(&run?, &replies, BEFORE..BEFORE + time, bound))
}

impl Flood {
    fn of(run: &Measured, heard: &Replies, time: Range<Duration>, bound: Duration) -> Self {
        let answers = &run.answers;
        let seconds = time.end.saturating_sub(time.start).as_secs_f64();
        let meanwhile: Vec<&Answer> = answers.due_in(&time).collect();
        let normal = Latency::of(answers.due_in(&(Duration::ZERO..time.start)));
        let normal_p99 = normal.quantile(0.99);
        let accepted: Vec<&Answer> = meanwhile
            .iter()
            .copied()
            .filter(|answer| answer.is_accepted())
            .collect();
        let sent = answers.all.iter().filter(|answer| time.contains(&answer.sent)).count();
        let late = meanwhile
            .iter()
            .filter(|answer| answer.sent > answer.planned + LATE)
            .count();
        let replies = heard.at(answers.began + time.end) - heard.at(answers.began + time.start);
        Self {
            sent: ratio(sent as u64, 1) / seconds,
            replies: ratio(replies, 1) / seconds,
            accepted: ratio(accepted.len() as u64, 1) / seconds,
            refused: Refused::of(&meanwhile),
            accepted_p99: Latency::of(accepted).quantile(0.99),
            normal_p99,
            until_bound: calm_after(answers, time.end, bound),
            until_normal: calm_after(answers, time.end, normal_p99 * 2),
            unreplied: answers.accepted().saturating_sub(run.replies),
            late: ratio(late as u64, meanwhile.len() as u64),
        }
    }
}

impl Refused {
    fn of(answers: &[&Answer]) -> Self {
        let mut refused = Self::default();
        for answer in answers.iter().filter(|answer| !answer.is_accepted()) {
            match answer.told {
                Some(told) if told.says_when => refused.with_retry_after += 1,
                Some(_) => refused.without += 1,
                None => refused.broken += 1,
            }
        }
        let told = answers.iter().copied().filter(|answer| !answer.is_accepted());
        // How long a refusal took, not how late the generator asked.
        let latency = Latency::by(Answer::time_to_answer, told);
        refused.p99 = (answers.iter().any(|answer| !answer.is_accepted())).then(|| latency.quantile(0.99));
        refused
    }
}

/// From this time until p99 is under a bound for a second; `None`: never.
fn calm_after(answers: &Answers, end: Duration, bound: Duration) -> Option<Duration> {
    let windows = (0..).map(|number| end + WINDOW * number);
    let last = answers
        .all
        .iter()
        .map(|answer| answer.planned)
        .max()
        .unwrap_or_default();
    let is_calm: Vec<bool> = windows
        .take_while(|begin| *begin + WINDOW <= last)
        .map(|begin| Latency::of(answers.due_in(&(begin..begin + WINDOW))).quantile(0.99) <= bound)
        .collect();
    let place = is_calm
        .windows(CALM_WINDOWS)
        .position(|row| row.iter().all(|calm| *calm))?;
    u32::try_from(place).ok().map(|place| WINDOW * place)
}

/// Replies so far, at times.
struct Replies(Vec<(Instant, u64)>);

impl Replies {
    /// Does something, and notes meanwhile how many replies had come: the first time before it begins.
    async fn noted_during<T>(sink: &Sink, what: impl Future<Output = T>) -> (T, Self) {
        let mut noted = Vec::new();
        let mut clock = tokio::time::interval(NOTE_EVERY);
        let mut what = pin!(what);
        loop {
            tokio::select! {
                biased;
                _ = clock.tick() => noted.push((Instant::now(), sink.received())),
                done = &mut what => return (done, Self(noted)),
            }
        }
    }

    /// How many had come at a time: the last that was noted before it.
    fn at(&self, time: Instant) -> u64 {
        let noted = self.0.iter().take_while(|(when, _)| *when <= time).last();
        noted.or(self.0.first()).map_or(0, |(_, replies)| *replies)
    }
}

fn print(best: &Best, floods: &[Flood]) {
    let spread = |figure: &dyn Fn(&Flood) -> f64| floods.iter().map(figure).collect::<Spread>();
    let seconds = |time: fn(&Flood) -> Option<Duration>| {
        let never = floods.iter().filter(|flood| time(flood).is_none()).count();
        let recovered: Spread = floods.iter().filter_map(time).map(|time| time.as_secs_f64()).collect();
        match never {
            0 => recovered.show(2, "s"),
            never => format!(
                "{}; {never} times not within {} s",
                recovered.show(2, "s"),
                AFTER.as_secs()
            ),
        }
    };
    let mut table = table(&["twice the best rate", "median (least to most)"]);
    let mut row = |name: &str, figure: String| {
        table.add_row([name.to_owned(), figure]);
    };
    row(
        "best sustained: replies/s, p99",
        format!("{:.0}, {:.0} ms", best.replies, milliseconds(best.p99)),
    );
    row("sent/s", spread(&|flood| flood.sent).show(0, ""));
    row("sent over 50 ms late", spread(&|flood| flood.late * 100.0).show(1, "%"));
    row("replies/s", spread(&|flood| flood.replies).show(0, ""));
    row(
        "throughput kept",
        spread(&|flood| flood.replies / best.replies * 100.0).show(1, "%"),
    );
    row("accepted/s", spread(&|flood| flood.accepted).show(0, ""));
    row(
        "p99 of accepted",
        spread(&|flood| milliseconds(flood.accepted_p99)).show(0, "ms"),
    );
    let refused = |count: fn(&Refused) -> u64| spread(&|flood| ratio(count(&flood.refused), 1));
    row(
        "refused with Retry-After",
        refused(|refused| refused.with_retry_after).show(0, ""),
    );
    row("refused without", refused(|refused| refused.without).show(0, ""));
    row("connections broken", refused(|refused| refused.broken).show(0, ""));
    let refusals = floods.iter().filter_map(|flood| flood.refused.p99).map(milliseconds);
    row("p99 of refusals", refusals.collect::<Spread>().show(0, "ms"));
    row(
        "p99 at half the best rate, before",
        spread(&|flood| milliseconds(flood.normal_p99)).show(1, "ms"),
    );
    row(
        "afterwards, until p99 is under the bound",
        seconds(|flood| flood.until_bound),
    );
    row(
        "afterwards, until p99 is under twice that before",
        seconds(|flood| flood.until_normal),
    );
    row(
        "accepted and not replied to",
        spread(&|flood| ratio(flood.unreplied, 1)).show(0, ""),
    );
    println!("{table}");
}

//! Very many calls with random lengths, keys, hang-ups and faults, and a rolling restart in the middle: every one ends, and
//! nothing of it is left. `TRUNKLINE_CALLS` says how many, `TRUNKLINE_CALLS_AT_ONCE` how many at a time, and
//! `TRUNKLINE_CALLS_LENGTH` how many times longer than usual they are: more at a time without more a second.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use trunkline_fleet::wait::wait_for;
use trunkline_simulated_teams::{
    Between, CallDelays, CallDisorder, CallFault, CallLimits, CallSettings, CallState, CallView, FaultTime, Handle,
};

use crate::script::Script;
use crate::world::{Setting, World};

/// Keys that a Redis may have more at the end: the log and the counts of the day, not one for each call.
const KEYS_OF_BOOKS: i64 = 16;

fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable)
        .ok()
        .map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What a campaign is made of. Its seed is `TRUNKLINE_SEED`, else another one each time.
#[derive(Clone, Copy, Debug)]
struct Load {
    calls: usize,
    at_once: usize,
    length: u32,
    seed: u64,
}

impl Load {
    fn wanted() -> Self {
        let seed = std::env::var("TRUNKLINE_SEED").ok();
        Self {
            calls: number("TRUNKLINE_CALLS", 200),
            at_once: number("TRUNKLINE_CALLS_AT_ONCE", 40),
            length: u32::try_from(number("TRUNKLINE_CALLS_LENGTH", 1)).unwrap(),
            seed: seed.map_or_else(rand::random, |text| text.parse().expect("a seed is a number")),
        }
    }
}

/// A Graph that is busy and now and then fails.
fn busy() -> CallSettings {
    let fault = |operation: Option<&str>, status, when, share| CallFault {
        operation: operation.map(str::to_owned),
        status,
        when,
        share,
        times: None,
        retry_after: (status == 429).then_some(0.2),
    };
    CallSettings {
        prompt_length: Duration::from_millis(400),
        delays: CallDelays {
            establishing: Between(Duration::from_millis(20), Duration::from_millis(100)),
            established: Between(Duration::from_millis(50), Duration::from_millis(300)),
            ..CallDelays::default()
        },
        disorder: CallDisorder::some(),
        faults: vec![
            fault(None, 429, FaultTime::BeforeStore, 0.005),
            fault(None, 503, FaultTime::BeforeStore, 0.005),
            fault(None, 500, FaultTime::AfterStore, 0.002),
        ],
        limits: CallLimits {
            concurrent: None,
            monthly: None,
            ..CallLimits::default()
        },
        kept: 1_000_000,
        ..CallSettings::default()
    }
}

#[test]
fn very_many_calls_with_faults_and_a_rolling_restart_all_end_and_leave_nothing() {
    let load = Load::wanted();
    println!("{load:?}");
    let calls = load.calls;
    let mut world = World::start(Setting {
        workers: 3,
        ingresses: 2,
        graph: busy(),
        settings: vec![
            ("calls.retention", "1 s".to_owned()),
            ("worker.passivate_after", "1 s".to_owned()),
            ("log.filter", "warn".to_owned()),
        ],
        ..Setting::default()
    });
    let keys_before = keys(&world);
    let began = Instant::now();
    let mut campaign = Campaign::begin(&world, load);
    campaign.wait_half();
    let mut cpu = restart(&mut world);
    campaign.end();
    let nodes = world.cluster.workers.iter().chain(&world.cluster.ingresses);
    cpu += nodes.map(|node| node.process().cpu()).sum::<Duration>();
    let took = began.elapsed();

    let views = world.teams().calls();
    assert_eq!(views.len(), calls);
    for view in &views {
        assert_eq!(view.state, CallState::Terminated, "{view:#?}");
        assert_nothing_twice(view);
    }
    world.wait_until_quiet();
    assert_each_written_once(&world, &views);
    wait_for("no actor in memory", || {
        (world.cluster.sum_of_workers("trunkline_worker_conversations") == 0.0).then_some(())
    });
    wait_for("no key of a call in the store", || {
        (keys(&world) <= keys_before + KEYS_OF_BOOKS).then_some(())
    });
    report(&world, calls, took, cpu);
}

/// Callers, on a thread of their own.
struct Campaign {
    /// Told when half of the calls have begun.
    half: mpsc::Receiver<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Campaign {
    fn begin(world: &World, load: Load) -> Self {
        let (begun, half) = mpsc::channel();
        let teams = world.teams().clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(play(teams, begun, load));
        });
        Self {
            half,
            thread: Some(thread),
        }
    }

    fn wait_half(&self) {
        self.half.recv().expect("the callers ended early");
    }

    fn end(&mut self) {
        self.thread
            .take()
            .expect("a campaign ends once")
            .join()
            .expect("every caller came to an end");
    }
}

async fn play(teams: Handle, half: mpsc::Sender<()>, load: Load) {
    let places = Arc::new(Semaphore::new(load.at_once));
    let mut callers = tokio::task::JoinSet::new();
    for call in 0..load.calls {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let teams = teams.clone();
        callers.spawn(async move {
            Script::draw(load.seed, call, load.length).play(teams).await;
            drop(place);
        });
        if call == load.calls / 2 {
            half.send(()).expect("the campaign goes on");
        }
    }
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
}

/// Every process ends in order and starts again, one after the other. What they had used of the processor.
fn restart(world: &mut World) -> Duration {
    let mut used = Duration::ZERO;
    for place in 0..world.cluster.workers.len() {
        let worker = &mut world.cluster.workers[place];
        used += worker.process().cpu();
        worker.stop();
        worker.rename();
        worker.start();
        world.cluster.wait_until_whole();
    }
    for ingress in &mut world.cluster.ingresses {
        used += ingress.process().cpu();
        ingress.stop();
        ingress.start();
    }
    used
}

/// Whatever the bot asked Graph to play it named; what was asked twice has one name twice.
fn assert_nothing_twice(view: &CallView) {
    let mut contexts = HashSet::new();
    for prompt in &view.prompts {
        assert!(contexts.insert(prompt.context.clone()), "played twice: {view:#?}");
    }
}

/// One entry of the log for each call of which the bot was told.
fn assert_each_written_once(world: &World, views: &[CallView]) {
    let mut entries: BTreeMap<String, usize> = BTreeMap::new();
    for entry in world.audit() {
        let id = entry["record"]["id"].as_str().unwrap_or_default().to_owned();
        *entries.entry(id).or_default() += 1;
    }
    for view in views {
        let written = entries.remove(&view.id).unwrap_or_default();
        assert_eq!(written, 1, "entries of this call: {view:#?}");
    }
    assert!(entries.is_empty(), "entries of no call: {entries:?}");
}

fn keys(world: &World) -> i64 {
    let said = world.redis.ask("DBSIZE").unwrap();
    said.trim_start_matches(':').parse().unwrap()
}

fn report(world: &World, calls: usize, took: Duration, cpu: Duration) {
    let counters = world.teams().call_counters();
    let mut answers = Histogram::<u64>::new(3).unwrap();
    for milliseconds in &counters.answer_times {
        answers.record(*milliseconds).unwrap();
    }
    let notifications: u64 = counters
        .notifications
        .values()
        .flat_map(|statuses| statuses.values())
        .sum();
    let requests: u64 = counters.requests.values().flat_map(|statuses| statuses.values()).sum();
    println!(
        "{calls} calls in {:.1} s, {notifications} notifications ({} given up), {requests} requests",
        took.as_secs_f64(),
        counters.lost,
    );
    println!(
        "from ring to answer of {}: p50 {} ms, p99 {} ms, worst {} ms",
        answers.len(),
        answers.value_at_quantile(0.5),
        answers.value_at_quantile(0.99),
        answers.max(),
    );
    println!(
        "processor of ingresses and workers: {} us a call, {} us a notification",
        cpu.as_micros() / calls as u128,
        cpu.as_micros() / u128::from(notifications.max(1)),
    );
    let wrong: Vec<String> = counters
        .notifications
        .iter()
        .flat_map(|(what, statuses)| statuses.iter().map(move |(status, count)| (what, status, count)))
        .filter(|(_, status, _)| !(200..300).contains(*status))
        .map(|(what, status, count)| format!("{what} {status}: {count}"))
        .collect();
    println!("notifications that were not accepted at first: {wrong:?}");
}

//! A cluster around several exchanges, under one seeded scheduler: workers that die, pause, get stuck and come back as another process
//! run, hosts that fall silent, maps that come late, repeated and out of order, threads of the ingress that are stopped.
//!
//! Checked at every step: requests of one shard are outstanding at one worker only, and in order; every waiter gets exactly
//! one answer, in time; what was answered as done was committed. Checked at the end: everything is served again, by the
//! newest map, over exactly the connections that it names.

mod fleet;
mod leader;
mod streams;
mod threads;
mod worker;

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trunkline_proto::routing::ToIngress;

use super::super::*;
use fleet::{Fleet, HOSTS};
use threads::Thread;

const SHARDS: u32 = 8;
const THREADS: usize = 2;
const BUDGET_MS: u64 = 13_000;
/// Faults happen until then.
const CALM_AT: u64 = 25_000;
/// By then everything must be as if nothing had been.
const HEALED_AT: u64 = CALM_AT + 15_000;
const END: u64 = HEALED_AT + 3_000;

/// A stream: the thread of the ingress, and the generation that it was asked for with.
type StreamId = (usize, u64);

#[derive(Debug)]
enum Event {
    Tick(usize),
    Submit(usize),
    Fault,
    Leader,
    /// The thread asks for a stream to this host.
    Connect(StreamId, usize, u64),
    ToWorker(usize, StreamId, Outgoing),
    ToIngress(StreamId, Box<ToIngress>),
    Lost(StreamId, Loss),
    /// A worker learns of a map.
    Map(usize, u64),
    Claim {
        host: usize,
        incarnation: u64,
        shard: u32,
    },
    TurnEnds {
        host: usize,
        incarnation: u64,
        shard: u32,
    },
}

/// The scheduler and everything that it drives.
struct Simulation {
    now: u64,
    random: SmallRng,
    queue: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    fleet: Fleet,
    threads: Vec<Thread>,
    /// Last arrival on each way of a stream, so that nothing overtakes on it.
    arrivals: BTreeMap<(StreamId, bool), u64>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut simulation = Self {
            now: 0,
            random: SmallRng::seed_from_u64(seed),
            queue: BTreeMap::new(),
            next_event: 0,
            fleet: Fleet::new(),
            threads: (0..THREADS).map(|number| Thread::new(number, seed)).collect(),
            arrivals: BTreeMap::new(),
        };
        for thread in 0..THREADS {
            simulation.after(0, Event::Tick(thread));
            simulation.after(300, Event::Submit(thread));
        }
        simulation.after(0, Event::Leader);
        simulation.after(2_000, Event::Fault);
        simulation
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.next_event += 1;
        self.queue.insert((self.now + delay, self.next_event), event);
    }

    /// Something travels on a stream: later than what was sent before it.
    fn travel(&mut self, stream: StreamId, to_worker: bool, event: Event) {
        let latency = if self.random.random_bool(0.02) {
            self.random.random_range(20..200)
        } else {
            self.random.random_range(0..5)
        };
        let last = self.arrivals.entry((stream, to_worker)).or_default();
        let at = (self.now + latency).max(*last);
        *last = at;
        self.after(at - self.now, event);
    }

    fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > END {
                return;
            }
            self.now = at;
            // Whoever is stopped finds everything when it goes on, in order.
            let stopped_until = match &event {
                Event::Tick(thread)
                | Event::Submit(thread)
                | Event::ToIngress((thread, _), _)
                | Event::Lost((thread, _), _) => self.threads[*thread].stopped_until,
                Event::ToWorker(host, ..) | Event::Connect(_, host, _) => self.fleet.hosts[*host].paused_until,
                Event::Map(host, _) | Event::Claim { host, .. } | Event::TurnEnds { host, .. } => {
                    let host = &self.fleet.hosts[*host];
                    host.paused_until.max(host.stuck_until)
                }
                Event::Fault | Event::Leader => 0,
            };
            if stopped_until > at {
                self.after(stopped_until - at, event);
            } else {
                self.happen(event);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick(thread) => {
                let pace = u64::try_from(TICK.as_millis()).unwrap();
                self.after(pace, Event::Tick(thread));
                self.at_thread(thread, Exchange::tick);
                self.threads[thread].check_time(self.now);
            }
            Event::Submit(thread) => self.submit(thread),
            Event::Fault => self.fault(),
            Event::Leader => self.lead(),
            Event::Connect(stream, host, named) => self.connect(stream, host, named),
            Event::ToWorker(host, stream, outgoing) => self.at_worker(host, stream, outgoing),
            Event::ToIngress(stream, frame) => self.frame(stream, *frame),
            Event::Lost(stream, loss) => self.lost(stream, loss),
            Event::Map(host, version) => self.learn(host, version),
            Event::Claim {
                host,
                incarnation,
                shard,
            } => self.claim(host, incarnation, shard),
            Event::TurnEnds {
                host,
                incarnation,
                shard,
            } => self.end_turn(host, incarnation, shard),
        }
    }

    /// Something bad, and the time of the next.
    fn fault(&mut self) {
        if self.now >= CALM_AT {
            self.fleet.heal();
            return;
        }
        let next = self.random.random_range(200..3_000);
        self.after(next, Event::Fault);
        let host = self.random.random_range(0..HOSTS);
        match self.random.random_range(0..7) {
            0 => self.kill(host, true),
            // The host is lost with it: nobody sends a reset.
            1 => self.kill(host, false),
            2 => {
                let pause = self.random.random_range(100..6_000);
                self.fleet.hosts[host].paused_until = self.now + pause;
            }
            3 => {
                let thread = self.random.random_range(0..THREADS);
                let stop = self.random.random_range(100..3_000);
                self.threads[thread].stopped_until = self.now + stop;
            }
            4 => self.cut(host),
            5 if self.fleet.hosts.iter().all(|host| host.stuck_until < self.now) => {
                let stuck = self.random.random_range(100..CALM_AT + 5_000 - self.now).min(20_000);
                self.fleet.hosts[host].stuck_until = self.now + stuck;
            }
            _ => self.fleet.is_restless = true,
        }
    }
}

/// One run; panics with what was broken.
fn run(seed: u64) -> BTreeMap<&'static str, usize> {
    let mut simulation = Simulation::new(seed);
    simulation.run();
    let newest = simulation.fleet.newest();
    let mut counts = BTreeMap::new();
    for thread in &simulation.threads {
        thread.check_healed(&newest);
        for (name, count) in &thread.counts {
            *counts.entry(*name).or_default() += count;
        }
    }
    counts
}

#[test]
fn every_seed_keeps_every_promise() {
    let seeds = std::env::var("TRUNKLINE_SEEDS").map_or(150, |seeds| seeds.parse().unwrap());
    let first = std::env::var("TRUNKLINE_SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in first..first + seeds {
        let outcome = std::panic::catch_unwind(|| run(seed));
        let ended =
            outcome.unwrap_or_else(|_| panic!("seed {seed} broke a promise: set TRUNKLINE_SEED={seed} to repeat it"));
        for (name, count) in ended {
            *counts.entry(name).or_default() += count;
        }
    }
    let expired = counts.get("expired").copied().unwrap_or_default();
    assert!(
        expired <= counts["submitted"] / 1_000,
        "the faults are shorter than callers wait: {counts:?}"
    );
    assert!(
        counts["resent"] > counts["sent"] / 100,
        "too quiet to show anything: {counts:?}"
    );
}

#[test]
fn a_seed_repeats_itself() {
    assert_eq!(run(4_711), run(4_711));
}

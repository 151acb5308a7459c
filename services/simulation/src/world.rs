//! The world: time, what happens in it, and one run from its beginning through its faults to its rest.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use trunkline_ingress::exchange::Outgoing;
use trunkline_worker::conversation::{BotRules, ConversationSettings, Unreadable};

use crate::bot::Silent;
use crate::broken::{Broken, Invariant};
use crate::callers::{Activity, CALLERS_EACH, Caller};
use crate::chat::{CHATS, chats};
use crate::faults::{Faults, Guards};
use crate::ingress::{Heard, StreamId, Thread};
use crate::network::Request;
use crate::promises::{ANSWERED_WITHIN, FOUND_WITHIN, SERVED_WITHIN};
use crate::store::Store;
use crate::tally::Tally;
pub(crate) use crate::worker::Thing;
use crate::worker::{ActorId, At, Host, Stepping, Surroundings};

/// Faults end at this time, and callers begin nothing new.
pub(crate) const CALM_AT: u64 = 14_000;
/// Machines; on the last one a worker is added later.
const HOSTS: usize = 4;
const THREADS: usize = 2;
/// From one kept copy of the store to the next.
const COPY_EVERY: u64 = 100;
/// What the network repeats of the time of faults has arrived then: a beat of a node that drained, for example.
const OVERHANG: u64 = 3_500;
/// At rest, this long.
const REST: u64 = 2_000;
/// Then the last timer has come, whatever the clocks that it is set and read by have made of it.
const LAST_TIMER_WITHIN: u64 = 12_000;
/// In a cluster at rest an activity is answered within this time.
const AT_REST_WITHIN: u64 = 1_000;

/// What happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// At a process, unless it has ended.
    Worker(At, Thing),
    /// At an ingress.
    Thread(usize, Heard),
    /// A request reaches the store; somebody waits for it or not.
    Store(Option<At>, Request),
    /// An ingress opens a stream to a host, sends on it, or gives it up.
    Connects(usize, StreamId, u64),
    ToStream(usize, StreamId, u64, Outgoing),
    Closed(usize, StreamId),
    /// A reply reaches the user.
    Arrives(usize, u64),
    Caller(usize),
    /// Teams repeats what was acknowledged.
    Repeat(u64),
    Fault,
    Start(usize),
    /// A turn of this activity kills its process.
    Kill(At, u64),
    Resume(At),
    ResumeIngress(usize, u64),
    Copy,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) now: u64,
    pub(crate) random: SmallRng,
    queue: BTreeMap<(u64, u64), Happening>,
    happenings: u64,
    pub(crate) faults: Faults,
    pub(crate) common: Surroundings,
    pub(crate) store: Store,
    pub(crate) hosts: Vec<Host>,
    pub(crate) threads: Vec<Thread>,
    /// Processes that ever were.
    pub(crate) lives: u64,
    pub(crate) began: Instant,
    /// What came last on each way of a stream.
    pub(crate) arrivals: BTreeMap<(StreamId, bool), u64>,
    pub(crate) activities: Vec<Activity>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) refusals: BTreeMap<String, usize>,
    /// Processes that an activity took with it.
    pub(crate) killed_by: BTreeMap<u64, usize>,
    /// Turns that wait for their step.
    pub(crate) stepping: BTreeMap<(u64, ActorId, u64), Stepping>,
    /// For each conversation the replies that its user saw, each once.
    pub(crate) seen: Vec<Vec<u64>>,
    /// When everything was served again, and when nothing was left to do.
    pub(crate) served_at: u64,
    pub(crate) rested_at: u64,
    broken: Option<Broken>,
    pub(crate) tells: bool,
    story: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, faults: impl Fn(&mut SmallRng) -> Faults, guards: Guards) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let faults = faults(&mut random);
        let limit = Duration::from_secs(5);
        let bot = Arc::new(BotRules::new(Arc::new(Silent), limit, Unreadable::Park));
        let settings = ConversationSettings {
            message_budget: Duration::from_millis(1_500),
            invoke_budget: Duration::from_secs(2),
            short_invoke_budget: Duration::from_secs(2),
            queue: 6,
            attempt_back_off: Duration::from_millis(300),
            ..ConversationSettings::default()
        };
        let common = Surroundings {
            chats: Rc::from(chats()),
            bots: Arc::new([("test".to_owned(), bot)].into()),
            settings: Arc::new(settings),
            guards,
        };
        let host = |number: usize| Host {
            name: format!("worker-{number}"),
            process: None,
            silent_until: 0,
            cut_off_until: 0,
            is_dark: false,
        };
        let mut world = Self {
            seed,
            now: 1_000,
            random,
            queue: BTreeMap::new(),
            happenings: 0,
            faults,
            common,
            store: Store::new(),
            hosts: (0..HOSTS).map(host).collect(),
            threads: Vec::new(),
            lives: 0,
            began: Instant::now(),
            arrivals: BTreeMap::new(),
            activities: Vec::new(),
            callers: (0..CHATS * CALLERS_EACH).map(|_| Caller::default()).collect(),
            refusals: BTreeMap::new(),
            killed_by: BTreeMap::new(),
            stepping: BTreeMap::new(),
            seen: vec![Vec::new(); CHATS],
            served_at: 0,
            rested_at: 0,
            broken: None,
            tells: std::env::var_os("TRUNKLINE_SEED").is_some(),
            story: Vec::new(),
        };
        world.begin_all();
        world
    }

    fn begin_all(&mut self) {
        for host in 0..HOSTS - 1 {
            self.start(host);
        }
        for thread in 0..THREADS {
            self.start_ingress(thread);
        }
        for caller in 0..self.callers.len() {
            let first = 500 + self.below(1_000);
            self.after(first, Happening::Caller(caller));
        }
        let added = self.below(CALM_AT);
        self.after(added, Happening::Start(HOSTS - 1));
        self.after(2_000, Happening::Fault);
        if self.faults.failovers {
            self.after(0, Happening::Copy);
        }
    }

    /// What a process needs that starts.
    pub(crate) fn surroundings(&self) -> Surroundings {
        self.common.clone()
    }

    /// A run: faults, calm, rest. What was broken first ends it.
    ///
    /// # Errors
    /// What was broken.
    pub(crate) fn run(mut self) -> Result<Tally, Broken> {
        self.live();
        let tally = self.tally();
        match self.broken.take() {
            None => Ok(tally),
            Some(broken) => {
                for line in std::mem::take(&mut self.story) {
                    eprintln!("{}", line.chars().take(2_000).collect::<String>());
                }
                Err(broken)
            }
        }
    }

    fn live(&mut self) {
        self.run_until(CALM_AT, |_| false);
        self.calm();
        let calm_at = self.now;
        if !self.run_until(calm_at + SERVED_WITHIN, Self::is_served) {
            let told = self.told();
            return self.breaks(Invariant::I6, format!("not every shard is served again\n{told}"));
        }
        self.served_at = self.now;
        let is_finished =
            |world: &Self| world.now >= calm_at + OVERHANG && world.unfinished().is_none() && world.is_served();
        let within = if self.store.failovers > 0 {
            FOUND_WITHIN
        } else {
            ANSWERED_WITHIN
        };
        if !self.run_until(calm_at + within, is_finished) {
            let what = self.unfinished().unwrap_or_else(|| "a shard is not served".to_owned());
            let told = self.told();
            return self.breaks(Invariant::I6, format!("{what}\n{told}"));
        }
        self.rested_at = self.now;
        self.rest();
        if self.broken.is_none() {
            self.check_promises();
        }
    }

    /// I6 and I7: a cluster at rest answers everybody at once, and leaves its map alone.
    fn rest(&mut self) {
        let may_change = self.may_change_the_map();
        let map = self.store.model.map.as_ref().map(|(version, _)| *version);
        for chat in 0..CHATS {
            let number = self.new_activity(chat, Some(chat));
            self.send_again(number, Some(chat));
        }
        let are_answered = |world: &Self| world.callers.iter().all(|caller| caller.current.is_none());
        if !self.run_until(self.now + AT_REST_WITHIN, are_answered) {
            let told = self.told();
            return self.breaks(Invariant::I6, format!("a cluster at rest does not answer\n{told}"));
        }
        self.run_until(self.now + REST, |_| false);
        if !self.run_until(self.now + LAST_TIMER_WITHIN, |world| world.unfinished().is_none()) {
            let what = self.unfinished().unwrap_or_default();
            return self.breaks(Invariant::I6, format!("a cluster at rest does not finish: {what}"));
        }
        let after = self.store.model.map.as_ref().map(|(version, _)| *version);
        if map != after && !may_change && !self.may_change_the_map() {
            self.breaks(
                Invariant::I7,
                format!("a cluster at rest went from map {map:?} to {after:?}"),
            );
        }
    }

    /// Lets time pass until something is so, or the time has come. Returns whether it is so.
    fn run_until(&mut self, end: u64, is_so: impl Fn(&Self) -> bool) -> bool {
        let mut look_at = self.now;
        while self.broken.is_none() {
            let next = self.queue.first_key_value().map_or(end, |((at, _), _)| *at);
            if next >= look_at {
                if is_so(self) {
                    return true;
                }
                look_at = next + 50;
            }
            if next >= end {
                self.now = end;
                return is_so(self);
            }
            if let Some(((at, _), happening)) = self.queue.pop_first() {
                self.now = at;
                self.happens(happening);
            }
        }
        true
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Worker(at, thing) => self.meet(at, thing),
            Happening::Thread(thread, heard) => self.hears(thread, heard),
            Happening::Store(from, request) => self.at_store(from, request),
            Happening::Connects(host, stream, named) => self.connects(host, stream, named),
            Happening::ToStream(host, stream, version, outgoing) => {
                if let Some(at) = self.at_host(host) {
                    self.meet(at, Thing::Frame(stream, version, outgoing));
                }
            }
            Happening::Closed(host, stream) => {
                if let Some(at) = self.at_host(host) {
                    self.meet(at, Thing::Closed(stream));
                }
            }
            Happening::Arrives(chat, number) => self.arrives(chat, number),
            Happening::Caller(caller) => self.call(caller),
            Happening::Repeat(number) => self.send_again(number, None),
            Happening::Fault => self.fault(),
            Happening::Start(host) => self.start(host),
            Happening::Kill(at, number) => {
                if self.process(at).is_some() {
                    *self.killed_by.entry(number).or_default() += 1;
                    self.kill(at.host);
                }
            }
            Happening::Resume(at) => {
                if self.process(at).is_some_and(|process| process.is_paused) {
                    self.resume(at.host);
                }
            }
            Happening::ResumeIngress(thread, life) => {
                if self.threads[thread].life == life {
                    self.resume_ingress(thread);
                }
            }
            Happening::Copy => {
                self.store.copy();
                self.after(COPY_EVERY, Happening::Copy);
            }
        }
    }

    pub(crate) fn after(&mut self, wait: u64, happening: Happening) {
        self.happenings += 1;
        self.queue.insert((self.now + wait, self.happenings), happening);
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.random.random_range(0..bound)
    }

    pub(crate) fn index(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    pub(crate) fn next_random(&mut self) -> u64 {
        self.random.random()
    }

    /// Notes what is broken, if nothing was before.
    pub(crate) fn breaks(&mut self, invariant: Invariant, what: String) {
        self.broken.get_or_insert(Broken {
            invariant,
            seed: self.seed,
            at: self.now,
            what,
        });
    }

    pub(crate) fn tell_story(&mut self, told: &str) {
        if self.tells {
            self.story.push(format!("{} {told}", self.now));
        }
    }
}

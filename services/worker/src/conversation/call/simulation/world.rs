//! The world around a simulated call: time, the store, the book, turns, and what must hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trunkline_bot::logic::{Begin, Input, Logic};
use trunkline_store::contract::{CallTaken, Commit};

use super::super::super::event::{Action, Event};
use super::super::super::simulation::schedule::Schedule;
use super::super::super::simulation::store::{SimulatedStore, no_answer};
use super::super::super::{BotRules, Unreadable};
use super::super::{Booked, Booking, CallSettings};
use super::bot::{FOUND, Silent, end_of, failed, told_in};
use super::graph::{Graph, ID, Later};
use super::media::{AtHost, MediaHost};
use super::owners::{Owner, Waiting};
use crate::call::Lease;
use crate::record::{Accepted, Record};

/// Faults end at this time; everything must settle afterwards.
const CALM_AT: u64 = 60_000;
/// Long enough for a call in doubt, and for keep-alives to find that one has gone.
const END_AT: u64 = 2_400_000;
pub(super) const WALL: u64 = 1_800_000_000_000;
const SWEEP_MS: u64 = 45_000;

#[derive(Clone, Copy)]
pub(super) struct Faults {
    /// Graph throttles, its answers and notifications are lost, late and repeated.
    pub(super) graph: bool,
    /// Handlers fail and are slow.
    pub(super) turns: bool,
    /// Answers of the store are lost, commits arrive late and once more; the book fails.
    pub(super) store: bool,
    /// Processes die, leave, and lose their lease for a while.
    pub(super) owners: bool,
    /// A media host has no room, its way breaks, it dies.
    pub(super) media: bool,
}

impl Faults {
    pub(super) const NONE: Self = Self {
        graph: false,
        turns: false,
        store: false,
        owners: false,
        media: false,
    };
    pub(super) const ALL: Self = Self {
        graph: true,
        turns: true,
        store: true,
        owners: true,
        media: true,
    };
}

pub(super) enum Happening {
    Core(u64, Event),
    LateCommit(Box<Commit>),
    Notification { key: u64, body: Bytes, until: u64 },
    Graph(Later),
    AtHost(AtHost),
    Start,
    Rings,
    Crash,
    Claim,
    HandOver,
    Leaves(u64),
    Lease(bool),
    Sweep,
}

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) schedule: Schedule<Happening>,
    pub(super) store: SimulatedStore,
    pub(super) owner: Option<Owner>,
    pub(super) life: u64,
    pub(super) rules: Arc<BotRules>,
    pub(super) graph: Graph,
    pub(super) media: MediaHost,
    pub(super) tickets: BTreeMap<u64, Waiting>,
    is_outgoing: bool,
    /// A media host carries the sound.
    pub(super) is_hosted: bool,
    /// Leases of the call that were taken and not given back.
    leases: i32,
    logged: Vec<Bytes>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        let logic: Arc<dyn Logic> = Arc::new(Silent);
        let rules = BotRules::new(logic.clone(), Duration::from_secs(20), Unreadable::Park);
        let mut world = Self {
            seed,
            faults,
            schedule: Schedule::of_seed(seed),
            store: SimulatedStore::default(),
            owner: None,
            life: 0,
            rules: Arc::new(rules.with_calls(logic, CallSettings::default())),
            graph: Graph::default(),
            media: MediaHost::default(),
            tickets: BTreeMap::new(),
            is_outgoing: seed.is_multiple_of(3),
            is_hosted: seed % 4 >= 2,
            leases: 0,
            logged: Vec::new(),
        };
        world.claim();
        let begin = if world.is_outgoing {
            Happening::Start
        } else {
            Happening::Rings
        };
        world.later(100, begin);
        world.later(SWEEP_MS, Happening::Sweep);
        if faults.owners {
            world.plan(5, || Happening::Crash);
            world.plan(4, || Happening::HandOver);
            world.plan(3, || Happening::Lease(false));
        }
        if faults.media && world.is_hosted {
            world.plan(4, || Happening::AtHost(AtHost::Breaks));
            if world.below(2) == 0 {
                world.plan(3, || Happening::AtHost(AtHost::Dies));
            }
        }
        world
    }

    /// A fault that comes at times of its own, mostly while the call is young.
    fn plan(&mut self, below: u64, fault: impl Fn() -> Happening) {
        for _ in 0..self.below(below) {
            let within = if self.below(3) == 0 { CALM_AT } else { 12_000 };
            let at = self.below(within);
            self.later(at, fault());
        }
    }

    /// Key of the call.
    pub(super) fn key(&self) -> &'static str {
        if self.is_outgoing { "k1" } else { ID }
    }

    pub(super) fn run(&mut self) {
        while let Some(happening) = self.schedule.next(END_AT) {
            self.happens(happening);
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Core(life, event) => self.tell(life, event),
            Happening::LateCommit(commit) => drop(self.store.commit(&commit)),
            Happening::Notification { key, body, until } => self.notify(key, body, until),
            Happening::Graph(later) => self.graph_goes_on(later),
            Happening::AtHost(what) => self.host_goes_on(what),
            Happening::Start => self.start(),
            Happening::Rings => self.rings(),
            Happening::Crash => self.die(),
            Happening::Claim => self.claim(),
            Happening::HandOver => self.hand_over(),
            Happening::Leaves(life) => self.leaves(life),
            Happening::Lease(may_begin) => {
                let Some(owner) = self.owner.as_mut() else { return };
                owner.may_begin = may_begin;
                let life = owner.life;
                self.tell(life, Event::Tick);
                if !may_begin {
                    let wait = 1 + self.below(5_000);
                    self.later(wait, Happening::Lease(true));
                }
            }
            Happening::Sweep => {
                self.passivate();
                self.later(SWEEP_MS, Happening::Sweep);
            }
        }
    }

    pub(super) fn is_faulty(&self, kind: bool) -> bool {
        kind && self.schedule.now < CALM_AT
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.schedule.below(bound)
    }

    pub(super) fn later(&mut self, wait: u64, happening: Happening) {
        self.schedule.later(wait, happening);
    }

    pub(super) fn next_key(&mut self) -> u64 {
        1_000 + self.schedule.next_number()
    }

    pub(super) fn act(&mut self, life: u64, action: Action) {
        match action {
            Action::Load => {
                let is_lost = self.is_faulty(self.faults.store) && self.below(10) == 0;
                let loaded = if is_lost {
                    Err(no_answer())
                } else {
                    Ok(self.store.load())
                };
                let wait = 1 + self.below(5);
                self.later(wait, Happening::Core(life, Event::Loaded(loaded)));
            }
            Action::Commit { id, commit } => self.commit(life, id, &commit),
            Action::Run(run) => self.begin(life, run.run, &run.begin),
            Action::AskGraph(ask) => {
                let id = ask.id;
                let is_slow = self.is_faulty(self.faults.graph) && self.below(10) == 0;
                let answer = self.graph_is_asked(&ask);
                let wait = 5 + self.below(if is_slow { 4_000 } else { 150 });
                self.later(wait, Happening::Core(life, Event::GraphAnswered { id, answer }));
            }
            Action::AskLeg(ask) => self.host_is_asked(life, *ask),
            Action::Book(booking) => {
                let is_lost = self.is_faulty(self.faults.store) && self.below(6) == 0;
                let booked = self.book(*booking);
                let booked = if is_lost { Err(no_answer()) } else { Ok(booked) };
                let wait = 1 + self.below(10);
                self.later(wait, Happening::Core(life, Event::Booked(booked)));
            }
            Action::Reply { ticket, reply } => self.hear(ticket, &reply),
            Action::NeedsReader { format } => panic!("seed {}: a record of format {format}", self.seed),
            Action::ShardLost => self.die(),
            Action::Send(work) => panic!("seed {}: {work:?} is sent to nobody", self.seed),
            Action::ReplyFromRecord { .. } | Action::StepKept { .. } => {
                unreachable!("no step is kept, no invoke comes")
            }
            Action::Drop { .. } | Action::Answer { .. } | Action::Note(_) => {}
        }
    }

    /// All of it may be repeated.
    fn book(&mut self, booking: Booking) -> Booked {
        match booking {
            Booking::Take(_) => {
                self.leases = 1;
                Booked::Taken(CallTaken::Taken {
                    in_use: 1,
                    this_month: 1,
                })
            }
            Booking::Renew { .. } => Booked::Renewed,
            Booking::Close { ended, .. } => {
                self.leases = 0;
                if !self.logged.contains(&ended.entry) {
                    self.logged.push(ended.entry);
                }
                Booked::Closed
            }
        }
    }

    fn commit(&mut self, life: u64, id: u64, commit: &Commit) {
        let fate = if self.is_faulty(self.faults.store) {
            self.below(14)
        } else {
            99
        };
        if matches!(fate, 2 | 3) {
            let late = 10 + self.below(3_000);
            self.later(late, Happening::LateCommit(Box::new(commit.clone())));
        }
        let result = match fate {
            // Never arrives, or late.
            0 | 2 => Err(no_answer()),
            // Written, the answer is lost.
            1 => {
                self.store.commit(commit);
                Err(no_answer())
            }
            _ => Ok(self.store.commit(commit)),
        };
        let wait = 1 + self.below(4);
        self.later(wait, Happening::Core(life, Event::Committed { id, result }));
        if self.is_faulty(self.faults.owners) && self.below(40) == 0 {
            // Whatever became of it, the process dies before anybody hears.
            self.later(0, Happening::Crash);
        }
    }

    fn begin(&mut self, life: u64, run: u64, begin: &Begin) {
        let is_faulty = self.is_faulty(self.faults.turns);
        let is_incoming =
            matches!(&begin.input, Input::Call(event) if **event == trunkline_bot::logic::CallEvent::Incoming);
        let rejects = is_incoming && self.below(8) == 0;
        let wait = if is_faulty && self.below(8) == 0 {
            self.below(25_000)
        } else {
            self.below(40)
        };
        let end = if is_faulty && self.below(8) == 0 {
            failed()
        } else {
            end_of(begin, rejects, self.is_hosted)
        };
        let streams = Vec::new();
        self.later(wait, Happening::Core(life, Event::TurnEnded { run, end, streams }));
    }

    /// What must hold when all is calm.
    pub(super) fn check(&mut self) {
        let seed = self.seed;
        let stored = self.store.record.as_ref();
        let Some(stored) = stored else {
            // Nobody could be reached while it rang.
            assert!(
                self.faults.owners || self.faults.store,
                "seed {seed}: nothing is stored"
            );
            return;
        };
        let record = Record::read(stored, None).unwrap().1;
        let call = record.call.as_deref().expect("a call is stored");
        assert!(call.is_over(), "seed {seed}: the call is not over: {call:?}");
        assert_eq!(call.lease(), Lease::Closed, "seed {seed}: it is not closed in the book");
        assert!(record.outbox.is_empty(), "seed {seed}: {:?}", record.outbox);
        assert!(
            call.events.is_empty() && call.own.is_empty() && call.pending.is_empty(),
            "seed {seed}: {call:?}"
        );
        assert_eq!((self.leases, self.logged.len()), (0, 1), "seed {seed}");
        let legs = self.legs_left();
        assert!(legs.is_empty(), "seed {seed}: {legs:?} are left");
        assert!(
            call.leg
                .as_ref()
                .is_none_or(|leg| call.is_leg_gone() && leg.blob.is_empty()),
            "seed {seed}: {call:?}"
        );
        assert_eq!(self.store.wake, None, "seed {seed}: something is said to be due");
        let is_parked = self.store.parked.is_some();
        let left: Vec<Accepted> = self
            .store
            .inbox
            .iter()
            .filter(|(field, _)| field.parse::<u64>().is_ok())
            .map(|(_, bytes)| Accepted::read(bytes).unwrap())
            .filter(|entry| !entry.is_parked)
            .collect();
        assert!(left.is_empty(), "seed {seed}: the inbox holds {left:?}");
        let now = self.clocks(true);
        let owner = self.owner.as_ref().expect("somebody owns the shard");
        assert!(
            owner.core.is_quiet() && owner.core.is_idle(now),
            "seed {seed}: the actor does not rest"
        );
        let told = told_in(record.state.as_ref().map(|state| &state.bytes));
        self.check_told(&told, is_parked);
        if !self.faults.graph && !self.faults.turns && !self.faults.store && !self.faults.owners && !self.faults.media {
            assert!(!told.contains(&"media lost".to_owned()), "seed {seed}: {told:?}");
            assert!(told.contains(&"ended".to_owned()), "seed {seed}: {told:?}");
        }
    }

    fn record(&self) -> Option<Record> {
        let stored = self.store.record.as_ref();
        stored.map(|stored| Record::read(stored, None).unwrap().1)
    }

    /// Whether it is written that another leg is on its way.
    pub(super) fn is_reopening(&self) -> bool {
        let call = self.record().and_then(|record| record.call);
        call.is_some_and(|call| call.is_reopening())
    }

    /// Whether the call went on at another media host.
    pub(super) fn found_another_host(&self) -> bool {
        let state = self.record().and_then(|record| record.state);
        told_in(state.as_ref().map(|state| &state.bytes)).contains(&FOUND.to_owned())
    }

    fn check_told(&self, told: &[String], is_parked: bool) {
        let seed = self.seed;
        let mut once = told.iter().filter(|what| *what != "failed").collect::<Vec<_>>();
        let all = once.len();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all, "seed {seed}: told twice: {told:?}");
        let ended = told.iter().position(|what| what == "ended");
        assert!(
            ended.is_some() || is_parked,
            "seed {seed}: the bot does not know that it is over: {told:?}"
        );
        if let Some(place) = ended.filter(|_| !is_parked) {
            assert_eq!(place + 1, told.len(), "seed {seed}: the end is not the last: {told:?}");
        }
        let hello = told.iter().position(|what| what == "hello");
        assert!(
            hello.is_none_or(|place| place == 0) || is_parked,
            "seed {seed}: the beginning is not the first: {told:?}"
        );
    }
}

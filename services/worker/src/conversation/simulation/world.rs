//! The world around the simulated cores: time, the store, turns, the Connector and the callers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trunkline_bot::logic::{Begin, KeptStep};
use trunkline_store::contract::{Commit, Committed};

use super::super::event::{Action, Event, Reply};
use super::super::{BotRules, Unreadable};
use super::bot::{Silent, end_of, failed, number_of};
use super::callers::Waiting;
use super::faults::Faults;
use super::owners::Owner;
use super::schedule::Schedule;
use super::store::{Replicated, no_answer};
use crate::outbox::{Operation, SendResult};

/// Activities of each caller.
pub(super) const ACTIVITIES: u64 = 12;
pub(super) const CALLERS: u64 = 2;
/// The activity that kills whoever runs it.
pub(super) const KILLER: u64 = 9;
/// Faults end at this time; everything must settle afterwards.
const CALM_AT: u64 = 120_000;
const END_AT: u64 = 600_000;
pub(super) const WALL: u64 = 1_800_000_000_000;
/// How often the wake index is read, and what is idle leaves memory.
const SWEEP_MS: u64 = 25_000;

/// What happens in the world at a time.
pub(super) enum Happening {
    /// To the core of this process.
    Core {
        life: u64,
        event: Event,
    },
    /// A commit that the network held back, or one more copy of it, reaches the store.
    LateCommit(Box<Commit>),
    /// A caller sends its next activity, or repeats the one that was not acknowledged.
    Caller(u64),
    /// Teams sends what was acknowledged once more.
    Repeat(u64),
    /// This process dies.
    Dies(u64),
    /// Whichever process serves dies.
    Crash,
    /// From here on nothing may begin.
    LeaseLost,
    LeaseBack,
    /// The next process claims.
    Claim,
    HandOver,
    Leaves(u64),
    Pause,
    GoesOn(u64),
    /// A process that was paused notices that it is not a member any more.
    Notices(u64),
    FailOver,
    Sweep,
}

pub(crate) struct World {
    pub(super) seed: u64,
    pub(super) faults: Faults,
    pub(super) schedule: Schedule<Happening>,
    pub(super) store: Replicated,
    pub(super) owners: BTreeMap<u64, Owner>,
    pub(super) serving: Option<u64>,
    pub(super) life: u64,
    pub(super) epoch: u64,
    pub(super) rules: Arc<BotRules>,
    /// For each caller: the activity it is at.
    pub(super) at: BTreeMap<u64, u64>,
    pub(super) tickets: BTreeMap<u64, Waiting>,
    /// Tickets of callers that do not wait any more.
    pub(super) forgotten: BTreeSet<u64>,
    pub(super) acknowledged: BTreeSet<u64>,
    pub(super) heard: Vec<Reply>,
    /// Workers that died with an activity, as the ingress knows.
    pub(super) deaths: BTreeMap<u64, u32>,
    /// Processes that the killer took with it.
    pub(super) killed: u32,
    /// What reached the Connector, in order.
    pub(super) sent: Vec<u64>,
    /// Steps whose keeping was confirmed, by the seed of their turn.
    kept: BTreeSet<String>,
    /// Turns that wait for their step, by process and run.
    pub(super) stepping: HashMap<(u64, u64), (Begin, u64)>,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let turn_limit = Duration::from_secs(20);
        let mut world = Self {
            seed,
            faults,
            schedule: Schedule::of_seed(seed),
            store: Replicated::default(),
            owners: BTreeMap::new(),
            serving: None,
            life: 0,
            epoch: 0,
            rules: Arc::new(BotRules::new(Arc::new(Silent), turn_limit, Unreadable::Park)),
            at: BTreeMap::new(),
            tickets: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            heard: Vec::new(),
            deaths: BTreeMap::new(),
            killed: 0,
            sent: Vec::new(),
            kept: BTreeSet::new(),
            stepping: HashMap::new(),
        };
        world.claim();
        for caller in 0..CALLERS {
            world.at.insert(caller, 0);
            world.later(caller * 7, Happening::Caller(caller));
        }
        world.later(SWEEP_MS, Happening::Sweep);
        world.plan(faults.crashes, 6, || Happening::Crash);
        world.plan(faults.lease, 4, || Happening::LeaseLost);
        world.plan(faults.owners, 5, || Happening::HandOver);
        world.plan(faults.owners, 4, || Happening::Pause);
        world.plan(faults.failovers, 4, || Happening::FailOver);
        world
    }

    /// A fault that comes at times of its own.
    fn plan(&mut self, is_on: bool, below: u64, fault: impl Fn() -> Happening) {
        if is_on {
            for _ in 0..self.below(below) {
                let at = self.below(CALM_AT);
                self.later(at, fault());
            }
        }
    }

    pub(crate) fn replies(&self) -> impl Iterator<Item = &Reply> {
        self.heard.iter()
    }

    /// Lets time pass until nothing is left to happen.
    pub(crate) fn run(&mut self) {
        while let Some(happening) = self.schedule.next(END_AT) {
            self.happens(happening);
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Core { life, event } => self.tell(life, event),
            Happening::LateCommit(commit) => {
                self.store.commit(&commit, self.seed);
            }
            Happening::Caller(caller) => self.call(caller),
            Happening::Repeat(number) => self.arrive(None, number),
            Happening::Dies(life) => self.die(life),
            Happening::Crash => self.die(self.serving.unwrap_or_default()),
            Happening::LeaseLost => {
                self.set_lease(false);
                let wait = 1 + self.below(8_000);
                self.later(wait, Happening::LeaseBack);
            }
            Happening::LeaseBack => self.set_lease(true),
            Happening::Claim => self.claim(),
            Happening::HandOver => self.hand_over(),
            Happening::Leaves(life) => self.leaves(life),
            Happening::Pause => self.pause(),
            Happening::GoesOn(life) => self.goes_on(life),
            Happening::Notices(life) => self.has_lost(life),
            Happening::FailOver => {
                let lacking = 1 + self.below(5);
                self.store.fail_over(usize::try_from(lacking).unwrap());
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

    pub(super) fn core_later(&mut self, life: u64, wait: u64, event: Event) {
        self.later(wait, Happening::Core { life, event });
    }

    pub(super) fn act(&mut self, life: u64, action: Action) {
        match action {
            Action::Load => {
                let lost = self.is_faulty(self.faults.store) && self.below(10) == 0;
                let loaded = if lost {
                    Err(no_answer())
                } else {
                    Ok(self.store.primary.load())
                };
                let wait = 1 + self.below(5);
                self.core_later(life, wait, Event::Loaded(loaded));
            }
            Action::Commit { id, commit } => self.commit(life, id, &commit),
            Action::Run(run) => self.begin(life, run.run, run.begin),
            Action::Drop { run } => {
                self.stepping.remove(&(life, run));
            }
            Action::Reply { ticket, reply } => self.hear(ticket, reply),
            Action::ReplyFromRecord { .. } => unreachable!("only messages are sent"),
            Action::StepKept { run, result } => {
                if let Some((begin, wait)) = self.stepping.remove(&(life, run)) {
                    let end = if result.is_ok() {
                        self.kept.insert(begin.seed.clone());
                        end_of(&begin)
                    } else {
                        failed()
                    };
                    self.end_later(life, wait, run, end);
                }
            }
            Action::Send(work) => self.send(life, work.sequence, &work.operation),
            Action::NeedsReader { format } => panic!("seed {}: a record of format {format}", self.seed),
            Action::ShardLost => self.later(0, Happening::Notices(life)),
            Action::AskGraph(_) | Action::AskLeg(_) | Action::Book(_) => unreachable!("there are no calls"),
            Action::Answer { .. } | Action::Note(_) => {}
        }
    }

    fn end_later(&mut self, life: u64, wait: u64, run: u64, end: trunkline_bot::logic::End) {
        let streams = Vec::new();
        self.core_later(life, wait, Event::TurnEnded { run, end, streams });
    }

    fn commit(&mut self, life: u64, id: u64, commit: &Commit) {
        let wait = 1 + self.below(4);
        if self.is_faulty(self.faults.crashes) && self.below(25) == 0 {
            // Whatever becomes of it, the process dies before anybody hears.
            self.later(0, Happening::Dies(life));
        }
        let fate = if self.is_faulty(self.faults.store) {
            self.below(14)
        } else {
            99
        };
        if matches!(fate, 2 | 3) {
            // A copy of it arrives after the client has given up on it, or has its answer.
            let late = 10 + self.below(3_000);
            self.later(late, Happening::LateCommit(Box::new(commit.clone())));
        }
        let result = match fate {
            // Never arrives, or late.
            0 | 2 => Err(no_answer()),
            // Written, the answer is lost.
            1 => {
                self.store.commit(commit, self.seed);
                Err(no_answer())
            }
            _ => Ok(self.store.commit(commit, self.seed)),
        };
        assert!(
            self.faults.owners || self.faults.failovers || !matches!(result, Ok(Committed::Fenced)),
            "seed {}: fenced without another owner",
            self.seed
        );
        self.core_later(life, wait, Event::Committed { id, result });
    }

    fn begin(&mut self, life: u64, run: u64, begin: Begin) {
        let is_sure = self.store.lost.is_empty() && !self.faults.failovers;
        if is_sure && self.kept.contains(&begin.seed) {
            assert_eq!(
                begin.steps.len(),
                1,
                "seed {}: a kept step is gone in run {}",
                self.seed,
                begin.attempt
            );
        }
        let number = number_of(&begin);
        if self.is_faulty(self.faults.killer) && number == Some(KILLER) {
            self.killed += 1;
            self.later(0, Happening::Dies(life));
            return;
        }
        let is_faulty = self.is_faulty(self.faults.turns);
        let wait = if is_faulty && self.below(8) == 0 {
            2_000 + self.below(25_000)
        } else {
            self.below(30)
        };
        if is_faulty && self.below(7) == 0 {
            self.end_later(life, wait, run, failed());
        } else if begin.steps.is_empty() && number.is_some_and(|number| number % 5 == 3) {
            let step = KeptStep {
                name: "paid".to_owned(),
                result: Bytes::from_static(b"1"),
            };
            self.stepping.insert((life, run), (begin, wait));
            self.core_later(life, 1, Event::KeepStep { run, step });
        } else {
            self.end_later(life, wait, run, end_of(&begin));
        }
    }

    fn send(&mut self, life: u64, sequence: u64, operation: &Operation) {
        let Operation::Post { body, .. } = operation else {
            panic!("only messages are sent")
        };
        let number: u64 = serde_json::from_slice(body).unwrap();
        assert!(
            self.store.asked_for.contains(&number),
            "seed {}: reply {number} leaves before its turn has committed",
            self.seed
        );
        let wait = 1 + self.below(40);
        let fate = if self.is_faulty(self.faults.connector) {
            self.below(6)
        } else {
            99
        };
        let again = |in_doubt| SendResult::Again {
            after_ms: None,
            in_doubt,
            reason: "simulated".to_owned(),
        };
        let result = match fate {
            0 => again(false),
            1 => {
                self.sent.push(number);
                again(true)
            }
            _ => {
                self.sent.push(number);
                SendResult::Taken {
                    id: Some(format!("m{number}")),
                    conversation: None,
                }
            }
        };
        self.core_later(life, wait, Event::Sent { sequence, result });
    }
}

//! The world around the simulated core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use trunkline_bot::logic::{Begin, KeptStep};
use trunkline_store::contract::{Committed, Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::{ShardId, Triple};
use trunkline_teams::activity::Activity;

use super::super::event::{Action, Arrival, ArrivalKind, Event, Now, Reply, Ticket};
use super::super::{BotRules, Conversation, ConversationSettings, Gates, Holding, Unreadable, Work};
use super::bot::{Silent, end_of, failed, number_of};
use super::store::{SimulatedStore, no_answer};
use crate::outbox::{Operation, SendResult};

/// Activities of each caller.
pub(super) const ACTIVITIES: u64 = 12;
pub(super) const CALLERS: u64 = 2;
/// Faults end at this time; everything must settle afterwards.
const CALM_AT: u64 = 120_000;
const END_AT: u64 = 600_000;
const WALL: u64 = 1_800_000_000_000;

/// What may go wrong.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) store: bool,
    pub(crate) turns: bool,
    pub(crate) connector: bool,
    pub(crate) crashes: bool,
    pub(crate) lease: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        store: false,
        turns: false,
        connector: false,
        crashes: false,
        lease: false,
    };
    pub(crate) const ALL: Self = Self {
        store: true,
        turns: true,
        connector: true,
        crashes: true,
        lease: true,
    };
}

/// What happens in the world at a time.
enum Happening {
    /// To the core of this life.
    Core {
        life: u64,
        event: Event,
    },
    /// A commit that the network held back reaches the store.
    LateCommit(Box<trunkline_store::contract::Commit>),
    /// A caller sends its next activity, or repeats the one that was not acknowledged.
    Caller(u64),
    /// Teams sends what was acknowledged once more.
    Repeat(u64),
    Crash,
    /// From here on nothing may begin.
    LeaseLost,
    LeaseBack,
}

pub(crate) struct World {
    pub(super) seed: u64,
    random: u64,
    faults: Faults,
    now: u64,
    may_begin: bool,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: HashMap<u64, Happening>,
    pub(super) store: SimulatedStore,
    pub(super) core: Conversation,
    life: u64,
    rules: Arc<BotRules>,
    tick_at: Option<u64>,
    /// For each caller: the activity it is at.
    pub(super) at: BTreeMap<u64, u64>,
    /// Tickets under way: the caller, unless it is Teams that repeats, and the activity.
    tickets: BTreeMap<u64, (Option<u64>, u64)>,
    pub(super) acknowledged: BTreeSet<u64>,
    heard: Vec<Reply>,
    /// What reached the Connector, in order.
    pub(super) sent: Vec<u64>,
    /// Steps whose keeping was confirmed, by the seed of their turn.
    kept: BTreeSet<String>,
    /// Turns that wait for their step.
    stepping: HashMap<u64, (Begin, u64)>,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let rules = Arc::new(BotRules::new(
            Arc::new(Silent),
            Duration::from_secs(20),
            Unreadable::Park,
        ));
        let mut store = SimulatedStore::default();
        let core = core_of(&rules, &mut store, 1, seed);
        let mut world = Self {
            seed,
            random: seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1,
            faults,
            now: 0,
            may_begin: true,
            order: 0,
            queue: BinaryHeap::new(),
            happenings: HashMap::new(),
            store,
            core,
            life: 1,
            rules,
            tick_at: None,
            at: BTreeMap::new(),
            tickets: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            kept: BTreeSet::new(),
            stepping: HashMap::new(),
        };
        for caller in 0..CALLERS {
            world.at.insert(caller, 0);
            world.later(caller * 7, Happening::Caller(caller));
        }
        if faults.crashes {
            for _ in 0..world.below(6) {
                let at = world.below(CALM_AT);
                world.later(at, Happening::Crash);
            }
        }
        if faults.lease {
            for _ in 0..world.below(4) {
                let at = world.below(CALM_AT);
                world.later(at, Happening::LeaseLost);
            }
        }
        world
    }

    pub(crate) fn replies(&self) -> impl Iterator<Item = &Reply> {
        self.heard.iter()
    }

    /// Lets time pass until nothing is left to happen.
    pub(crate) fn run(&mut self) {
        while let Some(Reverse((at, order))) = self.queue.pop() {
            if at > END_AT {
                break;
            }
            self.now = self.now.max(at);
            match self.happenings.remove(&order).expect("each happening is queued once") {
                Happening::Core { life, event } => {
                    if life == self.life {
                        self.tell(event);
                    }
                }
                Happening::LateCommit(commit) => {
                    self.store.commit(&commit);
                }
                Happening::Caller(caller) => self.call(caller),
                Happening::Repeat(number) => self.arrive(None, number),
                Happening::Crash => self.crash(),
                Happening::LeaseLost => {
                    self.may_begin = false;
                    let wait = 1 + self.below(8_000);
                    self.later(wait, Happening::LeaseBack);
                }
                Happening::LeaseBack => {
                    self.may_begin = true;
                    self.tell(Event::Tick);
                }
            }
        }
    }

    fn is_faulty(&self, kind: bool) -> bool {
        kind && self.now < CALM_AT
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    fn later(&mut self, wait: u64, happening: Happening) {
        self.order += 1;
        self.queue.push(Reverse((self.now + wait, self.order)));
        self.happenings.insert(self.order, happening);
    }

    fn core_later(&mut self, wait: u64, event: Event) {
        let life = self.life;
        self.later(wait, Happening::Core { life, event });
    }

    fn clock(&self) -> Now {
        Now {
            steady_ms: self.now,
            wall_ms: WALL + self.now,
            may_begin: self.may_begin,
        }
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.core.handle(event, self.clock(), &mut actions);
        for action in actions {
            self.act(action);
        }
        let deadline = self.core.deadline(self.clock());
        if let Some(at) = deadline.map(|at| at.max(self.now + 1))
            && self.tick_at.is_none_or(|tick| tick <= self.now || tick > at)
        {
            self.tick_at = Some(at);
            self.core_later(at - self.now, Event::Tick);
        }
    }

    fn act(&mut self, action: Action) {
        let is_beginning = matches!(action, Action::Run(_) | Action::Send(_));
        assert!(
            self.may_begin || !is_beginning,
            "seed {}: {action:?} without a lease",
            self.seed
        );
        match action {
            Action::Load => {
                let lost = self.is_faulty(self.faults.store) && self.below(10) == 0;
                let loaded = if lost { Err(no_answer()) } else { Ok(self.store.load()) };
                let wait = 1 + self.below(5);
                self.core_later(wait, Event::Loaded(loaded));
            }
            Action::Commit { id, commit } => self.commit(id, *commit),
            Action::Run(run) => self.begin(run.run, run.begin),
            Action::Drop { run } => {
                self.stepping.remove(&run);
            }
            Action::Reply { ticket, reply } => self.hear(ticket, reply),
            Action::ReplyFromRecord { .. } => unreachable!("only messages are sent"),
            Action::StepKept { run, result } => {
                if let Some((begin, wait)) = self.stepping.remove(&run) {
                    let end = if result.is_ok() {
                        self.kept.insert(begin.seed.clone());
                        end_of(&begin)
                    } else {
                        failed()
                    };
                    self.core_later(
                        wait,
                        Event::TurnEnded {
                            run,
                            end,
                            streams: Vec::new(),
                        },
                    );
                }
            }
            Action::Send(work) => self.send(work.sequence, &work.operation),
            Action::ShardLost => unreachable!("nobody else claims"),
            Action::Answer { .. } | Action::Note(_) => {}
        }
    }

    fn commit(&mut self, id: u64, commit: trunkline_store::contract::Commit) {
        let wait = 1 + self.below(4);
        if self.is_faulty(self.faults.crashes) && self.below(25) == 0 {
            // Whatever becomes of it, the process dies before anybody hears.
            self.later(0, Happening::Crash);
        }
        let fate = if self.is_faulty(self.faults.store) {
            self.below(12)
        } else {
            99
        };
        let result = match fate {
            // Never arrives.
            0 => Err(no_answer()),
            // Written, the answer is lost.
            1 => {
                self.store.commit(&commit);
                Err(no_answer())
            }
            // Arrives after the client has given up on it.
            2 => {
                let late = 10 + self.below(3_000);
                self.later(late, Happening::LateCommit(Box::new(commit)));
                Err(no_answer())
            }
            _ => Ok(self.store.commit(&commit)),
        };
        assert!(
            !matches!(result, Ok(Committed::Fenced)),
            "seed {}: fenced without another owner",
            self.seed
        );
        self.core_later(wait, Event::Committed { id, result });
    }

    fn begin(&mut self, run: u64, begin: Begin) {
        if self.kept.contains(&begin.seed) {
            assert_eq!(
                begin.steps.len(),
                1,
                "seed {}: a kept step is gone in run {}",
                self.seed,
                begin.attempt
            );
        }
        let is_faulty = self.is_faulty(self.faults.turns);
        let wait = if is_faulty && self.below(8) == 0 {
            2_000 + self.below(25_000)
        } else {
            self.below(30)
        };
        if is_faulty && self.below(7) == 0 {
            let end = failed();
            self.core_later(
                wait,
                Event::TurnEnded {
                    run,
                    end,
                    streams: Vec::new(),
                },
            );
            return;
        }
        if begin.steps.is_empty() && number_of(&begin).is_some_and(|number| number % 5 == 3) {
            let step = KeptStep {
                name: "paid".to_owned(),
                result: Bytes::from_static(b"1"),
            };
            self.stepping.insert(run, (begin, wait));
            self.core_later(1, Event::KeepStep { run, step });
            return;
        }
        self.core_later(
            wait,
            Event::TurnEnded {
                run,
                end: end_of(&begin),
                streams: Vec::new(),
            },
        );
    }

    fn send(&mut self, sequence: u64, operation: &Operation) {
        let Operation::Post { body, .. } = operation else {
            panic!("only messages are sent")
        };
        let number: u64 = serde_json::from_slice(body).unwrap();
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
        self.core_later(wait, Event::Sent { sequence, result });
    }

    /// A caller's next activity, or the same again.
    fn call(&mut self, caller: u64) {
        let place = self.at[&caller];
        if place >= ACTIVITIES {
            return;
        }
        self.arrive(Some(caller), place * CALLERS + caller);
    }

    fn arrive(&mut self, caller: Option<u64>, number: u64) {
        self.order += 1;
        let seq = self.order;
        self.tickets.insert(seq, (caller, number));
        let body = json!({ "type": "message", "id": number.to_string(), "text": "hi", "from": { "id": "29:ines" } });
        let body: Bytes = serde_json::to_vec(&body).unwrap().into();
        let arrival = Arrival {
            ticket: Ticket { stream: 1, seq },
            kind: ArrivalKind::Message,
            repeat_key: Some(number + 1),
            remaining: Duration::from_secs(13),
            traceparent: String::new(),
            is_shed: false,
            deaths: 0,
            work: Work::Activity {
                parsed: Some(Box::new(Activity::parse(&body).unwrap())),
                body,
                service_url: "https://connector".to_owned(),
                is_verified: true,
            },
        };
        self.tell(Event::Arrived(Box::new(arrival)));
    }

    fn hear(&mut self, ticket: Ticket, reply: Reply) {
        let Some((caller, number)) = self.tickets.remove(&ticket.seq) else {
            panic!("seed {}: a caller was answered twice", self.seed)
        };
        let is_acknowledged = matches!(reply, Reply::Done(_) | Reply::Accepted(_) | Reply::Repeated(_));
        let Some(caller) = caller else { return };
        self.heard.push(reply);
        if is_acknowledged {
            self.acknowledged.insert(number);
            *self.at.get_mut(&caller).unwrap() += 1;
            if self.below(4) == 0 {
                let wait = self.below(4_000);
                self.later(wait, Happening::Repeat(number));
            }
        }
        let wait = self.below(if is_acknowledged { 300 } else { 1_500 });
        self.later(wait, Happening::Caller(caller));
    }

    /// The process dies; the next one claims and is woken if something is due. Callers repeat what was not acknowledged.
    fn crash(&mut self) {
        self.life += 1;
        self.tick_at = None;
        self.stepping.clear();
        self.core = core_of(&self.rules.clone(), &mut self.store, self.life, self.seed);
        for (_, (caller, _)) in std::mem::take(&mut self.tickets) {
            let Some(caller) = caller else { continue };
            let wait = self.below(2_000);
            self.later(wait, Happening::Caller(caller));
        }
        if self.store.wake.is_some() {
            self.core_later(300, Event::Wake);
        }
    }
}

fn core_of(rules: &Arc<BotRules>, store: &mut SimulatedStore, life: u64, seed: u64) -> Conversation {
    let triple = Triple::conversation("test", "tenant", "a:1");
    let token = Token {
        epoch: Epoch(life),
        holder: Incarnation(life),
        map: MapVersion(1),
    };
    store.fence = Some(token);
    let bots = Arc::new([("test".to_owned(), rules.clone())].into());
    let settings = Arc::new(ConversationSettings::default());
    let holding = Holding {
        shard: ShardId(0),
        token,
        backlog: Rc::default(),
        gates: Gates::default(),
    };
    Conversation::new(triple.key(), holding, Some(triple), settings, bots, seed ^ (life << 32))
}

//! The actor of a conversation as a pure state machine: events and the time go in, actions come out.
//!
//! No socket, task or clock is here; the shell (`crate::shell`) carries the actions out and decides nothing. One turn runs
//! at a time, in the order of arrival; one commit is in flight at a time. The record in memory is changed when a commit is
//! built and trusted again when the commit is known to be written: whatever else happens, memory is dropped and read anew.
//!
//! The way of an activity: `arrive` queues it (or recognises a repeat), `load` reads the record, `turn` starts it,
//! `ended` says what its end means, `effects` puts what the bot asked for into the record, `commit` writes, `fate`
//! learns what came of it, `sends` lets out what was committed; `expire` ends what takes too long.

mod arrive;
mod backlog;
mod call;
mod commit;
mod effects;
mod ended;
mod event;
mod expire;
mod fate;
mod gate;
mod history;
mod inspection;
mod item;
mod load;
mod memory;
mod operator;
mod rest;
mod runs;
mod sends;
mod settings;
mod turn;
mod work;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use trunkline_bot::logic::{Answer, End, KeptStep};
use trunkline_proto::routing::{Answer as WireAnswer, Moved, Reason, Refused};
use trunkline_store::contract::Token;
use trunkline_store::key::{ActorKind, Key, ShardId, Triple};

pub use self::backlog::{SHARD_AGE_MS, SHARD_ENTRIES, ShardBacklog};
use self::call::CallPart;
pub use self::call::{
    AskId, Booked, Booking, CallSettings, GraphAnswer, GraphAsk, LegAnswer, LegAsk, LegPlace, LegTold, LegWish,
    Notified,
};
use self::commit::InFlight;
pub use self::event::{
    Action, Arrival, ArrivalKind, Event, Note, Now, OpenStream, Reply, Run, StepRefused, Ticket, TurnResult,
};
pub use self::gate::{Gate, Gates};
use self::gate::{Pass, Waiting};
use self::history::History;
pub use self::history::TurnKind;
pub use self::inspection::{InboxEntry, Inspection, LastTurn, OutboxEntry, ParkedEntry, RunningTurn, TimerEntry};
use self::item::Item;
use self::memory::Memory;
pub use self::operator::{CallUnderWay, Request, Response, call_in, parked_in};
pub use self::settings::{BotRules, Bots, ConversationSettings, Unreadable};
pub use self::work::{StartCall, Work};
use crate::outbox::Outbox;
use crate::record::Lane;

/// No answer is sent later than this before the caller stops waiting: it would not arrive.
const ANSWER_MARGIN_MS: u64 = 150;

/// The actor of one conversation, or of what a bot remembers of one person.
pub struct Conversation {
    key: Key,
    holding: Holding,
    settings: Arc<ConversationSettings>,
    bots: Arc<Bots>,
    /// Whose record it is; unknown while an actor that was woken by its key alone has not loaded.
    identity: Option<Arc<Identity>>,
    memory: Option<Memory>,
    loading: Loading,
    // Boxed: most actors are at rest, and have none of these.
    queue: VecDeque<Box<Item>>,
    running: Option<Box<Running>>,
    concluding: Option<(Box<Item>, Conclusion)>,
    in_flight: Option<Box<InFlight>>,
    outbox: Outbox,
    /// Entries of the outbox from this sequence on are not known to be written.
    committed_below: u64,
    phase: Phase,
    /// The right to run a turn that nobody waits for.
    pass: Option<Pass>,
    waiting: Waiting,
    /// What operators asked and were not told.
    asked: Vec<(u64, Request)>,
    /// The store went back to an earlier record: a late copy of a commit of that time would fit it.
    has_regressed: bool,
    /// The command whose commit is in flight.
    operating: Option<(u64, Request)>,
    history: History,
    /// Of the actor of a call.
    call: Option<Box<CallPart>>,
    /// Runs that what was heard of the call has ended.
    dropped_runs: Vec<u64>,
    /// No turn before this time: the stored state is newer than this process.
    hold_until: u64,
    next_id: u64,
    random: u64,
}

/// A shard as its owner holds it, and what all its conversations share.
#[derive(Clone, Debug)]
pub struct Holding {
    /// Which shard.
    pub shard: ShardId,
    /// Proof of ownership.
    pub token: Token,
    /// What waits in its inboxes.
    pub backlog: Rc<ShardBacklog>,
    /// The gates of the process.
    pub gates: Gates,
}

struct Identity {
    triple: Triple,
    bot: Arc<BotRules>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Loading {
    is_wanted: bool,
    is_running: bool,
    failures: u32,
    not_before: u64,
    /// What the last load found has this format, which this build does not read.
    unread: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Running turns may go on until then.
    Quiescing(u64),
    Lost,
}

/// The turn that runs.
struct Running {
    run: u64,
    item: Box<Item>,
    started_at: u64,
    limit_at: u64,
    /// Who may stop it.
    person: Option<String>,
    /// A step that the bot waits for.
    step: Option<KeptStep>,
    steps_kept: usize,
    late: Late,
    ended: Option<(End, Vec<OpenStream>)>,
}

/// Whether the caller of an invoke got the default answer.
enum Late {
    No,
    /// To be written, then told.
    Wanted(Answer),
    /// The caller was told something; the turn goes on for its effects.
    Told,
}

/// What the commit of an ended turn means for its item.
enum Conclusion {
    Done(Answer),
    Retry,
    Parked,
    Replayed,
    Dropped,
}

impl Conversation {
    /// An actor without memory; it loads when the first event needs it. `seed` makes the random part of record headers.
    pub fn new(
        key: Key,
        holding: Holding,
        triple: Option<Triple>,
        settings: Arc<ConversationSettings>,
        bots: Arc<Bots>,
        seed: u64,
    ) -> Self {
        let identity = triple.and_then(|triple| {
            let bot = rules_for(&bots, &triple)?;
            Some(Arc::new(Identity { triple, bot }))
        });
        Self {
            key,
            holding,
            settings,
            bots,
            identity,
            memory: None,
            loading: Loading::default(),
            queue: VecDeque::new(),
            running: None,
            concluding: None,
            in_flight: None,
            outbox: Outbox::default(),
            committed_below: u64::MAX,
            phase: Phase::Serving,
            pass: None,
            waiting: Waiting::default(),
            asked: Vec::new(),
            has_regressed: false,
            operating: None,
            history: History::default(),
            call: None,
            dropped_runs: Vec::new(),
            hold_until: 0,
            next_id: 0,
            random: seed,
        }
    }

    /// Tells the actor what happened. What it wants done is appended to `out`, in order.
    pub fn handle(&mut self, event: Event, now: Now, out: &mut Vec<Action>) {
        match event {
            Event::Arrived(arrival) => {
                if let Some(arrival) = self.begun(*arrival, now, out) {
                    self.arrive(arrival, now, out);
                }
            }
            Event::Notified(told) => self.notified(*told, now, out),
            Event::GraphAnswered { id, answer } => self.graph_answered(id, answer, now, out),
            Event::LegAnswered(answer) => self.leg_answered(answer, now, out),
            Event::LegTold(told) => self.leg_told(*told),
            Event::LegBroken(leg) => self.leg_broken(&leg, now),
            Event::Booked(result) => self.booked(result, now, out),
            Event::Cancelled(ticket) => self.cancel(ticket),
            Event::Wake => self.loading.is_wanted |= self.memory.is_none(),
            Event::Tick => {}
            Event::Loaded(loaded) => self.loaded(loaded, now, out),
            Event::ReadNowhere => self.read_nowhere(out),
            Event::Committed { id, result } => self.committed(id, result, now, out),
            Event::KeepStep { run, step } => self.keep_step(run, step, out),
            Event::TurnEnded { run, end, streams } => {
                if let Some(running) = self
                    .running
                    .as_mut()
                    .filter(|running| running.run == run && running.ended.is_none())
                {
                    running.ended = Some((end, streams));
                }
            }
            Event::Sent { sequence, result } => self.sent(sequence, result, now, out),
            Event::Asked { question, request } => self.asked(question, request, out),
            Event::Quiesce => self.quiesce(now, out),
            Event::Lost => self.lose(out),
        }
        if self.phase == Phase::Lost {
            return;
        }
        self.expire(now, out);
        self.go_on(now, out);
    }

    /// Work that waits for its turn.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// What its commits name.
    pub fn token(&self) -> Token {
        self.holding.token
    }

    /// The bot of this conversation, once it is known whose record it is.
    pub fn bot_name(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.bot.name.as_str())
    }

    /// Whose record it is, once that is known.
    pub fn triple(&self) -> Option<&Triple> {
        self.identity.as_ref().map(|identity| &identity.triple)
    }

    /// Whether messages of earlier turns still wait for the Connector.
    pub fn has_unsent(&self) -> bool {
        let outbox = self.memory.as_ref().map(|memory| memory.record.outbox.as_slice());
        outbox.is_none_or(|outbox| outbox.iter().any(|entry| entry.lane() == Lane::Connector))
    }

    /// Bytes that the actor holds, roughly.
    pub fn approximate_bytes(&self) -> usize {
        let record = self.memory.as_ref().map_or(0, |memory| {
            let state = memory.record.state.as_ref().map_or(0, |state| state.bytes.len());
            let outbox: usize = memory.record.outbox.iter().map(|entry| entry.body.len() + 200).sum();
            let ring = memory.record.ring.as_ref().map_or(0, |ring| ring.len() * 16);
            state + outbox + ring + memory.inbox_bytes
        });
        size_of::<Self>() + 512 + record
    }

    /// Callers that were not answered: for an actor that dies.
    pub fn take_callers(&mut self) -> Vec<Ticket> {
        let concluding = self.concluding.as_mut().map(|(item, _)| item);
        let running = self.running.as_mut().map(|running| &mut running.item);
        let items = self.queue.iter_mut().chain(running).chain(concluding);
        let mut tickets: Vec<Ticket> = items.flat_map(|item| item.take_tickets()).collect();
        tickets.extend(self.take_tellers());
        tickets
    }

    /// Whether a turn could start as far as turns and commits are concerned.
    fn is_free(&self) -> bool {
        self.running.is_none()
            && self.concluding.is_none()
            && self.in_flight.as_ref().is_none_or(|in_flight| in_flight.tries == 1)
    }

    fn go_on(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.memory.is_none() {
            self.load_if_needed(now, out);
            return;
        }
        self.answer_inspections(now, out);
        // A turn that ends without a commit makes room for the next.
        loop {
            self.next_commit(now, out);
            if !self.next_turn(now, out) {
                break;
            }
        }
        self.drop_runs(out);
        self.next_sends(now, out);
        self.next_asks(now, out);
    }

    fn next_number(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// SplitMix64: the random part of headers needs to differ, not to be secret.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn refused(reason: Reason, retry_after_ms: u32) -> Reply {
    Reply::Refused(Refused {
        reason: reason as i32,
        retry_after_ms,
    })
}

fn moved() -> Reply {
    Reply::Moved(Moved {})
}

fn done(answer: &Answer) -> Reply {
    Reply::Done(WireAnswer {
        status: u32::from(answer.status),
        body: answer.body.clone().unwrap_or_default(),
    })
}

fn reply_all(item: &mut Item, reply: &Reply, out: &mut Vec<Action>) {
    for ticket in item.take_tickets() {
        out.push(Action::Reply {
            ticket,
            reply: reply.clone(),
        });
    }
}

/// The rules of the bot that an actor belongs to: of its calls, where it is one.
fn rules_for(bots: &Bots, triple: &Triple) -> Option<Arc<BotRules>> {
    let rules = bots.get(&triple.bot)?;
    match triple.kind {
        ActorKind::Call => rules.calls.clone(),
        ActorKind::Conversation | ActorKind::Person => Some(rules.clone()),
    }
}

/// Whether a triple is a person's: no turn runs there.
fn is_person(triple: &Triple) -> bool {
    triple.kind == ActorKind::Person
}

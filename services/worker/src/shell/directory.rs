//! Which conversations of an arbiter are in memory: activation, the count of what is under way to each actor, passivation.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use bytes::Bytes;
use tokio::sync::oneshot;
use trunkline_proto::routing::{Answer, Deliver, Kind, Moved, Reason, Refused};
use trunkline_store::key::{ActorKind, Key, ShardId, Triple};
use trunkline_teams::activity::Activity;

use super::actor::{Ask, ConversationActor, MayLeave, Stop, Tell};
use super::context::ArbiterContext;
use crate::conversation::{Arrival, ArrivalKind, Event, Reply, Request, Response, Ticket, Work};
use crate::stream::OutgoingSender;

/// How often the directory looks for what may leave and what is due.
const SWEEP: Duration = Duration::from_millis(500);
/// Actors that are asked to leave in one sweep.
const LEAVERS: usize = 10_000;

/// What the directory and one actor both see; they are on one thread.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Messages that were sent to the actor and that it has not handled.
    pub(crate) undelivered: Cell<u32>,
    /// When it last had something to do.
    pub(crate) active_at: Cell<u64>,
    /// Whether it may leave, as it said last.
    pub(crate) is_idle: Cell<bool>,
    /// Whether nothing of it is under way.
    pub(crate) is_quiet: Cell<bool>,
    /// Bytes that it holds.
    pub(crate) bytes: Cell<usize>,
}

struct Entry {
    address: Addr<ConversationActor>,
    slot: Rc<Slot>,
    shard: ShardId,
}

/// The directory of one arbiter.
pub(crate) struct Directory {
    context: Rc<ArbiterContext>,
    entries: HashMap<Key, Entry, ahash::RandomState>,
    /// Actors by the time at which they may have been idle long enough.
    leavers: VecDeque<(u64, Key)>,
    /// Conversations that are not in memory and will be due.
    sleepers: BinaryHeap<Reverse<(u64, u32, Key)>>,
    is_quiescing: bool,
}

impl Directory {
    pub(crate) fn new(context: Rc<ArbiterContext>) -> Self {
        Self {
            context,
            entries: HashMap::default(),
            leavers: VecDeque::new(),
            sleepers: BinaryHeap::new(),
            is_quiescing: false,
        }
    }

    /// Tells a conversation something; takes it into memory first if it is not there. `false` when the shard is not ours.
    fn tell(&mut self, shard: ShardId, key: Key, triple: Option<Triple>, event: Event) -> bool {
        let is_alive = self.entries.get(&key).is_some_and(|entry| entry.address.connected());
        if !is_alive && !self.activate(shard, key, triple) {
            return false;
        }
        if let Some(entry) = self.entries.get(&key) {
            entry.slot.undelivered.set(entry.slot.undelivered.get() + 1);
            entry.address.do_send(Tell(event));
        }
        true
    }

    fn activate(&mut self, shard: ShardId, key: Key, triple: Option<Triple>) -> bool {
        let worker = &self.context.worker;
        let Some(token) = worker.shards.token(shard) else {
            return false;
        };
        let now = worker.clock.now().steady_ms;
        let slot = Rc::new(Slot::default());
        slot.active_at.set(now);
        let actor = ConversationActor::new(self.context.clone(), slot.clone(), shard, key, token, triple);
        let previous = self.entries.insert(
            key,
            Entry {
                address: actor.start(),
                slot,
                shard,
            },
        );
        if let Some(died) = previous {
            self.forget_bytes(&died.slot);
        } else {
            self.context.worker.metrics.actors.inc();
            let idle = milliseconds(self.context.worker.idle);
            self.leavers.push_back((now + idle, key));
        }
        self.context.worker.metrics.activations.inc();
        true
    }

    fn forget_bytes(&self, slot: &Slot) {
        let held = self.context.bytes.get().saturating_sub(slot.bytes.get());
        self.context.bytes.set(held);
    }

    fn deliver(&mut self, stream: u64, deliver: Deliver) {
        let ticket = Ticket {
            stream,
            seq: deliver.seq,
        };
        if let Err(reply) = self.arrive(ticket, deliver) {
            self.context.reply(ticket, reply);
        }
    }

    fn arrive(&mut self, ticket: Ticket, deliver: Deliver) -> Result<(), Reply> {
        let shard = ShardId(deliver.shard);
        if self.is_quiescing || self.context.worker.shards.token(shard).is_none() {
            return Err(Reply::Moved(Moved {}));
        }
        let kind = match deliver.kind() {
            Kind::Transient => return Err(done()),
            Kind::Invoke => ArrivalKind::Invoke,
            Kind::Message | Kind::Event | Kind::Unspecified => ArrivalKind::Message,
        };
        let claims = deliver.claims.unwrap_or_default();
        if !self.context.worker.bots.contains_key(&claims.bot) {
            return Err(refused(Reason::UnknownBot));
        }
        let key = Key::from_bytes(&deliver.key).ok_or_else(|| refused(Reason::Malformed))?;
        let activity = Activity::parse(&deliver.activity).map_err(|_| refused(Reason::Malformed))?;
        let triple = Triple {
            kind: ActorKind::Conversation,
            bot: claims.bot,
            tenant: claims.tenant,
            conversation: deliver.conversation,
        };
        let arrival = Arrival {
            ticket,
            kind,
            repeat_key: deliver.dedupe,
            remaining: Duration::from_millis(u64::from(deliver.remaining_ms)),
            traceparent: deliver.traceparent,
            is_shed: deliver.shed,
            deaths: deliver.deaths,
            work: Work::Activity {
                body: deliver.activity,
                service_url: claims.service_url,
                is_verified: claims.verified,
                parsed: Some(Box::new(activity)),
            },
        };
        let was_told = self.tell(shard, key, Some(triple), Event::Arrived(Box::new(arrival)));
        if was_told { Ok(()) } else { Err(Reply::Moved(Moved {})) }
    }

    /// Asks the longest idle to leave, and wakes what is due.
    fn sweep(&mut self) {
        let now = self.context.worker.clock.now();
        let idle = milliseconds(self.context.worker.idle);
        let bound = self.context.worker.memory_bytes / self.context.worker.directories.get().map_or(1, Vec::len).max(1);
        for _ in 0..self.leavers.len().min(LEAVERS) {
            let is_over_bound = self.context.bytes.get() > bound;
            let Some((at, key)) = self.leavers.front().copied() else {
                break;
            };
            if at > now.steady_ms && !is_over_bound {
                break;
            }
            self.leavers.pop_front();
            let Some(entry) = self.entries.get(&key) else { continue };
            let is_due = entry.slot.active_at.get() + idle <= now.steady_ms || is_over_bound;
            if is_due && entry.slot.is_idle.get() && entry.slot.undelivered.get() == 0 {
                entry.slot.undelivered.set(1);
                entry.address.do_send(MayLeave);
            }
            self.leavers
                .push_back((entry.slot.active_at.get().max(now.steady_ms) + idle, key));
        }
        while let Some(Reverse((at, shard, key))) = self.sleepers.peek().copied() {
            if at > now.wall_ms || self.is_quiescing {
                break;
            }
            self.sleepers.pop();
            self.tell(ShardId(shard), key, None, Event::Wake);
        }
        let held = self.context.bytes.get();
        self.context
            .worker
            .metrics
            .actor_bytes
            .set(i64::try_from(held).unwrap_or(i64::MAX));
    }
}

impl Actor for Directory {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let _ = self.context.directory.set(ctx.address());
        ctx.run_interval(SWEEP, |directory, _| directory.sweep());
    }
}

/// A stream was opened.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StreamOpened {
    pub(crate) stream: u64,
    pub(crate) outcomes: OutgoingSender,
}

impl Handler<StreamOpened> for Directory {
    type Result = ();

    fn handle(&mut self, opened: StreamOpened, _: &mut Self::Context) {
        self.context.open_stream(opened.stream, opened.outcomes);
    }
}

/// A stream has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StreamClosed(pub(crate) u64);

impl Handler<StreamClosed> for Directory {
    type Result = ();

    fn handle(&mut self, closed: StreamClosed, _: &mut Self::Context) {
        self.context.close_stream(closed.0);
    }
}

/// The part of a frame that belongs to this arbiter.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Batch {
    pub(crate) stream: u64,
    pub(crate) deliver: Vec<Deliver>,
}

impl Handler<Batch> for Directory {
    type Result = ();

    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        for deliver in batch.deliver {
            self.deliver(batch.stream, deliver);
        }
    }
}

/// A caller has gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Cancelled {
    pub(crate) key: Key,
    pub(crate) ticket: Ticket,
}

impl Handler<Cancelled> for Directory {
    type Result = ();

    fn handle(&mut self, cancelled: Cancelled, _: &mut Self::Context) {
        if let Some(entry) = self.entries.get(&cancelled.key) {
            entry.slot.undelivered.set(entry.slot.undelivered.get() + 1);
            entry.address.do_send(Tell(Event::Cancelled(cancelled.ticket)));
        }
    }
}

/// One actor tells another something.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellActor {
    pub(crate) shard: ShardId,
    pub(crate) triple: Triple,
    pub(crate) repeat_key: u64,
    pub(crate) remaining: Duration,
    pub(crate) traceparent: String,
    pub(crate) work: Work,
    pub(crate) reply: oneshot::Sender<Reply>,
}

impl Handler<TellActor> for Directory {
    type Result = ();

    fn handle(&mut self, told: TellActor, _: &mut Self::Context) {
        let key = told.triple.key();
        let ticket = self.context.own_ticket(told.reply);
        let arrival = Arrival {
            ticket,
            kind: ArrivalKind::Message,
            repeat_key: Some(told.repeat_key),
            remaining: told.remaining,
            traceparent: told.traceparent,
            is_shed: false,
            deaths: 0,
            work: told.work,
        };
        let event = Event::Arrived(Box::new(arrival));
        if self.is_quiescing || !self.tell(told.shard, key, Some(told.triple), event) {
            self.context.reply(ticket, Reply::Moved(Moved {}));
        }
    }
}

/// An operator asks something of a conversation.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskConversation {
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
    /// Whose it is, where the operator knows.
    pub(crate) triple: Option<Triple>,
    pub(crate) request: Request,
    pub(crate) response: oneshot::Sender<Response>,
}

impl Handler<AskConversation> for Directory {
    type Result = ();

    fn handle(&mut self, ask: AskConversation, _: &mut Self::Context) {
        let is_alive = self
            .entries
            .get(&ask.key)
            .is_some_and(|entry| entry.address.connected());
        let is_here = !self.is_quiescing && (is_alive || self.activate(ask.shard, ask.key, ask.triple));
        match self.entries.get(&ask.key).filter(|_| is_here) {
            Some(entry) => {
                entry.slot.undelivered.set(entry.slot.undelivered.get() + 1);
                entry.address.do_send(Ask {
                    request: ask.request,
                    response: ask.response,
                });
            }
            None => drop(ask.response.send(Response::Moved)),
        }
    }
}

/// Conversations that the wake index names: (shard, key, store's time).
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Due(pub(crate) Vec<(ShardId, Key, u64)>);

impl Handler<Due> for Directory {
    type Result = ();

    fn handle(&mut self, due: Due, _: &mut Self::Context) {
        let now = self.context.worker.clock.now().wall_ms;
        self.sleepers.clear();
        for (shard, key, at) in due.0 {
            let is_awake = self.entries.get(&key).is_some_and(|entry| entry.address.connected());
            if is_awake || self.is_quiescing {
                continue;
            }
            if at <= now {
                self.tell(shard, key, None, Event::Wake);
            } else {
                self.sleepers.push(Reverse((at, shard.0, key)));
            }
        }
    }
}

/// An actor is willing to leave.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave {
    pub(crate) key: Key,
    /// When its next timer is due.
    pub(crate) wake_at: Option<u64>,
}

impl Handler<Leave> for Directory {
    type Result = ();

    /// The entry goes only when nothing is under way to the actor: what arrives later activates a new one.
    fn handle(&mut self, leave: Leave, _: &mut Self::Context) {
        let Some(entry) = self.entries.get(&leave.key) else {
            return;
        };
        if entry.slot.undelivered.get() > 0 {
            return;
        }
        if let Some(entry) = self.entries.remove(&leave.key) {
            if let Some(at) = leave.wake_at {
                self.sleepers.push(Reverse((at, entry.shard.0, leave.key)));
            }
            self.forget_bytes(&entry.slot);
            entry.address.do_send(Stop);
            self.context.worker.metrics.actors.dec();
            self.context.worker.metrics.passivations.inc();
        }
    }
}

/// The fence of a shard refused us.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ShardLost(pub(crate) ShardId);

impl Handler<ShardLost> for Directory {
    type Result = ();

    fn handle(&mut self, lost: ShardLost, _: &mut Self::Context) {
        let context = self.context.clone();
        self.entries.retain(|_, entry| {
            if entry.shard != lost.0 {
                return true;
            }
            let held = context.bytes.get().saturating_sub(entry.slot.bytes.get());
            context.bytes.set(held);
            context.worker.metrics.actors.dec();
            entry.address.do_send(Tell(Event::Lost));
            entry.address.do_send(Stop);
            false
        });
    }
}

/// Begin nothing more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Quiesce;

impl Handler<Quiesce> for Directory {
    type Result = ();

    fn handle(&mut self, _: Quiesce, _: &mut Self::Context) {
        self.is_quiescing = true;
        for entry in self.entries.values() {
            entry.slot.undelivered.set(entry.slot.undelivered.get() + 1);
            entry.address.do_send(Tell(Event::Quiesce));
        }
    }
}

/// Whether nothing is under way.
#[derive(Message)]
#[rtype(result = "bool")]
pub(crate) struct IsQuiet;

impl Handler<IsQuiet> for Directory {
    type Result = bool;

    fn handle(&mut self, _: IsQuiet, _: &mut Self::Context) -> bool {
        let is_quiet = |entry: &Entry| {
            !entry.address.connected() || (entry.slot.undelivered.get() == 0 && entry.slot.is_quiet.get())
        };
        self.entries.values().all(is_quiet)
    }
}

/// Are you there?
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

impl Handler<Ping> for Directory {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {
        self.context.pulse.answer();
    }
}

fn done() -> Reply {
    Reply::Done(Answer {
        status: 200,
        body: Bytes::new(),
    })
}

fn refused(reason: Reason) -> Reply {
    Reply::Refused(Refused {
        reason: reason as i32,
        retry_after_ms: 0,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Which conversations of an arbiter are in memory: activation, the count of what is under way to each actor, passivation.

mod told;

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use bytes::Bytes;
use trunkline_proto::routing::{Answer, Deliver, Kind, Moved, Reason, Refused};
use trunkline_store::contract::{MapVersion, Token};
use trunkline_store::key::{ActorKind, Key, ShardId, Triple};
use trunkline_teams::activity::Activity;

pub(crate) use self::told::{AskConversation, Leave, Ping, TellActor, TellLeg};
use super::actor::{ConversationActor, MayLeave, Stop, Tell};
use super::agenda::Agenda;
use super::context::ArbiterContext;
use super::ownership::LOOK;
use super::shard_table::{Admission, ShardTable};
use crate::conversation::{Arrival, ArrivalKind, Event, Notified, Reply, Ticket, Work};
use crate::stream::OutgoingSender;

/// How often the directory looks for what may leave.
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
    /// Its shard leaves: it tells the directory when nothing of it is under way any more.
    pub(crate) is_leaving: Cell<bool>,
    /// Bytes that it holds.
    pub(crate) bytes: Cell<usize>,
    /// Activities and other work that waits in it.
    pub(crate) waiting: Cell<i64>,
}

pub(super) struct Entry {
    pub(super) address: Addr<ConversationActor>,
    pub(super) slot: Rc<Slot>,
}

impl Entry {
    pub(super) fn tell(&self, event: Event) {
        self.slot.undelivered.set(self.slot.undelivered.get() + 1);
        self.address.do_send(Tell(event));
    }
}

/// A delivery that waits for its shard.
pub(super) struct Waiting {
    ticket: Ticket,
    deliver: Deliver,
    /// On the steady clock.
    arrived_at: u64,
}

/// The directory of one arbiter.
pub(crate) struct Directory {
    pub(super) context: Rc<ArbiterContext>,
    pub(super) shards: ShardTable<Waiting>,
    pub(super) actors: HashMap<ShardId, Actors, ahash::RandomState>,
    pub(super) agenda: Agenda,
    /// Readings of the wake index that are under way.
    pub(super) readings: usize,
    /// Actors by the time at which they may have been idle long enough.
    leavers: VecDeque<(u64, ShardId, Key)>,
}

/// The actors of one shard.
pub(super) type Actors = HashMap<Key, Entry, ahash::RandomState>;

impl Directory {
    pub(crate) fn new(context: Rc<ArbiterContext>) -> Self {
        Self {
            context,
            shards: ShardTable::default(),
            actors: HashMap::default(),
            agenda: Agenda::default(),
            readings: 0,
            leavers: VecDeque::new(),
        }
    }

    /// The actor of a conversation, taken into memory first if it is not there. `None` when the shard is not served here.
    fn reach(&mut self, shard: ShardId, key: Key, triple: Option<Triple>) -> Option<&Entry> {
        let token = self.shards.token(shard)?;
        if !self.is_awake(shard, &key) {
            self.activate(shard, token, key, triple);
        }
        self.actors.get(&shard)?.get(&key)
    }

    pub(super) fn is_awake(&self, shard: ShardId, key: &Key) -> bool {
        let entry = self.actors.get(&shard).and_then(|actors| actors.get(key));
        entry.is_some_and(|entry| entry.address.connected())
    }

    /// Tells a conversation something. `false` when its shard is not served here.
    pub(super) fn tell(&mut self, shard: ShardId, key: Key, triple: Option<Triple>, event: Event) -> bool {
        let entry = self.reach(shard, key, triple);
        entry.map(|entry| entry.tell(event)).is_some()
    }

    fn activate(&mut self, shard: ShardId, token: Token, key: Key, triple: Option<Triple>) {
        let worker = &self.context.worker;
        let now = worker.now();
        let slot = Rc::new(Slot::default());
        slot.active_at.set(now.steady_ms);
        let actor = ConversationActor::new(self.context.clone(), slot.clone(), shard, key, token, triple);
        let address = actor.start();
        let previous = self
            .actors
            .entry(shard)
            .or_default()
            .insert(key, Entry { address, slot });
        if let Some(died) = previous {
            self.forget(&died.slot);
        } else {
            worker.metrics.actors.inc();
            let idle = milliseconds(worker.idle);
            self.leavers.push_back((now.steady_ms + idle, shard, key));
        }
        self.agenda.activated(shard, now.wall_ms);
        self.context.worker.metrics.activations.inc();
    }

    /// An actor ends: its entry was taken out.
    pub(super) fn dismiss(&self, entry: &Entry) {
        self.forget(&entry.slot);
        entry.address.do_send(Stop);
        self.context.worker.metrics.actors.dec();
    }

    /// Nothing of an actor counts any more.
    fn forget(&self, slot: &Slot) {
        self.context.worker.metrics.waiting.dec_by(slot.waiting.replace(0));
        let held = self.context.bytes.get().saturating_sub(slot.bytes.get());
        self.context.bytes.set(held);
    }

    /// Takes a delivery to its conversation, keeps it until its shard comes, or sends it back.
    fn deliver(&mut self, ticket: Ticket, theirs: MapVersion, deliver: Deliver) {
        let arrived_at = self.context.worker.now().steady_ms;
        let (bytes, remaining) = (deliver.activity.len(), u64::from(deliver.remaining_ms));
        let waiting = Waiting {
            ticket,
            deliver,
            arrived_at,
        };
        let shard = ShardId(waiting.deliver.shard);
        match self.shards.admit(shard, theirs, waiting, bytes, remaining, arrived_at) {
            Admission::Serve(waiting, _) => self.serve_delivery(waiting),
            Admission::Held => {}
            Admission::Moved(waiting) => self.hand_back([waiting]),
        }
    }

    pub(super) fn serve_delivery(&mut self, waiting: Waiting) {
        let ticket = waiting.ticket;
        if let Err(reply) = self.arrive(waiting) {
            self.context.reply(ticket, reply);
        }
    }

    /// Another worker has, or will have, the shard of these.
    pub(super) fn hand_back(&self, deliveries: impl IntoIterator<Item = Waiting>) {
        for waiting in deliveries {
            self.context.reply(waiting.ticket, Reply::Moved(Moved {}));
        }
    }

    fn arrive(&mut self, waiting: Waiting) -> Result<(), Reply> {
        let Waiting {
            ticket,
            deliver,
            arrived_at,
        } = waiting;
        let kind = match Kind::try_from(deliver.kind) {
            Ok(Kind::Call) => {
                return self.notify(Waiting {
                    ticket,
                    deliver,
                    arrived_at,
                });
            }
            Ok(Kind::Transient) => return Err(done()),
            Ok(Kind::Invoke) => ArrivalKind::Invoke,
            Ok(Kind::Message | Kind::Event | Kind::Unspecified) => ArrivalKind::Message,
            // What this build does not know is never taken for a message.
            Err(_) => return Err(refused(Reason::UnknownKind)),
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
        let waited = Duration::from_millis(self.context.worker.now().steady_ms.saturating_sub(arrived_at));
        let arrival = Arrival {
            ticket,
            kind,
            repeat_key: deliver.dedupe,
            remaining: Duration::from_millis(u64::from(deliver.remaining_ms)).saturating_sub(waited),
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
        let event = Event::Arrived(Box::new(arrival));
        let was_told = self.tell(ShardId(deliver.shard), key, Some(triple), event);
        if was_told { Ok(()) } else { Err(Reply::Moved(Moved {})) }
    }

    /// A notification of a call goes to the call's actor, which makes it durable at once.
    fn notify(&mut self, waiting: Waiting) -> Result<(), Reply> {
        let Waiting {
            ticket,
            deliver,
            arrived_at,
        } = waiting;
        let claims = deliver.claims.unwrap_or_default();
        let worker = &self.context.worker;
        let rules = worker
            .bots
            .get(&claims.bot)
            .ok_or_else(|| refused(Reason::UnknownBot))?;
        if rules.calls.is_none() {
            if let Some(left_out) = worker.paces.no_calls.due(worker.now().steady_ms) {
                let bot = claims.bot;
                tracing::warn!(bot, left_out, "a call was refused: the bot is not set up for calls");
            }
            return Err(refused(Reason::UnknownKind));
        }
        let key = Key::from_bytes(&deliver.key).ok_or_else(|| refused(Reason::Malformed))?;
        let now = worker.now();
        let waited = now.steady_ms.saturating_sub(arrived_at);
        let remaining = u64::from(deliver.remaining_ms).saturating_sub(waited);
        let notified = Notified {
            ticket,
            repeat_key: deliver.dedupe,
            remaining: Duration::from_millis(remaining),
            traceparent: deliver.traceparent,
            tenant: claims.tenant,
            received_ms: now.wall_ms.saturating_sub(u64::from(deliver.age_ms) + waited),
            body: deliver.activity,
        };
        let triple = Triple::call(claims.bot, deliver.conversation);
        let event = Event::Notified(Box::new(notified));
        let was_told = self.tell(ShardId(deliver.shard), key, Some(triple), event);
        if was_told { Ok(()) } else { Err(Reply::Moved(Moved {})) }
    }

    /// Asks the longest idle to leave, and ends what waits for too long.
    fn sweep(&mut self) {
        let now = self.context.worker.now();
        self.ask_to_leave(now.steady_ms);
        let ended = self.shards.expire(now.steady_ms);
        self.hand_back(ended.moved);
        for waiting in ended.late {
            self.context.reply(waiting.ticket, refused(Reason::TooLate));
        }
        self.look_after_leaving_shards();
        let held = self.context.bytes.get();
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        self.context.worker.metrics.actor_bytes.set(held);
    }

    fn ask_to_leave(&mut self, now_ms: u64) {
        let idle = milliseconds(self.context.worker.idle);
        let bound = self.context.worker.memory_bytes / self.context.worker.directories.get().map_or(1, Vec::len).max(1);
        for _ in 0..self.leavers.len().min(LEAVERS) {
            let is_over_bound = self.context.bytes.get() > bound;
            let Some((at, shard, key)) = self.leavers.front().copied() else {
                break;
            };
            if at > now_ms && !is_over_bound {
                break;
            }
            self.leavers.pop_front();
            let Some(entry) = self.actors.get(&shard).and_then(|actors| actors.get(&key)) else {
                continue;
            };
            let is_due = entry.slot.active_at.get() + idle <= now_ms || is_over_bound;
            if is_due && entry.slot.is_idle.get() && entry.slot.undelivered.get() == 0 {
                entry.slot.undelivered.set(1);
                entry.address.do_send(MayLeave);
            }
            let again = entry.slot.active_at.get().max(now_ms) + idle;
            self.leavers.push_back((again, shard, key));
        }
    }
}

impl Actor for Directory {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let _ = self.context.directory.set(ctx.address());
        ctx.run_interval(SWEEP, |directory, _| directory.sweep());
        ctx.run_interval(LOOK, Self::look_at_the_time);
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
    /// The shard map that the ingress routes by.
    pub(crate) map: MapVersion,
    pub(crate) deliver: Vec<Deliver>,
}

impl Handler<Batch> for Directory {
    type Result = ();

    fn handle(&mut self, batch: Batch, _: &mut Self::Context) {
        for deliver in batch.deliver {
            let ticket = Ticket {
                stream: batch.stream,
                seq: deliver.seq,
            };
            self.deliver(ticket, batch.map, deliver);
        }
    }
}

/// A caller has gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Cancelled {
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
    pub(crate) ticket: Ticket,
}

impl Handler<Cancelled> for Directory {
    type Result = ();

    fn handle(&mut self, cancelled: Cancelled, _: &mut Self::Context) {
        let Cancelled { shard, key, ticket } = cancelled;
        if self.shards.cancel(shard, |waiting| waiting.ticket == ticket) {
            return;
        }
        if let Some(entry) = self.actors.get(&shard).and_then(|actors| actors.get(&key)) {
            entry.tell(Event::Cancelled(ticket));
        }
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

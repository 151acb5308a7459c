//! One conversation as an actix actor: it tells the core what happens and does what the core asks.

mod told;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, SpawnHandle};
use bytes::Bytes;
use tokio::sync::oneshot;
use trunkline_bot::logic::{End, TurnError};
use trunkline_proto::routing::{Answer, Moved, Reason, Refused};
use trunkline_store::contract::Token;
use trunkline_store::key::{Key, ShardId, Triple};

pub(crate) use self::told::{Ask, HasUnsent, KeepStep, MayLeave, Stop, Tell};
use super::context::{ArbiterContext, HostedParts};
use super::courier;
use super::directory::Slot;
use super::graph;
use super::media;
use super::notes;
use super::ownership::{Fenced, Quiet};
use super::port::TurnPort;
use super::turn::{self, Turned};
use crate::config::Executor;
use crate::conversation::{
    Action, Booking, Conversation, Event, GraphAnswer, GraphAsk, Holding, LegAnswer, LegAsk, LegPlace, LegWish, Now,
    Reply, Response, Run, StepRefused, Ticket,
};
use crate::media::Owner;
use crate::metrics::BotMetrics;
use crate::outbox::{SendResult, SendWork};

/// One conversation, or what a bot remembers of one person.
pub(crate) struct ConversationActor {
    context: Rc<ArbiterContext>,
    slot: Rc<Slot>,
    shard: ShardId,
    key: Key,
    core: Conversation,
    bot: Option<Arc<HostedParts>>,
    running: Option<RunningTurn>,
    waiting_step: Option<(u64, oneshot::Sender<Result<(), StepRefused>>)>,
    /// Operators that wait, by their question.
    questions: HashMap<u64, oneshot::Sender<Response>>,
    next_question: u64,
    timer: Option<(u64, SpawnHandle)>,
    /// A bot that hears and speaks on its call's leg.
    listening: Option<SpawnHandle>,
    /// Callers whose recorded answer is being read.
    reading: Vec<Ticket>,
}

/// The future of a turn; dropping it cancels the turn.
struct RunningTurn {
    run: u64,
    handle: SpawnHandle,
}

impl ConversationActor {
    pub(crate) fn new(
        context: Rc<ArbiterContext>,
        slot: Rc<Slot>,
        shard: ShardId,
        key: Key,
        token: Token,
        triple: Option<Triple>,
    ) -> Self {
        let worker = &context.worker;
        let bot = triple
            .as_ref()
            .and_then(|triple| worker.hosted.get(&triple.bot))
            .cloned();
        let settings = worker.settings.clone();
        let holding = Holding {
            shard,
            token,
            backlog: context.backlog_of(shard),
            gates: worker.gates.clone(),
        };
        let core = Conversation::new(key, holding, triple, settings, worker.bots.clone(), rand::random());
        Self {
            context,
            slot,
            shard,
            key,
            core,
            bot,
            running: None,
            waiting_step: None,
            questions: HashMap::new(),
            next_question: 0,
            timer: None,
            listening: None,
            reading: Vec::new(),
        }
    }

    /// Tells the core an event and does what it asks.
    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) {
        let now = self.context.worker.now();
        if !now.may_begin {
            self.context.has_waited.set(true);
        }
        let mut actions = self.context.actions.take();
        self.core.handle(event, now, &mut actions);
        for action in actions.drain(..) {
            self.act(action, ctx);
        }
        self.context.actions.replace(actions);
        self.slot.active_at.set(now.steady_ms);
        self.report(now);
        self.set_timer(now, ctx);
    }

    /// Tells the directory how this actor stands.
    fn report(&mut self, now: Now) {
        let is_reading = !self.reading.is_empty();
        let is_quiet = !is_reading && self.core.is_quiet();
        self.slot.is_idle.set(!is_reading && self.core.is_idle(now));
        self.slot.is_quiet.set(is_quiet);
        if self.slot.is_leaving.get()
            && is_quiet
            && self.slot.undelivered.get() == 0
            && let Some(directory) = self.context.directory.get()
        {
            let (shard, key) = (self.shard, self.key);
            directory.do_send(Quiet { shard, key });
        }
        let waiting = i64::try_from(self.core.waiting()).unwrap_or(i64::MAX);
        let waited = self.slot.waiting.replace(waiting);
        if waiting != waited {
            self.context.worker.metrics.waiting.inc_by(waiting - waited);
        }
        let under_way = self.core.is_call_under_way();
        if let Some((is_under_way, of_bot)) = under_way.zip(self.metrics_of_bot()) {
            let calls = &self.context.calls;
            calls.note(self.shard, self.key, is_under_way, &of_bot.calls);
        }
        let bytes = self.core.approximate_bytes();
        let before = self.slot.bytes.replace(bytes);
        self.context
            .bytes
            .set((self.context.bytes.get() + bytes).saturating_sub(before));
    }

    fn metrics_of_bot(&self) -> Option<&BotMetrics> {
        self.context.worker.metrics.bot(self.core.bot_name()?)
    }

    /// One timer for the core's next deadline; an earlier one stays and asks again when it comes.
    fn set_timer(&mut self, now: Now, ctx: &mut Context<Self>) {
        let Some(deadline) = self.core.deadline(now) else {
            return;
        };
        let deadline = deadline.max(now.steady_ms + 1);
        if let Some((at, handle)) = self.timer {
            if at <= deadline {
                return;
            }
            ctx.cancel_future(handle);
        }
        let wait = Duration::from_millis(deadline - now.steady_ms);
        let handle = ctx.run_later(wait, |actor, ctx| {
            actor.timer = None;
            actor.feed(Event::Tick, ctx);
        });
        self.timer = Some((deadline, handle));
    }

    fn act(&mut self, action: Action, ctx: &mut Context<Self>) {
        match action {
            Action::Load => self.load(ctx),
            Action::Commit { id, commit } => {
                let store = self.context.worker.store.clone();
                let committed = wrap_future::<_, Self>(async move { store.commit(*commit).await });
                ctx.spawn(committed.map(move |result, actor, ctx| actor.feed(Event::Committed { id, result }, ctx)));
            }
            Action::Run(run) => self.run(*run, ctx),
            Action::Drop { run } => {
                if let Some(running) = self.running.take_if(|running| running.run == run) {
                    ctx.cancel_future(running.handle);
                }
            }
            Action::Reply { ticket, reply } => self.context.reply(ticket, reply),
            Action::ReplyFromRecord { ticket, name, status } => self.reply_from_record(ticket, name, status, ctx),
            Action::StepKept { run, result } => {
                if let Some((_, waiting)) = self.waiting_step.take_if(|(waiting, _)| *waiting == run) {
                    let _ = waiting.send(result);
                }
            }
            Action::Send(work) => self.send(*work, ctx),
            Action::AskGraph(ask) => self.ask_graph(*ask, ctx),
            Action::AskLeg(ask) => {
                let worker = self.context.worker.clone();
                let owner = Owner {
                    shard: self.shard,
                    key: self.key,
                };
                let attaching = attaching(&ask);
                let answered = wrap_future::<_, Self>(async move { media::ask(*ask, owner, &worker).await });
                ctx.spawn(answered.map(|event, actor, ctx| {
                    if let (Some((leg, epoch)), Event::LegAnswered(LegAnswer::Attached { .. })) = (attaching, &event) {
                        actor.listen(leg, epoch, ctx);
                    }
                    actor.feed(event, ctx);
                }));
            }
            Action::Book(booking) => {
                let worker = self.context.worker.clone();
                if let (Some(bot), Booking::Take(lease)) = (self.hosted(), booking.as_ref()) {
                    graph::prepare(&bot, &lease.tenant);
                }
                let booked = wrap_future::<_, Self>(async move { graph::book(*booking, &worker).await });
                ctx.spawn(booked.map(|result, actor, ctx| actor.feed(Event::Booked(result), ctx)));
            }
            Action::Answer { question, response } => {
                if let Some(waiting) = self.questions.remove(&question) {
                    let _ = waiting.send(response);
                }
            }
            Action::ShardLost => {
                if let Some(directory) = self.context.directory.get() {
                    let (shard, token) = (self.shard, self.core.token());
                    directory.do_send(Fenced { shard, token });
                }
            }
            Action::NeedsReader { format } => self.needs_reader(format, ctx),
            Action::Note(note) => {
                let bot = self.core.bot_name();
                notes::take(&self.context.worker, bot, &self.key, note);
            }
        }
    }

    fn load(&mut self, ctx: &mut Context<Self>) {
        let store = self.context.worker.store.clone();
        let (shard, key) = (self.shard, self.key);
        let loaded = wrap_future::<_, Self>(async move { store.load(shard, key).await });
        ctx.spawn(loaded.map(|loaded, actor, ctx| actor.feed(Event::Loaded(loaded), ctx)));
    }

    /// The leader is told, and gives the shard to a worker that reads the record, if one lives.
    fn needs_reader(&self, format: u32, ctx: &mut Context<Self>) {
        let membership = &self.context.worker.membership;
        membership.needs_reader(self.shard, format);
        if !membership.is_read_elsewhere(format) {
            let told = wrap_future::<_, Self>(std::future::ready(()));
            ctx.spawn(told.map(|(), actor, ctx| actor.feed(Event::ReadNowhere, ctx)));
        }
    }

    /// The bot of this conversation; known once the core knows whose record it is.
    fn hosted(&mut self) -> Option<Arc<HostedParts>> {
        if self.bot.is_none() {
            self.bot = self
                .core
                .bot_name()
                .and_then(|name| self.context.worker.hosted.get(name))
                .cloned();
        }
        self.bot.clone()
    }

    /// Lets a bot hear and speak on its call's leg, if it does. What listened before ends: the host gives the sound to the newest.
    fn listen(&mut self, leg: LegPlace, epoch: u64, ctx: &mut Context<Self>) {
        let call = self.core.triple().cloned();
        let (Some(bot), Some(call)) = (self.hosted(), call) else {
            return;
        };
        let logic = bot.logic_of(call.kind).clone();
        if !logic.describe().calls.is_some_and(|calls| calls.listens) {
            return;
        }
        if let Some(before) = self.listening.take() {
            ctx.cancel_future(before);
        }
        let worker = self.context.worker.clone();
        let listening = media::listen(worker, logic, leg, epoch, call);
        self.listening = Some(ctx.spawn(wrap_future::<_, Self>(listening)));
    }

    fn run(&mut self, run: Run, ctx: &mut Context<Self>) {
        let Some(bot) = self.hosted() else { return };
        let number = run.run;
        let worker = self.context.worker.clone();
        let port = TurnPort::new(&run, ctx.address(), worker.clone(), bot.clone(), self.core.triple());
        let pulse = self.context.pulse.clone();
        let handle = match bot.executor {
            Executor::Arbiter => {
                let turned = turn::run(run, bot, port, worker, Some(pulse), self.key);
                ctx.spawn(
                    wrap_future::<_, Self>(turned).map(move |turned, actor, ctx| actor.turned(number, turned, ctx)),
                )
            }
            Executor::Pool => {
                let key = self.key;
                let parts = worker.clone();
                let pooled = parts
                    .pool
                    .as_ref()
                    .map(|pool| pool.run(move || turn::run(run, bot, port, worker, None, key)));
                let turned = async move {
                    match pooled {
                        Some(pooled) => pooled.await,
                        None => None,
                    }
                };
                ctx.spawn(wrap_future::<_, Self>(turned).map(move |turned, actor, ctx| {
                    let turned = turned.unwrap_or_else(|| Turned::failed("the pool of threads has ended"));
                    actor.turned(number, turned, ctx);
                }))
            }
        };
        self.running = Some(RunningTurn { run: number, handle });
    }

    fn turned(&mut self, run: u64, turned: Turned, ctx: &mut Context<Self>) {
        self.running.take_if(|running| running.run == run);
        if turned.panicked
            && let Some(metrics) = self.metrics_of_bot()
        {
            metrics.panics.inc();
        }
        let Turned { end, streams, .. } = turned;
        self.feed(Event::TurnEnded { run, end, streams }, ctx);
    }

    fn reply_from_record(&mut self, ticket: Ticket, name: String, status: u16, ctx: &mut Context<Self>) {
        let store = self.context.worker.store.clone();
        let (shard, key) = (self.shard, self.key);
        self.reading.push(ticket);
        let read = wrap_future::<_, Self>(async move { store.answer(shard, key, &name).await });
        ctx.spawn(read.map(move |answer, actor, _| {
            actor.reading.retain(|reading| *reading != ticket);
            let reply = match answer {
                Ok(body) => Reply::Repeated(Answer {
                    status: u32::from(status),
                    body: body.unwrap_or_else(Bytes::new),
                }),
                Err(_) => Reply::Refused(Refused {
                    reason: Reason::StoreUnavailable as i32,
                    retry_after_ms: 1_000,
                }),
            };
            actor.context.reply(ticket, reply);
            actor.report(actor.context.worker.now());
        }));
    }

    fn send(&mut self, work: SendWork, ctx: &mut Context<Self>) {
        let Some(bot) = self.hosted() else { return };
        let sequence = work.sequence;
        let worker = self.context.worker.clone();
        let key = self.key;
        let sent = wrap_future::<_, Self>(async move { courier::deliver(work, &bot, &worker, key).await });
        ctx.spawn(sent.map(move |result: SendResult, actor, ctx| actor.feed(Event::Sent { sequence, result }, ctx)));
    }

    fn ask_graph(&mut self, ask: GraphAsk, ctx: &mut Context<Self>) {
        let Some(bot) = self.hosted() else { return };
        let id = ask.id;
        let worker = self.context.worker.clone();
        let name = self.core.bot_name().unwrap_or_default().to_owned();
        let answered = wrap_future::<_, Self>(async move {
            match &bot.calls {
                Some(calls) => graph::ask(ask, &name, calls, &worker).await,
                // Its core asks nothing of Graph then.
                None => GraphAnswer::Withheld,
            }
        });
        ctx.spawn(answered.map(move |answer, actor, ctx| actor.feed(Event::GraphAnswered { id, answer }, ctx)));
    }

    fn delivered(&self) {
        self.slot.undelivered.set(self.slot.undelivered.get().saturating_sub(1));
    }
}

impl Actor for ConversationActor {
    type Context = Context<Self>;
}

impl Drop for ConversationActor {
    /// An actor that dies by its own fault leaves nobody waiting.
    fn drop(&mut self) {
        for ticket in self.reading.drain(..) {
            self.context.reply(ticket, Reply::Moved(Moved {}));
        }
        for ticket in self.core.take_callers() {
            let reply = Refused {
                reason: Reason::Overloaded as i32,
                retry_after_ms: 1_000,
            };
            self.context.reply(ticket, Reply::Refused(reply));
        }
    }
}

/// The leg that is to be attached, and for which epoch.
fn attaching(ask: &LegAsk) -> Option<(LegPlace, u64)> {
    match &ask.wish {
        LegWish::Attach { leg, .. } => Some((leg.clone(), ask.epoch)),
        _ => None,
    }
}

impl Turned {
    /// A turn that could not run.
    pub(crate) fn failed(why: &str) -> Self {
        Self {
            end: End::Failed(TurnError {
                message: why.to_owned(),
                retry_after: None,
                is_final: false,
            }),
            streams: Vec::new(),
            panicked: false,
        }
    }
}

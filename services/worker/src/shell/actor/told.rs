//! What an actor is told and asked by others of its process.

use actix::{ActorContext, Handler, Message};
use tokio::sync::oneshot;
use trunkline_bot::logic::KeptStep;

use super::ConversationActor;
use crate::conversation::{Event, Request, Response, StepRefused};
use crate::shell::directory::Leave;

/// Something happened. Counted by the directory.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Tell(pub(crate) Event);

impl Handler<Tell> for ConversationActor {
    type Result = ();

    fn handle(&mut self, told: Tell, ctx: &mut Self::Context) {
        self.delivered();
        self.feed(told.0, ctx);
    }
}

/// An operator asks. Counted by the directory.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) response: oneshot::Sender<Response>,
}

impl Handler<Ask> for ConversationActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        self.delivered();
        self.next_question += 1;
        let question = self.next_question;
        self.questions.insert(question, ask.response);
        let request = ask.request;
        self.feed(Event::Asked { question, request }, ctx);
    }
}

/// You have been idle: leave if you still are. Counted by the directory.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MayLeave;

impl Handler<MayLeave> for ConversationActor {
    type Result = ();

    fn handle(&mut self, _: MayLeave, _: &mut Self::Context) {
        self.delivered();
        let now = self.context.worker.now();
        if self.core.is_idle(now)
            && self.reading.is_empty()
            && let Some(directory) = self.context.directory.get()
        {
            let wake_at = self.core.next_wake_ms();
            let (shard, key) = (self.shard, self.key);
            directory.do_send(Leave { shard, key, wake_at });
        }
    }
}

/// The directory has forgotten this actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;

impl Handler<Stop> for ConversationActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

/// A running turn wants a step kept.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct KeepStep {
    pub(crate) run: u64,
    pub(crate) step: KeptStep,
    pub(crate) reply: oneshot::Sender<Result<(), StepRefused>>,
}

impl Handler<KeepStep> for ConversationActor {
    type Result = ();

    fn handle(&mut self, keep: KeepStep, ctx: &mut Self::Context) {
        self.waiting_step = Some((keep.run, keep.reply));
        self.feed(
            Event::KeepStep {
                run: keep.run,
                step: keep.step,
            },
            ctx,
        );
    }
}

/// Whether messages of earlier turns still wait.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HasUnsent(pub(crate) oneshot::Sender<bool>);

impl Handler<HasUnsent> for ConversationActor {
    type Result = ();

    fn handle(&mut self, asked: HasUnsent, _: &mut Self::Context) {
        let _ = asked.0.send(self.core.has_unsent());
    }
}

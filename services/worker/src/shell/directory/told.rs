//! What the directory is told of a conversation by others than an ingress: another actor, a leg, an operator, the actor itself, the
//! watchdog.

use actix::{Handler, Message};
use tokio::sync::oneshot;
use trunkline_proto::routing::Moved;
use trunkline_store::key::{Key, ShardId, Triple};

use super::{Directory, Entry};
use crate::conversation::{Arrival, ArrivalKind, Event, Reply, Request, Response};
use crate::media::{LegHeard, Owner};
use crate::shell::actor::Ask;
use crate::shell::tell::Told;

/// One actor tells another something.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellActor {
    pub(crate) shard: ShardId,
    pub(crate) told: Told,
    pub(crate) reply: oneshot::Sender<Reply>,
}

impl Handler<TellActor> for Directory {
    type Result = ();

    fn handle(&mut self, tell: TellActor, _: &mut Self::Context) {
        let TellActor { shard, told, reply } = tell;
        let key = told.triple.key();
        let ticket = self.context.own_ticket(reply);
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
        if !self.tell(shard, key, Some(told.triple), event) {
            self.context.reply(ticket, Reply::Moved(Moved {}));
        }
    }
}

/// The leg of a call told something, or the way to it broke.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct TellLeg {
    pub(crate) owner: Owner,
    pub(crate) heard: LegHeard,
}

impl Handler<TellLeg> for Directory {
    type Result = ();

    /// The leg keeps what it told for whoever has the shard now.
    fn handle(&mut self, tell: TellLeg, _: &mut Self::Context) {
        let Owner { shard, key } = tell.owner;
        self.tell(shard, key, None, tell.heard.into());
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
        match self.reach(ask.shard, ask.key, ask.triple) {
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

/// An actor is willing to leave.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave {
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
    /// When its next timer is due.
    pub(crate) wake_at: Option<u64>,
}

impl Handler<Leave> for Directory {
    type Result = ();

    /// The entry goes only when nothing is under way to the actor: what arrives later activates a new one.
    fn handle(&mut self, leave: Leave, _: &mut Self::Context) {
        let Some(actors) = self.actors.get_mut(&leave.shard) else {
            return;
        };
        let is_told = |entry: &Entry| entry.slot.undelivered.get() > 0;
        if actors.get(&leave.key).is_none_or(is_told) {
            return;
        }
        if let Some(entry) = actors.remove(&leave.key) {
            let now = self.context.worker.now().wall_ms;
            self.agenda.left(leave.shard, leave.key, leave.wake_at, now);
            self.dismiss(&entry);
            self.context.worker.metrics.passivations.inc();
        }
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

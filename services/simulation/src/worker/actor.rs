//! One conversation in memory: what the product's actor does around its core, without the mailbox.

use trunkline_proto::routing::{Moved, Reason, Refused};
use trunkline_store::contract::Commit;
use trunkline_worker::conversation::{Action, Conversation, Event, Now, Reply, Ticket};
use trunkline_worker::record::Record;

use super::{ActorId, Effect, Thing};
use crate::faults::Guards;
use crate::network::Request;

/// A conversation in memory.
pub(super) struct Actor {
    pub(super) core: Conversation,
    pub(super) id: ActorId,
    /// Its shard leaves: it says when nothing of it is under way any more.
    pub(super) is_leaving: bool,
    /// It may leave memory, as it stood when something last happened to it.
    pub(super) is_idle: bool,
    pub(super) is_quiet: bool,
    pub(super) active_at: u64,
    tick_at: Option<u64>,
    /// Callers whose recorded answer is being read.
    reading: Vec<Ticket>,
}

impl Actor {
    pub(super) fn new(core: Conversation, id: ActorId, now: Now) -> Self {
        Self {
            core,
            id,
            is_leaving: false,
            is_idle: false,
            is_quiet: false,
            active_at: now.steady_ms,
            tick_at: None,
            reading: Vec::new(),
        }
    }

    /// Tells the core something, and asks of the world what the core asks.
    pub(super) fn feed(&mut self, event: Event, now: Now, guards: Guards, out: &mut Vec<Effect>) {
        let mut actions = Vec::new();
        self.core.handle(event, now, &mut actions);
        for action in actions {
            let is_beginning = matches!(action, Action::Run(_) | Action::Send(_));
            if is_beginning && !now.may_begin {
                out.push(Effect::Unleased(format!("{action:?}")));
            }
            self.act(action, guards, out);
        }
        self.active_at = now.steady_ms;
        self.report(now, out);
        if let Some(at) = self.core.deadline(now).map(|at| at.max(now.steady_ms + 1))
            && self.tick_at.is_none_or(|tick| tick <= now.steady_ms || tick > at)
        {
            self.tick_at = Some(at);
            out.push(Effect::Tick(self.id, at));
        }
    }

    fn act(&mut self, action: Action, guards: Guards, out: &mut Vec<Effect>) {
        let id = self.id;
        let effect = match action {
            Action::Load => Effect::Ask(Request::Load(id)),
            Action::Commit { id: number, commit } => {
                out.extend(early(id, &commit, guards));
                Effect::Ask(Request::Commit(id, number, commit))
            }
            Action::Run(run) => Effect::Run(id, run),
            Action::Drop { run } => Effect::Drop(id, run),
            Action::Reply { ticket, reply } => Effect::Reply(ticket, reply),
            Action::ReplyFromRecord { ticket, name, status } => {
                self.reading.push(ticket);
                Effect::Ask(Request::Answer(id, ticket, name, status))
            }
            Action::StepKept { run, result } => Effect::StepKept(id, run, result.is_ok()),
            Action::Send(work) => Effect::Send(id, work),
            Action::ShardLost => Effect::Say(Thing::Fenced(id.shard, self.core.token())),
            Action::Note(_) => return,
            other => unreachable!("nothing else is asked here: {other:?}"),
        };
        out.push(effect);
    }

    /// A recorded answer was read.
    pub(super) fn answer_read(&mut self, ticket: Ticket, reply: Reply, now: Now, out: &mut Vec<Effect>) {
        self.reading.retain(|reading| *reading != ticket);
        out.push(Effect::Reply(ticket, reply));
        self.report(now, out);
    }

    fn report(&mut self, now: Now, out: &mut Vec<Effect>) {
        let is_reading = !self.reading.is_empty();
        self.is_quiet = !is_reading && self.core.is_quiet();
        self.is_idle = !is_reading && self.core.is_idle(now);
        if self.is_leaving && self.is_quiet {
            out.push(Effect::Say(Thing::Quiet(self.id)));
        }
    }

    /// Whether it may leave memory now.
    pub(super) fn may_leave(&self, now: Now) -> bool {
        self.core.is_idle(now) && self.reading.is_empty()
    }

    /// It ends; whoever still waits is told so.
    pub(super) fn end(mut self, out: &mut Vec<Effect>) {
        for ticket in self.reading.drain(..) {
            out.push(Effect::Reply(ticket, Reply::Moved(Moved {})));
        }
        for ticket in self.core.take_callers() {
            let refused = Refused {
                reason: Reason::Overloaded as i32,
                retry_after_ms: 1_000,
            };
            out.push(Effect::Reply(ticket, Reply::Refused(refused)));
        }
    }
}

/// A wrong variant sends the replies of a commit before the store has answered it.
fn early(id: ActorId, commit: &Commit, guards: Guards) -> Option<Effect> {
    let record = commit.record.as_ref().filter(|_| !guards.sends_after_commit)?;
    let (_, record) = Record::read(record, None).unwrap();
    let replies = record
        .outbox
        .iter()
        .map(|entry| serde_json::from_slice(&entry.body).unwrap());
    Some(Effect::SendEarly(id, replies.collect()))
}

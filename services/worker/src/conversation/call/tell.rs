//! What the bot is told: each event is a turn of its own. And the decision about an incoming call, whoever takes it.

use trunkline_bot::logic::{Answer, CallEvent, CallNow};
use trunkline_teams::calls::RejectReason;
use trunkline_teams::graph::{Operation, Reject};
use xxhash_rust::xxh3::xxh3_64;

use super::super::event::{Action, Note, Now};
use super::super::item::Item;
use super::super::{Conversation, Phase, Work, done, reply_all};
use crate::call::{CallRecord, MomentKind, Queued, QueuedKind, is_decision};

/// What the next owner of a shard needs to claim it and to run a handler.
const TAKING_OVER_MS: u64 = 2_500;

impl Conversation {
    /// The next thing that the bot has not been told, unless one before it is tried again.
    pub(in super::super) fn due_event(&mut self, now: Now) -> Option<Box<Item>> {
        let is_tried_again = |item: &Item| item.first_run_ms > 0 || matches!(item.work, Work::Call(_));
        let is_behind = self.queue.iter().any(|item| is_tried_again(item));
        let queued = self.call_record()?.events.first().filter(|_| !is_behind)?.clone();
        let work = match queued.kind() {
            QueuedKind::Event => Work::Call(queued.body),
            QueuedKind::Signal => Work::Signal {
                name: queued.name,
                key: queued.key,
                payload: queued.body,
            },
        };
        let id = self.next_number();
        let mut item = Box::new(Item::internal(id, work, turn_key_of_event(queued.number), now));
        item.event = Some(queued.number);
        item.traceparent = queued.traceparent;
        // It happened before the shard was ours: its turn may have run at an earlier owner.
        item.is_found = queued.at_ms <= self.holding.token.epoch.0;
        Some(item)
    }

    /// The call as its bot sees it, in a turn of a call.
    pub(in super::super) fn call_now(&self, now: Now) -> Option<Box<CallNow>> {
        let key = &self.identity.as_ref()?.triple.conversation;
        Some(Box::new(self.call_record()?.now(key, now.wall_ms)))
    }

    /// Until when the turn of an incoming call may run, on the steady clock.
    pub(in super::super) fn decision_limit(&self, item: &Item, now: Now) -> Option<u64> {
        let late_at = self.call_record()?.late_at_ms().filter(|_| is_incoming(&item.work))?;
        Some(now.steady_ms + late_at.saturating_sub(now.wall_ms))
    }

    /// Work of a call has been done, or is kept elsewhere from now on.
    pub(in super::super) fn event_is_told(&mut self, item: &mut Item) -> bool {
        let Some(number) = item.event.take() else { return false };
        if let Some(call) = self.call_record_mut() {
            call.told(number);
        }
        true
    }

    /// The turn of an incoming call has committed: without a decision the default one is taken.
    pub(in super::super) fn decided_by_turn(&mut self, work: &Work, decides: bool, now: Now) {
        if is_incoming(work) && !decides {
            self.decide_late("the bot did not decide", now);
        }
    }

    /// The turn of an incoming call failed. `true` when it is not tried again: the default decision is taken.
    pub(in super::super) fn decided_by_failure(&mut self, work: &Work, is_last: bool, now: Now) -> bool {
        if !is_incoming(work) {
            return false;
        }
        let is_late = self.is_last_chance(now);
        if is_late || is_last {
            self.decide_late("the bot's handler failed or was late", now);
        }
        is_late || is_last
    }

    /// Whether nobody will decide if it is not done now: no time is left, or not enough for the next owner of a shard that
    /// leaves.
    fn is_last_chance(&self, now: Now) -> bool {
        let needed = if self.phase == Phase::Serving {
            0
        } else {
            TAKING_OVER_MS
        };
        let late_at = self.call_record().and_then(CallRecord::late_at_ms);
        late_at.is_none_or(|late_at| late_at <= now.wall_ms + needed)
    }

    /// The shard leaves: a call that rings is decided here, unless its handler runs or the next owner has the time for it.
    pub(in super::super) fn decide_before_leaving(&mut self, now: Now) {
        let rings = self.call_record().is_some_and(CallRecord::waits_for_decision);
        if rings && !self.is_deciding() && self.is_last_chance(now) {
            self.decide_late("the shard leaves this worker", now);
        }
    }

    /// Takes the bot's default decision, if nobody has decided yet.
    pub(super) fn decide_late(&mut self, why: &str, now: Now) {
        let (Some(bot), Some(call_now)) = (self.identity.as_ref().map(|it| it.bot.clone()), self.call_now(now)) else {
            return;
        };
        let decision = bot.late_decision(&call_now).filter(is_decision);
        let what = decision.as_ref().map_or("nothing", |decision| decision.kind().name());
        self.decide(decision.clone(), &format!("{why}: {what} by default"), now);
    }

    /// The host rejects a call of itself.
    pub(super) fn reject(&mut self, reason: RejectReason, why: &str, now: Now) {
        let reject = Operation::Reject(Reject {
            reason: Some(reason),
            callback_uri: None,
        });
        self.decide(Some(reject), why, now);
    }

    fn decide(&mut self, decision: Option<Operation>, why: &str, now: Now) {
        let Some(call) = self.call_record_mut() else { return };
        if !call.waits_for_decision() {
            return;
        }
        call.is_decided = true;
        call.note(MomentKind::Host, why, now.wall_ms);
        let held = decision.map(|decision| {
            let until_ms = call.decide_by_ms.max(now.wall_ms + 1);
            call.wants(&decision, until_ms)
        });
        call.look_ms = call.decide_by_ms.max(now.wall_ms) + 5_000;
        call.events
            .retain(|queued| !matches!(queued.event(), Some(CallEvent::Incoming)));
        if let Some(number) = held {
            self.call_part().hold_own(number);
        }
        let place = self.queue.iter().position(|item| is_incoming(&item.work));
        if let Some(item) = place.and_then(|place| self.queue.remove(place)) {
            self.drop_durable(&item);
        }
        self.must_write(now);
    }

    /// Work that is not done any more leaves the inbox.
    fn drop_durable(&mut self, item: &Item) {
        self.leave_inbox(item);
        if let (Some(memory), Some(sequence)) = (self.memory.as_mut(), item.inbox) {
            let steps = memory.take_steps(item.turn_key);
            memory.obsolete.extend(steps);
            let note = memory.take_note_of(item);
            memory.obsolete.extend(note);
            memory.obsolete.push(sequence.to_string());
        }
    }

    /// Drops the handler that runs when the call ends: it could only speak to nobody. One that is told how an operation ended
    /// runs on, because what it was told is there now and not later (a recording).
    pub(super) fn drop_handler(&mut self) {
        let is_dropped = self.running.as_ref().is_some_and(|running| {
            let event = event_of(&running.item.work);
            running.ended.is_none() && event.is_some_and(|event| !matches!(event, CallEvent::OperationEnded(_)))
        });
        if let Some(mut running) = self.running.take_if(|_| is_dropped) {
            self.dropped_runs.push(running.run);
            self.pass = None;
            self.event_is_told(&mut running.item);
            self.drop_durable(&running.item);
        }
        let mut queue = std::mem::take(&mut self.queue);
        queue.retain(|item| {
            let event = event_of(&item.work);
            let is_kept = event.is_none_or(|event| matches!(event, CallEvent::OperationEnded(_)));
            if !is_kept {
                self.drop_durable(item);
            }
            is_kept
        });
        self.queue = queue;
    }

    /// What runs is an incoming call's turn.
    pub(super) fn is_deciding(&self) -> bool {
        let running = self.running.as_ref().map(|running| &running.item);
        let concluding = self.concluding.as_ref().map(|(item, _)| item);
        running
            .into_iter()
            .chain(concluding)
            .any(|item| is_incoming(&item.work))
    }

    /// For people: what a turn of a call is about. An event is not read for it, which may hold a roster of a thousand people.
    pub(in super::super) fn name_of_turn(&self, item: &Item) -> String {
        let events = self.call_record().map(|call| call.events.as_slice());
        let is_it = |queued: &&Queued| Some(queued.number) == item.event;
        let queued = events.unwrap_or_default().iter().find(is_it);
        match (&item.work, queued) {
            (Work::Call(_), Some(queued)) => queued.name.clone(),
            // Its queue was emptied meanwhile, or it waits in the inbox.
            (work @ Work::Call(_), None) => {
                let event = event_of(work);
                event.map_or("event", |event| crate::call::name_of(&event)).to_owned()
            }
            (Work::Signal { .. }, _) => "signal".to_owned(),
            (Work::Sent { .. }, _) => "sent".to_owned(),
            (Work::Failed(_), _) => "failed".to_owned(),
            _ => "turn".to_owned(),
        }
    }

    /// Notes how a turn of the call ended.
    pub(in super::super) fn note_turn(&mut self, what: &str, result: &str, took_ms: u64, now: Now) {
        if let Some(call) = self.call_record_mut() {
            call.note(MomentKind::Turn, format!("{what}: {result}, {took_ms} ms"), now.wall_ms);
        }
    }

    /// Runs that were dropped by what was heard.
    pub(in super::super) fn drop_runs(&mut self, out: &mut Vec<Action>) {
        out.extend(self.dropped_runs.drain(..).map(|run| Action::Drop { run }));
    }

    /// Work that nobody is there to do counts as done.
    pub(in super::super) fn leave_undone(&mut self, mut item: Item, out: &mut Vec<Action>) {
        out.push(Action::Note(Note::SignalOfNoCall));
        self.drop_durable(&item);
        let answer = Answer {
            status: 200,
            body: None,
        };
        reply_all(&mut item, &done(&answer), out);
    }

    /// Work that needs a call, where none is or it is over: nobody is there to do it.
    pub(in super::super) fn has_no_call(&self, work: &Work) -> bool {
        let is_of_call = self
            .identity
            .as_ref()
            .is_some_and(|identity| identity.triple.kind == trunkline_store::key::ActorKind::Call);
        is_of_call && matches!(work, Work::Signal { .. }) && self.call_record().is_none_or(CallRecord::is_over)
    }
}

/// The event of a turn.
fn event_of(work: &Work) -> Option<CallEvent> {
    match work {
        Work::Call(event) => serde_json::from_slice(event).ok(),
        _ => None,
    }
}

fn is_incoming(work: &Work) -> bool {
    // Without reading rosters only to see that they are none.
    const INCOMING: &[u8] = b"{\"event\":\"incoming\"}";
    matches!(work, Work::Call(event) if event.as_ref() == INCOMING)
}

/// Names the turn of an event in each of its runs.
fn turn_key_of_event(number: u64) -> u64 {
    xxh3_64(format!("call event {number}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incoming_call_is_recognised_as_it_is_stored() {
        let stored = serde_json::to_vec(&CallEvent::Incoming).unwrap_or_default();
        assert!(is_incoming(&Work::Call(stored.into())));
    }
}

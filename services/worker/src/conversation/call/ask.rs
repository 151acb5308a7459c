//! Operations on their way to Graph: one at a time, in the order in which they were asked for, each committed before it leaves.
//!
//! An operation of the bot is marked as leaving by a commit, and leaves after it. So whoever finds it marked knows that it may
//! have been asked; one that must not be asked twice then waits for its completion and its time.

use trunkline_bot::logic::HostedOperation;
use trunkline_teams::graph::{Operation, OperationKind};

use super::super::event::{Action, Now};
use super::super::{Conversation, Phase};
use super::CallPart;
use super::leg::LegAsk;
use crate::call::{CallRecord, Lease, MomentKind, OnLeg, Own, is_decision, is_look};
use crate::record::{Entry, EntryKind, Lane, Record};

/// Doubles from here, up to [`LONGEST_WAIT_MS`].
const FIRST_WAIT_MS: u64 = 250;
const LONGEST_WAIT_MS: u64 = 10_000;
/// Longest time of one request, its repetitions included.
const REQUEST_MS: u64 = 20_000;
/// How long beyond its running turns an owner that leaves tries to send a decision.
const LEAVING_MS: u64 = 2_000;

/// Names an operation that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AskId {
    /// An entry of the outbox, by its sequence.
    Entry(u64),
    /// An operation of the host, by its number.
    Own(u64),
}

/// An operation to ask of Graph.
#[derive(Clone, Debug)]
pub struct GraphAsk {
    /// Names it in [`super::super::Event::GraphAnswered`].
    pub id: AskId,
    /// With its client context; the callback is put in by whoever sends it.
    pub operation: Operation,
    /// Key of the call, which ends the address of its notifications.
    pub key: String,
    /// Entra tenant of the call.
    pub tenant: String,
    /// Graph's id of the call; `None` for one that is to be made.
    pub call: Option<String>,
    /// Names the call in Graph's logs.
    pub scenario: Option<String>,
    /// Key of the call that a consultative transfer replaces: its id is looked up.
    pub replaces: Option<String>,
    /// How long it may take, in milliseconds.
    pub within_ms: u64,
    /// Trace context of the turn that asked for it.
    pub traceparent: String,
}

/// Operations that wait for one another.
#[derive(Debug, Default)]
pub(super) struct AskLane {
    pub(super) asking: Option<AskId>,
    /// The operation that was asked in vain, how often, and when it is asked again.
    waiting: Option<(AskId, u32, u64)>,
}

impl AskLane {
    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    fn is_free_for(&self, id: AskId, now: Now) -> bool {
        let waits = self
            .waiting
            .is_some_and(|(known, _, at)| known == id && at > now.steady_ms);
        self.asking.is_none() && !waits
    }

    pub(super) fn failed(&mut self, id: AskId, after_ms: Option<u64>, now: Now) {
        let tries = self
            .waiting
            .filter(|(known, ..)| *known == id)
            .map_or(0, |(_, tries, _)| tries);
        let wait = after_ms.unwrap_or_else(|| (FIRST_WAIT_MS << tries.min(6)).min(LONGEST_WAIT_MS));
        self.waiting = Some((id, tries + 1, now.steady_ms + wait.max(1)));
    }
}

impl Conversation {
    /// Asks Graph what may be asked now.
    pub(in super::super) fn next_asks(&mut self, now: Now, out: &mut Vec<Action>) {
        let is_uncertain = self.in_flight.as_ref().is_some_and(|in_flight| in_flight.tries > 1);
        let may_ask = match self.phase {
            Phase::Serving => true,
            // Somebody rings: whoever has decided says so before the shard leaves.
            Phase::Quiescing(_) => self.stops_asking_at().is_some(),
            Phase::Lost => false,
        };
        if !may_ask || !now.may_begin || is_uncertain {
            return;
        }
        self.next_leg_ask(now, out);
        for of_looks in [false, true] {
            if let Some(ask) = self.next_ask(of_looks, now) {
                let part = self.call_part();
                let lane = if of_looks { &mut part.looks } else { &mut part.ordered };
                lane.asking = Some(ask.id);
                out.push(Action::AskGraph(Box::new(ask)));
            }
        }
        if let Some((sequence, ask)) = self.next_command(now) {
            self.call_part().ordered.asking = Some(AskId::Entry(sequence));
            out.push(Action::AskLeg(Box::new(ask)));
        }
    }

    /// The entry that has left, if it is for the leg.
    fn next_command(&self, now: Now) -> Option<(u64, LegAsk)> {
        let entry = self.left(|entry| entry.leg_command > 0, now)?;
        self.leg_command(entry.sequence, now).map(|ask| (entry.sequence, ask))
    }

    /// The entry that has left, if it is of that kind, and may be asked now.
    fn left(&self, is_wanted: impl Fn(&Entry) -> bool, now: Now) -> Option<&Entry> {
        let (part, record) = (self.call.as_ref()?, &self.memory.as_ref()?.record);
        let mut entries = record.outbox.iter();
        let entry = entries.find(|entry| entry.lane() == Lane::Graph && entry.is_leaving)?;
        let is_committed = part.leaving != Some(entry.sequence) && entry.sequence < self.committed_below;
        let is_free = part.ordered.is_free_for(AskId::Entry(entry.sequence), now);
        (is_wanted(entry) && is_committed && is_free).then_some(entry)
    }

    /// Until when an owner that leaves tries to send a decision, on the steady clock.
    pub(in super::super) fn stops_asking_at(&self) -> Option<u64> {
        let Phase::Quiescing(until) = self.phase else {
            return None;
        };
        let has_left = self.call.as_ref().is_none_or(|part| part.has_left);
        (!has_left && self.has_decision_to_send()).then_some(until + LEAVING_MS)
    }

    /// The next owner may be faster.
    pub(in super::super) fn stop_asking_when_it_leaves(&mut self, now: Now) {
        if self.stops_asking_at().is_some_and(|stop| stop <= now.steady_ms) {
            self.call_part().has_left = true;
        }
    }

    fn next_ask(&self, of_looks: bool, now: Now) -> Option<GraphAsk> {
        let part = self.call.as_ref()?;
        let call = self.call_record()?;
        let key = &self.identity.as_ref()?.triple.conversation;
        let lane = if of_looks { &part.looks } else { &part.ordered };
        if lane.is_asking() {
            // Before any operation is read that could not be asked anyway.
            return None;
        }
        let frame = Frame { call, key };
        if call.id.is_some() {
            let own = call.own.iter().find_map(|own| {
                let operation = own.operation()?;
                let is_committed = of_looks || part.own_below().is_none_or(|below| own.number < below);
                let has_leg = !operation.wants_media_host() || call.leg_blob().is_some();
                (is_look(&operation) == of_looks && is_committed && has_leg).then_some((own, operation))
            });
            if let Some((own, operation)) = own {
                let id = AskId::Own(own.number);
                let within_ms = own.until_ms.saturating_sub(now.wall_ms);
                return lane
                    .is_free_for(id, now)
                    .then(|| frame.of_own(own, operation, within_ms));
            }
        }
        if of_looks {
            return None;
        }
        frame.of_entry(self.left(|entry| entry.leg_command == 0, now)?, now)
    }

    /// Lets the next operation leave with the commit that is being built.
    pub(in super::super) fn let_leave(&mut self, now: Now) {
        let may_leave = self.phase == Phase::Serving || self.has_decision_to_send();
        let Some(memory) = self.memory.as_mut().filter(|_| may_leave) else {
            return;
        };
        let Some(sequence) = leaves_next(&memory.record) else {
            return;
        };
        let Some(entry) = memory.record.outbox.iter_mut().find(|entry| entry.sequence == sequence) else {
            return;
        };
        entry.is_leaving = true;
        if let Some(call) = memory.record.call.as_mut() {
            call.leaves(&entry.key, now.wall_ms);
            if call.has_leg() && call.on_leg(entry).is_some() {
                entry.leg_command = call.next_leg_command();
                call.leaves_to_leg(&entry.key, entry.leg_command);
                if let Some(HostedOperation::RecordCall(directions)) = entry.hosted() {
                    call.keeps(&entry.key, entry.leg_command, directions);
                }
            }
        }
        self.call_part().leaving = Some(sequence);
    }

    /// Whether a commit is wanted for no other reason than that the next operation may leave.
    pub(in super::super) fn wants_to_leave(&self) -> bool {
        let record = self.memory.as_ref().map(|memory| &memory.record);
        self.phase == Phase::Serving && record.is_some_and(|record| leaves_next(record).is_some())
    }

    /// Whether a decision about a call that rings is still to be sent.
    pub(in super::super) fn has_decision_to_send(&self) -> bool {
        let Some(record) = self.memory.as_ref().map(|memory| &memory.record) else {
            return false;
        };
        let own = record.call.iter().flat_map(|call| &call.own).filter_map(Own::operation);
        let decision = |operation: &Operation| is_decision(operation);
        let entries = record.outbox.iter().filter(|entry| entry.lane() == Lane::Graph);
        own.chain(entries.filter_map(Entry::operation))
            .any(|operation| decision(&operation))
    }

    /// The record was read: what an earlier owner let leave may have been asked, and is not asked again where that would be
    /// heard.
    pub(in super::super) fn call_is_known(&mut self, now: Now) {
        let holder = self.holding.token.holder.0;
        let Some(memory) = self.memory.as_mut() else { return };
        let Some(call) = memory.record.call.as_deref_mut() else {
            return;
        };
        let part = self.call.get_or_insert_default();
        if std::mem::replace(&mut part.is_known, true) {
            return;
        }
        let in_doubt = memory.record.outbox.extract_if(.., |entry| {
            let may_repeat = OperationKind::by_name(&entry.name).is_some_and(OperationKind::may_repeat);
            entry.lane() == Lane::Graph && entry.is_leaving && !may_repeat && entry.leg_command == 0
        });
        // What went to the leg is looked through once that says how far it is.
        part.leg.inherits();
        for entry in in_doubt {
            call.in_doubt(&entry.key, now.wall_ms);
            let what = format!("{} {} may have been asked by an earlier owner", entry.name, entry.key);
            call.note(MomentKind::Host, what, now.wall_ms);
            memory.dirty_since.get_or_insert(now.steady_ms);
        }
        if call.owner != holder {
            call.owner = holder;
            if !call.is_over() {
                call.note(MomentKind::Host, "another process looks after it now", now.wall_ms);
                memory.dirty_since.get_or_insert(now.steady_ms);
                if call.id.is_some() && !call.waits_for_decision() {
                    call.look(now.wall_ms);
                }
            }
        }
    }

    /// When something that was asked in vain is asked again, on the steady clock.
    pub(in super::super) fn asks_deadline(&self) -> Option<u64> {
        let part = self.call.as_ref()?;
        let lanes = [&part.ordered, &part.looks]
            .into_iter()
            .filter(|lane| lane.asking.is_none());
        lanes.filter_map(|lane| lane.waiting).map(|(.., at)| at).min()
    }
}

impl CallPart {
    /// An operation of the host is not asked before it is written.
    pub(super) fn hold_own(&mut self, number: u64) {
        self.own_unwritten = Some(self.own_unwritten.map_or(number, |below| below.min(number)));
    }

    /// A commit takes over what was held.
    pub(in super::super) fn commits(&mut self) {
        let held = self.own_unwritten.take();
        self.own_in_flight = self.own_in_flight.into_iter().chain(held).min();
        self.wants_commit = false;
    }

    fn own_below(&self) -> Option<u64> {
        self.own_unwritten.into_iter().chain(self.own_in_flight).min()
    }
}

/// What every ask of a call shares.
struct Frame<'a> {
    call: &'a CallRecord,
    key: &'a str,
}

impl Frame<'_> {
    /// An answer tells the peer where its leg is.
    fn with_leg(&self, operation: Operation) -> Operation {
        match self.call.leg_blob() {
            Some(blob) if operation.wants_media_host() => operation.with_media_blob(blob),
            _ => operation,
        }
    }

    fn of_own(&self, own: &Own, operation: Operation, within_ms: u64) -> GraphAsk {
        GraphAsk {
            id: AskId::Own(own.number),
            operation: self.with_leg(operation),
            key: self.key.to_owned(),
            tenant: self.call.tenant.clone(),
            call: self.call.id.clone(),
            scenario: (!self.call.scenario.is_empty()).then(|| self.call.scenario.clone()),
            replaces: None,
            within_ms: within_ms.min(REQUEST_MS),
            traceparent: String::new(),
        }
    }

    fn of_entry(&self, entry: &Entry, now: Now) -> Option<GraphAsk> {
        let operation = self.with_leg(entry.operation()?.with_client_context(&entry.key));
        let pending = self.call.pending.iter().find(|pending| pending.key == entry.key);
        let left = pending.map_or(REQUEST_MS, |pending| pending.until_ms.saturating_sub(now.wall_ms));
        Some(GraphAsk {
            id: AskId::Entry(entry.sequence),
            operation,
            key: self.key.to_owned(),
            tenant: self.call.tenant.clone(),
            call: self.call.id.clone(),
            scenario: (!self.call.scenario.is_empty()).then(|| self.call.scenario.clone()),
            replaces: (!entry.replaces.is_empty()).then(|| entry.replaces.clone()),
            within_ms: left.min(REQUEST_MS),
            traceparent: entry.traceparent.clone(),
        })
    }
}

/// The entry that may leave next, if none has left: the first that does not wait for another operation.
fn leaves_next(record: &Record) -> Option<u64> {
    let call = record.call.as_deref()?;
    let mut entries = record.outbox.iter().filter(|entry| entry.lane() == Lane::Graph);
    if entries.clone().any(|entry| entry.is_leaving) {
        return None;
    }
    let next = entries.find(|entry| entry.after.is_empty() || !call.is_pending(&entry.after))?;
    let is_create = next.name == OperationKind::Create.name();
    let may_leave = if is_create {
        call.lease() == Lease::Held
    } else {
        call.id.is_some()
    };
    (may_leave && leg_lets_leave(call, next)).then_some(next.sequence)
}

/// Whether the leg has no objection: an answer waits for it, and what it cannot do, or is not there to do, is taken out before it
/// leaves.
fn leg_lets_leave(call: &CallRecord, entry: &Entry) -> bool {
    if !call.has_leg() {
        return entry.kind() != EntryKind::Hosted;
    }
    match call.on_leg(entry) {
        // A leg takes nothing before its peer has come.
        Some(OnLeg::Command(_)) => !call.is_leg_gone() && !call.is_reopening(),
        Some(_) => false,
        None => !entry.operation().is_some_and(|operation| match operation {
            // The word on recording is the leg's, too.
            Operation::UpdateRecordingStatus(_) => call.is_reopening(),
            operation => call.is_leg_wanted() && operation.wants_media_host(),
        }),
    }
}

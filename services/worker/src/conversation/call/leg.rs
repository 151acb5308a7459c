//! The way of a call to its leg: opened before the answer leaves, attached by whoever owns the call, asked by numbered commands,
//! closed with the call. What the leg tells is heard like a notification.

mod wish;

use trunkline_bot::logic::CallEvent;
use trunkline_teams::calls::RejectReason;
use trunkline_teams::graph::{Operation, Reject, Told};

pub use self::wish::{LegAnswer, LegAsk, LegPlace, LegTold, LegWish};
use super::super::event::{Action, Note, Now};
use super::super::{Conversation, Phase};
use super::ask::AskId;
use super::report::{Report, What};
use crate::call::{CallRecord, Half, LOST, Lease, MomentKind, NO_HOST, NO_LEG, OnLeg, OpenedLeg};
use crate::record::{Entry, EntryKind, Lane, Record};

/// A broken way to a leg is tried again for so long: with the time in which a silent host is noticed no more than two seconds.
const PATIENCE_MS: u64 = 700;
/// Between two tries.
const AGAIN_MS: u64 = 100;
/// Between two tries of what may not begin now, or of closing.
const LATER_MS: u64 = 1_000;
/// Longest time for opening a leg.
const OPEN_MS: u64 = 3_000;
/// Opening ends so long before the decision about a call must have been told.
const BEFORE_DECISION_MS: u64 = 1_000;
/// Longest time of one command.
const COMMAND_MS: u64 = 10_000;

/// How this process stands to the leg.
#[derive(Debug, Default)]
pub(super) struct LegLane {
    /// The leg that a host is asked about; empty for one that is to be opened.
    asking: Option<String>,
    is_attached: bool,
    /// What an earlier owner let out is looked through once attached.
    settles: bool,
    /// On the steady clock.
    not_before: u64,
    broken_since: Option<u64>,
}

impl LegLane {
    /// What an earlier owner let out may be under way.
    pub(super) fn inherits(&mut self) {
        self.settles = true;
    }

    /// Memory is read anew: its leg may be another one.
    pub(super) fn forgets(&mut self) {
        self.is_attached = false;
    }
}

impl Conversation {
    /// Asks for what the leg needs now, beside commands.
    pub(super) fn next_leg_ask(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(part) = self.call.as_ref().filter(|part| part.leg.asking.is_none()) else {
            return;
        };
        if part.leg.not_before > now.steady_ms {
            return;
        }
        let Some(wish) = self.leg_wish(now) else { return };
        let epoch = self.holding.token.epoch.0;
        let name = self.leg_name();
        self.call_part().leg.asking = Some(name);
        out.push(Action::AskLeg(Box::new(LegAsk { epoch, wish })));
    }

    fn leg_name(&self) -> String {
        let leg = self.call_record().and_then(|call| call.leg.as_ref());
        leg.map(|leg| leg.name.clone()).unwrap_or_default()
    }

    fn leg_wish(&self, now: Now) -> Option<LegWish> {
        let call = self.call_record()?;
        let leg = call.leg.as_ref()?;
        if call.is_leg_wanted() {
            let may_open = call.is_decided && (!call.is_outgoing || call.lease() == Lease::Held);
            let latest = if call.decide_by_ms == 0 || call.is_reopening() {
                now.wall_ms + OPEN_MS
            } else {
                call.decide_by_ms.saturating_sub(BEFORE_DECISION_MS)
            };
            let within_ms = latest.saturating_sub(now.wall_ms).clamp(1, OPEN_MS);
            let bot = self.identity.as_ref().map(|identity| &identity.bot);
            return may_open.then_some(LegWish::Open {
                tenant: call.tenant.clone(),
                of_policy: call.is_of_policy(),
                tells_speech: bot.is_some_and(|bot| bot.wants_speech()),
                is_live: bot.is_some_and(|bot| bot.listens()),
                hears_only: bot.is_some_and(|bot| bot.hears_only()),
                near: leg.wanted_near(),
                within_ms,
            });
        }
        if call.is_leg_closing() {
            return Some(LegWish::Close {
                leg: LegPlace::of(leg),
                number: leg.last_command + 1,
            });
        }
        let is_attached = self.call.as_ref().is_some_and(|part| part.leg.is_attached);
        (call.is_leg_open() && !is_attached).then(|| LegWish::Attach {
            leg: LegPlace::of(leg),
            last_event: leg.last_event,
        })
    }

    /// When the leg is asked again, on the steady clock.
    pub(in super::super) fn leg_deadline(&self, now: Now) -> Option<u64> {
        let lane = &self.call.as_ref()?.leg;
        let waits = lane.asking.is_none() && lane.not_before > now.steady_ms && self.leg_wish(now).is_some();
        waits.then_some(lane.not_before)
    }

    /// A command for the leg, of an entry that has left. `None` while this process is not attached.
    pub(super) fn leg_command(&self, sequence: u64, now: Now) -> Option<LegAsk> {
        let (part, record) = (self.call.as_ref()?, &self.memory.as_ref()?.record);
        let leg = record.call.as_ref()?.leg.as_ref()?;
        let entry = record.outbox.iter().find(|entry| entry.sequence == sequence)?;
        let Some(OnLeg::Command(command)) = record.call.as_ref()?.on_leg(entry) else {
            return None;
        };
        let pending = record
            .call
            .as_ref()?
            .pending
            .iter()
            .find(|pending| pending.key == entry.key);
        let left = pending.map_or(COMMAND_MS, |pending| pending.until_ms.saturating_sub(now.wall_ms));
        part.leg.is_attached.then(|| LegAsk {
            epoch: self.holding.token.epoch.0,
            wish: LegWish::Command {
                id: AskId::Entry(sequence),
                leg: LegPlace::of(leg),
                number: entry.leg_command,
                command,
                within_ms: left.min(COMMAND_MS),
            },
        })
    }

    /// A host answered, or did not.
    pub(in super::super) fn leg_answered(&mut self, answer: LegAnswer, now: Now, out: &mut Vec<Action>) {
        let lane = &mut self.call_part().leg;
        let asked = lane.asking.take();
        lane.not_before = 0;
        if self.call_record().is_none() || asked != Some(self.leg_name()) {
            // The record was read again meanwhile. What was opened is nobody's and ends by itself.
            return;
        }
        match answer {
            LegAnswer::Opened(opened) => self.leg_opened(opened, now),
            LegAnswer::NoHost { reason } => self.no_media_host(&reason, now, out),
            LegAnswer::Attached {
                last_command,
                events_lost,
            } => self.leg_attached(last_command, events_lost, now),
            LegAnswer::Closed => self.leg_closed(now),
            LegAnswer::Gone { reason } => {
                self.leg_closed(now);
                self.leg_lost(&reason, now, out);
            }
            LegAnswer::Unreachable { reason } => self.leg_unreachable(&reason, now, out),
            LegAnswer::Withheld => self.call_part().leg.not_before = now.steady_ms + LATER_MS,
        }
    }

    /// Durable with the next commit, which also lets the answer out.
    fn leg_opened(&mut self, opened: OpenedLeg, now: Now) {
        let lane = &mut self.call_part().leg;
        // Of one that was lost.
        lane.is_attached = false;
        lane.broken_since = None;
        let Some(call) = self.call_record_mut() else { return };
        let what = format!("a leg is open at {}", opened.host);
        if !call.leg_opened(opened) {
            return;
        }
        call.note(MomentKind::Host, what, now.wall_ms);
        let decision = call
            .own
            .iter()
            .find(|own| own.operation().is_some_and(|own| own.wants_media_host()));
        if let Some(number) = decision.map(|own| own.number) {
            self.call_part().hold_own(number);
        }
        self.must_write(now);
    }

    fn leg_attached(&mut self, last_command: u64, events_lost: bool, now: Now) {
        let lane = &mut self.call_part().leg;
        lane.is_attached = true;
        lane.broken_since = None;
        let settles = std::mem::take(&mut lane.settles);
        let Some(call) = self.call_record_mut() else { return };
        let mut what = "attached to the leg".to_owned();
        if events_lost {
            what.push_str("; some of its events are lost");
        }
        call.note(MomentKind::Host, what, now.wall_ms);
        if settles {
            self.settle_commands(last_command, now);
        }
    }

    /// What an earlier owner let out and the leg has looked at is done or under way; the leg never saw the rest, which is asked.
    fn settle_commands(&mut self, last_command: u64, now: Now) {
        let Some(memory) = self.memory.as_mut() else { return };
        let Some(call) = memory.record.call.as_mut() else {
            return;
        };
        let is_seen = |entry: &Entry| entry.leg_command > 0 && entry.leg_command <= last_command;
        // The leg did its half of a word on recording; the other one is Graph's.
        for entry in memory.record.outbox.iter_mut().filter(|entry| is_seen(entry)) {
            let operation = entry.operation();
            let half = operation.map(|operation| call.half(entry, &operation, &Told::Nothing));
            if let Some(Half::Second(confirmed_by)) = half {
                entry.begins_second_half(confirmed_by);
                memory.dirty_since.get_or_insert(now.steady_ms);
            }
        }
        let mut events = Vec::new();
        for entry in memory.record.outbox.extract_if(.., |entry| is_seen(entry)) {
            // What needs no time has ended; the end of everything else is told by the leg.
            events.extend(call.answered(&entry.key, Told::Nothing, now.wall_ms));
            memory.dirty_since.get_or_insert(now.steady_ms);
        }
        self.happened(events, "", now);
    }

    fn leg_closed(&mut self, now: Now) {
        let Some(call) = self.call_record_mut().filter(|call| call.is_leg_closing()) else {
            return;
        };
        call.leg_closed();
        self.must_write(now);
    }

    fn leg_unreachable(&mut self, reason: &str, now: Now, out: &mut Vec<Action>) {
        let is_closing = self.call_record().is_some_and(CallRecord::is_leg_closing);
        let lane = &mut self.call_part().leg;
        if is_closing {
            lane.not_before = now.steady_ms + LATER_MS;
            return;
        }
        lane.not_before = now.steady_ms + AGAIN_MS;
        let since = *lane.broken_since.get_or_insert(now.steady_ms);
        if now.steady_ms.saturating_sub(since) >= PATIENCE_MS {
            self.leg_lost(reason, now, out);
        }
    }

    fn leg_lost(&mut self, reason: &str, now: Now, out: &mut Vec<Action>) {
        let Some(call) = self.call_record_mut().filter(|call| call.is_leg_open()) else {
            return;
        };
        let events = call.lose_leg(reason, false, now.wall_ms);
        out.push(Action::Note(Note::LegLost {
            reason: reason.to_owned(),
        }));
        self.after_loss(events, now);
    }

    /// What was on its way to the leg is not asked any more.
    fn after_loss(&mut self, events: Vec<CallEvent>, now: Now) {
        let mut events = events;
        if let Some(memory) = self.memory.as_mut()
            && let Some(call) = memory.record.call.as_mut()
        {
            let is_of_leg = |entry: &mut Entry| {
                entry.lane() == Lane::Graph && (entry.leg_command > 0 || call.on_leg(entry).is_some())
            };
            let of_leg: Vec<Entry> = memory.record.outbox.extract_if(.., is_of_leg).collect();
            // What was on the leg has ended with it; the word on recording is one of Graph's operations, and ends here.
            for entry in of_leg {
                events.extend(call.refused(&entry.key, LOST.0, LOST.1, "the leg is gone"));
            }
        }
        self.happened(events, "", now);
        self.must_write(now);
    }

    /// No host takes the leg: the call cannot be answered, or made.
    fn no_media_host(&mut self, reason: &str, now: Now, out: &mut Vec<Action>) {
        let (status, code) = NO_HOST;
        let Some(memory) = self.memory.as_mut() else { return };
        let Some(call) = memory.record.call.as_mut().filter(|call| call.is_leg_wanted()) else {
            return;
        };
        out.push(Action::Note(Note::NoMediaHost {
            reason: reason.to_owned(),
        }));
        if call.is_reopening() {
            let events = call.not_reopened(status, code, reason);
            self.happened(events, "", now);
            self.must_write(now);
            return;
        }
        call.no_leg();
        if call.is_outgoing && call.id.is_none() {
            self.not_made(status, code, reason, now);
            return;
        }
        call.own
            .retain(|own| !own.operation().is_some_and(|own| own.wants_media_host()));
        let is_answer = |operation: Operation| operation.wants_media_host();
        let answers = memory
            .record
            .outbox
            .extract_if(.., |entry| entry.operation().is_some_and(is_answer));
        let events: Vec<CallEvent> = answers
            .flat_map(|entry| call.refused(&entry.key, status, code, reason))
            .collect();
        let what = format!("rejected as busy: {reason}");
        call.note(MomentKind::Host, what, now.wall_ms);
        let reject = Operation::Reject(Reject {
            reason: Some(RejectReason::Busy),
            callback_uri: None,
        });
        let until_ms = call.decide_by_ms.max(now.wall_ms + 1);
        let number = call.wants(&reject, until_ms);
        self.happened(events, "", now);
        self.call_part().hold_own(number);
        self.must_write(now);
    }

    /// The leg told something.
    pub(in super::super) fn leg_told(&mut self, told: LegTold) {
        if self.phase != Phase::Serving {
            // The leg keeps it for the next owner.
            return;
        }
        if self.memory.is_none() {
            self.loading.is_wanted = true;
            self.call_part().leg.is_attached = false;
            return;
        }
        let part = self.call_part();
        if !part.takes(Report::of_leg(told)) {
            // Told again when it is attached again.
            part.leg.is_attached = false;
        }
    }

    /// The way to the leg broke: perhaps only the way.
    pub(in super::super) fn leg_broken(&mut self, leg: &str, now: Now) {
        self.loading.is_wanted |= self.memory.is_none();
        let lane = &mut self.call_part().leg;
        lane.is_attached = false;
        lane.broken_since.get_or_insert(now.steady_ms);
        lane.not_before = 0;
        if let Some(call) = self
            .call_record_mut()
            .filter(|call| call.leg.as_ref().is_some_and(|it| it.name == leg))
        {
            call.note(MomentKind::Host, "the way to the leg broke", now.wall_ms);
        }
    }

    /// Takes what the leg told. `false` when nothing is to be kept of it.
    pub(super) fn take_leg_news(&mut self, what: &What, now: Now) -> bool {
        let What::Leg(told) = what else { return false };
        let Some(call) = self.call_record_mut() else {
            return false;
        };
        let was_open = call.is_leg_open();
        let Some(events) = call.hear_leg(&told.leg, told.number, told.news.clone(), now.wall_ms) else {
            return false;
        };
        if was_open && call.is_leg_gone() {
            self.after_loss(events, now);
        } else {
            self.happened(events, "", now);
        }
        true
    }

    /// What is due of the leg, and what needs nothing of it.
    pub(super) fn look_after_leg(&mut self, now: Now) {
        let Some(call) = self.call_record_mut() else { return };
        if call.is_leg_closing() {
            call.gives_up_closing(now.wall_ms);
            if call.is_leg_gone() {
                self.must_write(now);
            }
            return;
        }
        if let Some(lost) = call.lost_leg(now.wall_ms) {
            self.happened(vec![lost], "", now);
            self.must_write(now);
        }
        if self.asks_lost_leg() {
            self.after_loss(Vec::new(), now);
        }
        while let Some(events) = self.next_unasked(now) {
            self.happened(events, "", now);
            self.must_write(now);
        }
    }

    /// Whether something was let out to a leg that is no more.
    fn asks_lost_leg(&self) -> bool {
        let record = self.memory.as_ref().map(|memory| &memory.record);
        let is_gone = |record: &&Record| record.call.as_ref().is_some_and(|call| call.is_leg_gone());
        record
            .filter(is_gone)
            .is_some_and(|record| record.outbox.iter().any(|entry| entry.leg_command > 0))
    }

    /// Takes out the first operation that is not asked of the leg, because it needs nothing, or because the leg is gone or never was.
    fn next_unasked(&mut self, now: Now) -> Option<Vec<CallEvent>> {
        let record = &mut self.memory.as_mut()?.record;
        let call = record.call.as_mut()?;
        let (has_leg, is_gone) = (call.has_leg(), call.is_leg_gone());
        let (place, what) = record.outbox.iter().enumerate().find_map(|(place, entry)| {
            let waits = entry.lane() != Lane::Graph
                || entry.leg_command > 0
                || (!entry.after.is_empty() && call.is_pending(&entry.after));
            let is_of_leg = has_leg || entry.kind() == EntryKind::Hosted;
            let on_leg = (is_of_leg && !waits).then(|| call.on_leg(entry)).flatten()?;
            (is_gone || !has_leg || !matches!(on_leg, OnLeg::Command(_))).then_some((place, on_leg))
        })?;
        let entry = record.outbox.remove(place);
        Some(match what {
            OnLeg::Done => call.answered(&entry.key, Told::Nothing, now.wall_ms),
            OnLeg::Reopen => call.reopen(&entry.key, now.wall_ms),
            OnLeg::Command(_) if !has_leg => {
                let why = "no media host carries the sound of this call";
                call.refused(&entry.key, NO_LEG.0, NO_LEG.1, why)
            }
            OnLeg::Command(_) => {
                let why = call.leg.as_ref().map(|leg| leg.why.clone()).unwrap_or_default();
                call.refused(&entry.key, LOST.0, LOST.1, &why)
            }
        })
    }
}

//! Commits: one in flight at a time, the same one again until its fate is known.

use bytes::Bytes;
use trunkline_store::contract::{Commit, Header, Parked, Wake};

use super::event::{Action, ArrivalKind, Now};
use super::item::Item;
use super::memory::{StoredStep, field_of_step};
use super::runs::RunNote;
use super::turn::mark;
use super::{ANSWER_MARGIN_MS, Conclusion, Conversation, Late, Phase, milliseconds};
use crate::record::Names;

/// The time in the wake index of a call that rings: before all others.
const RINGING: u64 = 1;
/// How long a commit that nobody waits for is repeated before memory is dropped.
const PATIENCE_MS: u64 = 30_000;

/// A commit whose fate is not known yet.
pub(super) struct InFlight {
    pub id: u64,
    pub commit: Commit,
    /// The header after it, when it writes the record.
    pub header: Option<Header>,
    /// Items that it makes durable.
    pub accepted: Vec<u64>,
    /// The step that it keeps, and the mark before it.
    pub steps: Vec<StoredStep>,
    pub step_of: Option<u64>,
    /// The note of a run that it writes.
    pub note: Option<RunNote>,
    pub tells_late: bool,
    /// How often it was given to the store.
    pub tries: u32,
    pub repeat_at: Option<u64>,
    pub give_up_at: u64,
    pub began_at: u64,
}

impl Conversation {
    /// Builds the next commit if something wants one and none is in flight.
    pub(super) fn next_commit(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.in_flight.is_some() || self.memory.is_none() {
            return;
        }
        self.look_after_call(now, out);
        if self.running.as_ref().is_some_and(|running| running.ended.is_some()) && self.phase != Phase::Lost {
            self.conclude(now, out);
        }
        if self.in_flight.is_none() {
            self.operate(now, out);
        }
        if self.in_flight.is_none() {
            self.side_commit(now, out);
        }
    }

    /// What need not wait for the end of a turn: acceptance, kept steps, the late answer of an invoke, settling.
    fn side_commit(&mut self, now: Now, out: &mut Vec<Action>) {
        let running_key = self.running.as_ref().map(|running| running.item.turn_key);
        let dirty_since = self.memory.as_ref().and_then(|memory| memory.dirty_since);
        let is_settling = dirty_since.is_some_and(|since| self.settle_at(since) <= now.steady_ms);
        let of_call = self.call.as_ref().is_some_and(|part| part.wants_commit()) || self.wants_to_leave();
        let Some(memory) = self.memory.as_mut() else { return };
        memory.sweep_steps(now.wall_ms, running_key);
        let late = self
            .running
            .as_ref()
            .is_some_and(|running| matches!(running.late, Late::Wanted(_)));
        let step = self
            .running
            .as_ref()
            .is_some_and(|running| running.step.is_some() && running.ended.is_none());
        let is_wanted = is_settling
            || of_call
            || late
            || step
            || !memory.obsolete.is_empty()
            || memory.note_wanted.is_some()
            || self.queue.iter().any(|item| self.wants_acceptance(item, now))
            || self
                .running
                .as_ref()
                .is_some_and(|running| self.wants_acceptance(&running.item, now));
        if !is_wanted {
            return;
        }
        if late || of_call || self.memory.as_ref().is_some_and(|memory| memory.dirty_since.is_some()) {
            self.write_record(Vec::new(), None, now, out);
        } else {
            self.write_fields(Vec::new(), now, out);
        }
    }

    /// When a record that is ahead since then is written: all conversations of a process settle at the same instants, two in
    /// the time that the settings allow. Their commits then leave together, which costs a store a fraction of as many that
    /// come one by one.
    pub(super) fn settle_at(&self, since: u64) -> u64 {
        let within = match self.phase {
            Phase::Serving => milliseconds(self.settings.settle_within),
            Phase::Quiescing(_) | Phase::Lost => return since,
        };
        let latest = since + within;
        latest - latest % (within / 2).max(1)
    }

    /// Whether an item is to be made durable now: its budget is over, or it is work of our own that has a place.
    fn wants_acceptance(&self, item: &Item, now: Now) -> bool {
        if item.is_stored || item.kind == ArrivalKind::Invoke {
            return false;
        }
        let is_own = item.inbox.is_some() && !item.is_awaited();
        let is_over = item.is_promised || (item.is_awaited() && item.budget_at <= now.steady_ms);
        is_own || (is_over && self.inbox_has_room(item))
    }

    pub(super) fn inbox_has_room(&self, item: &Item) -> bool {
        let memory = self.memory.as_ref();
        memory.is_some_and(|memory| memory.has_room(item, &self.settings))
    }

    /// Gives an item its place in the inbox; the next commit writes it there.
    pub(super) fn give_place(&mut self, item: &mut Item, now: Now) {
        if item.inbox.is_none()
            && let Some(memory) = self.memory.as_mut()
        {
            item.inbox = Some(memory.next_inbox);
            item.accepted_ms = now.wall_ms;
            memory.next_inbox += 1;
            memory.inbox_entries += 1;
            memory.inbox_bytes += item.work.body_bytes();
        }
    }

    /// Commits the record as it stands in memory, with everything else that waits for a commit.
    pub(super) fn write_record(
        &mut self,
        done: Vec<String>,
        answer: Option<(String, Bytes)>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        self.write(done, answer, true, now, out);
    }

    /// Commits fields of the inbox and leaves the record alone.
    pub(super) fn write_fields(&mut self, done: Vec<String>, now: Now, out: &mut Vec<Action>) {
        // Work of our own comes from a record that is ahead: they must become durable together.
        let is_dirty = self.memory.as_ref().is_some_and(|memory| memory.dirty_since.is_some());
        self.write(done, None, is_dirty, now, out);
    }

    fn write(
        &mut self,
        mut done: Vec<String>,
        mut answer: Option<(String, Bytes)>,
        writes_record: bool,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        if writes_record {
            self.let_leave(now);
            if let Some(part) = &mut self.call {
                part.commits();
            }
        }
        let mut accepted = Vec::new();
        let mut accept = Vec::new();
        self.collect_accepted(&mut accepted, &mut accept, now);
        let steps = self.collect_step(&mut accept);
        let note = self.collect_note(&mut accept, now);
        let tells_late = self.collect_late(&mut answer, now);
        let turn = self.next_random();
        let id = self.next_number();
        let give_up_at = self.patience(now);
        let wake = self.wake(&done, now);
        let retention = self.retention();
        let Some(memory) = self.memory.as_mut() else { return };
        done.append(&mut memory.obsolete);
        let parking = self.concluding.as_ref().and_then(|(item, _)| item.parking.as_ref());
        let parked_since = memory
            .parked_since()
            .into_iter()
            .chain(parking.map(|parking| parking.since_ms))
            .min();
        let parked = match parked_since {
            _ if !std::mem::take(&mut memory.parked_changed) => Parked::Keep,
            Some(since) => Parked::Since(since),
            None => Parked::Nothing,
        };
        let header = writes_record.then_some(Header {
            version: memory.header.version + 1,
            turn,
        });
        memory.record.set_format();
        let record = header.map(|header| memory.record.write(header));
        let pends = wake != Wake::Never
            || memory.inbox_entries > places_in(&done)
            || !(memory.steps.is_empty() && steps.is_empty());
        if writes_record {
            memory.dirty_since = None;
        }
        let commit = Commit {
            shard: self.holding.shard,
            key: self.key,
            token: self.holding.token,
            expected: memory.header,
            record,
            done,
            accept,
            wake,
            parked,
            retain_ms: (!pends).then(|| milliseconds(retention)),
            answer,
        };
        out.push(Action::Commit {
            id,
            commit: Box::new(commit.clone()),
        });
        self.in_flight = Some(Box::new(InFlight {
            id,
            commit,
            header,
            accepted,
            step_of: self
                .running
                .as_ref()
                .filter(|_| !steps.is_empty())
                .map(|running| running.run),
            steps,
            note,
            tells_late,
            tries: 1,
            repeat_at: None,
            give_up_at,
            began_at: now.steady_ms,
        }));
    }

    /// How long the record is kept when nothing pends.
    fn retention(&self) -> std::time::Duration {
        let of_calls = self.identity.as_ref().and_then(|identity| identity.bot.call_settings());
        of_calls.map_or(self.settings.retention, |settings| settings.retention)
    }

    /// Items that this commit makes durable.
    fn collect_accepted(&mut self, accepted: &mut Vec<u64>, accept: &mut Vec<(String, Bytes)>, now: Now) {
        let names: Names = match &self.identity {
            Some(identity) => (&identity.triple).into(),
            None => return,
        };
        let mut write = |item: &Item| {
            if let Some(sequence) = item.inbox {
                accepted.push(item.id);
                accept.push((sequence.to_string(), item.to_accepted(names.clone()).write()));
            }
        };
        if let Some((item, Conclusion::Retry | Conclusion::Parked | Conclusion::Replayed)) = &self.concluding {
            write(item);
        }
        let mut running = self.running.take();
        if let Some(running) = running.as_mut() {
            let wants_step = running.step.is_some() && running.item.kind == ArrivalKind::Message;
            let is_own = running.item.timer.is_some() || running.item.event.is_some();
            if (wants_step && !running.item.is_stored && !is_own && self.inbox_has_room(&running.item))
                || self.wants_acceptance(&running.item, now)
            {
                self.give_place(&mut running.item, now);
                write(&running.item);
            }
        }
        self.running = running;
        // All that wait for it at once: a queue of a thousand is one commit.
        let mut queue = std::mem::take(&mut self.queue);
        for item in &mut queue {
            if self.wants_acceptance(item, now) {
                self.give_place(item, now);
                write(item);
            }
        }
        self.queue = queue;
    }

    /// The note of the run that is to begin.
    fn collect_note(&mut self, accept: &mut Vec<(String, Bytes)>, now: Now) -> Option<RunNote> {
        let holder = self.holding.token.holder;
        let memory = self.memory.as_mut()?;
        let turn_key = memory.note_wanted.take()?;
        let note = memory.note_with(turn_key, holder, now);
        accept.push((note.field(), note.value()));
        Some(note)
    }

    /// The step that the running turn waits for, and the mark of an invoke.
    fn collect_step(&mut self, accept: &mut Vec<(String, Bytes)>) -> Vec<StoredStep> {
        let Some(running) = self.running.as_mut() else {
            return Vec::new();
        };
        let Some(step) = running.step.take() else {
            return Vec::new();
        };
        let turn_key = running.item.turn_key;
        let mut steps = Vec::new();
        let is_own = running.item.timer.is_some() || running.item.event.is_some();
        if running.item.kind == ArrivalKind::Invoke || is_own {
            steps.push(StoredStep {
                turn_key,
                name: String::new(),
                result: mark(running.item.first_run_ms),
            });
        }
        steps.push(StoredStep {
            turn_key,
            name: step.name,
            result: step.result,
        });
        for step in &steps {
            accept.push((field_of_step(step.turn_key, &step.name), step.result.clone()));
        }
        steps
    }

    /// The default answer of a late invoke becomes its record.
    fn collect_late(&mut self, answer: &mut Option<(String, Bytes)>, now: Now) -> bool {
        let (Some(running), Some(memory)) = (self.running.as_ref(), self.memory.as_mut()) else {
            return false;
        };
        let Late::Wanted(late) = &running.late else {
            return false;
        };
        let keys = [running.item.repeat_key, running.item.second_key];
        for key in keys.into_iter().flatten() {
            memory
                .record
                .ring
                .get_or_insert_default()
                .remember(key, late.status, now.wall_ms);
        }
        if answer.is_none() {
            *answer = running.item.answer_name().zip(late.body.clone());
        }
        true
    }

    /// Until when this commit is repeated: as long as somebody waits for it.
    fn patience(&self, now: Now) -> u64 {
        let concluding = self.concluding.as_ref().map(|(item, _)| item);
        let running = self.running.as_ref().map(|running| &running.item);
        let waiting = concluding.into_iter().chain(running).filter(|item| item.is_awaited());
        let deadline = waiting
            .map(|item| item.deadline_at.saturating_sub(ANSWER_MARGIN_MS))
            .min();
        deadline.unwrap_or(now.steady_ms + PATIENCE_MS)
    }

    /// When the conversation next needs attention, once this commit is written.
    fn wake(&self, done: &[String], now: Now) -> Wake {
        let Some(memory) = &self.memory else { return Wake::Keep };
        let mut at = memory.record.next_due_ms();
        let mut sooner = |time: u64| at = Some(at.map_or(time, |at: u64| at.min(time)));
        if !memory.record.outbox.is_empty() {
            sooner(now.wall_ms);
        }
        if let Some(sweep) = memory.next_sweep_ms() {
            sooner(sweep);
        }
        if let Some(call) = &memory.record.call {
            if call.waits_for_decision() {
                // Somebody waits at the telephone: before everything else that is due.
                sooner(RINGING);
            } else if call.needs_owner() {
                sooner(now.wall_ms);
            }
        }
        let running = self.running.as_ref().map(|running| &running.item);
        let concluding = self.concluding.as_ref().map(|(item, _)| item);
        let done: Vec<u64> = done.iter().filter_map(|field| field.parse().ok()).collect();
        for item in self.queue.iter().chain(running).chain(concluding) {
            if let Some(sequence) = item.inbox
                && item.parking.is_none()
                && !done.contains(&sequence)
            {
                sooner(item.not_before_ms.max(now.wall_ms));
            }
        }
        at.map_or(Wake::Never, Wake::At)
    }
}

/// Fields that are places of the inbox, not steps or notes.
pub(super) fn places_in(fields: &[String]) -> usize {
    fields
        .iter()
        .filter(|field| field.starts_with(|first: char| first.is_ascii_digit()))
        .count()
}

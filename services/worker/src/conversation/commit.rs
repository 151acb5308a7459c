//! Commits: one in flight at a time, the same one again until its fate is known.

use bytes::Bytes;
use trunkline_proto::routing::{Accepted, Reason};
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, Wake};

use super::event::{Action, ArrivalKind, Note, Now, StepRefused};
use super::item::Item;
use super::memory::{StoredStep, field_of_step};
use super::turn::{CONFLICTS, mark};
use super::work::Work;
use super::{
    ANSWER_MARGIN_MS, Conclusion, Conversation, Late, Phase, Reply, done, effects, milliseconds, refused, reply_all,
};
use crate::outbox::{SendResult, Unsendable, Verdict};
use crate::record::{Names, SentId};

/// How long a commit that nobody waits for is repeated before memory is dropped.
const PATIENCE_MS: u64 = 30_000;

/// A commit whose fate is not known yet.
pub(super) struct InFlight {
    id: u64,
    commit: Commit,
    /// The header after it, when it writes the record.
    header: Option<Header>,
    /// Items that it makes durable.
    accepted: Vec<u64>,
    /// The step that it keeps, and the mark before it.
    steps: Vec<StoredStep>,
    step_of: Option<u64>,
    tells_late: bool,
    /// How often it was given to the store.
    pub tries: u32,
    pub repeat_at: Option<u64>,
    give_up_at: u64,
    began_at: u64,
}

impl Conversation {
    /// Builds the next commit if something wants one and none is in flight.
    pub(super) fn next_commit(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.in_flight.is_some() || self.memory.is_none() {
            return;
        }
        if self.running.as_ref().is_some_and(|running| running.ended.is_some()) && self.phase != Phase::Lost {
            self.conclude(now, out);
        }
        if self.in_flight.is_none() {
            self.side_commit(now, out);
        }
    }

    /// What need not wait for the end of a turn: acceptance, kept steps, the late answer of an invoke, settling.
    fn side_commit(&mut self, now: Now, out: &mut Vec<Action>) {
        let settle_within = self.settle_within();
        let running_key = self.running.as_ref().map(|running| running.item.turn_key);
        let Some(memory) = self.memory.as_mut() else { return };
        memory.sweep_steps(now.wall_ms, running_key);
        let is_settling = memory
            .dirty_since
            .is_some_and(|since| since + settle_within <= now.steady_ms);
        let late = self
            .running
            .as_ref()
            .is_some_and(|running| matches!(running.late, Late::Wanted(_)));
        let step = self
            .running
            .as_ref()
            .is_some_and(|running| running.step.is_some() && running.ended.is_none());
        let is_wanted = is_settling
            || late
            || step
            || !memory.obsolete.is_empty()
            || self.queue.iter().any(|item| self.wants_acceptance(item, now))
            || self
                .running
                .as_ref()
                .is_some_and(|running| self.wants_acceptance(&running.item, now));
        if !is_wanted {
            return;
        }
        if late || self.memory.as_ref().is_some_and(|memory| memory.dirty_since.is_some()) {
            self.write_record(Vec::new(), None, now, out);
        } else {
            self.write_fields(Vec::new(), now, out);
        }
    }

    /// Whether an item is to be made durable now: its budget is over, or it is work of our own that has a place.
    fn wants_acceptance(&self, item: &Item, now: Now) -> bool {
        if item.is_stored || item.kind == ArrivalKind::Invoke {
            return false;
        }
        let is_own = item.inbox.is_some() && !item.is_awaited();
        is_own || (item.is_awaited() && item.budget_at <= now.steady_ms && self.inbox_has_room(item))
    }

    pub(super) fn inbox_has_room(&self, item: &Item) -> bool {
        let bytes = item.work.body_bytes();
        self.memory.as_ref().is_some_and(|memory| {
            memory.inbox_entries < self.settings.inbox_entries
                && memory.inbox_bytes + bytes <= self.settings.inbox_bytes
        })
    }

    /// Gives an item its place in the inbox; the next commit writes it there.
    pub(super) fn give_place(&mut self, item: &mut Item) {
        if item.inbox.is_none()
            && let Some(memory) = self.memory.as_mut()
        {
            item.inbox = Some(memory.next_inbox);
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
        let mut accepted = Vec::new();
        let mut accept = Vec::new();
        self.collect_accepted(&mut accepted, &mut accept, now);
        let steps = self.collect_step(&mut accept);
        let tells_late = self.collect_late(&mut answer, now);
        let turn = self.next_random();
        let id = self.next_number();
        let give_up_at = self.patience(now);
        let wake = self.wake(&done, now);
        let Some(memory) = self.memory.as_mut() else { return };
        done.append(&mut memory.obsolete);
        let header = writes_record.then_some(Header {
            version: memory.header.version + 1,
            turn,
        });
        let record = header.map(|header| memory.record.write(header));
        let pends = wake != Wake::Never
            || memory.inbox_entries > places_in(&done)
            || !(memory.steps.is_empty() && steps.is_empty());
        if writes_record {
            memory.dirty_since = None;
        }
        let commit = Commit {
            shard: self.shard,
            key: self.key,
            token: self.token,
            expected: memory.header,
            record,
            done,
            accept,
            wake,
            retain_ms: (!pends).then(|| milliseconds(self.settings.retention)),
            answer,
        };
        out.push(Action::Commit {
            id,
            commit: Box::new(commit.clone()),
        });
        self.in_flight = Some(InFlight {
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
            tells_late,
            tries: 1,
            repeat_at: None,
            give_up_at,
            began_at: now.steady_ms,
        });
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
        if let Some((item, Conclusion::Retry | Conclusion::Parked)) = &self.concluding {
            write(item);
        }
        let mut running = self.running.take();
        if let Some(running) = running.as_mut() {
            let wants_step = running.step.is_some() && running.item.kind == ArrivalKind::Message;
            let is_own = running.item.timer.is_some();
            if (wants_step && !running.item.is_stored && !is_own && self.inbox_has_room(&running.item))
                || self.wants_acceptance(&running.item, now)
            {
                self.give_place(&mut running.item);
                write(&running.item);
            }
        }
        self.running = running;
        for place in 0..self.queue.len() {
            let is_wanted = self
                .queue
                .get(place)
                .is_some_and(|item| self.wants_acceptance(item, now));
            if is_wanted && let Some(mut item) = self.queue.remove(place) {
                self.give_place(&mut item);
                write(&item);
                self.queue.insert(place, item);
            }
        }
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
        if running.item.kind == ArrivalKind::Invoke || running.item.timer.is_some() {
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
        let mut at = memory.record.next_timer_ms();
        let mut sooner = |time: u64| at = Some(at.map_or(time, |at: u64| at.min(time)));
        if !memory.record.outbox.is_empty() {
            sooner(now.wall_ms);
        }
        if let Some(sweep) = memory.next_sweep_ms() {
            sooner(sweep);
        }
        let running = self.running.as_ref().map(|running| &running.item);
        let concluding = self.concluding.as_ref().map(|(item, _)| item);
        for item in self.queue.iter().chain(running).chain(concluding) {
            if let Some(sequence) = item.inbox
                && !item.is_parked
                && (done.is_empty() || !done.contains(&sequence.to_string()))
            {
                sooner(item.not_before_ms.max(now.wall_ms));
            }
        }
        at.map_or(Wake::Never, Wake::At)
    }

    /// What the store said of a commit.
    pub(super) fn committed(
        &mut self,
        id: u64,
        result: Result<Committed, StoreError>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let Some(in_flight) = self.in_flight.as_mut().filter(|in_flight| in_flight.id == id) else {
            return;
        };
        match result {
            Ok(Committed::Written) => {
                let took_ms = now.steady_ms - in_flight.began_at;
                out.push(Action::Note(Note::CommitWritten { took_ms }));
                self.written(out);
            }
            Ok(Committed::Fenced) => {
                out.push(Action::Note(Note::CommitFenced));
                out.push(Action::ShardLost);
                self.lose(out);
            }
            Ok(Committed::Conflict(stored)) => self.conflict(stored, out),
            Err(error @ (StoreError::TooLarge { .. } | StoreError::Corrupt { .. } | StoreError::Unfit { .. })) => {
                out.push(Action::Note(Note::CommitUncertain {
                    reason: error.to_string(),
                }));
                self.abandon(Reason::StoreUnavailable, out);
            }
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Refused { .. })) => {
                out.push(Action::Note(Note::CommitUncertain {
                    reason: error.to_string(),
                }));
                let wait = 25_u64 << in_flight.tries.min(5);
                in_flight.tries += 1;
                in_flight.repeat_at = Some(now.steady_ms + wait);
            }
        }
    }

    /// Repeats a commit whose fate is unknown, or gives it up.
    pub(super) fn expire_commit(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(in_flight) = self.in_flight.as_mut() else {
            return;
        };
        let Some(repeat_at) = in_flight.repeat_at else { return };
        if in_flight.give_up_at <= now.steady_ms {
            self.abandon(Reason::StoreUnavailable, out);
        } else if repeat_at <= now.steady_ms {
            in_flight.repeat_at = None;
            let commit = Box::new(in_flight.commit.clone());
            out.push(Action::Commit {
                id: in_flight.id,
                commit,
            });
        }
    }

    fn leave_inbox(&mut self, item: &Item) {
        if let (Some(memory), Some(_)) = (self.memory.as_mut(), item.inbox) {
            memory.inbox_bytes = memory.inbox_bytes.saturating_sub(item.work.body_bytes());
        }
    }

    fn written(&mut self, out: &mut Vec<Action>) {
        let Some(in_flight) = self.in_flight.take() else { return };
        if let Some(memory) = self.memory.as_mut() {
            if let Some(header) = in_flight.header {
                memory.header = header;
            }
            memory.inbox_entries = memory.inbox_entries.saturating_sub(places_in(&in_flight.commit.done));
            memory.steps.extend(in_flight.steps);
        }
        if let Some(run) = in_flight.step_of {
            out.push(Action::StepKept { run, result: Ok(()) });
        }
        if let Some(running) = self.running.as_mut() {
            if in_flight.tells_late
                && let Late::Wanted(answer) = std::mem::replace(&mut running.late, Late::Told)
            {
                reply_all(&mut running.item, &done(&answer), out);
            }
            if in_flight.accepted.contains(&running.item.id) {
                accepted(&mut running.item, out);
            }
        }
        for item in &mut self.queue {
            if in_flight.accepted.contains(&item.id) {
                accepted(item, out);
            }
        }
        self.committed_below = u64::MAX;
        if let Some((mut item, conclusion)) = self.concluding.take() {
            match conclusion {
                Conclusion::Done(answer) => {
                    self.leave_inbox(&item);
                    reply_all(&mut item, &done(&answer), out);
                }
                Conclusion::Retry => {
                    accepted(&mut item, out);
                    if self.phase == Phase::Serving {
                        self.queue.push_front(item);
                    }
                }
                Conclusion::Parked => {
                    accepted(&mut item, out);
                    if let Some(memory) = self.memory.as_mut() {
                        memory.parked.extend(item.repeat_key);
                    }
                }
                Conclusion::Dropped => self.leave_inbox(&item),
            }
        }
    }

    /// The record is another one than we read: read it anew and go on from what is stored.
    fn conflict(&mut self, stored: Header, out: &mut Vec<Action>) {
        let ours = self.memory.as_ref().map_or(Header::ABSENT, |memory| memory.header);
        out.push(Action::Note(Note::CommitConflict { ours, stored }));
        if stored.version < ours.version {
            out.push(Action::Note(Note::StoreRegressed {
                ours: ours.version,
                stored: stored.version,
            }));
        }
        self.in_flight = None;
        let concluding = self.concluding.take().map(|(item, _)| item);
        let running = self.running.take().map(|running| {
            out.push(Action::Drop { run: running.run });
            running.item
        });
        for mut item in concluding.into_iter().chain(running) {
            item.conflicts += 1;
            if item.conflicts >= CONFLICTS {
                reply_all(&mut item, &refused(Reason::StoreUnavailable, 1_000), out);
            }
            // What is durable comes back with the load.
            if item.is_awaited() && !item.is_stored {
                item.inbox = None;
                item.is_parked = false;
                item.not_before_ms = 0;
                self.queue.push_front(item);
            }
        }
        self.forget();
    }

    /// Nobody knows whether the commit was written, and nobody waits any longer: the record will tell.
    fn abandon(&mut self, reason: Reason, out: &mut Vec<Action>) {
        let in_flight = self.in_flight.take();
        if let Some((mut item, _)) = self.concluding.take() {
            reply_all(&mut item, &refused(reason, 1_000), out);
        }
        if let Some(mut running) = self.running.take() {
            if in_flight.is_some_and(|in_flight| in_flight.step_of == Some(running.run)) {
                let result = Err(StepRefused::NotKept("the store did not answer"));
                out.push(Action::StepKept {
                    run: running.run,
                    result,
                });
            }
            out.push(Action::Drop { run: running.run });
            reply_all(&mut running.item, &refused(reason, 1_000), out);
        }
        self.forget();
    }

    /// Starts what the outbox may send now.
    pub(super) fn next_sends(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving || self.in_flight.as_ref().is_some_and(|in_flight| in_flight.tries > 1) {
            return;
        }
        while let Some(memory) = self.memory.as_ref().filter(|memory| !memory.record.outbox.is_empty()) {
            match self.outbox.next(&memory.record, self.committed_below, now.steady_ms) {
                None => return,
                Some(Ok(work)) => out.push(Action::Send(Box::new(work))),
                Some(Err(Unsendable { sequence, reason })) => {
                    self.sent(sequence, SendResult::Final { reason }, now, out);
                    self.next_commit(now, out);
                }
            }
        }
    }

    /// What came of a send.
    pub(super) fn sent(&mut self, sequence: u64, result: SendResult, now: Now, out: &mut Vec<Action>) {
        let give_up = milliseconds(self.settings.send_give_up);
        let Some(memory) = self.memory.as_mut() else {
            self.outbox.forget(sequence);
            return;
        };
        let outbox = &mut memory.record.outbox;
        let Some(place) = outbox.iter().position(|entry| entry.sequence == sequence) else {
            self.outbox.forget(sequence);
            return;
        };
        let verdict = self.outbox.finished(&outbox[place], result, give_up, now.steady_ms);
        let own = match verdict {
            Verdict::Unknown => return,
            Verdict::Later { reason } => {
                out.push(Action::Note(Note::SendRetried { sequence, reason }));
                return;
            }
            Verdict::Sent { id, conversation } => {
                out.push(Action::Note(Note::SendDone));
                let entry = outbox.remove(place);
                let wants_id = entry.wants_id;
                let own = id
                    .clone()
                    .filter(|_| wants_id)
                    .map(|activity_id| Work::Sent { sequence, activity_id });
                if let Some(id) = id {
                    let place = entry.to.as_ref();
                    let conversation = conversation
                        .or_else(|| place.map(|place| place.id.clone()))
                        .unwrap_or_default();
                    let service_url = place.map(|place| place.service_url.clone()).unwrap_or_default();
                    memory.record.remember_sent(SentId {
                        sequence,
                        id,
                        conversation,
                        service_url,
                    });
                }
                own
            }
            Verdict::InDoubt => {
                out.push(Action::Note(Note::SendInDoubt { sequence }));
                outbox.remove(place);
                None
            }
            Verdict::GivenUp { reason, tries } => {
                let reference = effects::reference(self.key.0, sequence);
                let entry = outbox.remove(place);
                let failure = trunkline_bot::logic::Failure {
                    what: trunkline_bot::logic::FailedWork::Send(trunkline_bot::SentRef(sequence)),
                    attempts: tries,
                    reference: reference.clone(),
                };
                out.push(Action::Note(Note::SendGivenUp {
                    sequence,
                    reason,
                    reference,
                }));
                (!entry.of_failure).then_some(Work::Failed(failure))
            }
        };
        memory.dirty_since.get_or_insert(now.steady_ms);
        if let Some(own) = own {
            self.queue_own(own, false, now);
        }
    }
}

/// Fields that are places of the inbox, not steps.
fn places_in(fields: &[String]) -> usize {
    fields.iter().filter(|field| !field.starts_with("s:")).count()
}

/// An item is durable: its callers hear so.
fn accepted(item: &mut Item, out: &mut Vec<Action>) {
    if !item.is_stored {
        item.is_stored = true;
        out.push(Action::Note(Note::AcceptedIntoInbox));
    }
    reply_all(item, &Reply::Accepted(Accepted {}), out);
}

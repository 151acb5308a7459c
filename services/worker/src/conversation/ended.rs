//! What the end of a turn means: a commit, another attempt, or giving it up.

use bytes::Bytes;
use trunkline_bot::logic::{Answer, Effect, End, FailedWork, Failure, MessageRef, Outcome, StateProblem, TurnError};
use trunkline_proto::routing::Reason;

use super::call::effects as of_calls;
use super::event::{Action, ArrivalKind, Note, Now, OpenStream, TurnResult};
use super::history::TurnKind;
use super::item::Item;
use super::work::Work;
use super::{
    BotRules, Conclusion, Conversation, Late, Phase, Running, Unreadable, done, effects, is_person, milliseconds,
    refused, reply_all,
};
use crate::record::{PARKING_REASON_BYTES, Parking, Record, SetAside, State};

/// How long a conversation waits for a process that can read its state.
const NEWER_STATE_WAIT_MS: u64 = 30_000;
/// Largest card that replaces one whose button was answered too late: what Teams takes as a message, and no more.
const LATE_CARD_BYTES: usize = 100 * 1024;
/// How long state that was replaced is kept.
const SET_ASIDE_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// Commits of one turn that may meet another header before its callers are told that the store is not to be trusted.
pub(super) const CONFLICTS: u32 = 3;

impl Conversation {
    /// Builds the commit that the end of a turn asks for, if it asks for one.
    pub(super) fn conclude(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(mut running) = self.running.take() else { return };
        let Some((end, streams)) = running.ended.take() else {
            self.running = Some(running);
            return;
        };
        self.pass = None;
        let took_ms = now.steady_ms - running.started_at;
        let route = running.item.route;
        let kind = TurnKind::of(&running.item);
        let of_call = self.call.is_some().then(|| self.name_of_turn(&running.item));
        let result = match end {
            End::Commit(outcome) => self.commit_outcome(running, outcome, TurnResult::Committed, &streams, now, out),
            End::Tell(outcome) => {
                let outcome = Outcome { state: None, ..outcome };
                self.commit_outcome(running, outcome, TurnResult::Told, &streams, now, out)
            }
            End::Stopped => self.commit_outcome(running, Outcome::default(), TurnResult::Stopped, &streams, now, out),
            End::Failed(error) => {
                let outlived = running.limit_at <= now.steady_ms;
                self.fail(running, &error, now, out);
                if outlived {
                    TurnResult::TimedOut
                } else {
                    TurnResult::Failed
                }
            }
            End::State(problem) => {
                self.state_problem(running, problem, now, out);
                TurnResult::State
            }
        };
        self.history.add(kind, route, result, took_ms, now.wall_ms);
        if let Some(what) = of_call {
            self.note_turn(&what, result.label(), took_ms, now);
        }
        out.push(Action::Note(Note::TurnEnded { route, result, took_ms }));
    }

    pub(super) fn commit_outcome(
        &mut self,
        mut running: Box<Running>,
        mut outcome: Outcome,
        result: TurnResult,
        streams: &[OpenStream],
        now: Now,
        out: &mut Vec<Action>,
    ) -> TurnResult {
        let (Some(memory), Some(identity)) = (self.memory.as_mut(), self.identity.as_ref()) else {
            return TurnResult::Failed;
        };
        if let Err(reason) = effects::check(&memory.record, &outcome, identity.bot.hosts_calls()) {
            let error = TurnError {
                message: reason,
                retry_after: None,
                is_final: true,
            };
            self.fail(running, &error, now, out);
            return TurnResult::Failed;
        }
        let record = &mut memory.record;
        let mut item = running.item;
        if let Some((name, key)) = item.timer.take() {
            effects::complete_timer(record, &name, &key, now.wall_ms);
        }
        if let (Some(number), Some(call)) = (item.event.take(), record.call.as_mut()) {
            call.told(number);
        }
        note_service_url(record, &item.work);
        if let Some(state) = outcome.state.take() {
            let bytes = state.bytes.len();
            if bytes > trunkline_bot::logic::STATE_BYTES / 4 {
                out.push(Action::Note(Note::StateLarge { bytes }));
            }
            record.state = Some(State {
                version: state.version,
                bytes: state.bytes,
            });
        }
        let answer = outcome.answer.take().unwrap_or(Answer {
            status: 200,
            body: None,
        });
        let is_told = matches!(running.late, Late::Told) && record_remembers(record, &item);
        if !is_told {
            let keys = [item.repeat_key, item.second_key];
            for key in keys.into_iter().flatten() {
                record
                    .ring
                    .get_or_insert_default()
                    .remember(key, answer.status, now.wall_ms);
            }
        }
        let committed_below = record.next_sequence;
        let context = effects::Context {
            here: &identity.triple,
            streams,
            of_failure: matches!(item.work, Work::Failed(_)),
            traceparent: &item.traceparent,
            now_ms: now.wall_ms,
        };
        let late_card = match running.late {
            Late::Told => late_card(&identity.bot, &mut item.work, &answer),
            Late::No | Late::Wanted(_) => None,
        };
        let decides = of_calls::decide(&outcome.effects);
        effects::apply(record, outcome.effects, &context);
        if let Some((message, activity)) = late_card {
            let sequence = record.next_sequence;
            let update = Effect::Update {
                sequence,
                message,
                activity,
            };
            effects::apply(record, vec![update], &context);
        }
        let mut done = memory.take_steps(item.turn_key);
        done.extend(memory.take_note_of(&item));
        if let Some(sequence) = item.inbox {
            done.push(sequence.to_string());
        }
        let recorded = (item.kind == ArrivalKind::Invoke && !is_told)
            .then(|| item.answer_name().zip(answer.body.clone()))
            .flatten();
        self.committed_below = committed_below;
        running.step = None;
        self.decided_by_turn(&item.work, decides, now);
        self.concluding = Some((item, Conclusion::Done(answer)));
        self.write_record(done, recorded, now, out);
        result
    }

    /// A turn that failed commits nothing of its own: it is tried again from the inbox, parked, or answered with an error.
    pub(super) fn fail(&mut self, mut running: Box<Running>, error: &TurnError, now: Now, out: &mut Vec<Action>) {
        let item = &mut running.item;
        // A turn that is cut off because the shard leaves has not failed.
        let is_leaving = matches!(self.phase, Phase::Quiescing(_));
        item.attempts += u32::from(!is_leaving);
        out.push(Action::Note(Note::TurnFailed {
            route: item.route,
            attempt: item.attempts,
            reason: error.message.clone(),
        }));
        if item.kind == ArrivalKind::Invoke {
            let bot = self.identity.as_ref().map(|identity| identity.bot.clone());
            let answer = bot
                .zip(item.work.activity())
                .map(|(bot, activity)| bot.failed_answer(activity));
            let answer = answer.unwrap_or(Answer {
                status: 500,
                body: None,
            });
            reply_all(item, &done(&answer), out);
            return;
        }
        let is_over = !is_leaving && (error.is_final || item.attempts >= self.settings.attempts);
        if self.decided_by_failure(&running.item.work, is_over, now) {
            self.drop_work(running.item, now, out);
            return;
        }
        let item = &mut running.item;
        if is_over {
            let attempts = item.attempts;
            self.give_up(running.item, &error.message, attempts, now, out);
            return;
        }
        let back_off = milliseconds(self.settings.attempt_back_off) * 4_u64.pow(item.attempts.saturating_sub(1).min(8));
        let wait = error.retry_after.map_or(back_off, milliseconds);
        item.not_before_ms = if is_leaving { 0 } else { now.wall_ms + wait };
        self.keep_for_later(running.item, Conclusion::Retry, None, now, out);
    }

    /// The last attempt failed: the work stays in the inbox, marked, and the bot is told.
    pub(super) fn give_up(
        &mut self,
        mut item: Box<Item>,
        reason: &str,
        attempts: u32,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        if self.decided_by_failure(&item.work, true, now) {
            // Too late for anybody to do it again, so nobody can.
            self.drop_work(item, now, out);
            return;
        }
        match item.work {
            Work::Activity { .. } | Work::Signal { .. } | Work::Call(_) => {}
            Work::Sent { .. } | Work::Failed(_) | Work::Change { .. } | Work::StartCall(_) => {
                self.drop_work(item, now, out);
                return;
            }
        }
        let reference = effects::reference(self.key.0, item.turn_key);
        out.push(Action::Note(Note::Parked {
            route: item.route,
            attempts,
            reference: reference.clone(),
        }));
        item.parking = Some(Box::new(Parking {
            since_ms: now.wall_ms,
            reason: beginning_of(reason, PARKING_REASON_BYTES).to_owned(),
        }));
        item.not_before_ms = 0;
        let routes = self.identity.as_ref().map(|identity| &identity.bot.description.routes);
        let route = routes.zip(item.route).and_then(|(routes, route)| routes.get(route));
        let failure = Failure {
            what: FailedWork::Turn(route.map(|route| route.name.clone()).unwrap_or_default()),
            attempts,
            reference: reference.clone(),
        };
        self.keep_for_later(item, Conclusion::Parked, Some(failure), now, out);
    }

    /// Work of our own that cannot be done is not kept: nobody could do anything about it.
    pub(super) fn drop_work(&mut self, mut item: Box<Item>, now: Now, out: &mut Vec<Action>) {
        reply_all(&mut item, &refused(Reason::NewerState, 0), out);
        if self.event_is_told(&mut item) {
            let mut done = Vec::new();
            if let Some(memory) = self.memory.as_mut() {
                done.extend(memory.take_steps(item.turn_key));
                done.extend(memory.take_note_of(&item));
            }
            self.concluding = Some((item, Conclusion::Dropped));
            self.write_record(done, None, now, out);
            return;
        }
        if let Some(sequence) = item.inbox {
            let mut done = vec![sequence.to_string()];
            if let Some(memory) = self.memory.as_mut() {
                done.extend(memory.take_steps(item.turn_key));
                done.extend(memory.take_note_of(&item));
            }
            self.concluding = Some((item, Conclusion::Dropped));
            // With the record, so that no late copy of an earlier commit can put anything back.
            self.write_record(done, None, now, out);
        }
    }

    pub(super) fn keep_for_later(
        &mut self,
        mut item: Box<Item>,
        conclusion: Conclusion,
        failure: Option<Failure>,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let has_room = item.inbox.is_some() || self.inbox_has_room(&item);
        if !has_room {
            reply_all(&mut item, &refused(Reason::Overloaded, 3_000), out);
            return;
        }
        self.give_place(&mut item, now);
        let Some(memory) = self.memory.as_mut() else { return };
        memory.parked_changed |= matches!(conclusion, Conclusion::Parked);
        let note = memory.take_note_of(&item);
        let done = note.into_iter().chain(memory.take_mark(item.turn_key)).collect();
        let timer = item.timer.take();
        let mut changes_record = timer.is_some() || failure.is_some();
        if let (Some(number), Some(call)) = (item.event.take(), memory.record.call.as_mut()) {
            call.told(number);
            changes_record = true;
        }
        if let Some((name, key)) = timer {
            effects::complete_timer(&mut memory.record, &name, &key, now.wall_ms);
        }
        if let Some(failure) = failure {
            // Whoever is told of the failure may never have had a turn that committed.
            note_service_url(&mut memory.record, &item.work);
            self.queue_own(Work::Failed(failure), true, now);
        }
        self.concluding = Some((item, conclusion));
        if changes_record {
            self.write_record(done, None, now, out);
        } else {
            self.write_fields(done, now, out);
        }
    }

    /// Queues work of our own; the next commit makes it durable.
    pub(super) fn queue_own(&mut self, work: Work, is_urgent: bool, now: Now) {
        let id = self.next_number();
        let turn_key = self.next_random();
        let mut item = Box::new(Item::internal(id, work, turn_key, now));
        self.give_place(&mut item, now);
        if is_urgent {
            self.queue.push_front(item);
        } else {
            self.queue.push_back(item);
        }
    }

    pub(super) fn state_problem(
        &mut self,
        mut running: Box<Running>,
        problem: StateProblem,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        out.push(Action::Note(Note::StateUnusable {
            reason: problem.to_string(),
        }));
        let Some(identity) = self.identity.clone() else { return };
        match problem {
            StateProblem::Newer { .. } => {
                let item = &mut running.item;
                reply_all(item, &refused(Reason::NewerState, 5_000), out);
                self.hold_until = now.steady_ms + NEWER_STATE_WAIT_MS;
                if item.inbox.is_some() {
                    self.queue.push_front(running.item);
                }
            }
            StateProblem::Unreadable { .. } if is_person(&identity.triple) => self.drop_work(running.item, now, out),
            StateProblem::Unreadable { reason, .. } => {
                let state = self.memory.as_mut().and_then(|memory| memory.record.state.take());
                match (identity.bot.unreadable, state) {
                    (Unreadable::Reset, Some(state)) => {
                        out.push(Action::Note(Note::StateReset { version: state.version }));
                        if let Some(memory) = self.memory.as_mut() {
                            let until_ms = now.wall_ms + SET_ASIDE_MS;
                            memory.record.set_aside = Some(SetAside {
                                state: Some(state),
                                until_ms,
                            });
                        }
                        self.start(running.item, now, out);
                    }
                    (_, state) => {
                        if let Some(memory) = self.memory.as_mut() {
                            memory.record.state = state;
                        }
                        let message = format!("STATE_UNREADABLE: {reason}");
                        self.fail(
                            running,
                            &TurnError {
                                message,
                                retry_after: None,
                                is_final: true,
                            },
                            now,
                            out,
                        );
                    }
                }
            }
        }
    }
}

/// The card that answers a button after the default answer was given: the message with the button is replaced, as Teams would
/// have done with an answer in time.
fn late_card(bot: &BotRules, work: &mut Work, answer: &Answer) -> Option<(MessageRef, Bytes)> {
    let activity = work.activity()?;
    let message = MessageRef::Id(activity.reply_to_id.clone()?);
    let card = bot.late_card(activity, answer)?;
    (card.len() <= LATE_CARD_BYTES).then_some((message, card))
}

/// As much of a text as fits.
fn beginning_of(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Takes over the Connector that an activity names: the newest counts.
fn note_service_url(record: &mut Record, work: &Work) {
    if let Work::Activity {
        service_url,
        is_verified,
        ..
    } = work
        && !service_url.is_empty()
    {
        record.is_verified = *is_verified;
        if record.service_url != *service_url {
            record.service_url.clone_from(service_url);
        }
    }
}

/// Whether the default answer of a late invoke was recorded.
fn record_remembers(record: &Record, item: &Item) -> bool {
    let ring = record.ring.as_ref();
    item.repeat_key
        .is_some_and(|key| ring.is_some_and(|ring| ring.status_of(key).is_some()))
}

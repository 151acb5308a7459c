//! What the clock wants of a call.

use std::time::Duration;

use trunkline_bot::logic::CallEvent;
use trunkline_teams::graph::{Operation, OperationKind};

use super::super::event::{Action, Now};
use super::super::{Conversation, Response, milliseconds};
use crate::call::MomentKind;

/// How long one keep-alive is tried.
const KEEP_ALIVE_TRIES_MS: u64 = 120_000;

impl Conversation {
    /// Does everything of the call that is due.
    pub(super) fn do_what_is_due(&mut self, now: Now, out: &mut Vec<Action>) {
        self.hang_up_for_operators(now, out);
        let Some(call) = self.call_record() else { return };
        let due = call.next_due_ms();
        let is_waiting = call.late_at_ms().filter(|_| self.is_deciding());
        if due.is_none_or(|at| at > now.wall_ms) || (due == is_waiting && due.is_some()) {
            self.next_booking(now, out);
            return;
        }
        self.must_write(now);
        self.give_up_operations(now);
        let Some(call) = self.call_record() else { return };
        if call.late_at_ms().is_some_and(|at| at <= now.wall_ms) && !self.is_deciding() {
            self.decide_late("nobody decided in time", now);
        }
        self.keep_alive(now);
        self.look_if_silent(now);
        self.next_booking(now, out);
    }

    fn give_up_operations(&mut self, now: Now) {
        let Some(memory) = self.memory.as_mut() else { return };
        let Some(call) = memory.record.call.as_mut() else {
            return;
        };
        let own = call.give_up_own(now.wall_ms);
        for kind in own {
            call.note(
                MomentKind::Operation,
                format!("{} was given up", kind.name()),
                now.wall_ms,
            );
        }
        let before: Vec<String> = call.pending.iter().map(|pending| pending.key.clone()).collect();
        let events = call.give_up(now.wall_ms);
        if events.is_empty() {
            return;
        }
        for event in &events {
            let what = match event {
                CallEvent::OperationEnded(end) => format!("{} {}: no answer in time", end.operation, end.key),
                _ => "nobody knows whether it was made".to_owned(),
            };
            call.note(MomentKind::Host, what, now.wall_ms);
        }
        // What was still to be asked is not asked any more.
        let gone = |key: &String| before.contains(key) && !call.is_pending(key);
        memory
            .record
            .outbox
            .retain(|entry| entry.lane() != crate::record::Lane::Graph || !gone(&entry.key));
        let is_in_doubt = events.iter().any(|event| matches!(event, CallEvent::InDoubt));
        self.happened(events, "", now);
        if let Some(call) = self.call_record_mut().filter(|_| is_in_doubt) {
            call.doubt(now.wall_ms);
        }
    }

    /// Graph is told that the call is wanted.
    fn keep_alive(&mut self, now: Now) {
        let every = self.keep_alive_every();
        let Some(call) = self.call_record_mut() else { return };
        if call.keep_alive_ms == 0 || call.keep_alive_ms > now.wall_ms || call.id.is_none() {
            return;
        }
        let is_asking = |operation: Operation| operation.kind() == OperationKind::KeepAlive;
        if !call.own.iter().filter_map(crate::call::Own::operation).any(is_asking) {
            call.wants(&Operation::KeepAlive, now.wall_ms + KEEP_ALIVE_TRIES_MS);
        }
        call.keep_alive_ms = now.wall_ms + milliseconds(every);
        self.call_part().booking.wants_renewal = true;
    }

    pub(super) fn keep_alive_every(&self) -> Duration {
        let settings = self.identity.as_ref().and_then(|identity| identity.bot.call_settings());
        settings.map_or(Duration::from_secs(600), |settings| settings.keep_alive)
    }

    /// Nothing was heard for too long.
    fn look_if_silent(&mut self, now: Now) {
        let Some(call) = self.call_record_mut() else { return };
        if call.look_ms == 0 || call.look_ms > now.wall_ms {
            return;
        }
        if call.id.is_some() {
            call.look(now.wall_ms);
            return;
        }
        // A call that was perhaps made, and of which nothing was ever heard.
        call.note(MomentKind::Host, "nothing was heard of it", now.wall_ms);
        let events = call.over(None, now.wall_ms);
        self.happened(events, "", now);
    }

    /// An operator wants the call to end.
    pub(in super::super) fn hang_up_asked(&mut self, question: u64) {
        self.call_part().hang_ups.push(question);
    }

    /// An operator ends the call: answered when that is written.
    fn hang_up_for_operators(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(part) = &mut self.call else { return };
        let questions = std::mem::take(&mut part.hang_ups);
        if questions.is_empty() {
            return;
        }
        let is_there = self.call_record().is_some();
        let Some(call) = self.call_record_mut().filter(|call| !call.is_over()) else {
            let response = if is_there { Response::Done } else { Response::Unknown };
            answer_all(questions, &response, out);
            return;
        };
        if !call.by_operator {
            call.by_operator = true;
            call.note(MomentKind::Host, "an operator hangs up", now.wall_ms);
            let number = call.wants(&Operation::Delete, now.wall_ms + KEEP_ALIVE_TRIES_MS);
            call.is_decided = true;
            call.events
                .retain(|queued| !matches!(queued.event(), Some(CallEvent::Incoming)));
            self.call_part().hold_own(number);
        }
        self.must_write(now);
        self.call_part().hanging_up.extend(questions);
    }

    /// Operators hear that it is written.
    pub(super) fn answer_hang_ups(&mut self, out: &mut Vec<Action>) {
        if let Some(part) = &mut self.call {
            answer_all(std::mem::take(&mut part.hanging_up), &Response::Done, out);
        }
    }

    /// When the call next wants the clock, on the store's.
    pub(in super::super) fn call_due_ms(&self) -> Option<u64> {
        let call = self.call_record()?;
        let due = call.next_due_ms()?;
        if self.is_deciding() && call.late_at_ms() == Some(due) {
            // The limit of the turn that runs is the same moment.
            return None;
        }
        Some(due)
    }
}

pub(super) fn answer_all(questions: Vec<u64>, response: &Response, out: &mut Vec<Action>) {
    out.extend(questions.into_iter().map(|question| Action::Answer {
        question,
        response: response.clone(),
    }));
}

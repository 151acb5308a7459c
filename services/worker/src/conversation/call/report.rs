//! What comes to the actor of a call: notifications of Graph, and the wish to begin it. Both wait for nothing but memory and
//! the commit before theirs.

use std::time::Duration;

use bytes::Bytes;
use trunkline_proto::routing::{Accepted, Reason};

use super::super::event::{Action, Arrival, Note, Now, Ticket};
use super::super::work::StartCall;
use super::super::{ANSWER_MARGIN_MS, Conversation, Phase, Reply, Response, Work, milliseconds, moved, refused};
use super::CallPart;
use super::due::answer_all;
use super::leg::LegTold;

/// Reports that wait in memory for a commit; more are refused with 503.
const MOST: usize = 256;

/// A notification of Graph, of one call.
#[derive(Debug)]
pub struct Notified {
    /// Who waits.
    pub ticket: Ticket,
    /// Recognises repeats.
    pub repeat_key: Option<u64>,
    /// Time that the caller still waits.
    pub remaining: Duration,
    /// W3C trace context, empty for none.
    pub traceparent: String,
    /// The tenant of the verified token.
    pub tenant: String,
    /// When an ingress received it, in milliseconds since 1970.
    pub received_ms: u64,
    /// As it came.
    pub body: Bytes,
}

/// Something that was told, and who waits until it is durable.
pub(super) struct Report {
    pub(super) tickets: Vec<Ticket>,
    pub(super) repeat_key: Option<u64>,
    deadline_at: u64,
    pub(super) traceparent: String,
    pub(super) what: What,
}

/// What was told.
pub(super) enum What {
    Notification {
        tenant: String,
        received_ms: u64,
        body: Bytes,
    },
    Start(Box<StartCall>),
    Leg(LegTold),
}

impl Report {
    /// Of the call's leg, which waits for no answer.
    pub(super) fn of_leg(told: LegTold) -> Self {
        Self {
            tickets: Vec::new(),
            repeat_key: None,
            deadline_at: u64::MAX,
            traceparent: String::new(),
            what: What::Leg(told),
        }
    }

    /// Everybody who waits hears this.
    pub(super) fn reply(&mut self, reply: &Reply, out: &mut Vec<Action>) {
        out.extend(self.tickets.drain(..).map(|ticket| Action::Reply {
            ticket,
            reply: reply.clone(),
        }));
    }

    pub(super) fn accept(&mut self, out: &mut Vec<Action>) {
        self.reply(&Reply::Accepted(Accepted {}), out);
    }
}

impl CallPart {
    /// Takes a report of the leg, unless too many wait.
    pub(super) fn takes(&mut self, report: Report) -> bool {
        let has_room = self.reports.len() < MOST;
        if has_room {
            self.reports.push_back(report);
        }
        has_room
    }
}

impl Conversation {
    /// Graph told something.
    pub(in super::super) fn notified(&mut self, told: Notified, now: Now, out: &mut Vec<Action>) {
        let report = Report {
            tickets: vec![told.ticket],
            repeat_key: told.repeat_key,
            deadline_at: now.steady_ms + milliseconds(told.remaining),
            traceparent: told.traceparent,
            what: What::Notification {
                tenant: told.tenant,
                received_ms: told.received_ms,
                body: told.body,
            },
        };
        self.report(report, out);
    }

    /// A conversation or another call began this one. Gives back what is no such wish.
    pub(in super::super) fn begun(&mut self, arrival: Arrival, now: Now, out: &mut Vec<Action>) -> Option<Arrival> {
        let Work::StartCall(start) = arrival.work else {
            return Some(arrival);
        };
        let report = Report {
            tickets: vec![arrival.ticket],
            repeat_key: arrival.repeat_key,
            deadline_at: now.steady_ms + milliseconds(arrival.remaining),
            traceparent: arrival.traceparent,
            what: What::Start(start),
        };
        self.report(report, out);
        None
    }

    fn report(&mut self, mut report: Report, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving {
            report.reply(&moved(), out);
            return;
        }
        if self.identity.is_none() {
            report.reply(&refused(Reason::UnknownBot, 0), out);
            return;
        }
        let part = self.call.get_or_insert_default();
        let known = part.reports.iter_mut().chain(&mut part.hearing);
        let first = known
            .into_iter()
            .find(|known| report.repeat_key.is_some() && known.repeat_key == report.repeat_key);
        if let Some(first) = first {
            out.push(Action::Note(Note::Attached));
            first.tickets.append(&mut report.tickets);
            return;
        }
        if part.reports.len() >= MOST {
            out.push(Action::Note(Note::QueueFull));
            report.reply(&refused(Reason::QueueFull, 1_000), out);
            return;
        }
        part.reports.push_back(report);
    }

    /// Tellers who cannot wait any longer.
    pub(in super::super) fn expire_reports(&mut self, reason: Reason, now: Now, out: &mut Vec<Action>) {
        let Some(part) = &mut self.call else { return };
        let is_late = |report: &Report| report.deadline_at.saturating_sub(ANSWER_MARGIN_MS) <= now.steady_ms;
        part.reports.retain_mut(|report| {
            let is_kept = !is_late(report);
            if !is_kept {
                report.reply(&refused(reason, 1_000), out);
            }
            is_kept
        });
        // What is in a commit may be durable: it stays for that, without those who waited.
        for report in part.hearing.iter_mut().filter(|report| is_late(report)) {
            report.reply(&refused(reason, 1_000), out);
        }
    }

    /// When the next teller cannot wait any longer.
    pub(in super::super) fn reports_deadline(&self) -> Option<u64> {
        let part = self.call.as_ref()?;
        let all = part.reports.iter().chain(&part.hearing);
        let waiting = all.filter(|report| !report.tickets.is_empty());
        waiting
            .map(|report| report.deadline_at.saturating_sub(ANSWER_MARGIN_MS))
            .min()
    }

    /// A teller has gone.
    pub(in super::super) fn cancel_report(&mut self, ticket: Ticket) {
        if let Some(part) = &mut self.call {
            for report in part.reports.iter_mut().chain(&mut part.hearing) {
                report.tickets.retain(|waiting| *waiting != ticket);
            }
        }
    }

    /// Tellers who were not answered: for an actor that dies.
    pub(in super::super) fn take_tellers(&mut self) -> Vec<Ticket> {
        let part = self.call.as_mut();
        let reports = part.map(|part| part.reports.drain(..).chain(part.hearing.drain(..)));
        reports
            .into_iter()
            .flatten()
            .flat_map(|report| report.tickets)
            .collect()
    }

    /// What waits for the next owner.
    pub(in super::super) fn hand_back_reports(&mut self, out: &mut Vec<Action>) {
        if let Some(part) = &mut self.call {
            answer_all(std::mem::take(&mut part.hang_ups), &Response::Moved, out);
            for mut report in part.reports.drain(..) {
                report.reply(&moved(), out);
            }
        }
    }

    /// The shard is not ours any more: nothing is heard, asked or booked.
    pub(in super::super) fn lose_call(&mut self, out: &mut Vec<Action>) {
        let Some(mut part) = self.call.take() else { return };
        for mut report in part.reports.drain(..).chain(part.hearing.drain(..)) {
            report.reply(&moved(), out);
        }
        let questions = part.hang_ups.drain(..).chain(part.hanging_up.drain(..)).collect();
        answer_all(questions, &Response::Moved, out);
    }

    /// Nothing can be taken now.
    pub(in super::super) fn refuse_reports(&mut self, reason: Reason, out: &mut Vec<Action>) {
        if let Some(part) = &mut self.call {
            for mut report in part.reports.drain(..) {
                report.reply(&refused(reason, 0), out);
            }
        }
    }

    /// Memory is read anew: what is not known to be durable is heard again.
    pub(in super::super) fn forget_call(&mut self) {
        if let Some(part) = &mut self.call {
            for report in part.hearing.drain(..).rev() {
                part.reports.push_front(report);
            }
            part.hang_ups.append(&mut part.hanging_up);
            part.leg.forgets();
            part.own_unwritten = None;
            part.own_in_flight = None;
            part.leaving = None;
            part.wants_commit = false;
        }
    }

    /// The record in memory is written.
    pub(in super::super) fn call_written(&mut self, out: &mut Vec<Action>) {
        if let Some(part) = &mut self.call {
            for mut report in part.hearing.drain(..) {
                report.accept(out);
            }
            part.own_in_flight = None;
            part.leaving = None;
        }
        self.answer_hang_ups(out);
    }
}

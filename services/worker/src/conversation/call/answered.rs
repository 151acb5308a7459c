//! What Graph answered to an operation, or that nobody knows: what becomes of it, and of the call.

use trunkline_teams::calls::normal_id;
use trunkline_teams::graph::{Operation, OperationKind, Told};

use super::super::Conversation;
use super::super::event::{Action, Note, Now};
use super::ask::AskId;
use crate::call::{Half, MomentKind, NOT_CONFIRMED, News, is_look};

/// What has gone is looked for, not believed: its last notification may be on its way.
const GONE: u16 = 404;

/// What Graph answered.
#[derive(Clone, Debug)]
pub enum GraphAnswer {
    /// It took it.
    Told(Told),
    /// It did not take it, and will not.
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// Certainly not done, but perhaps later.
    Later {
        /// Not earlier than this, in milliseconds.
        after_ms: Option<u64>,
        /// For logs.
        reason: String,
    },
    /// Nothing was asked: this process may not begin requests now.
    Withheld,
    /// Nobody knows.
    Doubt {
        /// For logs.
        reason: String,
    },
}

impl Conversation {
    /// Graph answered, or nobody knows.
    pub(in super::super) fn graph_answered(&mut self, id: AskId, answer: GraphAnswer, now: Now, out: &mut Vec<Action>) {
        let Some(part) = &mut self.call else { return };
        let Some(lane) = [&mut part.ordered, &mut part.looks]
            .into_iter()
            .find(|lane| lane.asking == Some(id))
        else {
            return;
        };
        lane.asking = None;
        if let Some(name) = self.asked_of_host(id) {
            return self.host_answered(id, name, answer, now, out);
        }
        let Some(asked) = self.asked_operation(id) else {
            // What it was about has ended meanwhile; of a call that is being made the answer still tells its id.
            if let GraphAnswer::Told(Told::Call(call)) = answer {
                self.made(*call, now);
            }
            return;
        };
        let (kind, key) = (asked.kind(), self.key_of(id));
        // A leg does a command once, however often it is told.
        let (may_repeat, name) = (kind.may_repeat() || self.is_of_leg(id), kind.name());
        match answer {
            GraphAnswer::Withheld => return,
            GraphAnswer::Later { after_ms, reason } => return self.ask_later(id, after_ms, &reason, now, out),
            GraphAnswer::Doubt { reason } if may_repeat => return self.ask_later(id, None, &reason, now, out),
            GraphAnswer::Doubt { reason } => {
                self.take_out(id, now);
                self.let_peer_in(&asked);
                out.push(Action::Note(Note::GraphInDoubt {
                    operation: name,
                    reason,
                }));
                if let Some(call) = self.call_record_mut() {
                    call.note(MomentKind::Operation, format!("{name} {key}: in doubt"), now.wall_ms);
                    call.in_doubt(&key, now.wall_ms);
                }
            }
            GraphAnswer::Refused { status, code, message } => {
                self.take_out(id, now);
                self.let_peer_in(&asked);
                out.push(Action::Note(Note::GraphRefused {
                    operation: name,
                    status,
                    code: code.clone(),
                    message: message.clone(),
                }));
                self.note_operation(format!("{name} {key}: {status} {code}"), now);
                self.refused_by_graph(&asked, &key, (status, &code, &message), now);
            }
            GraphAnswer::Told(told) if self.goes_on(id, &asked, &told, now) => {}
            GraphAnswer::Told(told) => {
                self.take_out(id, now);
                self.let_peer_in(&asked);
                out.push(Action::Note(Note::GraphTook { operation: name }));
                self.note_operation(format!("{name} {key}: taken"), now);
                self.taken_by_graph(&asked, id, &key, told, now);
            }
        }
        self.must_write_soon(now);
    }

    /// Whether this was the first of two halves, or one that nothing may follow.
    fn goes_on(&mut self, id: AskId, asked: &Operation, told: &Told, now: Now) -> bool {
        let (AskId::Entry(sequence), Some(memory)) = (id, self.memory.as_mut()) else {
            return false;
        };
        let (Some(call), outbox) = (memory.record.call.as_mut(), &mut memory.record.outbox) else {
            return false;
        };
        let Some(place) = outbox.iter().position(|entry| entry.sequence == sequence) else {
            return false;
        };
        match call.half(&outbox[place], asked, told) {
            Half::Whole => return false,
            Half::Second(confirmed_by) => {
                let entry = &mut outbox[place];
                let what = format!("{} {}: the first half is done", entry.name, entry.key);
                entry.begins_second_half(confirmed_by);
                call.note(MomentKind::Operation, what, now.wall_ms);
                self.must_write(now);
            }
            Half::NotConfirmed => {
                let entry = outbox.remove(place);
                let (status, code) = NOT_CONFIRMED;
                let what = format!("{} {}: {status} {code}", entry.name, entry.key);
                call.note(MomentKind::Operation, what, now.wall_ms);
                let events = call.refused(
                    &entry.key,
                    status,
                    code,
                    "graph did not confirm it: nothing is recorded",
                );
                self.happened(events, "", now);
                self.must_write(now);
            }
        }
        true
    }

    /// What lets the peer in was told, and is not told again.
    fn let_peer_in(&mut self, asked: &Operation) {
        if asked.wants_media_host()
            && let Some(call) = self.call_record_mut()
        {
            call.forget_blob();
        }
    }

    fn note_operation(&mut self, what: String, now: Now) {
        if let Some(call) = self.call_record_mut() {
            call.note(MomentKind::Operation, what, now.wall_ms);
        }
    }

    /// What follows for the bot is run at once from memory; the commit of its turn writes this, too.
    pub(super) fn must_write_soon(&mut self, now: Now) {
        if let Some(memory) = self.memory.as_mut() {
            memory.dirty_since.get_or_insert(now.steady_ms);
        }
    }

    fn asked_operation(&self, id: AskId) -> Option<Operation> {
        let record = &self.memory.as_ref()?.record;
        match id {
            AskId::Entry(sequence) => record
                .outbox
                .iter()
                .find(|entry| entry.sequence == sequence)?
                .operation(),
            AskId::Own(number) => record
                .call
                .as_ref()?
                .own
                .iter()
                .find(|own| own.number == number)?
                .operation(),
        }
    }

    fn key_of(&self, id: AskId) -> String {
        let AskId::Entry(sequence) = id else {
            return String::new();
        };
        let outbox = self.memory.as_ref().map(|memory| memory.record.outbox.as_slice());
        let entry = outbox.and_then(|outbox| outbox.iter().find(|entry| entry.sequence == sequence));
        entry.map(|entry| entry.key.clone()).unwrap_or_default()
    }

    fn is_of_leg(&self, id: AskId) -> bool {
        let AskId::Entry(sequence) = id else { return false };
        let outbox = self.memory.as_ref().map(|memory| memory.record.outbox.as_slice());
        let mut entries = outbox.into_iter().flatten();
        entries.any(|entry| entry.sequence == sequence && entry.leg_command > 0)
    }

    pub(super) fn take_out(&mut self, id: AskId, now: Now) {
        let Some(memory) = self.memory.as_mut() else { return };
        match id {
            AskId::Entry(sequence) => memory.record.outbox.retain(|entry| entry.sequence != sequence),
            AskId::Own(number) => {
                if let Some(call) = memory.record.call.as_mut() {
                    call.own.retain(|own| own.number != number);
                }
            }
        }
        memory.dirty_since.get_or_insert(now.steady_ms);
    }

    pub(super) fn ask_later(
        &mut self,
        id: AskId,
        after_ms: Option<u64>,
        reason: &str,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let is_look = self.asked_operation(id).is_some_and(|operation| is_look(&operation));
        let part = self.call_part();
        let lane = if is_look { &mut part.looks } else { &mut part.ordered };
        lane.failed(id, after_ms, now);
        let reason = reason.to_owned();
        out.push(Action::Note(Note::GraphRetried { reason }));
    }

    fn taken_by_graph(&mut self, asked: &Operation, id: AskId, key: &str, told: Told, now: Now) {
        let keep_alive = self.keep_alive_every();
        let Some(call) = self.call_record_mut() else { return };
        match asked {
            Operation::Create(_) => {
                if let Told::Call(made) = told {
                    self.made(*made, now);
                } else {
                    // Without an id nothing can be asked of it: a notification will tell it.
                    call.in_doubt(key, now.wall_ms);
                }
                return;
            }
            Operation::Delete | Operation::Reject(_) | Operation::Redirect(_) => call.is_ending = true,
            Operation::Answer(_) => call.keep_alive_from(now.wall_ms, keep_alive),
            _ => {}
        }
        let events = match id {
            AskId::Entry(_) => call.answered(key, told, now.wall_ms),
            AskId::Own(_) => match told {
                Told::Call(found) => call.hear(News::Call(found), now.wall_ms),
                Told::Roster(roster) => call.hear(News::Roster(roster), now.wall_ms),
                _ => Vec::new(),
            },
        };
        self.happened(events, "", now);
    }

    /// The answer to the making of a call of our own, unless a notification was faster.
    fn made(&mut self, made: trunkline_teams::calls::Call, now: Now) {
        let id = made.id.as_deref().and_then(normal_id).or_else(|| made.id.clone());
        let is_new = self.call_record().is_some_and(|call| call.id.is_none());
        if let Some(id) = id.filter(|_| is_new) {
            self.adopt(id, now);
        }
        self.hear(News::Call(Box::new(made)), "", now);
        self.must_write_soon(now);
    }

    fn refused_by_graph(&mut self, asked: &Operation, key: &str, told: (u16, &str, &str), now: Now) {
        let (status, code, message) = told;
        let kind = asked.kind();
        if kind == OperationKind::Create {
            self.not_made(status, code, message, now);
            return;
        }
        let Some(call) = self.call_record_mut() else { return };
        let mut events = Vec::new();
        if !key.is_empty() {
            events = call.refused(key, status, code, message);
        } else if asked.wants_media_host() {
            events = call.not_reopened(status, code, message);
        }
        if status == GONE && is_about_the_call(kind) {
            if is_look(asked) || call.is_ending {
                events.extend(call.hear(News::Gone, now.wall_ms));
            } else {
                self.happened(events, "", now);
                if let Some(call) = self.call_record_mut() {
                    call.look_soon(now.wall_ms);
                }
                return;
            }
        }
        self.happened(events, "", now);
    }
}

/// Whether a 404 means the call, rather than somebody in it.
fn is_about_the_call(kind: OperationKind) -> bool {
    !matches!(
        kind,
        OperationKind::GetParticipant
            | OperationKind::RemoveParticipant
            | OperationKind::MuteParticipant
            | OperationKind::StartHoldMusic
            | OperationKind::StopHoldMusic
    )
}

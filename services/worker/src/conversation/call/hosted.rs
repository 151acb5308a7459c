//! What the bot asks of the media host alone: Graph has no part in it. Let out and answered like every other operation.

use super::super::Conversation;
use super::super::event::{Action, Note, Now};
use super::answered::GraphAnswer;
use super::ask::AskId;
use crate::call::MomentKind;
use crate::record::Entry;
use trunkline_teams::graph::Told;

impl Conversation {
    /// Name of the operation, if it is one of these.
    pub(super) fn asked_of_host(&self, id: AskId) -> Option<&'static str> {
        self.entry_of(id)?.hosted().map(|operation| operation.name())
    }

    fn entry_of(&self, id: AskId) -> Option<&Entry> {
        let AskId::Entry(sequence) = id else { return None };
        let record = &self.memory.as_ref()?.record;
        record.outbox.iter().find(|entry| entry.sequence == sequence)
    }

    /// The leg answered, or nobody knows. It does a command once, however often it is told.
    pub(super) fn host_answered(
        &mut self,
        id: AskId,
        name: &'static str,
        answer: GraphAnswer,
        now: Now,
        out: &mut Vec<Action>,
    ) {
        let key = self.entry_of(id).map(|entry| entry.key.clone()).unwrap_or_default();
        let events = match answer {
            GraphAnswer::Withheld => return,
            GraphAnswer::Later { after_ms, reason } => return self.ask_later(id, after_ms, &reason, now, out),
            GraphAnswer::Doubt { reason } => return self.ask_later(id, None, &reason, now, out),
            GraphAnswer::Refused { status, code, message } => {
                self.take_out(id, now);
                let Some(call) = self.call_record_mut() else { return };
                call.note(
                    MomentKind::Operation,
                    format!("{name} {key}: {status} {code}"),
                    now.wall_ms,
                );
                let events = call.refused(&key, status, &code, &message);
                out.push(Action::Note(Note::GraphRefused {
                    operation: name,
                    status,
                    code,
                    message,
                }));
                events
            }
            GraphAnswer::Told(_) => {
                self.take_out(id, now);
                let Some(call) = self.call_record_mut() else { return };
                call.note(MomentKind::Operation, format!("{name} {key}: taken"), now.wall_ms);
                out.push(Action::Note(Note::GraphTook { operation: name }));
                call.answered(&key, Told::Nothing, now.wall_ms)
            }
        };
        self.happened(events, "", now);
        self.must_write_soon(now);
    }
}

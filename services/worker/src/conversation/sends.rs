//! The outbox as far as the record is concerned: what may leave now, and what a try means for its entry.

use trunkline_bot::SentRef;
use trunkline_bot::logic::{FailedWork, Failure};

use super::event::{Action, Note, Now};
use super::work::Work;
use super::{Conversation, Phase, effects, milliseconds};
use crate::outbox::{SendResult, Unsendable, Verdict};
use crate::record::SentId;

impl Conversation {
    /// Starts what the outbox may send now.
    pub(super) fn next_sends(&mut self, now: Now, out: &mut Vec<Action>) {
        let is_uncertain = self.in_flight.as_ref().is_some_and(|in_flight| in_flight.tries > 1);
        if self.phase != Phase::Serving || !now.may_begin || is_uncertain {
            return;
        }
        while let Some(memory) = self.memory.as_ref().filter(|memory| !memory.record.outbox.is_empty()) {
            match self.outbox.next(&memory.record, self.committed_below, now) {
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
            Verdict::Unknown | Verdict::Untried => return,
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
                let failure = Failure {
                    what: FailedWork::Send(SentRef(sequence)),
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
        if memory.record.outbox.is_empty() {
            // So most conversations rest, and the room of an entry is a quarter of a kilobyte.
            memory.record.outbox = Vec::new();
        }
        memory.dirty_since.get_or_insert(now.steady_ms);
        if let Some(own) = own {
            self.queue_own(own, false, now);
        }
    }
}

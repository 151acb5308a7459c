//! What became of a commit: written, refused by the fence, met by another header, or unknown and tried again.

use trunkline_proto::routing::{Accepted, Reason};
use trunkline_store::StoreError;
use trunkline_store::contract::{Committed, Header};

use super::commit::places_in;
use super::ended::CONFLICTS;
use super::event::{Action, Note, Now, StepRefused};
use super::item::Item;
use super::operator::Response;
use super::{Conclusion, Conversation, Late, Reply, done, refused, reply_all};

impl Conversation {
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
                self.written(now, out);
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
                // The store has waited for an answer itself; what it refuses, it refuses at once.
                let doublings = match error {
                    StoreError::Unavailable { .. } => 2,
                    _ => 5,
                };
                let wait = 25_u64 << in_flight.tries.min(doublings);
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

    pub(super) fn leave_inbox(&mut self, item: &Item) {
        if let (Some(memory), Some(_)) = (self.memory.as_mut(), item.inbox) {
            memory.inbox_bytes = memory.inbox_bytes.saturating_sub(item.work.body_bytes());
        }
    }

    pub(super) fn written(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(in_flight) = self.in_flight.take() else { return };
        if let Some(memory) = self.memory.as_mut() {
            if let Some(header) = in_flight.header {
                memory.header = header;
            }
            memory.inbox_entries = memory.inbox_entries.saturating_sub(places_in(&in_flight.commit.done));
            memory.steps.extend(in_flight.steps);
            if let Some(note) = in_flight.note {
                memory.noted(note);
            }
        }
        if in_flight.header.is_some() {
            self.call_written(out);
        }
        if let Some(question) = self.operating.take() {
            let response = Response::Done;
            out.push(Action::Answer {
                question: question.0,
                response,
            });
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
                item.counted
                    .get_or_insert_with(|| self.holding.backlog.count(now.wall_ms));
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
                    // Of an owner that leaves, too: its later commits must know that something waits.
                    self.queue.push_front(item);
                }
                Conclusion::Parked => {
                    accepted(&mut item, out);
                    self.has_parked(&item);
                }
                Conclusion::Replayed => self.take_back(item),
                Conclusion::Dropped => self.leave_inbox(&item),
            }
        }
    }

    /// The record is another one than we read: read it anew and go on from what is stored.
    pub(super) fn conflict(&mut self, stored: Header, out: &mut Vec<Action>) {
        let ours = self.memory.as_ref().map_or(Header::ABSENT, |memory| memory.header);
        out.push(Action::Note(Note::CommitConflict { ours, stored }));
        if stored.version < ours.version {
            self.has_regressed = true;
            out.push(Action::Note(Note::StoreRegressed { ours, stored }));
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
            self.queue.push_front(item);
        }
        // Done once more, or found to be done, when the record is read.
        self.asked.extend(self.operating.take());
        self.forget();
    }

    /// Nobody knows whether the commit was written, and nobody waits any longer: the record will tell.
    pub(super) fn abandon(&mut self, reason: Reason, out: &mut Vec<Action>) {
        let in_flight = self.in_flight.take();
        if let Some((question, _)) = self.operating.take() {
            let response = Response::Unavailable("the store did not answer".to_owned());
            out.push(Action::Answer { question, response });
        }
        if let Some((mut item, _)) = self.concluding.take() {
            reply_all(&mut item, &refused(reason, 1_000), out);
            self.queue.push_front(item);
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
            self.queue.push_front(running.item);
        }
        self.forget();
    }
}

/// An item is durable: its callers hear so.
fn accepted(item: &mut Item, out: &mut Vec<Action>) {
    if !item.is_stored {
        item.is_stored = true;
        item.is_promised = true;
        out.push(Action::Note(Note::AcceptedIntoInbox));
    }
    reply_all(item, &Reply::Accepted(Accepted {}), out);
}

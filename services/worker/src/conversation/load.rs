//! Reading the record and the inbox, and forgetting them.

use std::sync::Arc;

use trunkline_proto::routing::{Accepted, Reason};
use trunkline_store::StoreError;
use trunkline_store::contract::Loaded;

use super::event::{Action, Note, Now};
use super::item::Item;
use super::memory::{Found, Memory};
use super::operator::Response;
use super::turn::turn_key_of_timer;
use super::{Conversation, Identity, Loading, Phase, Reply, refused, reply_all, rules_for};
use crate::record::RecordError;

impl Conversation {
    pub(super) fn load_if_needed(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving || self.loading.is_running {
            return;
        }
        let has_reports = self.call.as_ref().is_some_and(|part| part.has_reports());
        self.loading.is_wanted |= !self.queue.is_empty() || !self.asked.is_empty() || has_reports;
        if self.loading.is_wanted && self.loading.not_before <= now.steady_ms {
            self.loading.is_running = true;
            out.push(Action::Load);
        }
    }

    pub(super) fn loaded(&mut self, loaded: Result<Loaded, StoreError>, now: Now, out: &mut Vec<Action>) {
        self.loading.is_running = false;
        self.loading.unread = None;
        let triple = self.identity.as_ref().map(|identity| &identity.triple);
        let found = match loaded {
            Ok(loaded) => Memory::read(loaded, triple, now.wall_ms),
            Err(error) => {
                out.push(Action::Note(Note::CannotLoad {
                    reason: error.to_string(),
                }));
                self.load_later(now);
                return;
            }
        };
        match found {
            Ok(Some(found)) => self.remember(found, now, out),
            Ok(None) => {
                self.loading.is_wanted = false;
                self.answer_all(&Response::Unknown, out);
            }
            Err(RecordError::Newer { stored }) => {
                self.loading.unread = Some(stored);
                out.push(Action::NeedsReader { format: stored });
                self.load_later(now);
            }
            Err(error @ (RecordError::Unreadable(_) | RecordError::AnotherTriple)) => {
                self.cannot_load(&error, Reason::StoreUnavailable, out);
            }
        }
    }

    /// No worker that lives reads what is stored. As long as one does, whoever waits waits for the shard to move there.
    pub(super) fn read_nowhere(&mut self, out: &mut Vec<Action>) {
        if let Some(stored) = self.loading.unread.take() {
            out.push(Action::Note(Note::ReadNowhere { format: stored }));
            self.cannot_load(&RecordError::Newer { stored }, Reason::NewerState, out);
        }
    }

    fn cannot_load(&mut self, error: &RecordError, reason: Reason, out: &mut Vec<Action>) {
        out.push(Action::Note(Note::CannotLoad {
            reason: error.to_string(),
        }));
        for mut item in self.queue.drain(..) {
            reply_all(&mut item, &refused(reason, 0), out);
        }
        self.refuse_reports(reason, out);
        self.answer_all(&Response::Unavailable(error.to_string()), out);
        self.loading.is_wanted = false;
    }

    pub(super) fn load_later(&mut self, now: Now) {
        self.loading.failures += 1;
        let wait = 50_u64 << self.loading.failures.min(5);
        self.loading.not_before = now.steady_ms + wait;
    }

    pub(super) fn remember(&mut self, found: Found, now: Now, out: &mut Vec<Action>) {
        self.loading = Loading::default();
        if self.identity.is_none() {
            let Some(bot) = rules_for(&self.bots, &found.triple) else {
                let reason = "its bot is not configured here".to_owned();
                out.push(Action::Note(Note::CannotLoad { reason }));
                return;
            };
            self.identity = Some(Arc::new(Identity {
                triple: found.triple,
                bot,
            }));
        }
        self.memory = Some(found.memory);
        if std::mem::take(&mut self.has_regressed)
            && let Some(memory) = self.memory.as_mut()
        {
            // The next commit writes the record: then nothing of before fits it any more.
            memory.dirty_since = Some(now.steady_ms);
        }
        self.committed_below = u64::MAX;
        let is_noted = |memory: &&mut Memory| !(memory.notes.is_empty() && memory.steps.is_empty());
        if let Some(memory) = self.memory.as_mut().filter(is_noted) {
            let timers = memory.record.timers.iter().map(turn_key_of_timer);
            let parked = memory.parked.iter().map(|(_, entry)| entry.turn_key);
            let entries = found.accepted.iter().map(|(_, entry)| entry.turn_key);
            let pending: Vec<u64> = timers.chain(parked).chain(entries).collect();
            memory.forget_all_but(&pending);
        }
        let claimed_ms = self.holding.token.epoch.0;
        for (sequence, accepted) in found.accepted.into_iter().rev() {
            let key = accepted.repeat_key;
            // A repeat that came before the load takes the place of the entry, not its own at the end of the queue.
            let waiting = self
                .queue
                .iter()
                .position(|item| key.is_some() && item.repeat_key == key);
            if let Some(mut item) = waiting.and_then(|place| self.queue.remove(place)) {
                item.inbox = Some(sequence);
                item.is_stored = true;
                item.attempts = accepted.attempts;
                item.not_before_ms = accepted.not_before_ms;
                item.first_run_ms = accepted.first_run_ms;
                item.arrived_wall_ms = 0;
                item.accepted_ms = accepted.accepted_ms;
                item.deaths = accepted.deaths;
                item.is_found = accepted.accepted_ms <= claimed_ms;
                item.is_promised = true;
                reply_all(&mut item, &Reply::Accepted(Accepted {}), out);
                self.queue.push_front(item);
                continue;
            }
            let id = self.next_number();
            let mut item = Box::new(Item::from_accepted(id, sequence, accepted, now));
            if let (Some(identity), Some(activity)) = (&self.identity, item.work.activity()) {
                item.route = identity.bot.route_of(activity);
            }
            // Epochs follow the store's clock: what is older than ours was another owner's.
            item.is_found = item.accepted_ms <= claimed_ms;
            if item.not_before_ms <= now.wall_ms {
                item.counted = Some(self.holding.backlog.count(item.accepted_ms));
            }
            self.queue.push_front(item);
        }
        self.keep_promises(out);
        self.call_is_known(now);
    }

    /// Activities that were durable and are not any more: applied and gone, or lost by the store.
    fn keep_promises(&mut self, out: &mut Vec<Action>) {
        let Some(memory) = &self.memory else { return };
        self.queue.retain(|item| {
            let Some(key) = item.repeat_key.filter(|_| item.is_promised && item.inbox.is_none()) else {
                return true;
            };
            let is_done = memory.is_known(key);
            if !is_done {
                out.push(Action::Note(Note::ReacceptedAfterLoss));
            }
            !is_done
        });
    }

    /// Drops what memory says of the record; it is read again before the next turn.
    pub(super) fn forget(&mut self) {
        self.memory = None;
        self.committed_below = u64::MAX;
        self.loading.is_wanted = true;
        self.pass = None;
        self.forget_call();
        self.queue.retain_mut(|item| item.outlives_memory());
    }
}

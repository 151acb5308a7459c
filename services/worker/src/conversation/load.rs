//! Reading the record and the inbox, and forgetting them.

use trunkline_proto::routing::{Accepted, Reason};
use trunkline_store::StoreError;
use trunkline_store::contract::Loaded;

use super::event::{Action, Note, Now};
use super::item::Item;
use super::memory::{Found, Memory};
use super::{Conversation, Identity, Loading, Phase, Reply, refused, reply_all};
use crate::record::RecordError;

impl Conversation {
    pub(super) fn load_if_needed(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving || self.loading.is_running {
            return;
        }
        self.loading.is_wanted |= !self.queue.is_empty();
        if self.loading.is_wanted && self.loading.not_before <= now.steady_ms {
            self.loading.is_running = true;
            out.push(Action::Load);
        }
    }

    pub(super) fn loaded(&mut self, loaded: Result<Loaded, StoreError>, now: Now, out: &mut Vec<Action>) {
        self.loading.is_running = false;
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
            Ok(None) => self.loading.is_wanted = false,
            Err(error) => {
                let reason = match error {
                    RecordError::Newer { .. } => Reason::NewerState,
                    RecordError::Unreadable(_) | RecordError::AnotherTriple => Reason::StoreUnavailable,
                };
                out.push(Action::Note(Note::CannotLoad {
                    reason: error.to_string(),
                }));
                for mut item in self.queue.drain(..) {
                    reply_all(&mut item, &refused(reason, 0), out);
                }
                self.loading.is_wanted = false;
            }
        }
    }

    pub(super) fn load_later(&mut self, now: Now) {
        self.loading.failures += 1;
        let wait = 50_u64 << self.loading.failures.min(5);
        self.loading.not_before = now.steady_ms + wait;
    }

    pub(super) fn remember(&mut self, found: Found, now: Now, out: &mut Vec<Action>) {
        self.loading = Loading::default();
        if self.identity.is_none() {
            let Some(bot) = self.bots.get(&found.triple.bot).cloned() else {
                let reason = "its bot is not configured here".to_owned();
                out.push(Action::Note(Note::CannotLoad { reason }));
                return;
            };
            self.identity = Some(Identity {
                triple: found.triple,
                bot,
            });
        }
        self.memory = Some(found.memory);
        self.committed_below = u64::MAX;
        for (sequence, accepted) in found.accepted.into_iter().rev() {
            if accepted.is_parked {
                continue;
            }
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
                reply_all(&mut item, &Reply::Accepted(Accepted {}), out);
                self.queue.push_front(item);
                continue;
            }
            let id = self.next_number();
            let mut item = Item::from_accepted(id, sequence, accepted, now);
            if let (Some(identity), Some(activity)) = (&self.identity, item.work.activity()) {
                item.route = identity.bot.route_of(activity);
            }
            self.queue.push_front(item);
        }
    }

    /// Drops what memory says of the record; it is read again before the next turn.
    pub(super) fn forget(&mut self) {
        self.memory = None;
        self.committed_below = u64::MAX;
        self.loading.is_wanted = true;
        self.queue.retain(|item| !item.is_stored && item.is_awaited());
        for item in &mut self.queue {
            item.inbox = None;
        }
    }
}

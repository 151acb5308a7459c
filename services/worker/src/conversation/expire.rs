//! What time ends: budgets, limits, and the stay of a shard at this worker.

use trunkline_bot::logic::{End, TurnError};
use trunkline_proto::routing::Reason;

use super::arrive::RETRY_SHED_MS;
use super::event::{Action, ArrivalKind, Note, Now};
use super::item::Item;
use super::operator::Response;
use super::{ANSWER_MARGIN_MS, Conversation, Late, Loading, Phase, Running, milliseconds, moved, refused, reply_all};

impl Conversation {
    /// Budgets and limits that have passed.
    pub(super) fn expire(&mut self, now: Now, out: &mut Vec<Action>) {
        let is_store_away =
            self.memory.is_none() || self.in_flight.as_ref().is_some_and(|in_flight| in_flight.tries > 1);
        let late = if self.loading.unread.is_some() {
            Reason::NewerState
        } else if is_store_away {
            Reason::StoreUnavailable
        } else {
            Reason::TooLate
        };
        let (settings, memory) = (&self.settings, self.memory.as_ref());
        let is_full = |item: &Item| memory.is_some_and(|memory| !memory.has_room(item, settings));
        self.queue.retain_mut(|item| {
            if !item.is_awaited() {
                return true;
            }
            if item.is_stored_first() && item.inbox.is_none() && is_full(item) {
                out.push(Action::Note(Note::ShedRefused));
                reply_all(item, &refused(Reason::Overloaded, RETRY_SHED_MS), out);
                return false;
            }
            if item.kind == ArrivalKind::Invoke && item.budget_at <= now.steady_ms {
                reply_all(item, &refused(Reason::Deadline, 0), out);
                return false;
            }
            if item.deadline_at.saturating_sub(ANSWER_MARGIN_MS) <= now.steady_ms {
                reply_all(item, &refused(late, 1_000), out);
                // Its acceptance may be under way.
                return item.inbox.is_some() || item.is_promised;
            }
            true
        });
        self.expire_reports(late, now, out);
        self.stop_asking_when_it_leaves(now);
        self.expire_running(now, late, out);
        self.expire_commit(now, out);
    }

    pub(super) fn expire_running(&mut self, now: Now, late: Reason, out: &mut Vec<Action>) {
        let phase = self.phase;
        let Some(running) = self.running.as_mut().filter(|running| running.ended.is_none()) else {
            return;
        };
        let item = &mut running.item;
        if item.is_awaited() && item.deadline_at.saturating_sub(ANSWER_MARGIN_MS) <= now.steady_ms {
            reply_all(item, &refused(late, 1_000), out);
        }
        if item.kind == ArrivalKind::Invoke
            && item.is_awaited()
            && matches!(running.late, Late::No)
            && item.budget_at <= now.steady_ms
        {
            let bot = self.identity.as_ref().map(|identity| &identity.bot);
            let answer = bot
                .zip(item.work.activity())
                .and_then(|(bot, activity)| bot.late_answer(activity));
            running.late = if let Some(answer) = answer {
                Late::Wanted(answer)
            } else {
                reply_all(item, &refused(Reason::Deadline, 0), out);
                Late::Told
            };
        }
        if running.limit_at <= now.steady_ms {
            stop(running, "the turn outlived its limit", out);
        } else if let Phase::Quiescing(until) = phase
            && until <= now.steady_ms
        {
            if running.item.kind == ArrivalKind::Invoke {
                reply_all(&mut running.item, &moved(), out);
                out.push(Action::Drop { run: running.run });
                self.running = None;
            } else {
                stop(running, "the shard leaves this worker", out);
            }
        }
    }

    pub(super) fn quiesce(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Serving {
            return;
        }
        self.phase = Phase::Quiescing(now.steady_ms + milliseconds(self.settings.quiesce));
        self.queue.retain_mut(|item| {
            reply_all(item, &moved(), out);
            item.inbox.is_some()
        });
        let running = self.running.as_ref().map(|running| running.item.turn_key);
        if let Some(memory) = self.memory.as_mut() {
            memory.note_wanted = None;
            let notes = memory.take_own_notes(self.holding.token.holder, running);
            if !notes.is_empty() {
                // With the record, so that no late copy of the commit that wrote one can put it back.
                memory.dirty_since.get_or_insert(now.steady_ms);
                memory.obsolete.extend(notes);
            }
        }
        self.hand_back_reports(out);
        self.decide_before_leaving(now);
        self.answer_all(&Response::Moved, out);
    }

    /// The fence refused us: nothing more is written or sent.
    pub(super) fn lose(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Lost;
        if let Some(mut running) = self.running.take() {
            out.push(Action::Drop { run: running.run });
            reply_all(&mut running.item, &moved(), out);
        }
        if let Some((mut item, _)) = self.concluding.take() {
            reply_all(&mut item, &moved(), out);
        }
        for mut item in self.queue.drain(..) {
            reply_all(&mut item, &moved(), out);
        }
        self.asked.extend(self.operating.take());
        self.lose_call(out);
        self.answer_all(&Response::Moved, out);
        self.pass = None;
        self.in_flight = None;
        self.memory = None;
        self.loading = Loading::default();
    }
}

/// Ends a turn from outside: it counts as failed.
fn stop(running: &mut Running, why: &'static str, out: &mut Vec<Action>) {
    out.push(Action::Drop { run: running.run });
    running.step = None;
    running.ended = Some((
        End::Failed(TurnError {
            message: why.to_owned(),
            retry_after: None,
            is_final: false,
        }),
        Vec::new(),
    ));
}

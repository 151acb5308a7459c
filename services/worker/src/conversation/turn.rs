//! Which work runs next, what its turn begins with, and what its end means.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use trunkline_bot::Address;
use trunkline_bot::logic::{Begin, End, KeptStep, Outcome, STEP_BYTES, STEPS_PER_TURN, StoredState, TurnError};
use trunkline_proto::routing::Reason;
use trunkline_store::key::{ActorKind, Triple};
use xxhash_rust::xxh3::xxh3_64;

use super::event::{Action, Note, Now, Run, StepRefused};
use super::item::Item;
use super::runs::Admission;
use super::work::Work;
use super::{Conversation, Late, Phase, Running, milliseconds, refused, reply_all};
use crate::record::{EntryKind, Record, Timer};

impl Conversation {
    /// Starts the next turn. `true` when something ended on the way and there may be more to do.
    pub(super) fn next_turn(&mut self, now: Now, out: &mut Vec<Action>) -> bool {
        if self.phase != Phase::Serving || !now.may_begin || !self.is_free() || self.hold_until > now.steady_ms {
            return false;
        }
        // What happened in a call comes before what is asked of it.
        if let Some(own) = self.due_event(now).or_else(|| self.due_timer(now)) {
            return match self.admit(&own, now) {
                Admission::Runs => self.start(own, now, out),
                Admission::NotesFirst => true,
                Admission::Waits => false,
                // It is given up by a commit, and there is one at a time.
                Admission::Poisons(_) if self.in_flight.is_some() => false,
                Admission::Poisons(deaths) => self.poison(own, deaths, now, out),
            };
        }
        while let Some(head) = self.queue.front() {
            // Its caller has gone before it was promised anything: nothing will make it durable, and nothing may wait for it.
            let is_forgotten = !head.is_stored && head.inbox.is_none() && !head.is_awaited() && !head.is_promised;
            let waits_to_be_stored = head.is_stored_first() && !head.is_stored && !is_forgotten;
            if head.not_before_ms > now.wall_ms || waits_to_be_stored {
                return false;
            }
            let Some(mut item) = self.queue.pop_front() else {
                return false;
            };
            if is_forgotten {
                continue;
            }
            if self.is_repeat(&mut item, out) {
                return true;
            }
            if self.has_no_call(&item.work) {
                self.leave_undone(*item, out);
                return true;
            }
            let least = milliseconds(self.settings.least_remaining);
            if item.inbox.is_none() && item.deadline_at.saturating_sub(now.steady_ms) < least {
                reply_all(&mut item, &refused(Reason::TooLate, 1_000), out);
                continue;
            }
            return match self.admit(&item, now) {
                Admission::Runs => self.start(item, now, out),
                Admission::Poisons(_) if self.in_flight.is_some() => {
                    self.queue.push_front(item);
                    false
                }
                Admission::Poisons(deaths) => self.poison(item, deaths, now, out),
                admission @ (Admission::NotesFirst | Admission::Waits) => {
                    self.queue.push_front(item);
                    matches!(admission, Admission::NotesFirst)
                }
            };
        }
        self.pass = None;
        false
    }

    /// Work that took its process down as often as work may.
    fn poison(&mut self, item: Box<Item>, deaths: u32, now: Now, out: &mut Vec<Action>) -> bool {
        self.pass = None;
        let route = item.route;
        out.push(Action::Note(Note::Poisoned { route, deaths }));
        let reason = format!("{deaths} processes died while its turn ran");
        self.give_up(item, &reason, deaths, now, out);
        true
    }

    /// Work that was applied or given up before it got its turn: an entry of the inbox whose removal was not written, or a repeat that
    /// waited for the load.
    fn is_repeat(&mut self, item: &mut Item, out: &mut Vec<Action>) -> bool {
        let is_known = item
            .repeat_key
            .is_some_and(|key| self.memory.as_ref().is_some_and(|memory| memory.is_known(key)));
        if is_known
            && let Some(sequence) = item.inbox
            && let Some(memory) = self.memory.as_mut()
        {
            memory.obsolete.push(sequence.to_string());
            // Its steps may have come back with it; those of parked work stay.
            if !item.repeat_key.is_some_and(|key| memory.is_parked(key)) {
                let steps = memory.take_steps(item.turn_key);
                memory.obsolete.extend(steps);
            }
            memory.inbox_bytes = memory.inbox_bytes.saturating_sub(item.work.body_bytes());
        }
        self.reply_from_ring(item, out) || is_known
    }

    /// The earliest timer that is due, if it is older than what waits in the queue.
    fn due_timer(&mut self, now: Now) -> Option<Box<Item>> {
        let memory = self.memory.as_ref()?;
        let timer = memory.record.timers.iter().min_by_key(|timer| timer.at_ms)?;
        let is_turn =
            timer.at_ms <= now.wall_ms && self.queue.front().is_none_or(|head| timer.at_ms < head.arrived_wall_ms);
        if !is_turn {
            return None;
        }
        let work = Work::Signal {
            name: timer.name.clone(),
            key: timer.key.clone(),
            payload: timer.payload.clone(),
        };
        let names = (timer.name.clone(), timer.key.clone());
        let timer_at_ms = timer.at_ms;
        let turn_key = turn_key_of_timer(timer);
        let id = self.next_number();
        let mut item = Box::new(Item::internal(id, work, turn_key, now));
        item.timer = Some(names);
        // Due before the shard was ours: its turn may have run at an earlier owner.
        item.is_found = timer_at_ms <= self.holding.token.epoch.0;
        Some(item)
    }

    /// Begins a turn. `true` when it ended at once.
    pub(super) fn start(&mut self, mut item: Box<Item>, now: Now, out: &mut Vec<Action>) -> bool {
        item.counted = None;
        let run = self.next_number();
        let (Some(identity), Some(memory)) = (self.identity.clone(), self.memory.as_ref()) else {
            return false;
        };
        if item.first_run_ms == 0 {
            item.first_run_ms = memory.mark_of(item.turn_key).unwrap_or(now.wall_ms);
        }
        let state = memory.record.state.as_ref().map(|state| StoredState {
            version: state.version,
            bytes: state.bytes.clone(),
        });
        let steps = memory.steps_of(item.turn_key);
        let turn_limit = milliseconds(identity.bot.turn_limit);
        let limit_at = now.steady_ms + turn_limit;
        let decision_limit = self.decision_limit(&item, now);
        let mut running = Box::new(Running {
            run,
            started_at: now.steady_ms,
            limit_at: decision_limit.map_or(limit_at, |limit| limit.min(limit_at)),
            person: None,
            step: None,
            steps_kept: steps.len(),
            late: Late::No,
            ended: None,
            item,
        });
        if let Work::Change { name, change } = &running.item.work {
            let end = match identity.bot.apply(name, state, change) {
                Ok(state) => End::Commit(Outcome {
                    state: Some(state),
                    ..Outcome::default()
                }),
                Err(problem) => End::State(problem),
            };
            running.ended = Some((end, Vec::new()));
            self.running = Some(running);
            return true;
        }

        let record = &memory.record;
        let mut locale = None;
        let mut service_url = &record.service_url;
        let mut is_verified = record.is_verified;
        if let Some(activity) = running.item.work.activity() {
            running.person = activity.from.as_ref().and_then(|from| from.id.clone());
            locale.clone_from(&activity.locale);
        }
        let Some(input) = running.item.work.input() else {
            let message = "the stored body cannot be read".to_owned();
            running.ended = Some((
                End::Failed(TurnError {
                    message,
                    retry_after: None,
                    is_final: true,
                }),
                Vec::new(),
            ));
            self.running = Some(running);
            return true;
        };
        if let Work::Activity {
            service_url: newest,
            is_verified: verified,
            ..
        } = &running.item.work
            && !newest.is_empty()
        {
            service_url = newest;
            is_verified = *verified;
        }
        let begin = Begin {
            input,
            here: here(&identity.triple, record, service_url),
            state,
            steps,
            now: UNIX_EPOCH + Duration::from_millis(running.item.first_run_ms),
            seed: format!("{}:{:016x}", self.key, running.item.turn_key),
            attempt: running.item.attempts + 1,
            locale,
            next_sequence: record.next_sequence,
            call: self.call_now(now),
        };
        let changes = record
            .outbox
            .iter()
            .filter(|entry| entry.kind() == EntryKind::ChangeUser);
        out.push(Action::Run(Box::new(Run {
            run: running.run,
            begin,
            limit: Duration::from_millis(running.limit_at - now.steady_ms),
            traceparent: running.item.traceparent.clone(),
            route: running.item.route,
            is_verified,
            pending_changes: changes
                .map(|entry| (entry.key.clone(), entry.name.clone(), entry.body.clone()))
                .collect(),
        })));
        self.running = Some(running);
        false
    }

    /// A running turn wants a step kept.
    pub(super) fn keep_step(&mut self, run: u64, step: KeptStep, out: &mut Vec<Action>) {
        let Some(running) = self
            .running
            .as_mut()
            .filter(|running| running.run == run && running.ended.is_none())
        else {
            let result = Err(StepRefused::NotKept("the turn is over"));
            out.push(Action::StepKept { run, result });
            return;
        };
        let problem = if step.name.is_empty() {
            Some("a step needs a name".to_owned())
        } else if step.result.len() > STEP_BYTES {
            Some(format!(
                "step {:?} keeps {} bytes, the limit is {STEP_BYTES}",
                step.name,
                step.result.len()
            ))
        } else if running.steps_kept >= STEPS_PER_TURN {
            Some(format!("a turn keeps at most {STEPS_PER_TURN} steps"))
        } else {
            None
        };
        if let Some(problem) = problem {
            let result = Err(StepRefused::Limit(problem));
            out.push(Action::StepKept { run, result });
            return;
        }
        running.steps_kept += 1;
        running.step = Some(step);
    }
}

/// Where a turn runs.
fn here(triple: &Triple, record: &Record, service_url: &str) -> Address {
    let service_url = service_url.to_owned();
    match triple.kind {
        ActorKind::Call => Address::Call {
            tenant: record.tenant().to_owned(),
            service_url,
            call: triple.conversation.clone(),
        },
        ActorKind::Conversation | ActorKind::Person => Address::Conversation {
            tenant: triple.tenant.clone(),
            service_url,
            conversation: triple.conversation.clone(),
        },
    }
}

/// Names the turn of a timer in each of its runs.
pub(super) fn turn_key_of_timer(timer: &Timer) -> u64 {
    xxh3_64(format!("{}\n{}\n{}", timer.name, timer.key, timer.at_ms).as_bytes())
}

/// The mark that an invoke leaves with its first step.
pub(super) fn mark(first_run_ms: u64) -> Bytes {
    Bytes::copy_from_slice(&first_run_ms.to_be_bytes())
}

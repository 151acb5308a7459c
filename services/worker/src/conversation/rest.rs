//! What an actor waits for, and whether it waits for anything: when it wants to be told that time passed, whether it may
//! leave memory, and when it is next due.

use super::event::Now;
use super::memory::Memory;
use super::{ANSWER_MARGIN_MS, Conversation, Phase};

/// How long an idle actor with a timer stays in memory for it.
const NEAR_TIMER_MS: u64 = 60_000;

impl Conversation {
    /// When [`super::Event::Tick`] is wanted, on the steady clock.
    pub fn deadline(&self, now: Now) -> Option<u64> {
        if self.phase == Phase::Lost {
            return None;
        }
        let mut next = u64::MAX;
        let mut at = |time: u64| next = next.min(time);
        let steady = |wall_ms: u64| now.steady_ms + wall_ms.saturating_sub(now.wall_ms);
        for item in self.queue.iter().filter(|item| item.is_awaited()) {
            // A budget that has passed waits for something else: memory, the commit in flight, or room.
            if item.inbox.is_none() && item.budget_at > now.steady_ms {
                at(item.budget_at);
            }
            at(item.deadline_at.saturating_sub(ANSWER_MARGIN_MS).max(now.steady_ms + 1));
        }
        if let Some(running) = self.running.as_ref().filter(|running| running.ended.is_none()) {
            at(running.limit_at);
            if running.item.is_awaited() {
                at(running.item.budget_at.max(now.steady_ms + 1));
            }
            if let Phase::Quiescing(until) = self.phase {
                at(until);
            }
        }
        self.reports_deadline()
            .into_iter()
            .for_each(|deadline| at(deadline.max(now.steady_ms + 1)));
        if let Some(in_flight) = &self.in_flight {
            if let Some(repeat_at) = in_flight.repeat_at {
                at(repeat_at);
            }
        } else if let Some(dirty_since) = self.memory.as_ref().and_then(|memory| memory.dirty_since) {
            at(self.settle_at(dirty_since));
        }
        if self.memory.is_none() && self.loading.is_wanted && !self.loading.is_running {
            at(self.loading.not_before);
        }
        if self.phase == Phase::Serving
            && now.may_begin
            && let Some(memory) = &self.memory
        {
            let of_call = self.asks_deadline().into_iter().chain(self.booking_deadline());
            let of_call = of_call.chain(self.leg_deadline(now));
            of_call.for_each(|time| at(time.max(now.steady_ms + 1)));
            if !memory.record.outbox.is_empty()
                && let Some(retry) = self.outbox.deadline()
            {
                at(retry.max(now.steady_ms + 1));
            }
            // While a commit is in flight its answer comes first, and says what is next.
            if self.is_free() && self.in_flight.is_none() {
                if self.waiting.ask_at > now.steady_ms {
                    at(self.waiting.ask_at);
                } else if let Some(head) = self.queue.front() {
                    at(steady(head.not_before_ms).max(self.hold_until));
                } else if let Some(timer) = memory.record.next_timer_ms() {
                    at(steady(timer).max(self.hold_until));
                }
            }
        }
        if let Some(stop) = self.stops_asking_at() {
            at(stop.max(now.steady_ms + 1));
        }
        if self.phase == Phase::Serving
            && self.in_flight.is_none()
            && let Some(due) = self.call_due_ms()
        {
            at(steady(due));
        }
        if let Some(sweep) = self.memory.as_ref().and_then(Memory::next_sweep_ms) {
            at(steady(sweep).max(now.steady_ms + 1));
        }
        (next != u64::MAX).then_some(next)
    }

    /// Whether the actor may leave memory: nothing runs, waits or is due within a minute.
    pub fn is_idle(&self, now: Now) -> bool {
        let has_reports = self.call.as_ref().is_some_and(|part| part.has_reports());
        let is_at_rest = self.is_quiet() && self.queue.is_empty() && !self.loading.is_running && !has_reports;
        if self.phase == Phase::Lost {
            return true;
        }
        let Some(memory) = &self.memory else {
            return is_at_rest && !self.loading.is_wanted;
        };
        is_at_rest
            && memory.record.outbox.is_empty()
            && memory.record.call.as_ref().is_none_or(|call| !call.needs_owner())
            && memory
                .record
                .next_due_ms()
                .is_none_or(|at| at > now.wall_ms + NEAR_TIMER_MS)
    }

    /// Whether nothing of this actor is under way: it may be dropped without losing anything.
    pub fn is_quiet(&self) -> bool {
        self.is_call_quiet()
            && self.running.is_none()
            && self.concluding.is_none()
            && self.in_flight.is_none()
            && self.asked.is_empty()
            && !self.outbox.is_sending()
            && self.memory.as_ref().is_none_or(|memory| memory.dirty_since.is_none())
    }

    /// When something stored is next due, in milliseconds since 1970.
    pub fn next_wake_ms(&self) -> Option<u64> {
        self.memory.as_ref().and_then(|memory| memory.record.next_due_ms())
    }
}

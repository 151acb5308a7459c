//! What a call does by the clock: the deadline of a decision, operations that are given up, keep-alive, and looking whether it
//! still lives when nothing is heard.

use std::time::Duration;

use trunkline_teams::calls::CallState;
use trunkline_teams::graph::{Operation, OperationKind};

use super::operations::is_look;
use super::record::{CallRecord, Lease};

/// The default decision is taken so long before the deadline: Graph needs its time, too.
const MARGIN_MS: u64 = 3_000;
/// The same for an invitation to record.
const RECORDING_MARGIN_MS: u64 = 1_500;
/// How long one look, or one keep-alive, is tried.
const LOOK_TRIES_MS: u64 = 60_000;
/// First wait for news that should come; each further one is twice as long, up to [`LONGEST_LOOK_MS`].
const LOOK_MS: u64 = 30_000;
const LONGEST_LOOK_MS: u64 = 600_000;
/// How long a call of which nobody knows whether it was made is kept for a notification.
const DOUBT_MS: u64 = 600_000;
/// Graph ends a call that nobody decided about; its notification comes before this.
const AFTER_DECISION_MS: u64 = 5_000;
/// From a refusal that says that the call has gone to the look: its last notification may be on its way, and tells more.
const SOON_MS: u64 = 2_000;

impl CallRecord {
    /// When the default decision is taken, in milliseconds since 1970, if none has been.
    pub fn late_at_ms(&self) -> Option<u64> {
        let margin = if self.is_recording_invitation {
            RECORDING_MARGIN_MS
        } else {
            MARGIN_MS
        };
        self.waits_for_decision()
            .then(|| self.decide_by_ms.saturating_sub(margin))
    }

    /// When something of the call is next due, in milliseconds since 1970.
    pub fn next_due_ms(&self) -> Option<u64> {
        let of_leg = self.leg.as_ref().map_or(0, |leg| leg.due_ms);
        let times = [self.keep_alive_ms, self.look_ms, of_leg];
        let pending = self.pending.iter().map(|pending| pending.until_ms);
        let own = self.own.iter().map(|own| own.until_ms);
        let times = times.into_iter().chain(pending).chain(own).filter(|at| *at > 0);
        times.chain(self.late_at_ms()).min()
    }

    /// Whether it needs an owner at all times: until it is over, and everything of it is told and written down. So the next
    /// owner of its shard looks after it at once.
    pub fn needs_owner(&self) -> bool {
        !self.is_over() || !self.events.is_empty() || self.lease() == Lease::Closing || self.is_leg_closing()
    }

    /// Asks for the roster, unless that is under way.
    pub(super) fn ask_roster(&mut self, now_ms: u64) {
        self.look_with(&Operation::ListParticipants, now_ms);
    }

    /// Asks Graph how the call stands, unless that is under way.
    pub fn look(&mut self, now_ms: u64) {
        self.look_ms = 0;
        self.look_with(&Operation::Get, now_ms);
    }

    fn look_with(&mut self, operation: &Operation, now_ms: u64) {
        let kind = operation.kind();
        let is_known = |known: Operation| known.kind() == kind;
        if !self.own.iter().filter_map(super::record::Own::operation).any(is_known) {
            self.wants(operation, now_ms + LOOK_TRIES_MS);
        }
    }

    /// When Graph is asked if it tells nothing: after the time to decide, and while it should be telling something.
    pub fn await_news(&mut self, now_ms: u64) {
        self.look_ms = 0;
        if self.is_over() {
            return;
        }
        if self.waits_for_decision() {
            self.look_ms = self.decide_by_ms + AFTER_DECISION_MS;
        } else if self.awaits_news() && self.id.is_some() {
            self.look_later(now_ms);
        }
    }

    /// Looks at the call if nothing is heard of it in time.
    pub fn look_later(&mut self, now_ms: u64) {
        let wait = (LOOK_MS << self.looks.min(8)).min(LONGEST_LOOK_MS);
        self.looks += 1;
        self.look_by(now_ms + wait);
    }

    /// Looks at the call at once, as soon as its last notification had its chance.
    pub fn look_soon(&mut self, now_ms: u64) {
        self.look_by(now_ms + SOON_MS);
    }

    /// A call of which nobody knows whether it was made is over if nothing is heard of it.
    pub fn doubt(&mut self, now_ms: u64) {
        self.look_by(now_ms + DOUBT_MS);
    }

    fn look_by(&mut self, at_ms: u64) {
        if self.look_ms == 0 || self.look_ms > at_ms {
            self.look_ms = at_ms;
        }
    }

    /// Graph is told again and again that the call is wanted, from when it was made or answered.
    pub fn keep_alive_from(&mut self, now_ms: u64, every: Duration) {
        if self.keep_alive_ms == 0 && !self.is_over() {
            let every = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
            self.keep_alive_ms = now_ms.saturating_add(every);
        }
    }

    /// Whether Graph should be telling something soon: the call was answered, made or ended, and is not where that leads.
    fn awaits_news(&self) -> bool {
        let is_settled = matches!(
            self.state(),
            CallState::Established | CallState::Hold | CallState::Terminated
        );
        !is_settled || self.is_ending
    }

    /// Operations of the host that are given up now.
    pub fn give_up_own(&mut self, now_ms: u64) -> Vec<OperationKind> {
        let over = self.own.extract_if(.., |own| own.until_ms <= now_ms);
        let over: Vec<Operation> = over.filter_map(|own| own.operation()).collect();
        if over.iter().any(is_look) {
            self.look_later(now_ms);
        }
        over.iter().map(Operation::kind).collect()
    }
}

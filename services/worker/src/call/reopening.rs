//! Another leg in place of one that was lost: opened like the first, told to the peer by a second answer, and there once the peer has come.
//!
//! Everything is in the record at once: the leg that is wanted, the answer that waits for it, and the operation of the bot that ends with
//! the sound. So whoever looks after the call goes on where the last owner was.

use trunkline_bot::logic::{CallEvent, HostedOperation, OperationOutcome};
use trunkline_teams::calls::MediaConfig;
use trunkline_teams::graph::{Answer, Operation};

use super::kept::NO_LEG;
use super::leg::{Leg, LegState};
use super::operations::done;
use super::record::{CallRecord, Pending};
use super::timeline::MomentKind;

/// Status and code where the sound is not lost.
const MEDIA_THERE: (u16, &str) = (409, "TRUNKLINE_MEDIA_THERE");
/// From the bot's wish to the sound: opening has 3 s, the peer 30 s.
const REOPEN_MS: u64 = 45_000;

impl CallRecord {
    /// Whether the bot has asked for another leg.
    pub fn wants_to_reopen(&self) -> bool {
        self.pending
            .iter()
            .any(|pending| pending.kind == HostedOperation::REOPEN)
    }

    /// Whether another leg is on its way.
    pub fn is_reopening(&self) -> bool {
        self.pending.iter().any(is_under_way)
    }

    /// The bot wants another leg; what follows at once where it cannot have one.
    pub fn reopen(&mut self, key: &str, now_ms: u64) -> Vec<CallEvent> {
        match &self.leg {
            None => return self.refused(key, NO_LEG.0, NO_LEG.1, "no media host carries the sound of this call"),
            Some(leg) if leg.state() != LegState::Gone => {
                let why = "the sound of the call is not lost";
                return self.refused(key, MEDIA_THERE.0, MEDIA_THERE.1, why);
            }
            // Commands go on counting: the names of recordings hold their numbers.
            Some(leg) => self.leg = Some(Leg::after(leg)),
        }
        let until_ms = now_ms + REOPEN_MS;
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.key == key) {
            pending.until_ms = until_ms;
        }
        let answer = Operation::Answer(Box::new(Answer {
            media_config: Some(MediaConfig::app_hosted()),
            ..Answer::default()
        }));
        self.wants(&answer, until_ms);
        self.note(MomentKind::Host, "another media host is looked for", now_ms);
        Vec::new()
    }

    /// The peer has come.
    pub(super) fn reopened(&mut self) -> Vec<CallEvent> {
        let place = self.pending.iter().position(is_under_way);
        place.map_or_else(Vec::new, |place| self.end_operation(place, done()))
    }

    /// No host has room, or Graph does not tell the peer. Nothing if no other leg is on its way.
    pub fn not_reopened(&mut self, status: u16, code: &str, why: &str) -> Vec<CallEvent> {
        let under_way = self.pending.iter().find(|pending| is_under_way(pending));
        let key = under_way.map(|pending| pending.key.clone());
        key.map_or_else(Vec::new, |key| self.refused(&key, status, code, why))
    }

    /// The operation ended like this. Without success the sound stays lost: a leg that was opened is nobody's, and its host ends it.
    pub(super) fn reopening_ended(&mut self, ended: &Pending, outcome: &OperationOutcome) {
        if !is_under_way(ended) || matches!(outcome, OperationOutcome::Completed(_)) {
            return;
        }
        self.own
            .retain(|own| !own.operation().is_some_and(|own| own.wants_media_host()));
        if let Some(leg) = &mut self.leg
            && matches!(leg.state(), LegState::Wanted | LegState::Open)
        {
            leg.set_state(LegState::Gone);
            leg.blob.clear();
            "no other media host took the call".clone_into(&mut leg.why);
        }
    }
}

/// One that was refused at once has no time of its own.
fn is_under_way(pending: &Pending) -> bool {
    pending.kind == HostedOperation::REOPEN && pending.until_ms > 0
}

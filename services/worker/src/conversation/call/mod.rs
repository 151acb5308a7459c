//! The call in the actor of a call: what Graph tells is taken by the machine (`crate::call`) at once and made durable before it
//! is acknowledged, whatever the bot is doing; what follows for the bot waits in the record for a turn of its own.
//!
//! `report` takes what comes, `hear` gives it to the machine, `due` does what the clock wants, `ask` lets operations out to
//! Graph and `answered` takes what comes back, `leg` is the way to a media host, `hosted` what the bot asks of that one alone, `book` counts the call, `tell` makes turns of what the bot is to be told.
//!
//! The machine's work needs no turn, so it is done between commits: the record in memory is changed when no commit is in
//! flight, and the next one writes it.

mod answered;
mod ask;
mod book;
mod due;
pub(super) mod effects;
mod hear;
mod hosted;
mod leg;
mod report;
mod tell;

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::answered::GraphAnswer;
use self::ask::AskLane;
pub use self::ask::{AskId, GraphAsk};
use self::book::BookingState;
pub use self::book::{Booked, Booking};
use self::leg::LegLane;
pub use self::leg::{LegAnswer, LegAsk, LegPlace, LegTold, LegWish};
pub use self::report::Notified;
use self::report::Report;
use super::{Conversation, Phase};
use crate::call::{CallRecord, Lease};

/// Budgets and limits of the calls of a bot.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// How often Graph is told that a call is wanted. It drops a call of which it heard nothing for 45 minutes (documented),
    /// and advises 15; all its samples take 10.
    pub keep_alive: Duration,
    /// Most calls of a tenant at once, of all bots; `None` for any number. Graph allows an app 100 (documented).
    pub simultaneous: Option<u32>,
    /// Most calls of the bot in a tenant a month; `None` for any number. Graph allows an app 10,000 (documented).
    pub monthly: Option<u64>,
    /// How long the record of a call that ended is kept.
    pub retention: Duration,
    /// How long an ended call stands in the log of ended calls.
    pub log_retention: Duration,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            keep_alive: Duration::from_secs(600),
            simultaneous: None,
            monthly: None,
            retention: Duration::from_secs(24 * 3_600),
            log_retention: Duration::from_secs(400 * 24 * 3_600),
        }
    }
}

/// What the actor of a call has in memory beside its record.
#[derive(Default)]
pub(super) struct CallPart {
    /// What was told and is not in the record yet.
    reports: VecDeque<Report>,
    /// What is in the record in memory, and whose tellers wait for the commit.
    hearing: Vec<Report>,
    /// Operations that wait for one another.
    ordered: AskLane,
    /// Operations that only look.
    looks: AskLane,
    /// How this process stands to the call's leg.
    leg: LegLane,
    /// Operations of the host from this number on are in no commit yet.
    own_unwritten: Option<u64>,
    /// The same, in the commit in flight.
    own_in_flight: Option<u64>,
    /// The entry that the commit in flight lets leave.
    leaving: Option<u64>,
    booking: BookingState,
    /// The record in memory should be written at once.
    wants_commit: bool,
    /// The record was read by this actor: what left afterwards left from here.
    is_known: bool,
    /// The shard leaves, and what was to be sent before had its time.
    has_left: bool,
    /// Operators that want the call to end.
    hang_ups: Vec<u64>,
    /// Those whose wish is in the record in memory.
    hanging_up: Vec<u64>,
}

impl CallPart {
    /// Whether anything is under way that must not be cut off.
    fn is_quiet(&self) -> bool {
        self.hearing.is_empty() && !self.ordered.is_asking() && !self.looks.is_asking() && !self.booking.is_running
    }

    pub(super) fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    pub(super) fn wants_commit(&self) -> bool {
        self.wants_commit
    }
}

impl Conversation {
    /// Whether nothing of the call is under way, and no decision about one that rings is still to be sent by an owner that
    /// leaves.
    pub(super) fn is_call_quiet(&self) -> bool {
        let Some(part) = &self.call else { return true };
        let waits_to_leave = self.phase != Phase::Serving && !part.has_left && self.has_decision_to_send();
        part.is_quiet() && !waits_to_leave
    }

    /// Whether the call of this actor counts among those under way; `None` where that is not known, or there is none.
    pub fn is_call_under_way(&self) -> Option<bool> {
        self.call_record().map(|call| call.lease() == Lease::Held)
    }

    /// The call of this actor, as far as it is known.
    pub(super) fn call_record(&self) -> Option<&CallRecord> {
        self.memory.as_ref()?.record.call.as_deref()
    }

    fn call_record_mut(&mut self) -> Option<&mut CallRecord> {
        self.memory.as_mut()?.record.call.as_deref_mut()
    }

    fn call_part(&mut self) -> &mut CallPart {
        self.call.get_or_insert_default()
    }
}

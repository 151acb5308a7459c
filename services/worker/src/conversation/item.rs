//! Work in an actor's queue.

use super::backlog::Counted;
use super::event::{ArrivalKind, Now, Ticket};
use super::work::Work;
use crate::record::{Accepted, Names, Parking, format_of};

/// One piece of work: waiting, running or being concluded.
#[derive(Debug)]
pub(super) struct Item {
    /// Names the item within its actor.
    pub id: u64,
    pub kind: ArrivalKind,
    pub work: Work,
    /// The first caller; repeats attach themselves to `more`.
    pub ticket: Option<Ticket>,
    pub more: Vec<Ticket>,
    pub repeat_key: Option<u64>,
    /// A second key for a route that was declared `once_per`.
    pub second_key: Option<u64>,
    /// Names the turn in each of its runs.
    pub turn_key: u64,
    pub route: Option<usize>,
    pub arrived_wall_ms: u64,
    /// When the caller must have heard something.
    pub budget_at: u64,
    /// When the caller stops waiting.
    pub deadline_at: u64,
    /// Place in the inbox, once one was given.
    pub inbox: Option<u64>,
    /// Whether that place is known to be on disk.
    pub is_stored: bool,
    /// Time of the first run; 0 before.
    pub first_run_ms: u64,
    /// Runs that failed.
    pub attempts: u32,
    pub not_before_ms: u64,
    /// Since when and why it is given up.
    pub parking: Option<Box<Parking>>,
    /// When it was made durable; of an entry without that time, 0.
    pub accepted_ms: u64,
    /// Workers that died with it before it was made durable.
    pub deaths: u32,
    /// An earlier owner of the shard left it, so its turn may have run there.
    pub is_found: bool,
    /// The worker has no room for its turn now: it is made durable at once and waits.
    pub is_shed: bool,
    /// Its callers were told that it is durable.
    pub is_promised: bool,
    /// While it waits in the inbox.
    pub counted: Option<Counted>,
    /// Commits of this item that met another header.
    pub conflicts: u32,
    /// The timer that this item is, until its turn or its acceptance completes it.
    pub timer: Option<(String, String)>,
    /// The event of the call that this item is, until its turn or its acceptance completes it.
    pub event: Option<u64>,
    pub traceparent: String,
}

impl Item {
    /// Work of the actor itself: nobody waits for it.
    pub(super) fn internal(id: u64, work: Work, turn_key: u64, now: Now) -> Self {
        Self {
            id,
            kind: ArrivalKind::Message,
            work,
            ticket: None,
            more: Vec::new(),
            repeat_key: None,
            second_key: None,
            turn_key,
            route: None,
            arrived_wall_ms: now.wall_ms,
            budget_at: u64::MAX,
            deadline_at: u64::MAX,
            inbox: None,
            is_stored: false,
            first_run_ms: 0,
            attempts: 0,
            not_before_ms: 0,
            parking: None,
            accepted_ms: 0,
            deaths: 0,
            is_found: false,
            is_shed: false,
            is_promised: false,
            counted: None,
            conflicts: 0,
            timer: None,
            event: None,
            traceparent: String::new(),
        }
    }

    /// An item from the inbox.
    pub(super) fn from_accepted(id: u64, sequence: u64, stored: Accepted, now: Now) -> Self {
        let work = Work::from_accepted(stored.work.unwrap_or_default());
        Self {
            repeat_key: stored.repeat_key,
            inbox: Some(sequence),
            is_stored: true,
            first_run_ms: stored.first_run_ms,
            attempts: stored.attempts,
            not_before_ms: stored.not_before_ms,
            parking: stored.parking.map(Box::new),
            accepted_ms: stored.accepted_ms,
            deaths: stored.deaths,
            is_promised: true,
            traceparent: stored.traceparent,
            // Older than everything that arrives now.
            arrived_wall_ms: 0,
            ..Self::internal(id, work, stored.turn_key, now)
        }
    }

    /// The stored form.
    pub(super) fn to_accepted(&self, names: Names) -> Accepted {
        Accepted {
            format: format_of(names.kind),
            names: Some(names),
            work: Some(self.work.to_accepted()),
            repeat_key: self.repeat_key,
            turn_key: self.turn_key,
            first_run_ms: self.first_run_ms,
            attempts: self.attempts,
            not_before_ms: self.not_before_ms,
            is_parked: self.parking.is_some(),
            traceparent: self.traceparent.clone(),
            accepted_ms: self.accepted_ms,
            deaths: self.deaths,
            parking: self.parking.as_deref().cloned(),
        }
    }

    /// Whether it may run only once it is durable.
    pub(super) fn is_stored_first(&self) -> bool {
        self.kind == ArrivalKind::Message && (self.is_shed || self.deaths > 0)
    }

    /// Prepares an item for memory being read anew; `false` when it goes with it. What is durable comes back with the load,
    /// unless the store lost it: then an activity that its caller was promised is made durable once more. Its key says
    /// whether it was applied.
    pub(super) fn outlives_memory(&mut self) -> bool {
        let is_stored = std::mem::take(&mut self.is_stored);
        self.inbox = None;
        self.parking = None;
        self.not_before_ms = 0;
        self.counted = None;
        let is_kept_promise = self.is_promised && self.repeat_key.is_some() && self.work.is_activity();
        is_kept_promise || (!is_stored && self.is_awaited())
    }

    /// Whether somebody waits for an answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.ticket.is_some()
    }

    /// Adds a caller.
    pub(super) fn attach(&mut self, ticket: Ticket) {
        if self.ticket.is_none() {
            self.ticket = Some(ticket);
        } else {
            self.more.push(ticket);
        }
    }

    /// Removes a caller; `true` if it was one of ours.
    pub(super) fn detach(&mut self, ticket: Ticket) -> bool {
        if self.ticket == Some(ticket) {
            self.ticket = self.more.pop();
            return true;
        }
        let before = self.more.len();
        self.more.retain(|waiting| *waiting != ticket);
        before != self.more.len()
    }

    /// All callers, who then wait no longer.
    pub(super) fn take_tickets(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        self.ticket.take().into_iter().chain(std::mem::take(&mut self.more))
    }

    /// Name of its recorded answer.
    pub(super) fn answer_name(&self) -> Option<String> {
        self.second_key.or(self.repeat_key).map(|key| format!("{key:016x}"))
    }
}

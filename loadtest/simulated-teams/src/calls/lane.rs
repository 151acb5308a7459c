//! The lane of one call: its notifications leave one after the other, unless disorder is wanted.

use std::collections::VecDeque;

use serde_json::Value;

/// What a notification is about, where that decides what its answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteKind {
    /// An incoming call: the answer decides whether the bot can be reached.
    Incoming,
    /// The same in the older format.
    Legacy,
    /// A recorded person wants to join: the body of the answer decides.
    Joining,
    /// Anything later.
    Later,
}

/// One notification on its way.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) kind: NoteKind,
    /// `commsNotification`, complete; of the older format the whole body.
    pub(super) body: Value,
    /// For people: `updated established`.
    pub(super) label: String,
    pub(super) url: String,
    /// The message id of the first attempt.
    pub(super) original: Option<String>,
    pub(super) attempts: u32,
    /// Redirections by the bot so far.
    pub(super) hops: u32,
    /// Whether it blocks its lane while it is on its way.
    pub(super) is_in_lane: bool,
    pub(super) is_repeat: bool,
    /// Whether it carries a `Scenario-Id`.
    pub(super) has_scenario: bool,
}

/// Notifications of one call in their order.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) waiting: VecDeque<Outgoing>,
    /// Whether one is on its way, waits for its repeat, or waits for company.
    pub(super) is_busy: bool,
    /// Whether any was sent yet.
    pub(super) has_sent: bool,
    /// How many the bot has answered, or not taken.
    pub(super) settled: u64,
}

//! What there is. Everything is small: there are millions of states.

use crate::words::{Record, SmallFence, SmallToken};

/// Processes. The first two share a name: one was restarted, and the other does not know it yet.
pub(super) const PROCESSES: u8 = 3;
/// Most messages of one kind.
pub(super) const MESSAGES: usize = 3;

/// The name of a process, as the map knows it.
pub(super) fn name(process: u8) -> u8 {
    process / 2
}

/// Everything that decides what can happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) primary: Shard,
    pub(super) replica: Shard,
    pub(super) map: Map,
    pub(super) map_replica: Map,
    pub(super) processes: [Process; PROCESSES as usize],
    pub(super) claims: [Option<ClaimSent>; MESSAGES],
    pub(super) commits: [Option<CommitSent>; MESSAGES],
    pub(super) release: Option<SmallToken>,
    /// Activities that somebody was told are done.
    pub(super) acknowledged: u8,
    /// Activities that a failover took from the state and that were not applied again.
    pub(super) lost: u8,
    pub(super) failovers: u8,
    pub(super) map_failovers: u8,
    /// Whether the last commit removed an activity from the state.
    pub(super) removed: bool,
}

/// One server's copy of the shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Shard {
    pub(super) fence: SmallFence,
    pub(super) record: Record,
}

/// Which process owns the shard, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Map {
    pub(super) version: u8,
    pub(super) owner: u8,
}

/// A process. It does one thing after the other, and what it receives has its effect when the store sends it: a process
/// that is slow is one whose next step comes late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) token: Option<SmallToken>,
    /// The highest epoch that it ever held.
    pub(super) highest: u8,
    /// The conversation in its memory.
    pub(super) loaded: Option<Record>,
    pub(super) waits: Waits,
}

/// What a process waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Waits {
    #[default]
    Nothing,
    /// For the answer to this claim.
    Claim(u8),
    /// For the answer to this commit.
    Commit(u8),
    /// Until a replica confirms this commit, which is written.
    CommitConfirmed(u8),
    /// Until a replica confirms what it loaded.
    LoadConfirmed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Written,
    Fenced,
    Conflict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClaimSent {
    pub(super) by: u8,
    pub(super) map: u8,
    pub(super) floor: u8,
    /// How often it reached the store.
    pub(super) arrived: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CommitSent {
    pub(super) token: SmallToken,
    pub(super) expected: Record,
    pub(super) new: Record,
    pub(super) activity: u8,
}

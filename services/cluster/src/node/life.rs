//! Where one shard stands at this node.

use trunkline_store::contract::{Epoch, Token};

use super::times::{LOSS_FIRST, LOSS_FORGET, LOSS_LONGEST};
use crate::view::ShardState;

/// One shard's life here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    pub(super) state: State,
    /// Since when it is in this state.
    pub(super) since: u64,
    /// Highest epoch that this node has seen of it: it claims above.
    pub(super) floor: Epoch,
    /// Fences lost one after another.
    pub(super) losses: u32,
    /// Since when the store fails its claims.
    pub(super) failing: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The map gives it to us: to be claimed, by force or not, when its time comes.
    Waiting { first: u64, force: bool },
    /// A claim is under way.
    Claiming { first: u64, force: bool },
    /// Ours.
    Serving(Token),
    /// Being given away.
    Quiescing(Token),
    /// The release is under way.
    Releasing(Token),
    /// Given away while the claim is under way: what it brings is released.
    Abandoned,
    /// Its fence was lost: nothing until the map has been read again, and not before this time.
    Resting { until: u64 },
}

impl Life {
    /// The map has just given us the shard.
    pub(super) fn waiting(now: u64) -> Self {
        Self {
            state: State::Waiting {
                first: now,
                force: false,
            },
            since: now,
            floor: Epoch(0),
            losses: 0,
            failing: None,
        }
    }

    pub(super) fn enter(&mut self, now: u64, state: State) {
        self.state = state;
        self.since = now;
    }

    /// The fence was lost.
    pub(super) fn rest(&mut self, now: u64) {
        let served_well = matches!(self.state, State::Serving(_)) && now.saturating_sub(self.since) >= LOSS_FORGET;
        self.losses = if served_well { 1 } else { self.losses + 1 };
        let rest = (LOSS_FIRST << (self.losses - 1).min(10)).min(LOSS_LONGEST);
        self.enter(now, State::Resting { until: now + rest });
    }

    /// Whether the shard is to be served here and is not yet.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(
            self.state,
            State::Waiting { .. } | State::Claiming { .. } | State::Resting { .. }
        )
    }

    /// What the view shows.
    pub(super) fn shown(&self) -> ShardState {
        match self.state {
            State::Waiting { .. } | State::Resting { .. } => ShardState::Waiting,
            State::Claiming { .. } => ShardState::Claiming,
            State::Serving(token) => ShardState::Serving(token.epoch),
            State::Quiescing(_) => ShardState::Quiescing,
            State::Releasing(_) | State::Abandoned => ShardState::Releasing,
        }
    }
}

//! The fence of a shard and how a claim is judged: the rules of the scripts `claim` and `release`, as pure functions.

use crate::contract::{Claim, Claimed, Epoch, Incarnation, MapVersion, Token};

/// Who may commit to a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fence {
    /// Claims counted so far.
    pub(super) epoch: u64,
    /// Who holds the shard; `None` after a release or before the first claim.
    pub(super) holder: Option<u64>,
    /// Map of the last claim.
    pub(super) map: u64,
}

impl Fence {
    /// Whether `token` proves ownership: equality, not "not lower", because two processes may reach the same number.
    pub(super) fn admits(self, token: Token) -> bool {
        self.epoch == token.epoch.0 && self.holder == Some(token.holder.0) && self.map == token.map.0
    }

    /// The fence after a release.
    pub(super) fn released(self) -> Self {
        Self { holder: None, ..self }
    }

    /// Judges a claim at `now_ms`; the caller stores the fence that belongs to a token it gets.
    pub(super) fn judge(self, claim: Claim, now_ms: u64) -> Claimed {
        if claim.map.0 < self.map {
            return Claimed::Stale(MapVersion(self.map));
        }
        if let Some(holder) = self.holder
            && holder != claim.me.0
            && !claim.force
        {
            return Claimed::Held(Incarnation(holder));
        }
        // The clock is only a floor: it keeps epochs ordered for third parties when a store came back without a claim.
        let epoch = (self.epoch + 1).max(claim.floor.0 + 1).max(now_ms);
        Claimed::Ours(Token {
            epoch: Epoch(epoch),
            holder: claim.me,
            map: claim.map,
        })
    }
}

impl From<Token> for Fence {
    fn from(token: Token) -> Self {
        Self {
            epoch: token.epoch.0,
            holder: Some(token.holder.0),
            map: token.map.0,
        }
    }
}

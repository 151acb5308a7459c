//! Who may write: the rules of the scripts `claim`, `release` and `commit`, as pure functions; and who is there and leads, as
//! a value.
//!
//! The embedded engine runs them, the scripts of Redis say the same in Lua (the contract suite compares the two), the
//! model of the cluster explores those of writing, and the simulations of the cluster run on all of them.

mod membership;

pub use self::membership::Membership;

use crate::contract::{Claim, Claimed, Commit, Committed, Epoch, Header, Incarnation, MapVersion, Released, Token};

/// Who may commit to a shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fence {
    /// Claims counted so far.
    pub epoch: u64,
    /// Who holds the shard; `None` after a release or before the first claim.
    pub holder: Option<u64>,
    /// Map of the last claim.
    pub map: u64,
}

impl Fence {
    /// Whether `token` proves ownership: equality, not "not lower", because two processes may reach the same number.
    pub fn admits(self, token: Token) -> bool {
        self.epoch == token.epoch.0 && self.holder == Some(token.holder.0) && self.map == token.map.0
    }

    /// Judges a claim at `now_ms` of the store's clock; on [`Claimed::Ours`] the fence becomes the one of that token.
    pub fn claim(self, claim: Claim, now_ms: u64) -> Claimed {
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

    /// Judges a release; on [`Released::Free`] the fence becomes [`Fence::freed`].
    pub fn release(self, token: Token) -> Released {
        if self.admits(token) {
            Released::Free
        } else {
            Released::Fenced
        }
    }

    /// The fence after a release: it still counts and still knows the map.
    #[must_use]
    pub fn freed(self) -> Self {
        Self { holder: None, ..self }
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

/// What a commit compares.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Proof of ownership.
    pub token: Token,
    /// The header that the caller read.
    pub expected: Header,
    /// The header of the new record; `None` leaves the record alone.
    pub new: Option<Header>,
}

impl Comparison {
    /// Judges against what is stored: first who writes, then over what.
    pub fn judge(self, fence: Fence, stored: Header) -> Judged {
        if !fence.admits(self.token) {
            return Judged::Refuse(Committed::Fenced);
        }
        if stored == self.expected {
            return Judged::Write;
        }
        Judged::Refuse(if self.new == Some(stored) {
            // This very commit was applied before.
            Committed::Written
        } else {
            Committed::Conflict(stored)
        })
    }
}

impl From<&Commit> for Comparison {
    fn from(commit: &Commit) -> Self {
        Self {
            token: commit.token,
            expected: commit.expected,
            new: commit.record.as_deref().and_then(Header::of_record),
        }
    }
}

/// What a commit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Everything in it is written, and the answer is [`Committed::Written`].
    Write,
    /// Nothing is written, and this is the answer.
    Refuse(Committed),
}

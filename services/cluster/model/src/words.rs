//! Fences, tokens and records in a few bytes, and what the rules of the store take them for.

use trunkline_store::contract::{Epoch, Header, Incarnation, MapVersion, Token};
use trunkline_store::rules::Fence;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct SmallFence {
    epoch: u8,
    holder: Option<u8>,
    map: u8,
}

impl From<SmallFence> for Fence {
    fn from(small: SmallFence) -> Self {
        Self {
            epoch: small.epoch.into(),
            holder: small.holder.map(u64::from),
            map: small.map.into(),
        }
    }
}

impl From<Fence> for SmallFence {
    fn from(fence: Fence) -> Self {
        Self {
            epoch: small(fence.epoch),
            holder: fence.holder.map(small),
            map: small(fence.map),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SmallToken {
    pub(crate) epoch: u8,
    pub(crate) holder: u8,
    pub(crate) map: u8,
}

impl From<SmallToken> for Token {
    fn from(small: SmallToken) -> Self {
        Self {
            epoch: Epoch(small.epoch.into()),
            holder: Incarnation(small.holder.into()),
            map: MapVersion(small.map.into()),
        }
    }
}

impl From<Token> for SmallToken {
    fn from(token: Token) -> Self {
        Self {
            epoch: small(token.epoch.0),
            holder: small(token.holder.0),
            map: small(token.map.0),
        }
    }
}

/// The record: its header and the activities that are in its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) version: u8,
    pub(crate) turn: u8,
    pub(crate) applied: Applied,
}

impl Record {
    pub(crate) fn header(self) -> Header {
        Header {
            version: self.version.into(),
            turn: self.turn.into(),
        }
    }
}

/// Sets of activities, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Applied {
    pub(crate) once: u8,
    pub(crate) twice: u8,
}

impl Applied {
    pub(crate) fn with(self, activity: u8) -> Self {
        Self {
            once: self.once | activity,
            twice: self.twice | (self.once & activity),
        }
    }
}

/// Numbers of a model never leave a byte.
fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

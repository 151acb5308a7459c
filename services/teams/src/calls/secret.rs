//! Texts that must not be shown: tokens that travel inside resources.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::{Read, Tolerant};

/// A token inside a resource (a meeting's join token, the access to a recording): prints as dots.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(...)")
    }
}

impl Tolerant for Secret {
    fn from_text(text: &str) -> Read<Self> {
        Read::Known(Self::new(text))
    }

    fn from_owned_text(text: String) -> Read<Self> {
        Read::Known(Self(text))
    }
}

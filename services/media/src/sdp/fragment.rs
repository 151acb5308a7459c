//! What a PATCH carries: a piece of a session description (RFC 8840 section 9, RFC 9725 section 4.3).

use std::fmt;

use super::attributes::{is_password, is_user_fragment};
use super::{LINES_LIMIT, SdpError};
use crate::ice::Credentials;

/// A fragment of the peer, as far as we need it: candidates are not read, because a lite agent sends no checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// The peer's user fragment that the PATCH is about.
    pub peer_fragment: String,
}

impl Fragment {
    /// Reads a fragment.
    pub fn read(text: &str) -> Result<Self, SdpError> {
        if text.lines().count() > LINES_LIMIT {
            return Err(SdpError::TooLarge {
                what: "lines",
                limit: LINES_LIMIT,
            });
        }
        let find = |key| text.lines().find_map(|line| line.trim_end().strip_prefix(key));
        let peer_fragment = find("a=ice-ufrag:").filter(|value| is_user_fragment(value));
        let password = find("a=ice-pwd:").filter(|value| is_password(value));
        match (peer_fragment, password) {
            (Some(peer_fragment), Some(_)) => Ok(Self {
                peer_fragment: peer_fragment.to_owned(),
            }),
            _ => Err(SdpError::missing("ice-ufrag or ice-pwd is missing or not allowed")),
        }
    }

    /// The answer to a restart: our new credentials.
    pub fn answer(credentials: &Credentials) -> impl fmt::Display {
        let (fragment, password) = (credentials.fragment(), credentials.password());
        format!("a=ice-lite\r\na=ice-ufrag:{fragment}\r\na=ice-pwd:{password}\r\na=end-of-candidates\r\n")
    }
}

//! What an offer asks for and what we answer (RFC 8866, RFC 3264, RFC 8829, RFC 9725 section 4.4).
//!
//! The text is read by `rtc-sdp` into our own small [`Offer`]; [`Offer::negotiate`] decides; [`Answer`] is written by us. An
//! offer is all or nothing: one audio section that we can take, with BUNDLE and rtcp-mux; other kinds of media are rejected in
//! the answer, as the standard asks, and a second audio section refuses the whole.

mod answer;
mod attributes;
mod fragment;
mod offer;

pub use answer::{Answer, fingerprint_text};
pub use fragment::Fragment;
pub use offer::{Direction, Negotiated, Offer, Tones};

/// Bytes of an offer.
pub const OFFER_LIMIT: usize = 32 * 1024;
/// Lines of an offer.
pub const LINES_LIMIT: usize = 200;
/// Bytes of a line.
pub const LINE_LIMIT: usize = 2_000;
/// Media sections of an offer.
pub const SECTIONS_LIMIT: usize = 8;

/// Why an offer is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Larger than a limit of this module.
    #[error("session description has too many {what}, at most {limit} are read")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The text is no session description.
    #[error("not a session description: {0}")]
    NotSdp(String),
    /// The text is a session description that we cannot answer.
    #[error("{reason}{}", .line.map(|line| format!(" (line {line})")).unwrap_or_default())]
    Unacceptable {
        /// The line that it is about, counted from one, where it is about one.
        line: Option<usize>,
        /// What is wrong or missing.
        reason: String,
    },
}

impl SdpError {
    fn missing(reason: &str) -> Self {
        Self::Unacceptable {
            line: None,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

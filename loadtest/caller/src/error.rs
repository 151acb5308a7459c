//! What goes wrong with a call.

use std::time::Duration;

/// Why a call did not come about, or what was waited for did not come.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The invitation names no address, or no token.
    #[error("this is no invitation to a media host: {0}")]
    NoInvitation(String),
    /// The client for HTTP cannot be made.
    #[error("a client for HTTP cannot be made")]
    Client(#[source] reqwest::Error),
    /// The host was not reached, or broke off.
    #[error("the media host was not reached")]
    NotReached(#[source] reqwest::Error),
    /// The host refused the offer.
    #[error("the media host refused the offer with {status}: {says}")]
    Refused {
        /// The status.
        status: u16,
        /// What the body says.
        says: String,
    },
    /// The token of an invitation let more than one offer in.
    #[error("one token let more than one offer in")]
    LetInAgain,
    /// The connection cannot be made.
    #[error("the connection cannot be made")]
    Connection(#[from] webrtc::error::Error),
    /// A sound cannot be encoded or decoded.
    #[error("Opus: {0}")]
    Codec(String),
    /// A file is not what a recording is.
    #[error("this is no recording, or it breaks off within a page")]
    NoRecording,
    /// Something did not happen in time.
    #[error("waited in vain for {what}, {waited:?}")]
    Late {
        /// What.
        what: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The connection ended while something was waited for.
    #[error("the connection ended before {what}")]
    Ended {
        /// What was waited for.
        what: String,
    },
}

impl CallerError {
    #[allow(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
    pub(crate) fn codec(error: impl ToString) -> Self {
        Self::Codec(error.to_string())
    }
}

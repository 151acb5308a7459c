//! The interface between the clients of Microsoft's services and where their tokens come from.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::HeaderValue;

/// Gives tokens of one bot for one scope, from memory as long as they are valid.
pub trait TokenProvider: Send + Sync {
    /// A token that is valid for some minutes at least.
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>>;

    /// Forgets a token that was refused with 401, unless a newer one has taken its place.
    fn invalidate(&self, rejected: &AccessToken);
}

/// A bearer token. Prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    header: HeaderValue,
    expires_at: SystemTime,
}

impl AccessToken {
    /// A token as the login service gave it, and when it expires by our clock.
    ///
    /// # Errors
    /// The token holds characters that no HTTP header may hold.
    pub fn new(token: &str, expires_at: SystemTime) -> Result<Self, TokenError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| TokenError::Unusable)?;
        header.set_sensitive(true);
        Ok(Self { header, expires_at })
    }

    /// Value of the `Authorization` header; marked as sensitive, cheap to clone.
    pub fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// When it expires, by our clock.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AccessToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The login service was not reached or did not answer; later it may.
    #[error("the login service did not answer: {0}")]
    Unavailable(String),
    /// The login service refuses the bot; only an operator can change that.
    #[error("the login service refuses the bot: {0}")]
    Refused(String),
    /// What the login service calls a token cannot stand in a header.
    #[error("the token holds characters that no header may hold")]
    Unusable,
}

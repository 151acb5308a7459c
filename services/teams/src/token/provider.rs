//! The interface between the clients of Microsoft's services and where their tokens come from.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use http::HeaderValue;

use super::error::TokenError;
use super::secret::DOTS;

/// Gives tokens of one app in one tenant for one scope, from memory as long as they are valid.
pub trait TokenProvider: Send + Sync {
    /// A token that is valid now, usually at once.
    ///
    /// When there is none, one request runs for all who wait. Dropping the future is safe.
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
            .field("header", &DOTS)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_token_is_printed_as_dots_and_sent_as_it_is() {
        let token = AccessToken::new("eyJ.secret.part", SystemTime::now()).unwrap();
        assert_eq!(token.header(), "Bearer eyJ.secret.part");
        for printed in [format!("{token:?}"), format!("{:?}", token.header())] {
            assert!(!printed.contains("secret.part"), "{printed}");
        }
    }

    #[test]
    fn a_text_that_no_header_can_hold_is_no_token() {
        assert!(matches!(
            AccessToken::new("line\nbreak", SystemTime::now()),
            Err(TokenError::Unusable)
        ));
    }
}

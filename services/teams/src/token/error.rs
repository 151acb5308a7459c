//! Why no token was given.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::aadsts::{Explanation, explain};

/// Why there is no token. Cheap to clone, because everybody who waited for the same request gets it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The endpoint said no. Asking again will not help before somebody changes something.
    #[error("token for app {client_id} in tenant {tenant} refused: {refused}")]
    Refused {
        /// App that asked.
        client_id: String,
        /// Tenant that was asked.
        tenant: String,
        /// What the endpoint said.
        refused: Box<Refused>,
    },
    /// Too many requests, and the endpoint wants us to wait longer than a call may take.
    #[error("token endpoint throttles app {client_id}, next try in {} s", .retry_after.as_secs())]
    Throttled {
        /// App that asked.
        client_id: String,
        /// How long to wait.
        retry_after: Duration,
    },
    /// The endpoint is in trouble; it was asked several times.
    #[error("token endpoint {endpoint} answers {status}")]
    Unavailable {
        /// Address that was asked.
        endpoint: String,
        /// HTTP status of the last answer.
        status: u16,
    },
    /// The endpoint could not be reached.
    #[error("token endpoint {endpoint} cannot be reached")]
    Unreachable {
        /// Address that was asked.
        endpoint: String,
        /// What the HTTP client says.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// No answer in time.
    #[error("token endpoint {endpoint} did not answer within {} s", .after.as_secs())]
    TimedOut {
        /// Address that was asked.
        endpoint: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The endpoint answered something else than a token: often a proxy with a page of its own.
    #[error(
        "token endpoint {endpoint} answered with status {status} and no token: a proxy may have answered in its place"
    )]
    NoToken {
        /// Address that was asked.
        endpoint: String,
        /// HTTP status of the answer.
        status: u16,
    },
    /// What the endpoint calls a token cannot stand in a header.
    #[error("the token holds characters that no header may hold")]
    Unusable,
    /// The assertion could not be signed with the configured certificate.
    #[error("assertion cannot be signed with the certificate of app {client_id}")]
    Signing {
        /// App that asked.
        client_id: String,
        /// What the library says.
        #[source]
        source: Arc<jsonwebtoken::errors::Error>,
    },
}

/// A refusal of the token endpoint (RFC 6749 section 5.2, "Microsoft Entra authentication and authorization error codes").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// OAuth error, as `invalid_client`.
    pub error: String,
    /// The AADSTS number.
    pub code: Option<u32>,
    /// For Microsoft's support.
    pub trace_id: Option<String>,
    /// For Microsoft's support.
    pub correlation_id: Option<String>,
}

impl Refused {
    /// What the AADSTS number means and what to do, if it is one that bot operators meet.
    pub fn explanation(&self) -> Option<&'static Explanation> {
        self.code.and_then(explain)
    }

    /// Whether the same request may succeed soon.
    pub fn is_transient(&self) -> bool {
        self.error == "temporarily_unavailable" || self.explanation().is_some_and(|known| known.is_transient)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(formatter, "AADSTS{code} ({}, status {})", self.error, self.status)?,
            None => write!(formatter, "{} (status {})", self.error, self.status)?,
        }
        if let Some(known) = self.explanation() {
            write!(formatter, ": {}; {}", known.meaning, known.remedy)?;
        }
        if let Some(trace) = &self.trace_id {
            write!(formatter, " [trace {trace}]")?;
        }
        Ok(())
    }
}

impl TokenError {
    /// Whether asking again, after a while, may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { refused, .. } => refused.is_transient(),
            Self::Signing { .. } | Self::Unusable => false,
            Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::NoToken { .. } => true,
        }
    }

    /// How long the endpoint wants us to wait, if it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

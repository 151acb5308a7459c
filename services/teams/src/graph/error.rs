//! How an operation can fail, and what may have happened all the same.

use std::time::Duration;

use serde_json::Value;

use crate::outgoing::{NoToken, shortened};
use crate::retry::AttemptFailure;
use crate::service_url::AddressError;
use crate::token::TokenError;

/// Why an operation was not done, or why nobody knows whether it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Graph said no: certainly not done. 404 of a call means that it is over.
    #[error("graph refused with {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// A word for Graph's own errors, a number for those of the calling service; empty if there was none.
        code: String,
        /// Text for people, shortened.
        message: String,
    },
    /// Graph wants fewer requests (429): certainly not done.
    #[error("graph throttles")]
    Throttled {
        /// When to come back, if Graph said it.
        retry_after: Option<Duration>,
    },
    /// Certainly not done: nothing reached Graph.
    #[error("nothing was sent to graph")]
    NotSent {
        /// Why.
        #[source]
        cause: Failure,
    },
    /// There is no token for Graph in the call's tenant: certainly not done.
    #[error("no token for graph")]
    Token(#[source] TokenError),
    /// It may have been done.
    #[error("nobody knows whether graph did it")]
    Doubt {
        /// What happened last.
        #[source]
        cause: Failure,
    },
}

/// How a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// Graph answered with an error.
    #[error("graph answered {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Empty if there was none.
        code: String,
        /// Text for people, shortened.
        message: String,
    },
    /// There was no connection.
    #[error("no connection to graph")]
    NotConnected(#[source] reqwest::Error),
    /// The connection broke after the request may have been sent.
    #[error("the connection to graph broke")]
    Broken(#[source] reqwest::Error),
    /// No answer in time.
    #[error("no answer of graph within {} ms", after.as_millis())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The answer was a success, but not what was asked for.
    #[error("the answer of graph cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The answer is larger than any that is expected.
    #[error("the answer of graph is larger than {limit} bytes")]
    TooLarge {
        /// Largest answer in bytes.
        limit: usize,
    },
    /// This process may not begin requests now ([`super::Client::with_permission`]).
    #[error("no request to graph may begin now")]
    Withheld,
    /// The deadline had passed before anything was sent.
    #[error("no time is left for a request to graph")]
    NoTime,
    /// Graph wants a token of the call's tenant.
    #[error("the call has no tenant")]
    NoTenant,
    /// There is no token to show.
    #[error("no token for graph")]
    NoToken(#[source] TokenError),
    /// The token took longer than the attempt may take.
    #[error("no token for graph within {} ms", after.as_millis())]
    NoTokenInTime {
        /// How long was waited.
        after: Duration,
    },
    /// The call or the participant has no id that can stand in a path.
    #[error("the operation has no usable address")]
    Address(#[source] AddressError),
    /// The body cannot be written as JSON.
    #[error("the operation cannot be written as JSON")]
    Body(#[source] serde_json::Error),
}

impl GraphError {
    /// Whether the operation was certainly not done.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Doubt { .. })
    }

    /// Whether Graph has no such call, participant or operation (any more).
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

impl Failure {
    /// Reads the error that an answer with this status carries; the body may be empty or no JSON at all. Source: Graph,
    /// "Microsoft Graph error responses and resource types".
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &json["error"];
        let code = match &error["code"] {
            Value::String(code) => shortened(code).to_owned(),
            Value::Number(code) => code.to_string(),
            _ => String::new(),
        };
        Self::Refused {
            status,
            code,
            message: shortened(error["message"].as_str().unwrap_or_default()).to_owned(),
        }
    }

    /// HTTP status, if there was an answer.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How it failed, as far as trying again is concerned. 500 and 502 to 504 may pass, 429 too (Graph, error responses); after
    /// all of these but 429 and 503 the operation may have been done. That 503 leaves no doubt is inferred: the service says
    /// that it cannot handle the request.
    pub(super) fn attempt(&self) -> AttemptFailure {
        match self {
            Self::Refused {
                status: 500 | 502 | 504,
                ..
            }
            | Self::Broken(_)
            | Self::TimedOut { .. } => AttemptFailure::Broken,
            Self::Refused {
                status: status @ (408 | 429 | 503),
                ..
            } => AttemptFailure::Status(*status),
            Self::NotConnected(_) => AttemptFailure::NotConnected,
            Self::Withheld | Self::NoTokenInTime { .. } => AttemptFailure::NotReady,
            Self::NoToken(error) if error.is_transient() => AttemptFailure::NotReady,
            _ => AttemptFailure::Impossible,
        }
    }

    /// Whether the operation may have been done although this happened.
    pub(super) fn leaves_doubt(&self) -> bool {
        self.attempt().may_have_worked() || matches!(self, Self::Unreadable(_) | Self::TooLarge { .. })
    }

    /// What the caller is told, if nothing before left a doubt.
    pub(super) fn into_error(self, retry_after: Option<Duration>) -> GraphError {
        match self {
            cause if cause.leaves_doubt() => GraphError::Doubt { cause },
            Self::Refused { status: 429, .. } => GraphError::Throttled { retry_after },
            Self::Refused { status, code, message } => GraphError::Refused { status, code, message },
            Self::NoToken(error) => GraphError::Token(error),
            cause => GraphError::NotSent { cause },
        }
    }
}

impl From<NoToken> for Failure {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Refused(error) => Self::NoToken(error),
            NoToken::NotInTime { after } => Self::NoTokenInTime { after },
        }
    }
}

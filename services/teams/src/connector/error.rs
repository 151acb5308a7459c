//! How a call of the Connector can fail, and what that means.

use std::time::Duration;

use serde_json::Value;

use super::code::{Consequence, ErrorCode};
use crate::outgoing::shortened;
use crate::retry::AttemptFailure;
use crate::service_url::AddressError;
use crate::token::TokenError;

/// A call of the Connector that failed.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct ConnectorError {
    /// How it failed.
    #[source]
    pub failure: Failure,
    /// `MS-CV` of the answer: what Microsoft asks for when one complains.
    pub correlation: Option<String>,
    /// What Retry-After asks for.
    pub retry_after: Option<Duration>,
    /// The call may have had its effect all the same: a message may be shown although sending it failed. Never set for calls
    /// that change nothing when they are repeated.
    pub in_doubt: bool,
}

/// How a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The Connector answered with an error.
    #[error("the connector answered {status} {}: {message}", code.as_ref().map_or("without a code", ErrorCode::as_str))]
    Refused {
        /// HTTP status; 202 for a part of a stream that was dropped.
        status: u16,
        /// Code in the body, if there was one.
        code: Option<ErrorCode>,
        /// Text for people, shortened.
        message: String,
    },
    /// There was no connection, so nothing was sent.
    #[error("no connection to the connector")]
    NotConnected(#[source] reqwest::Error),
    /// The connection broke after the request may have been sent.
    #[error("the connection to the connector broke")]
    Broken(#[source] reqwest::Error),
    /// No answer in time.
    #[error("no answer of the connector within {} ms", after.as_millis())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// This process may not begin requests now ([`super::Connector::with_permission`]): nothing was sent.
    #[error("no request to the connector may begin now")]
    Withheld,
    /// There is no token to show.
    #[error("no token for the connector")]
    NoToken(#[from] TokenError),
    /// The token took longer than the attempt may take.
    #[error("no token for the connector within {} ms", after.as_millis())]
    NoTokenInTime {
        /// How long was waited.
        after: Duration,
    },
    /// Nobody has vouched for the address: the token stays here.
    #[error("{host} is neither from a verified activity nor on the allow-list: the token is not sent there")]
    Untrusted {
        /// Host of the address.
        host: String,
    },
    /// The address or an id in it cannot be used.
    #[error("the call has no usable address")]
    Address(#[from] AddressError),
    /// The answer was a success, but not what was asked for.
    #[error("the answer of the connector cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The answer is larger than any that is expected.
    #[error("the answer of the connector is larger than {limit} bytes")]
    TooLarge {
        /// Largest answer in bytes.
        limit: usize,
    },
}

impl Failure {
    /// Reads the error that an answer with this status carries; the body may be empty or no JSON at all.
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = &json["error"];
        // The older documents name a sub-code without saying where it stands; recorded bodies nest it.
        let inner = &error["innerHttpError"]["body"]["subCode"];
        let code = [inner, &error["subCode"], &error["code"]]
            .into_iter()
            .find_map(Value::as_str);
        let message = shortened(error["message"].as_str().unwrap_or_default()).to_owned();
        Self::Refused {
            status,
            code: code.map(ErrorCode::read),
            message,
        }
    }

    /// How it failed, as far as trying again is concerned.
    pub fn attempt(&self) -> AttemptFailure {
        match self {
            Self::Refused { status, .. } => AttemptFailure::Status(*status),
            Self::NotConnected(_) => AttemptFailure::NotConnected,
            Self::Broken(_) | Self::TimedOut { .. } => AttemptFailure::Broken,
            Self::NoTokenInTime { .. } | Self::Withheld => AttemptFailure::NotReady,
            Self::NoToken(error) if error.is_transient() => AttemptFailure::NotReady,
            Self::NoToken(_)
            | Self::Untrusted { .. }
            | Self::Address(_)
            | Self::Unreadable(_)
            | Self::TooLarge { .. } => AttemptFailure::Impossible,
        }
    }
}

impl ConnectorError {
    /// HTTP status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self.failure {
            Failure::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Code of the answer, if it had one.
    pub fn code(&self) -> Option<&ErrorCode> {
        match &self.failure {
            Failure::Refused { code, .. } => code.as_ref(),
            _ => None,
        }
    }

    /// Whether trying the same call again cannot help.
    pub fn is_final(&self) -> bool {
        !self.failure.attempt().may_pass()
    }

    /// What it means for the one who sends.
    pub fn consequence(&self) -> Consequence {
        match &self.failure {
            Failure::Refused { status, code, .. } => Consequence::of(*status, code.as_ref()),
            Failure::NoToken(_) | Failure::Untrusted { .. } if self.is_final() => Consequence::TellOperator,
            Failure::Address(_) => Consequence::TellAuthor,
            _ => Consequence::TryLater,
        }
    }

    /// The address that an `InvalidBotApiHost` names: the one to use from now on, if the operator trusts it.
    pub fn suggested_base(&self) -> Option<&str> {
        match &self.failure {
            Failure::Refused {
                code: Some(ErrorCode::InvalidBotApiHost),
                message,
                ..
            } => {
                let words = message
                    .split_whitespace()
                    .map(|word| word.trim_end_matches(['.', ',', ';']));
                words.into_iter().find(|word| word.starts_with("https://"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn error(status: u16, body: &str) -> ConnectorError {
        let failure = Failure::refused(status, body.as_bytes());
        ConnectorError {
            failure,
            correlation: None,
            retry_after: None,
            in_doubt: false,
        }
    }

    #[rstest]
    #[case("")]
    #[case("<html>Bad gateway</html>")]
    #[case("[]")]
    #[case(r#"{"error":"text"}"#)]
    fn an_error_without_a_readable_body_keeps_its_status(#[case] body: &str) {
        let error = error(403, body);
        assert_eq!((error.status(), error.code()), (Some(403), None));
        assert!(error.is_final());
    }

    #[test]
    fn a_nested_sub_code_is_the_code() {
        let body = r#"{"error":{"code":"Forbidden","innerHttpError":{"statusCode":403,"body":{"subCode":"MessageWritesBlocked"}}}}"#;
        assert_eq!(error(403, body).code(), Some(&ErrorCode::MessageWritesBlocked));
    }

    #[test]
    fn the_right_host_is_read_from_the_message() {
        let body = r#"{"error":{"code":"InvalidBotApiHost","message":"Wrong host. Use https://smba.gov.example."}}"#;
        assert_eq!(error(403, body).suggested_base(), Some("https://smba.gov.example"));
    }
}

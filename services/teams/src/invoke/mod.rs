//! Invokes: requests whose HTTP answer carries the result.
//!
//! The status of an answer is the HTTP status and its body the HTTP body; the `{status, body}` that SDKs wrap around both is
//! not the wire. An Adaptive Card action has a second status inside its body and is always answered with 200.
//!
//! Sources: Teams "Universal Actions for Adaptive Cards"; Bot Framework SDK, `TeamsActivityHandler` (501, 400, 500).

mod card_action;
mod card_reply;

pub use card_action::{CardActionRequest, ExchangeToken, ExecutedAction, TokenExchange};
pub use card_reply::{CardReply, LoginRequest, TokenExchangeResource};

use bytes::Bytes;
use serde_json::Value;

/// Name of the invoke that a button of type `Action.Execute`, or the refresh of a card, raises.
pub const ADAPTIVE_CARD_ACTION: &str = "adaptiveCard/action";

/// The HTTP answer of an invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvokeAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON; `None` for an empty body.
    pub body: Option<Bytes>,
}

/// Why the value of an invoke cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// There is none, or it is neither an object nor JSON inside a text.
    #[error("the invoke carries no object")]
    NoValue,
    /// The action inside is missing or no object.
    #[error("the invoke of a card carries no action")]
    NoAction,
}

impl InvokeAnswer {
    /// 200 without a body: the documented answer where nothing is to be shown.
    pub const EMPTY: Self = Self {
        status: 200,
        body: None,
    };

    /// 501: nobody handles an invoke of this name.
    pub const UNHANDLED: Self = Self {
        status: 501,
        body: None,
    };

    /// 200 with a body.
    pub fn with_body(body: &Value) -> Self {
        Self {
            status: 200,
            body: Some(body.to_string().into()),
        }
    }

    /// What an invoke is answered whose value cannot be read: for a card action an error inside a 200, else 400.
    pub fn unreadable(name: Option<&str>, message: &str) -> Self {
        Self::error(name, 400, "BadRequest", message)
    }

    /// What an invoke is answered whose handler failed: for a card action an error inside a 200, which the card shows, else
    /// 500.
    pub fn failed(name: Option<&str>, message: &str) -> Self {
        Self::error(name, 500, "InternalError", message)
    }

    fn error(name: Option<&str>, status: u16, code: &str, message: &str) -> Self {
        match name {
            Some(ADAPTIVE_CARD_ACTION) => CardReply::Error {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
            }
            .to_answer(),
            _ => Self { status, body: None },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_card_shows_the_error_of_its_handler() {
        let answer = InvokeAnswer::failed(Some(ADAPTIVE_CARD_ACTION), "try again");
        assert_eq!(answer.status, 200);
        let body: Value = serde_json::from_slice(&answer.body.unwrap()).unwrap();
        let expected = json!({
            "statusCode": 500,
            "type": "application/vnd.microsoft.error",
            "value": { "code": "InternalError", "message": "try again" },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn other_invokes_fail_by_status() {
        for name in [Some("task/fetch"), None] {
            assert_eq!(
                InvokeAnswer::failed(name, "try again"),
                InvokeAnswer {
                    status: 500,
                    body: None
                }
            );
            assert_eq!(
                InvokeAnswer::unreadable(name, "what?"),
                InvokeAnswer {
                    status: 400,
                    body: None
                }
            );
        }
        assert_eq!(InvokeAnswer::UNHANDLED.status, 501);
    }
}

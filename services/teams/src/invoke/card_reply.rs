//! What an Adaptive Card action is answered: a second status, a type and a value inside a 200.
//!
//! Source: Adaptive Cards "Universal Action Model", response format.

use serde_json::{Value, json};

use super::InvokeAnswer;
use crate::activity::CardAction;
use crate::attachment::ADAPTIVE_CARD;
use crate::wire::wire_object;

const MESSAGE: &str = "application/vnd.microsoft.activity.message";
const ERROR: &str = "application/vnd.microsoft.error";
const LOGIN_REQUEST: &str = "application/vnd.microsoft.activity.loginRequest";
const PRECONDITION_FAILED: &str = "application/vnd.microsoft.error.preconditionFailed";
/// As the SDKs write it. The card document has `inccorectAuthCode`, the Teams document `invalidAuthCode`: all are read.
const INCORRECT_AUTH_CODE: &str = "application/vnd.microsoft.error.incorrectAuthCode";
const INCORRECT_AUTH_CODES: [&str; 3] = [
    INCORRECT_AUTH_CODE,
    "application/vnd.microsoft.error.inccorectAuthCode",
    "application/vnd.microsoft.error.invalidAuthCode",
];

/// Answer to an Adaptive Card action.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CardReply {
    /// A card that takes the place of the one that is shown, for this person.
    Card(Value),
    /// A short text.
    Message(String),
    /// The action failed; 400 if it was asked wrongly, 500 if it is the bot's fault.
    Error {
        /// 400 or 500.
        status: u16,
        /// Code for programs.
        code: String,
        /// Text for people.
        message: String,
    },
    /// The person must sign in first; the client sends the action again with a token or a code.
    Login(Box<LoginRequest>),
    /// The code of the sign-in window is not right.
    IncorrectAuthCode,
    /// The person's token could not be exchanged: the client shows the button of the login request.
    PreconditionFailed {
        /// Code for programs.
        code: String,
        /// Text for people.
        message: String,
    },
}

wire_object! {
    /// Asks the person to sign in.
    pub struct LoginRequest {
        /// Text beside the button.
        text: Option<String> => "text",
        /// Name of the OAuth connection; required.
        connection_name: Option<String> => "connectionName",
        /// Exactly one button of type `signin`; required.
        buttons: Vec<CardAction> => "buttons",
        /// Makes the client try single sign-on first. Never `null`: Teams refuses that with 400.
        token_exchange_resource: Option<TokenExchangeResource> => "tokenExchangeResource",
        /// Where the client may post a token.
        token_post_resource: Option<Value> => "tokenPostResource",
    }
}

wire_object! {
    /// What the client exchanges its token for.
    pub struct TokenExchangeResource {
        /// Comes back as [`super::TokenExchange::id`].
        id: Option<String> => "id",
        /// Application id URI of the bot's app.
        uri: Option<String> => "uri",
        /// The identity provider.
        provider_id: Option<String> => "providerId",
    }
}

impl CardReply {
    /// The body of the answer.
    pub fn to_body(&self) -> Value {
        match self {
            Self::Card(card) => body(200, ADAPTIVE_CARD, card),
            Self::Message(text) => body(200, MESSAGE, &json!(text)),
            Self::Error { status, code, message } => body(*status, ERROR, &problem(code, message)),
            Self::Login(request) => body(401, LOGIN_REQUEST, &json!(request)),
            Self::IncorrectAuthCode => body(401, INCORRECT_AUTH_CODE, &Value::Null),
            Self::PreconditionFailed { code, message } => body(412, PRECONDITION_FAILED, &problem(code, message)),
        }
    }

    /// The HTTP answer: always 200, the status that counts is inside.
    pub fn to_answer(&self) -> InvokeAnswer {
        InvokeAnswer::with_body(&self.to_body())
    }

    /// Reads the body of an answer; `None` if it is none. A missing inner status means 200.
    pub fn read(body: &Value) -> Option<Self> {
        let status = body.get("statusCode").and_then(Value::as_u64).unwrap_or(200);
        let status = u16::try_from(status).ok()?;
        let value = body.get("value");
        let text = |name: &str| {
            value
                .and_then(|value| value.get(name)?.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        Some(match body.get("type")?.as_str()? {
            ADAPTIVE_CARD => Self::Card(value?.clone()),
            MESSAGE => Self::Message(value?.as_str()?.to_owned()),
            LOGIN_REQUEST => Self::Login(serde_json::from_value(value?.clone()).ok()?),
            ERROR => Self::Error {
                status,
                code: text("code"),
                message: text("message"),
            },
            PRECONDITION_FAILED => Self::PreconditionFailed {
                code: text("code"),
                message: text("message"),
            },
            known if INCORRECT_AUTH_CODES.contains(&known) => Self::IncorrectAuthCode,
            _ => return None,
        })
    }
}

fn body(status: u16, kind: &str, value: &Value) -> Value {
    json!({ "statusCode": status, "type": kind, "value": value })
}

fn problem(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn login() -> LoginRequest {
        let button = CardAction {
            kind: Some("signin".into()),
            title: Some("Sign in".into()),
            ..CardAction::default()
        };
        let resource = TokenExchangeResource {
            id: Some("x1".into()),
            ..TokenExchangeResource::default()
        };
        LoginRequest {
            connection_name: Some("graph".into()),
            buttons: vec![button],
            token_exchange_resource: Some(resource),
            ..LoginRequest::default()
        }
    }

    #[test]
    fn every_answer_is_read_back() {
        let problem = |status| CardReply::Error {
            status,
            code: "Late".into(),
            message: "too late".into(),
        };
        let replies = [
            CardReply::Card(json!({ "type": "AdaptiveCard" })),
            CardReply::Message("saved".into()),
            problem(400),
            problem(500),
            CardReply::Login(Box::new(login())),
            CardReply::IncorrectAuthCode,
            CardReply::PreconditionFailed {
                code: "412".into(),
                message: "not exchanged".into(),
            },
        ];
        for reply in replies {
            assert_eq!(CardReply::read(&reply.to_body()), Some(reply.clone()), "{reply:?}");
            assert_eq!(reply.to_answer().status, 200);
        }
    }

    #[test]
    fn a_login_request_leaves_out_what_it_has_not() {
        let request = LoginRequest {
            token_exchange_resource: None,
            ..login()
        };
        let body = CardReply::Login(Box::new(request)).to_body();
        assert_eq!(body["statusCode"], 401);
        assert!(body["value"].get("tokenExchangeResource").is_none());
    }

    #[test]
    fn a_missing_status_means_success_and_every_spelling_of_a_wrong_code_is_read() {
        let message = json!({ "type": MESSAGE, "value": "saved" });
        assert_eq!(CardReply::read(&message), Some(CardReply::Message("saved".into())));
        for kind in INCORRECT_AUTH_CODES {
            let body = json!({ "statusCode": 401, "type": kind, "value": null });
            assert_eq!(CardReply::read(&body), Some(CardReply::IncorrectAuthCode));
        }
    }

    #[test]
    fn samples_of_the_environment_are_read_and_written_back() {
        let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
            return;
        };
        let directory = std::path::Path::new(&samples).join("responses");
        let mut seen = 0;
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if !path.file_name().unwrap().to_string_lossy().starts_with("adaptiveCard-") {
                continue;
            }
            let sample: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let reply = CardReply::read(&sample["body"]).unwrap_or_else(|| panic!("{} is not read", path.display()));
            assert_eq!(reply.to_body(), sample["body"], "{}", path.display());
            seen += 1;
        }
        assert!(seen > 0, "there are samples of card replies");
    }
}

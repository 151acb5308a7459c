//! One attempt at a call: token, request, answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::time::timeout_at;

use super::{Answer, Call, Connector, ConnectorError, ErrorCode, Failure, Operation, stream};
use crate::outgoing::{AttemptTime, NoBody, NoToken, header_text, read_body, retry_after, with_token};
use crate::token::AccessToken;

/// Largest answer in bytes. A full page of a roster has about a quarter of a megabyte.
const ANSWER_BYTES: usize = 4 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CORRELATION: HeaderName = HeaderName::from_static("ms-cv");

impl Connector {
    /// Tries a call once. A token that is refused with 401 is replaced and the call sent again with the new one: a refused
    /// call had no effect.
    ///
    /// # Errors
    /// It was not taken; [`ConnectorError::is_final`] says whether another attempt can help.
    pub async fn attempt(&self, call: &Call) -> Result<Answer, ConnectorError> {
        let time = AttemptTime::from_now(self.attempt_time);
        let Some(tokens) = &self.tokens else {
            return self.exchange_until(time, call, None).await;
        };
        if call.trust.is_none() {
            let host = call.url.host_str().unwrap_or_default().to_owned();
            return Err(before_sending(Failure::Untrusted { host }));
        }
        let send = |token: Arc<AccessToken>| async move { self.exchange_until(time, call, Some(&token)).await };
        with_token(tokens.as_ref(), time, send, |error: &ConnectorError| {
            error.status() == Some(401) && error.code() != Some(&ErrorCode::BotNotRegistered)
        })
        .await
    }

    /// One request and its answer, or no answer in time.
    async fn exchange_until(
        &self,
        time: AttemptTime,
        call: &Call,
        token: Option<&AccessToken>,
    ) -> Result<Answer, ConnectorError> {
        match timeout_at(time.ends, self.exchange(call, token)).await {
            Ok(result) => result,
            Err(_) => Err(ConnectorError {
                in_doubt: call.creates,
                ..before_sending(Failure::TimedOut { after: time.whole })
            }),
        }
    }

    /// One request and its answer.
    async fn exchange(&self, call: &Call, token: Option<&AccessToken>) -> Result<Answer, ConnectorError> {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(traceparent) = &call.traceparent {
            request = request.header(TRACEPARENT, traceparent);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, JSON).body(body.clone());
        }
        let failed_to_send = |error| {
            let failure = transport_failure(error);
            let in_doubt = call.creates && failure.attempt().may_have_worked();
            ConnectorError {
                in_doubt,
                ..before_sending(failure)
            }
        };
        if self.may_begin.as_ref().is_some_and(|may_begin| !may_begin()) {
            return Err(before_sending(Failure::Withheld));
        }
        let response = request.send().await.map_err(failed_to_send)?;
        let status = response.status();
        let correlation = header_text(response.headers(), &CORRELATION);
        let retry_after = retry_after(response.headers());
        let failed = |failure: Failure| {
            let in_doubt = call.creates && failure.attempt().may_have_worked();
            ConnectorError {
                failure,
                correlation: correlation.clone(),
                retry_after,
                in_doubt,
            }
        };
        let body = match read_body(response, ANSWER_BYTES).await {
            Ok(body) => body,
            // The status is known: the message was taken, only its id was lost.
            Err(_) if status.is_success() && call.creates => Bytes::new(),
            Err(NoBody::Broken(error)) => return Err(failed(transport_failure(error))),
            Err(NoBody::TooLarge) => return Err(failed(Failure::TooLarge { limit: ANSWER_BYTES })),
        };
        if status.is_success() && !(status == StatusCode::ACCEPTED && stream::is_refused(&body)) {
            return Ok(Answer {
                status: status.as_u16(),
                correlation,
                body,
            });
        }
        let failure = Failure::refused(status.as_u16(), &body);
        if call.operation == Operation::Delete && is_gone(&failure) {
            return Ok(Answer {
                status: status.as_u16(),
                correlation,
                body,
            });
        }
        Err(failed(failure))
    }
}

impl From<NoToken> for ConnectorError {
    fn from(none: NoToken) -> Self {
        match none {
            NoToken::Refused(error) => Self {
                retry_after: error.retry_after(),
                ..before_sending(error)
            },
            NoToken::NotInTime { after } => before_sending(Failure::NoTokenInTime { after }),
        }
    }
}

/// A failure before anything was sent.
pub(super) fn before_sending(failure: impl Into<Failure>) -> ConnectorError {
    ConnectorError {
        failure: failure.into(),
        correlation: None,
        retry_after: None,
        in_doubt: false,
    }
}

/// A success whose body is not what was asked for: what the call does has been done.
pub(super) fn of_answer(failure: Failure, call: &Call, answer: &Answer) -> ConnectorError {
    ConnectorError {
        failure,
        correlation: answer.correlation.clone(),
        retry_after: None,
        in_doubt: call.creates,
    }
}

/// The address is left out: it holds the conversation's id.
fn transport_failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_connect() {
        Failure::NotConnected(error)
    } else {
        Failure::Broken(error)
    }
}

fn is_gone(failure: &Failure) -> bool {
    let gone = [
        ErrorCode::ActivityNotFoundInConversation,
        ErrorCode::ConversationNotFound,
    ];
    matches!(failure, Failure::Refused { status: 404, code: Some(code), .. } if gone.contains(code))
}

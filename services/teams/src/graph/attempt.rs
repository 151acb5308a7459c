//! One attempt at an operation: token, request, answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::Client;
use super::error::Failure;
use super::kind::OperationKind;
use super::request::Method;
use super::told::Success;
use crate::outgoing::{AttemptTime, NoBody, NoToken, header_text, read_body, retry_after, with_token};
use crate::token::{AccessToken, TokenProvider};

/// Largest answer in bytes: a participant has about a kilobyte, a large meeting 1,000 of them.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const SCENARIO_ID: HeaderName = HeaderName::from_static("scenario-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// An operation, ready to be attempted any number of times.
pub(super) struct Ready {
    pub(super) kind: OperationKind,
    pub(super) method: http::Method,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
    pub(super) tokens: Option<Arc<dyn TokenProvider>>,
    pub(super) scenario: String,
    pub(super) deadline: Instant,
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) retry_after: Option<Duration>,
    /// Ours; empty if nothing was sent.
    pub(super) client_request_id: String,
    /// Graph's: what Microsoft asks for when one complains.
    pub(super) request_id: Option<String>,
}

impl Client {
    /// Tries once. A token that is refused with 401 is replaced and the operation sent again with the new one.
    pub(super) async fn attempt(&self, ready: &Ready, time: Duration) -> Result<Success, Failed> {
        let time = AttemptTime::from_now(time);
        let Some(tokens) = &ready.tokens else {
            return self.exchange_until(time, ready, None).await;
        };
        let send = |token: Arc<AccessToken>| async move { self.exchange_until(time, ready, Some(&token)).await };
        with_token(tokens.as_ref(), time, send, |failed: &Failed| {
            failed.failure.status() == Some(401)
        })
        .await
    }

    async fn exchange_until(
        &self,
        time: AttemptTime,
        ready: &Ready,
        token: Option<&AccessToken>,
    ) -> Result<Success, Failed> {
        // Each request has its own.
        let id = uuid::Uuid::new_v4().to_string();
        match timeout_at(time.ends, self.exchange(ready, token, &id)).await {
            Ok(result) => result,
            Err(_) => Err(Failed {
                client_request_id: id,
                ..Failed::before_answer(Failure::TimedOut { after: time.whole })
            }),
        }
    }

    /// One request and its answer.
    async fn exchange(&self, ready: &Ready, token: Option<&AccessToken>, id: &str) -> Result<Success, Failed> {
        let mut request = self
            .http
            .request(ready.method.clone(), ready.url.clone())
            .header(USER_AGENT, &self.user_agent)
            .header(CLIENT_REQUEST_ID, id)
            .header(SCENARIO_ID, &ready.scenario);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(body) = &ready.body {
            request = request.header(CONTENT_TYPE, JSON).body(body.clone());
        } else if ready.method == http::Method::POST {
            // Without a length some servers refuse it with 411.
            request = request.header(CONTENT_LENGTH, 0);
        }
        if self.may_begin.as_ref().is_some_and(|may_begin| !may_begin()) {
            return Err(Failed::before_answer(Failure::Withheld));
        }
        let response = request.send().await.map_err(|error| Failed {
            client_request_id: id.to_owned(),
            ..Failed::before_answer(transport_failure(error))
        })?;
        let status = response.status();
        let headers = response.headers();
        let (retry_after, location) = (retry_after(headers), header_text(headers, &LOCATION));
        let request_id = header_text(headers, &REQUEST_ID);
        // Microsoft asks for these three whenever one complains, also of what was taken and not done.
        tracing::info!(
            operation = ready.kind.name(),
            status = status.as_u16(),
            scenario_id = %ready.scenario,
            client_request_id = id,
            request_id = request_id.as_deref(),
            "graph answered"
        );
        let failed = |failure| Failed {
            failure,
            retry_after,
            client_request_id: id.to_owned(),
            request_id: request_id.clone(),
        };
        let body = match read_body(response, ANSWER_BYTES).await {
            Ok(body) => body,
            // The status is known: it was refused for certain, or done although its answer is lost.
            Err(_) if !status.is_success() || !ready.kind.is_read() => Bytes::new(),
            Err(NoBody::Broken(error)) => return Err(failed(transport_failure(error))),
            Err(NoBody::TooLarge) => return Err(failed(Failure::TooLarge { limit: ANSWER_BYTES })),
        };
        if status.is_success() {
            Ok(Success { body, location })
        } else {
            Err(failed(Failure::refused(status.as_u16(), &body)))
        }
    }
}

impl Failed {
    fn before_answer(failure: Failure) -> Self {
        Self {
            failure,
            retry_after: None,
            client_request_id: String::new(),
            request_id: None,
        }
    }
}

impl From<NoToken> for Failed {
    fn from(none: NoToken) -> Self {
        let retry_after = match &none {
            NoToken::Refused(error) => error.retry_after(),
            NoToken::NotInTime { .. } => None,
        };
        Self {
            retry_after,
            ..Self::before_answer(none.into())
        }
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

/// The address is left out: it holds the call's id.
fn transport_failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    if error.is_connect() {
        Failure::NotConnected(error)
    } else {
        Failure::Broken(error)
    }
}

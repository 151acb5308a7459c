//! The token endpoint of Microsoft Entra ID: one question, its answer, and when it is asked again.

use std::time::{Duration, Instant, SystemTime};

use rand::RngExt;
use reqwest::StatusCode;
use serde::Deserialize;

use super::error::{Refused, TokenError};
use super::lifetime::Lifetime;
use super::provider::AccessToken;
use crate::outgoing::retry_after;

/// How often a question is asked before its error is believed.
const ATTEMPTS: u32 = 3;

/// Before the second attempt, doubled before each further one; each wait is a random part of it, at least half.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// The longest `Retry-After` that is waited for within one call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What is waited after 429 when the endpoint does not say how long.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);

/// Fields of a form, in order.
pub(super) type Form = Vec<(&'static str, String)>;

/// One app in one tenant, at its token endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) tenant: String,
    pub(super) client_id: String,
    pub(super) http: reqwest::Client,
    /// For one question with all its attempts.
    pub(super) time_limit: Duration,
}

/// What the endpoint says to one attempt.
enum Outcome {
    Done(Result<(AccessToken, Lifetime), TokenError>),
    /// Worth another attempt after this pause; the error if there is none.
    Again(Option<Duration>, TokenError),
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Seconds,
    #[serde(default)]
    refresh_in: Option<Seconds>,
}

/// Seconds as a number, or as a text as older endpoints write it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
    #[serde(default)]
    error_codes: Vec<u32>,
    #[serde(default)]
    trace_id: Option<String>,
    #[serde(default)]
    correlation_id: Option<String>,
}

impl Endpoint {
    /// Asks for a token. `form` is made anew for each attempt, because an assertion may be used once only.
    pub(super) async fn ask(
        &self,
        form: impl Fn() -> Result<Form, TokenError> + Send,
    ) -> Result<(AccessToken, Lifetime), TokenError> {
        let limit = self.time_limit;
        let timed_out = TokenError::TimedOut {
            endpoint: self.address.clone(),
            after: limit,
        };
        tokio::time::timeout(limit, self.ask_repeatedly(form))
            .await
            .unwrap_or(Err(timed_out))
    }

    async fn ask_repeatedly(
        &self,
        form: impl Fn() -> Result<Form, TokenError> + Send,
    ) -> Result<(AccessToken, Lifetime), TokenError> {
        let mut attempt = 1;
        loop {
            match self.ask_once(form()?).await {
                Outcome::Done(result) => return result,
                Outcome::Again(_, error) if attempt == ATTEMPTS => return Err(error),
                Outcome::Again(Some(pause), error) if pause > LONGEST_PAUSE => return Err(error),
                Outcome::Again(pause, _) => {
                    let back_off = (FIRST_PAUSE * (1 << (attempt - 1))).mul_f64(rand::rng().random_range(0.5..1.0));
                    tokio::time::sleep(pause.unwrap_or(back_off)).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn ask_once(&self, form: Form) -> Outcome {
        let asked = Instant::now();
        let unreachable = |source: reqwest::Error| {
            let source = source.without_url().into();
            Outcome::Again(
                None,
                TokenError::Unreachable {
                    endpoint: self.address.clone(),
                    source,
                },
            )
        };
        let response = match self.http.post(&self.address).form(&form).send().await {
            Ok(response) => response,
            Err(error) => return unreachable(error),
        };
        let (status, pause) = (response.status(), retry_after(response.headers()));
        match response.bytes().await {
            Ok(body) => self.read(asked, status, pause, &body),
            Err(error) => unreachable(error),
        }
    }

    fn read(&self, asked: Instant, status: StatusCode, pause: Option<Duration>, body: &[u8]) -> Outcome {
        if status == StatusCode::OK {
            return Outcome::Done(read_token(asked, body).unwrap_or_else(|| Err(self.no_token(status))));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = pause.unwrap_or(THROTTLED_PAUSE);
            let client_id = self.client_id.clone();
            return Outcome::Again(Some(retry_after), TokenError::Throttled { client_id, retry_after });
        }
        match read_error(status, body) {
            Some(refused) => {
                let is_transient = refused.is_transient() || status.is_server_error();
                let error = TokenError::Refused {
                    client_id: self.client_id.clone(),
                    tenant: self.tenant.clone(),
                    refused: Box::new(refused),
                };
                if is_transient {
                    Outcome::Again(pause, error)
                } else {
                    Outcome::Done(Err(error))
                }
            }
            None if status.is_server_error() => {
                let (endpoint, status) = (self.address.clone(), status.as_u16());
                Outcome::Again(pause, TokenError::Unavailable { endpoint, status })
            }
            None => Outcome::Done(Err(self.no_token(status))),
        }
    }

    fn no_token(&self, status: StatusCode) -> TokenError {
        TokenError::NoToken {
            endpoint: self.address.clone(),
            status: status.as_u16(),
        }
    }
}

fn read_token(asked: Instant, body: &[u8]) -> Option<Result<(AccessToken, Lifetime), TokenError>> {
    let answer: TokenAnswer = serde_json::from_slice(body).ok()?;
    let refresh_in = answer.refresh_in.and_then(Seconds::duration);
    let lifetime = Lifetime::of(asked, answer.expires_in.duration()?, refresh_in);
    let expires_at = SystemTime::now() + lifetime.expires.saturating_duration_since(Instant::now());
    Some(AccessToken::new(&answer.access_token, expires_at).map(|token| (token, lifetime)))
}

fn read_error(status: StatusCode, body: &[u8]) -> Option<Refused> {
    let answer: ErrorAnswer = serde_json::from_slice(body).ok()?;
    Some(Refused {
        status: status.as_u16(),
        error: answer.error,
        code: answer.error_codes.first().copied(),
        trace_id: answer.trace_id,
        correlation_id: answer.correlation_id,
    })
}

impl Seconds {
    /// Bounded, so that no answer can push a time out of range.
    fn duration(self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(seconds) => seconds,
            Self::Text(text) => text.parse().ok()?,
        };
        Some(Duration::from_secs(seconds.min(u64::from(u32::MAX))))
    }
}

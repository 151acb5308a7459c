//! The client of Graph's calls: one operation, tried until it is done, refused, in doubt, or out of time.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::InvalidHeaderValue;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;
use url::Url;

use super::attempt::Ready;
use super::error::{Failure, GraphError};
use super::kind::OperationKind;
use super::operation::Operation;
use super::told::{Success, Told};
use crate::calls::normal_id;
use crate::connector::MayBegin;
use crate::retry::{AttemptFailure, Decision, FailedAttempt, InDoubt, RetryPolicy};
use crate::service_url::{AddressError, ServiceUrl, Trust};
use crate::token::{TenantTokens, TokenError};

/// Time that one attempt may take, unless configured otherwise: the token, the connection and the whole answer included.
const ATTEMPT_TIME: Duration = Duration::from_secs(10);

/// Most pages of a collection.
const PAGES: usize = 50;

/// Client of Graph's calls for one bot registration. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    base: ServiceUrl,
    pub(super) tokens: Option<Arc<dyn TenantTokens>>,
    pub(super) user_agent: HeaderValue,
    policy: RetryPolicy,
    attempt_time: Duration,
    pub(super) may_begin: Option<MayBegin>,
}

/// For whom and until when an operation is done.
#[derive(Clone, Copy, Debug)]
pub struct Errand<'a> {
    /// Entra tenant of the call: Graph refuses tokens of others (403, 7505).
    pub tenant: &'a str,
    /// Graph's id of the call; [`Operation::Create`] needs none.
    pub call: Option<&'a str>,
    /// The call's chain, sent as `Scenario-Id`; without it the call's id stands for it.
    pub scenario: Option<&'a str>,
    /// After this nothing is tried any more, and what is under way is given up.
    pub deadline: std::time::Instant,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address of Graph cannot be used.
    #[error("the address of graph cannot be used")]
    Address(#[from] AddressError),
    /// The app's name cannot stand in a header.
    #[error("the app's name cannot stand in a header")]
    Name(#[from] InvalidHeaderValue),
}

impl Client {
    /// A client of the Graph at that base address ([`crate::cloud::Calling::graph`]), for the app of that name, which Graph logs:
    /// no personal data. `http` should be a [`crate::connector::http_client`]. Without tokens it shows none (a simulated Graph
    /// that wants none).
    ///
    /// # Errors
    /// The address is no plain `https` or `http` URL, or the name cannot stand in a header.
    pub fn new(
        http: reqwest::Client,
        graph: &str,
        tokens: Option<Arc<dyn TenantTokens>>,
        app: &str,
    ) -> Result<Self, ClientError> {
        let version = env!("CARGO_PKG_VERSION");
        Ok(Self {
            http,
            // The operator or the cloud's constants name it.
            base: ServiceUrl::parse(graph)?.trusted(Trust::AllowList)?,
            tokens,
            // The form that Microsoft's own library sends (observed).
            user_agent: HeaderValue::from_str(&format!("GraphCommunicationsClient-{app}/{version}"))?,
            policy: RetryPolicy {
                first_pause: Duration::from_millis(250),
                longest_pause: Duration::from_secs(5),
                ..RetryPolicy::default()
            },
            attempt_time: ATTEMPT_TIME,
            may_begin: None,
        })
    }

    /// Sets how operations are tried again, within their deadline.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the time that one attempt may take.
    #[must_use]
    pub fn with_attempt_time(mut self, attempt_time: Duration) -> Self {
        self.attempt_time = attempt_time;
        self
    }

    /// Sets who is asked directly before each request is written, after every wait for a token or a pause. While the answer is
    /// no, nothing is sent.
    #[must_use]
    pub fn with_permission(mut self, may_begin: MayBegin) -> Self {
        self.may_begin = Some(may_begin);
        self
    }

    /// Gets a token for calls of that tenant ahead of need: an invitation to record leaves 5 s for everything.
    ///
    /// # Errors
    /// There is none.
    pub async fn prepare(&self, tenant: &str) -> Result<(), TokenError> {
        match &self.tokens {
            Some(tokens) => tokens.of(tenant).token().await.map(drop),
            None => Ok(()),
        }
    }

    /// Does an operation. What may be repeated is tried again until the deadline; what may not only while Graph has certainly
    /// not done it ([`OperationKind::may_repeat`]).
    ///
    /// # Errors
    /// It was certainly not done, or nobody knows: see [`GraphError`].
    pub async fn perform(&self, operation: &Operation, errand: &Errand<'_>) -> Result<Told, GraphError> {
        let kind = operation.kind();
        let scenario = scenario(errand);
        let span = tracing::info_span!(
            "graph",
            otel.kind = "client",
            operation = kind.name(),
            call = errand.call,
            tenant = errand.tenant,
            scenario_id = scenario,
        );
        let not_sent = |cause| GraphError::NotSent { cause };
        if self.tokens.is_some() && errand.tenant.is_empty() {
            return Err(not_sent(Failure::NoTenant));
        }
        let request = operation
            .request(errand.call)
            .map_err(|error| not_sent(Failure::Body(error)))?;
        let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
        let url = self.base.join(&segments);
        let ready = Ready {
            kind,
            method: request.method.into(),
            url: url.map_err(|error| not_sent(Failure::Address(error)))?,
            body: request.body,
            tokens: self.tokens.as_ref().map(|tokens| tokens.of(errand.tenant)),
            scenario,
            deadline: errand.deadline.into(),
        };
        self.tell(ready).instrument(span).await
    }

    /// Does what is ready and reads the answer; of a collection that comes in pages, all of them.
    async fn tell(&self, mut ready: Ready) -> Result<Told, GraphError> {
        let doubt = |cause| GraphError::Doubt { cause };
        let kind = ready.kind;
        let mut success = self.persist(&ready).await?;
        let mut told = success.read(kind).map_err(doubt)?;
        let is_collection = told.is_collection();
        for _ in 1..PAGES {
            let next = if is_collection { success.next_page() } else { None };
            let Some(next) = next else { break };
            ready.url = self.page(&next).map_err(|cause| GraphError::NotSent { cause })?;
            success = self.persist(&ready).await?;
            told.append(success.read(kind).map_err(doubt)?);
        }
        Ok(told)
    }

    /// The address of a further page, which may lie nowhere else than the first: the token goes there.
    fn page(&self, next: &str) -> Result<Url, Failure> {
        let url = Url::parse(next).map_err(|error| Failure::Address(error.into()))?;
        if self.base.has_origin_of(&url) {
            Ok(url)
        } else {
            Err(Failure::Address(AddressError::Elsewhere))
        }
    }

    /// Attempts until one succeeds or nothing more may be tried.
    async fn persist(&self, ready: &Ready) -> Result<Success, GraphError> {
        let started = Instant::now();
        let policy = RetryPolicy {
            budget: self
                .policy
                .budget
                .min(ready.deadline.saturating_duration_since(started)),
            ..self.policy.clone()
        };
        let mut trials = Trials::new(ready.kind);
        loop {
            let left = ready.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(trials.given_up(Failure::NoTime, None));
            }
            let failed = match self.attempt(ready, self.attempt_time.min(left)).await {
                Ok(success) => return Ok(success),
                Err(failed) => failed,
            };
            let decision = trials.decide(&policy, &failed.failure, failed.retry_after, started.elapsed());
            tracing::warn!(
                operation = ready.kind.name(),
                attempt = trials.number,
                status = failed.failure.status(),
                failure = %failed.failure,
                scenario_id = %ready.scenario,
                client_request_id = %failed.client_request_id,
                request_id = failed.request_id.as_deref(),
                in_doubt = trials.in_doubt,
                ?decision,
                "graph did not take an operation"
            );
            match decision {
                Decision::RetryAfter(pause) => sleep(pause).await,
                Decision::GiveUp => return Err(trials.given_up(failed.failure, failed.retry_after)),
            }
        }
    }
}

/// The attempts at one request so far. Pure.
struct Trials {
    kind: OperationKind,
    number: u32,
    in_doubt: bool,
    conflicts: u32,
}

impl Trials {
    fn new(kind: OperationKind) -> Self {
        Self {
            kind,
            number: 0,
            in_doubt: false,
            conflicts: 0,
        }
    }

    /// Whether to try again after this failure.
    fn decide(
        &mut self,
        policy: &RetryPolicy,
        failure: &Failure,
        retry_after: Option<Duration>,
        elapsed: Duration,
    ) -> Decision {
        self.number += 1;
        self.in_doubt |= failure.leaves_doubt();
        let is_conflict = failure.status() == Some(409);
        self.conflicts += u32::from(is_conflict);
        let attempt = FailedAttempt {
            // A conflict is tried once more after a pause (inferred: another request may be in the way).
            failure: if is_conflict && self.conflicts == 1 {
                AttemptFailure::Status(503)
            } else {
                failure.attempt()
            },
            number: self.number,
            retry_after,
            elapsed,
            in_doubt: if self.kind.may_repeat() {
                InDoubt::Resend
            } else {
                InDoubt::Skip
            },
        };
        policy.decide(attempt, rand::random())
    }

    /// What the caller is told. A refusal does not end the doubt of an earlier attempt, unless the call is gone, or the
    /// operation changes nothing.
    fn given_up(&self, failure: Failure, retry_after: Option<Duration>) -> GraphError {
        let ends_doubt = failure.status() == Some(404) || self.kind.changes_nothing();
        if self.in_doubt && !ends_doubt {
            return GraphError::Doubt { cause: failure };
        }
        failure.into_error(retry_after)
    }
}

/// The call's chain; without one the call's own id, which is the same in all requests about it; without that a new one.
fn scenario(errand: &Errand<'_>) -> String {
    let ids = [errand.scenario, errand.call].into_iter().flatten();
    let known = ids.into_iter().find_map(normal_id);
    known.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}

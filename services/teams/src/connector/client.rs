//! The client itself: one method for each call, and the loop that tries again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::exchange::{before_sending, of_answer};
use super::{
    Answer, Call, ConnectorError, Created, Decision, ErrorCode, FailedAttempt, MembersPage, NewConversation,
    RetryPolicy, Sent,
};
use crate::activity::RosterMember;
use crate::service_url::ServiceUrl;
use crate::token::TokenProvider;

/// Client of the Connector for one bot. Cloning is cheap and shares the connections.
#[derive(Clone)]
pub struct Connector {
    pub(super) http: reqwest::Client,
    pub(super) tokens: Option<Arc<dyn TokenProvider>>,
    policy: RetryPolicy,
    pub(super) attempt_time: Duration,
    pub(super) may_begin: Option<MayBegin>,
}

/// Says whether a request may be written now.
pub type MayBegin = Arc<dyn Fn() -> bool + Send + Sync>;

/// Time that one attempt may take, unless configured otherwise: the token, the connection and the whole answer included.
pub const ATTEMPT_TIME: Duration = Duration::from_secs(15);

/// Begins an HTTP client that suits the Connector: connections are kept, no redirect is followed (it would take the token
/// along), a host that does not answer is noticed early.
pub fn http_client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .tcp_keepalive(Duration::from_secs(30))
        // Below the idle time of usual load balancers and firewalls, so that we close first.
        .pool_idle_timeout(Duration::from_secs(50))
        .http2_adaptive_window(true)
}

impl Connector {
    /// A client that shows the provider's tokens; without a provider it shows none (a simulated Teams that wants none).
    pub fn new(http: reqwest::Client, tokens: Option<Arc<dyn TokenProvider>>) -> Self {
        Self {
            http,
            tokens,
            policy: RetryPolicy::default(),
            attempt_time: ATTEMPT_TIME,
            may_begin: None,
        }
    }

    /// Sets how calls are tried again.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets who is asked directly before each request is written, after every wait for a token or a pause. While the answer is
    /// no, calls fail with [`super::Failure::Withheld`] and nothing is sent.
    #[must_use]
    pub fn with_permission(mut self, may_begin: MayBegin) -> Self {
        self.may_begin = Some(may_begin);
        self
    }

    /// Sets the time that one attempt may take.
    #[must_use]
    pub fn with_attempt_time(mut self, attempt_time: Duration) -> Self {
        self.attempt_time = attempt_time;
        self
    }

    /// Sends an activity to a conversation.
    ///
    /// # Errors
    /// It was refused, or the attempts were used up; the error says whether it may have arrived.
    pub async fn send(&self, base: &ServiceUrl, conversation: &str, activity: Bytes) -> Result<Sent, ConnectorError> {
        let call = Call::send(base, conversation, activity).map_err(before_sending)?;
        Ok(self.call(&call).await?.sent())
    }

    /// Sends an activity that answers another.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn reply(
        &self,
        base: &ServiceUrl,
        conversation: &str,
        answered: &str,
        activity: Bytes,
    ) -> Result<Sent, ConnectorError> {
        let call = Call::reply(base, conversation, answered, activity).map_err(before_sending)?;
        Ok(self.call(&call).await?.sent())
    }

    /// Replaces a message of the bot.
    ///
    /// # Errors
    /// It was refused, or the attempts were used up.
    pub async fn update(
        &self,
        base: &ServiceUrl,
        conversation: &str,
        id: &str,
        activity: Bytes,
    ) -> Result<Sent, ConnectorError> {
        let call = Call::update(base, conversation, id, activity).map_err(before_sending)?;
        Ok(self.call(&call).await?.sent())
    }

    /// Deletes a message of the bot, or finds it gone.
    ///
    /// # Errors
    /// It was refused, or the attempts were used up.
    pub async fn delete(&self, base: &ServiceUrl, conversation: &str, id: &str) -> Result<(), ConnectorError> {
        let call = Call::delete(base, conversation, id).map_err(before_sending)?;
        self.call(&call).await.map(drop)
    }

    /// Shows "is typing": one attempt, because a late one is worth nothing.
    ///
    /// # Errors
    /// The attempt failed.
    pub async fn typing(&self, base: &ServiceUrl, conversation: &str) -> Result<(), ConnectorError> {
        let call = Call::typing(base, conversation).map_err(before_sending)?;
        self.attempt(&call).await.map(drop)
    }

    /// Creates a conversation, or finds the chat with a person.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn create_conversation(
        &self,
        base: &ServiceUrl,
        conversation: &NewConversation,
    ) -> Result<Created, ConnectorError> {
        let call = Call::create_conversation(base, conversation).map_err(before_sending)?;
        let answer = self.call(&call).await?;
        answer.created().map_err(|failure| of_answer(failure, &call, &answer))
    }

    /// A page of the roster; see [`Call::members`].
    ///
    /// # Errors
    /// It was refused, or the attempts were used up.
    pub async fn members(
        &self,
        base: &ServiceUrl,
        conversation: &str,
        page_size: usize,
        continuation: Option<&str>,
    ) -> Result<MembersPage, ConnectorError> {
        let call = Call::members(base, conversation, page_size, continuation).map_err(before_sending)?;
        let answer = self.call(&call).await?;
        answer.members().map_err(|failure| of_answer(failure, &call, &answer))
    }

    /// One person of the roster; see [`Call::member`].
    ///
    /// # Errors
    /// It was refused, or the attempts were used up.
    pub async fn member(
        &self,
        base: &ServiceUrl,
        conversation: &str,
        member: &str,
    ) -> Result<RosterMember, ConnectorError> {
        let call = Call::member(base, conversation, member).map_err(before_sending)?;
        let answer = self.call(&call).await?;
        answer.member().map_err(|failure| of_answer(failure, &call, &answer))
    }

    /// Tries a call until it succeeds, is refused for good, or the policy gives up.
    ///
    /// # Errors
    /// That of the last attempt; in doubt if any attempt was.
    pub async fn call(&self, call: &Call) -> Result<Answer, ConnectorError> {
        let started = Instant::now();
        let mut was_in_doubt = false;
        let mut number = 0;
        loop {
            number += 1;
            let mut error = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            was_in_doubt |= error.in_doubt;
            error.in_doubt = was_in_doubt;
            let failed = FailedAttempt {
                failure: error.failure.attempt(),
                number,
                retry_after: error.retry_after,
                elapsed: started.elapsed(),
                in_doubt: call.in_doubt(),
            };
            let decision = self.policy.decide(failed, rand::random());
            tracing::warn!(
                operation = ?call.operation,
                host = call.url.host_str(),
                attempt = number,
                status = error.status(),
                code = error.code().map(ErrorCode::as_str),
                correlation = error.correlation.as_deref(),
                in_doubt = error.in_doubt,
                ?decision,
                "the connector did not take a call"
            );
            match decision {
                Decision::RetryAfter(pause) => sleep(pause).await,
                Decision::GiveUp => return Err(error),
            }
        }
    }
}

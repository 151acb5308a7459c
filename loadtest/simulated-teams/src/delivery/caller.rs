//! The shell of calls: posts notifications, fetches prompts, and lets time pass.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{Client, header::LOCATION};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::postman::innermost;
use crate::{
    calls::{Action, FetchFailure, JoinDecision, Outcome, Post, is_loopback, length_of},
    error::SimulatedTeamsError,
    server::without_secrets,
    shared::{self, Shared},
    traffic::{Direction, Exchange},
};

/// Postings and fetches that are under way at the same time; more wait in the lanes of their calls.
const MOST_UNDER_WAY: usize = 4_096;
/// Observed on real notifications.
const USER_AGENT: &str = "Microsoft-Skype/3.0,(Calling/1.0)";
/// How long a prompt may take to be fetched, and how big it may be.
const FETCH_PATIENCE: Duration = Duration::from_secs(10);
const LARGEST_PROMPT: usize = 64 << 20;

/// Calls bots until it is told to stop.
#[derive(Debug)]
pub(crate) struct Caller {
    shared: Arc<Shared>,
    client: Client,
}

impl Caller {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, SimulatedTeamsError> {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build()
            .map_err(SimulatedTeamsError::Client)?;
        Ok(Self { shared, client })
    }

    /// Does what calls want done, when it is due, until `shutdown`; what is under way then is dropped.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let caller = Arc::new(self);
        let mut under_way = JoinSet::new();
        loop {
            let room = MOST_UNDER_WAY.saturating_sub(under_way.len());
            // What is left for want of room is taken when something has ended.
            let ((actions, due, now), _) = caller.shared.turn_calls(|calls, now| {
                let actions = calls.take_actions(room);
                (actions, calls.next_due(), now)
            });
            for action in actions {
                let caller = Arc::clone(&caller);
                under_way.spawn(async move { caller.act(action).await });
            }
            let pause = due.map_or(Duration::from_secs(60), |due| {
                Duration::from_millis(due.saturating_sub(now))
            });
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = caller.shared.calls_wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn act(&self, action: Action) {
        match action {
            Action::Post(post) => {
                let delivery = post.delivery;
                let outcome = self.post(*post).await;
                self.shared
                    .with_calls(|calls, now| calls.delivered(delivery, &outcome, now));
            }
            Action::Fetch { call, run, place, uri } => {
                let fetched = tokio::time::timeout(FETCH_PATIENCE, self.fetch(&uri)).await;
                let fetched = fetched.unwrap_or(Err(FetchFailure::Unreachable));
                self.shared
                    .with_calls(|calls, now| calls.fetched(call, run, place, fetched, now));
            }
        }
    }

    async fn post(&self, post: Post) -> Outcome {
        let at = shared::now();
        let started = Instant::now();
        let app_id = &self.shared.config.bots[post.bot.0].app_id;
        let token = self
            .shared
            .with(|state, now| state.calling_login.token_for(post.bot, app_id, now));
        let token = match token {
            Ok(token) => token,
            Err(error) => return Outcome::Broken(error.to_string()),
        };
        let mut request = self.client.post(&post.url).bearer_auth(token);
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let request = request.header("Accept", "application/json").json(&post.body);
        let patience = Duration::from_millis(post.patience);
        let outcome = match tokio::time::timeout(patience, request.send()).await {
            Err(_) => Outcome::Silent,
            Ok(Err(error)) => Outcome::Broken(innermost(&error)),
            Ok(Ok(response)) if post.is_joining && response.status().is_success() => Outcome::Decided {
                status: response.status().as_u16(),
                decision: JoinDecision::read(&response.bytes().await.unwrap_or_default()),
            },
            Ok(Ok(response)) => Outcome::Answered {
                status: response.status().as_u16(),
                location: response
                    .headers()
                    .get(LOCATION)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned),
            },
        };
        let status = match outcome {
            Outcome::Answered { status, .. } | Outcome::Decided { status, .. } => Some(status),
            Outcome::Silent | Outcome::Broken(_) => None,
        };
        if !status.is_some_and(|status| (200..400).contains(&status)) {
            tracing::warn!(
                title = post.title,
                attempt = post.attempt,
                ?outcome,
                "a notification was not accepted"
            );
        }
        self.record(post, &outcome, at, started.elapsed());
        outcome
    }

    fn record(&self, post: Post, outcome: &Outcome, at: u64, elapsed: Duration) {
        self.shared.record(|| {
            let (status, failure) = match outcome {
                Outcome::Answered { status, .. } | Outcome::Decided { status, .. } => (Some(*status), None),
                Outcome::Silent => (None, Some("no answer in time".to_owned())),
                Outcome::Broken(why) => (None, Some(why.clone())),
            };
            let headers = post.headers.into_iter();
            Exchange {
                number: 0,
                at,
                direction: Direction::ToBot,
                bot: self.shared.config.bots[post.bot.0].name.clone(),
                title: format!("call \u{b7} {}", post.title),
                url: post.url,
                headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
                request: Some(without_secrets(post.body)),
                status,
                response: None,
                microseconds: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
                attempt: post.attempt,
                failure,
            }
        });
    }

    /// The length of a prompt on this machine.
    async fn fetch(&self, uri: &str) -> Result<Duration, FetchFailure> {
        let unreachable = |_| FetchFailure::Unreachable;
        if !is_loopback(uri) {
            return Err(FetchFailure::Unreachable);
        }
        let mut response = self.client.get(uri).send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(FetchFailure::Unreachable);
        }
        let mut file = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if file.len() + part.len() > LARGEST_PROMPT {
                return Err(FetchFailure::Format);
            }
            file.extend_from_slice(&part);
        }
        length_of(&file)
    }
}

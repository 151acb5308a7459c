//! The client that posts activities, and its queue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use reqwest::Client;
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{DeliveryOutcome, Job};
use crate::{
    error::SimulatedTeamsError,
    shared::{self, Shared},
    traffic::{Direction, Exchange},
    world::{activity::Delivery, invoke::InvokeOutcome},
};

/// Actions whose activities are under way at the same time; more wait in the queue.
const MOST_UNDER_WAY: usize = 4_096;
/// What real requests name is not documented; bots must not depend on it.
const USER_AGENT: &str = "Microsoft-SkypeBotApi (Microsoft-BotFramework/3.0)";

/// Posts activities until it is told to stop.
#[derive(Debug)]
pub(crate) struct Postman {
    shared: Arc<Shared>,
    client: Client,
}

/// What came of one posting.
enum Attempt {
    Answered { status: u16, body: Option<Value> },
    Silent,
    Broken(String),
}

impl Postman {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, SimulatedTeamsError> {
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(USER_AGENT)
            .build()
            .map_err(SimulatedTeamsError::Client)?;
        Ok(Self { shared, client })
    }

    /// Takes jobs until `shutdown`; what is under way then is dropped.
    pub(crate) async fn run(self, mut jobs: mpsc::Receiver<Job>, shutdown: CancellationToken) {
        let postman = Arc::new(self);
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                job = jobs.recv(), if under_way.len() < MOST_UNDER_WAY => match job {
                    Some(job) => {
                        let postman = Arc::clone(&postman);
                        under_way.spawn(async move { postman.work(job).await });
                    }
                    None => break,
                },
            }
        }
    }

    async fn work(&self, job: Job) {
        let mut outcomes = Vec::with_capacity(job.deliveries.len());
        for delivery in job.deliveries {
            outcomes.push(self.deliver(delivery).await);
        }
        // Nobody may be waiting for them.
        let _ = job.done.send(outcomes);
    }

    async fn deliver(&self, mut delivery: Delivery) -> DeliveryOutcome {
        let repeats = self.shared.config.repeats;
        let started = Instant::now();
        let mut attempts = 0;
        let last = loop {
            attempts += 1;
            let attempt = self.post(&delivery, attempts).await;
            let is_failure = match &attempt {
                Attempt::Silent => true,
                Attempt::Broken(_) => repeats.after_failure,
                Attempt::Answered { status, .. } => repeats.after_failure && matches!(status, 502..=504),
            };
            if !is_failure || attempts > repeats.same_id + repeats.new_id {
                break attempt;
            }
            if !matches!(attempt, Attempt::Silent) {
                tokio::time::sleep(repeats.after / 10).await;
            }
            if attempts > repeats.same_id {
                self.shared
                    .with(|state, now| state.world.renew(&mut delivery.activity, now));
            }
        };
        self.settle(delivery, last, attempts, started.elapsed())
    }

    /// Tells the person what came of it.
    fn settle(&self, delivery: Delivery, last: Attempt, attempts: u32, elapsed: Duration) -> DeliveryOutcome {
        let reason = match &last {
            Attempt::Answered { status: 200..=299, .. } => None,
            Attempt::Answered { status: 401 | 403, .. } => Some("The bot refused the token of Teams".to_owned()),
            Attempt::Answered { status, .. } => Some(format!("The bot answered {status}")),
            Attempt::Silent => Some("The bot did not answer in time".to_owned()),
            Attempt::Broken(why) => Some(format!("The bot cannot be reached: {why}")),
        };
        if let Some(reason) = &reason {
            let kind = delivery.activity.get("type").and_then(Value::as_str).unwrap_or("");
            let bot = &self.shared.config.bots[delivery.bot.0].name;
            tracing::warn!(bot, kind, attempts, reason, "an activity was not delivered");
        }
        let (status, body) = match last {
            Attempt::Answered { status, body } => (Some(status), body),
            Attempt::Silent | Attempt::Broken(_) => (None, None),
        };
        let invoke = self.shared.with(|state, _| match (delivery.invoke, status, &reason) {
            (Some(target), Some(status), _) => {
                let body = body.as_ref().unwrap_or(&Value::Null);
                Some(state.world.settle_invoke(target, delivery.person, status, body))
            }
            (Some(_), None, reason) => Some(InvokeOutcome::Failed {
                text: reason.clone().unwrap_or_default(),
            }),
            (None, _, Some(reason)) => {
                state.world.mark_undelivered(&delivery, reason);
                None
            }
            (None, _, None) => None,
        });
        DeliveryOutcome {
            activity: delivery.activity,
            status,
            body,
            attempts,
            elapsed,
            invoke,
        }
    }

    async fn post(&self, delivery: &Delivery, attempt: u32) -> Attempt {
        let at = shared::now();
        let started = Instant::now();
        let token = self.shared.with(|state, now| {
            let app_id = &state.world.bots[delivery.bot.0].app_id;
            let own = &state.world.service_url;
            match delivery.activity.get("serviceUrl").and_then(Value::as_str) {
                // An activity that came from outside: the claim must fit it.
                Some(other) if other != own => state.login.sign(&state.login.claims(app_id, other, now)),
                _ => state.login.token_for(delivery.bot, app_id, own, now),
            }
        });
        let token = match token {
            Ok(token) => token,
            Err(error) => return Attempt::Broken(error.to_string()),
        };
        let text = |member: &str| delivery.activity.get(member).and_then(Value::as_str).unwrap_or("");
        let id = |member: &str| {
            let account = delivery.activity.get("conversation");
            account
                .and_then(|account| account.get(member))
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned()
        };
        let headers = [
            ("content-type", "application/json; charset=utf-8".to_owned()),
            ("ms-cv", correlation_vector()),
            ("x-ms-conversation-id", id("id")),
            ("x-ms-tenant-id", id("tenantId")),
        ];
        let Ok(body) = serde_json::to_vec(&delivery.activity) else {
            return Attempt::Broken("the activity cannot be written as JSON".to_owned());
        };
        let mut request = self
            .client
            .post(&self.shared.config.bot_endpoint)
            .bearer_auth(token)
            .body(body);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let answer = tokio::time::timeout(self.shared.config.repeats.after, exchange(request)).await;
        let attempt_result = answer.unwrap_or(Attempt::Silent);
        let title = match text("name") {
            "" => text("type").to_owned(),
            name => format!("{} {name}", text("type")),
        };
        self.shared.record(|| {
            let (status, response, failure) = match &attempt_result {
                Attempt::Answered { status, body } => (Some(*status), body.clone(), None),
                Attempt::Silent => (None, None, Some("no answer in time".to_owned())),
                Attempt::Broken(why) => (None, None, Some(why.clone())),
            };
            Exchange {
                number: 0,
                at,
                direction: Direction::ToBot,
                bot: self.shared.config.bots[delivery.bot.0].name.clone(),
                title,
                url: self.shared.config.bot_endpoint.clone(),
                headers: headers
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                request: Some(Value::Object(delivery.activity.clone())),
                status,
                response,
                microseconds: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
                attempt,
                failure,
            }
        });
        attempt_result
    }
}

async fn exchange(request: reqwest::RequestBuilder) -> Attempt {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Attempt::Broken(innermost(&error)),
    };
    let status = response.status().as_u16();
    match response.bytes().await {
        Ok(bytes) => Attempt::Answered {
            status,
            body: serde_json::from_slice(&bytes).ok(),
        },
        Err(error) => Attempt::Broken(innermost(&error)),
    }
}

/// "connection refused" says more than "error sending request".
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// `MS-CV` of a request, in the form of the correlation vector 2.1.
fn correlation_vector() -> String {
    format!("{}.1.1", STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>()))
}

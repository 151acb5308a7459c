//! An ingress with its login host and its workers, and what a caller says to it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trunkline_ingress::{Clock, Ingress, IngressConfig, IngressError, StopTimes, Transport};
use trunkline_teams::identity::{BotIdentity, RefreshSchedule, Verifier, VerifierConfig};

use crate::login_host::LoginHost;
use crate::signer::{APP_ID, NOW, SECOND_APP_ID, SERVICE_URL, TENANT, at, token};
use crate::worker::FakeWorker;

/// How long a busy machine may take for what should take no time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) login: LoginHost,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) registry: Registry,
    pub(crate) shutdown: CancellationToken,
    pub(crate) serving: JoinHandle<Result<(), IngressError>>,
}

/// What a test changes before the ingress starts.
pub(crate) struct Plan {
    pub(crate) login: LoginHost,
    pub(crate) ingress: IngressConfig,
    pub(crate) verifier: VerifierConfig,
}

impl Plan {
    /// Plain HTTP on one thread, two bots, the clock of the tokens, and these workers.
    pub(crate) fn new(workers: &[&FakeWorker]) -> Self {
        let login = LoginHost::start();
        let bot = |name: &str, app_id: &str| BotIdentity {
            name: name.into(),
            app_id: app_id.into(),
            ..BotIdentity::default()
        };
        let bots = vec![bot("echo", APP_ID), bot("second", SECOND_APP_ID)];
        let verifier = VerifierConfig {
            refresh: RefreshSchedule {
                unknown_key_interval: Duration::ZERO,
                first_retry: Duration::from_millis(10),
                ..RefreshSchedule::default()
            },
            ..VerifierConfig::new(login.cloud(), bots)
        };
        let workers = workers.iter().map(|worker| worker.address.to_string()).collect();
        let ingress = IngressConfig {
            threads: 1,
            clock: Clock::new(|| at(NOW)),
            stop: StopTimes {
                notice: Duration::ZERO,
                finish: Duration::from_secs(5),
            },
            ..IngressConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)), Transport::PlainHttp, workers)
        };
        Self {
            login,
            ingress,
            verifier,
        }
    }

    /// Starts the ingress, ready or not.
    pub(crate) async fn start(self) -> World {
        let verifier = Verifier::new(self.verifier, Client::new()).unwrap();
        let mut registry = Registry::default();
        let ingress = Ingress::bind(self.ingress, Arc::new(verifier), &mut registry)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        World {
            login: self.login,
            address: ingress.addresses()[0],
            client: Client::new(),
            registry,
            shutdown: shutdown.clone(),
            serving: rt::spawn(ingress.serve(shutdown)),
        }
    }

    /// Starts the ingress and waits until it is ready.
    pub(crate) async fn ready(self) -> World {
        let world = self.start().await;
        world.until_ready().await;
        world
    }
}

impl World {
    /// The usual plan with one worker.
    pub(crate) async fn with(worker: &FakeWorker) -> Self {
        Plan::new(&[worker]).ready().await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn until_ready(&self) {
        let start = Instant::now();
        loop {
            let ready = self.client.get(self.url("/readyz")).send().await;
            let status = ready.map(|response| response.status().as_u16());
            if matches!(status, Ok(200)) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "never ready: {status:?}");
            rt::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A request with a genuine token.
    pub(crate) fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.post_as(&token(), body)
    }

    /// A request with this token.
    pub(crate) fn post_as(&self, token: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.client
            .post(self.url("/api/messages"))
            .bearer_auth(token)
            .body(body)
    }

    /// Status of the answer to this activity.
    pub(crate) async fn status(&self, activity: &Value) -> u16 {
        let response = within_time(self.post(activity.to_string()).send()).await;
        response.unwrap().status().as_u16()
    }

    /// Value of a series, by its name with labels; 0 if it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text
            .lines()
            .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

/// Sends a request and waits for its answer in a task of its own.
pub(crate) fn in_background(request: RequestBuilder) -> JoinHandle<Response> {
    rt::spawn(async move { within_time(request.send()).await.unwrap() })
}

/// A message of a personal chat.
pub(crate) fn message(id: &str) -> Value {
    json!({
        "type": "message", "id": id, "channelId": "msteams", "serviceUrl": SERVICE_URL, "text": "good morning",
        "timestamp": "2027-01-15T08:00:00.123Z",
        "from": {"id": "29:1kO3", "aadObjectId": "7a1c61a4-0d33-4a6e-9b66-3b3d9a1f0c55"},
        "recipient": {"id": format!("28:{APP_ID}")},
        "conversation": {"id": "a:1pR7", "conversationType": "personal", "tenantId": TENANT},
        "channelData": {"tenant": {"id": TENANT}},
    })
}

/// The same in another conversation.
pub(crate) fn message_in(conversation: &str, id: &str) -> Value {
    let mut message = message(id);
    message["conversation"]["id"] = conversation.into();
    message
}

/// An invoke of that name.
pub(crate) fn invoke(name: &str) -> Value {
    let mut invoke = message("f:42");
    invoke["type"] = "invoke".into();
    invoke["name"] = name.into();
    invoke
}

/// Fails if it takes long enough to be a fault.
pub(crate) async fn within_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it hangs")
}

/// Waits for a condition that another task brings about.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        rt::time::sleep(Duration::from_millis(2)).await;
    }
}

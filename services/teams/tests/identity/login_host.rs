//! A login host: OpenID metadata and a key document that tests can change, break and hold back.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};
use trunkline_teams::cloud::Cloud;
use trunkline_teams::identity::{Body, BotIdentity, RefreshSchedule, Refusal, Verified, Verifier, VerifierConfig};

use crate::signer::{APP_ID, ISSUER, NOW, SECOND_APP_ID, SERVICE_URL, at};

/// How long a busy machine may take for what should take no time.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the host answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A key document with these keys.
    Keys(Vec<Value>),
    /// A page that is no key document.
    Page(&'static str),
    /// 500.
    Broken,
}

struct State {
    address: String,
    answer: Answer,
    issuer: String,
    reads: u32,
}

/// The running host.
#[derive(Clone)]
pub(crate) struct LoginHost {
    state: Arc<Mutex<State>>,
    /// Key documents are given out as long as it has permits.
    gate: Arc<Semaphore>,
}

impl LoginHost {
    pub(crate) fn start(answer: Answer) -> Self {
        let state = State {
            address: String::new(),
            answer,
            issuer: ISSUER.into(),
            reads: 0,
        };
        let host = Self {
            state: Arc::new(Mutex::new(state)),
            gate: Arc::new(Semaphore::new(1)),
        };
        let shared = host.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .route("/metadata", web::get().to(metadata))
                .route("/keys", web::get().to(keys))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        host.state.lock().unwrap().address = format!("http://{}", server.addrs()[0]);
        rt::spawn(server.run());
        host
    }

    pub(crate) fn set(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    pub(crate) fn set_issuer(&self, issuer: &str) {
        self.state.lock().unwrap().issuer = issuer.into();
    }

    /// How often the key document was asked for.
    pub(crate) fn reads(&self) -> u32 {
        self.state.lock().unwrap().reads
    }

    /// Holds key documents back until the permit is dropped.
    pub(crate) async fn hold_back(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.gate).acquire_owned().await.unwrap()
    }

    /// The worldwide cloud with this host's metadata.
    pub(crate) fn cloud(&self) -> Cloud {
        let connector_metadata = format!("{}/metadata", self.state.lock().unwrap().address);
        Cloud {
            connector_metadata,
            ..Cloud::public()
        }
    }

    /// The rules of most tests: two bots, and a schedule by which nothing happens by itself.
    pub(crate) fn config(&self) -> VerifierConfig {
        let bot = |name: &str, app_id: &str| BotIdentity {
            name: name.into(),
            app_id: app_id.into(),
            ..BotIdentity::default()
        };
        let bots = vec![bot("echo", APP_ID), bot("second", SECOND_APP_ID)];
        VerifierConfig {
            refresh: quiet(),
            key_time_limit: PATIENCE,
            ..VerifierConfig::new(self.cloud(), bots)
        }
    }
}

/// Reads once at the start, and whenever a key is unknown.
pub(crate) fn quiet() -> RefreshSchedule {
    RefreshSchedule {
        unknown_key_interval: Duration::ZERO,
        ..RefreshSchedule::default()
    }
}

async fn metadata(host: web::Data<LoginHost>) -> HttpResponse {
    let state = host.state.lock().unwrap();
    let keys = format!("{}/keys", state.address);
    HttpResponse::Ok().json(json!({
        "issuer": state.issuer, "jwks_uri": keys, "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(host: web::Data<LoginHost>) -> HttpResponse {
    host.state.lock().unwrap().reads += 1;
    drop(host.gate.acquire().await.unwrap());
    let answer = host.state.lock().unwrap().answer.clone();
    match answer {
        Answer::Keys(keys) => HttpResponse::Ok().json(json!({ "keys": keys })),
        Answer::Page(page) => HttpResponse::Ok().content_type("text/html").body(page),
        Answer::Broken => HttpResponse::InternalServerError().finish(),
    }
}

/// A verifier and the task that keeps its keys fresh.
pub(crate) struct Running {
    pub(crate) verifier: Arc<Verifier>,
    shutdown: oneshot::Sender<()>,
    task: rt::task::JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(config: VerifierConfig) -> Self {
        let verifier = Arc::new(Verifier::new(config, reqwest::Client::new()).unwrap());
        let (shutdown, ended) = oneshot::channel::<()>();
        let keeper = Arc::clone(&verifier);
        let task = rt::spawn(async move {
            keeper.keep_keys_fresh(async { drop(ended.await) }).await;
        });
        Self {
            verifier,
            shutdown,
            task,
        }
    }

    /// Token and body as most tests send them.
    pub(crate) async fn accept(&self, token: &str) -> Result<Verified, Refusal> {
        self.accept_at(token, at(NOW), &body()).await
    }

    pub(crate) async fn accept_at(&self, token: &str, now: SystemTime, body: &Body<'_>) -> Result<Verified, Refusal> {
        let header = format!("Bearer {token}");
        let verified = self.verifier.check([header.as_bytes()], now).await?;
        self.verifier.check_body(&verified, body)?;
        Ok(verified)
    }

    /// Ends the task; fails if it does not end.
    pub(crate) async fn stop(self) {
        self.shutdown.send(()).unwrap();
        within_time(self.task).await.unwrap();
    }
}

/// What a genuine activity says.
pub(crate) fn body() -> Body<'static> {
    Body {
        service_url: Some(SERVICE_URL),
        channel_id: Some("msteams"),
        tenant: Some("8a0c2f6e-0000-4bbb-8ccc-1d2e3f405162"),
    }
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
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

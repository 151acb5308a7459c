//! The other end of `routing.proto`, as small as a test needs it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::UnboundedReceiverStream;
use trunkline_proto::routing::routing_client::RoutingClient;
use trunkline_proto::routing::{Claims, Deliver, Hello, Kind, PROTOCOL, Reason, Routes, ToWorker, Welcome, outcome};
use trunkline_store::key::Triple;
use xxhash_rust::xxh3::xxh3_64;

use super::{PATIENCE, SHARDS};

pub const TENANT: &str = "9a1f0c5e-0000-4000-8000-00000000cafe";

/// Who waits for which delivery; nobody after the end of the stream.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<outcome::Result>>>>>;

/// One stream to a worker.
pub struct FakeIngress {
    frames: mpsc::UnboundedSender<ToWorker>,
    waiting: Waiting,
    next: AtomicU64,
    service_url: String,
    pub welcome: Welcome,
    pub credits: Arc<AtomicU64>,
    /// Deliveries that may be shed at once, as the first frame says.
    pub shed_window: Option<u32>,
    /// The newest table of routes that came.
    pub routes: Arc<Mutex<Routes>>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    Done(u16, Value),
    Accepted,
    Repeated(u16, Value),
    Moved,
    Refused(Reason),
}

impl FakeIngress {
    pub async fn connect(address: SocketAddr, service_url: &str) -> Self {
        let connected = Self::try_connect(address, service_url, Arc::default()).await;
        connected.expect("the worker listens")
    }

    /// A stream whose routes go where they are shared with others. `None` when nobody listens.
    pub async fn try_connect(address: SocketAddr, service_url: &str, routes: Arc<Mutex<Routes>>) -> Option<Self> {
        let (frames, queue) = mpsc::unbounded_channel();
        let hello = Hello {
            protocol: PROTOCOL,
            ingress: "test".to_owned(),
            thread: 0,
            incarnation: 1,
            oldest: 0,
        };
        frames
            .send(ToWorker {
                hello: Some(hello),
                ..ToWorker::default()
            })
            .unwrap();
        let mut client = RoutingClient::connect(format!("http://{address}")).await.ok()?;
        let exchange = client.exchange(UnboundedReceiverStream::new(queue)).await;
        let mut incoming = exchange.ok()?.into_inner();
        let first = incoming.message().await.ok()??;
        let credits = Arc::new(AtomicU64::new(u64::from(first.credits)));
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        learn(&routes, first.routes);
        let (given, told, learned) = (credits.clone(), waiting.clone(), routes.clone());
        actix_rt::spawn(async move {
            while let Ok(Some(frame)) = incoming.message().await {
                given.fetch_add(u64::from(frame.credits), Ordering::SeqCst);
                learn(&learned, frame.routes);
                for outcome in frame.outcome {
                    let waiting = told.lock().unwrap().as_mut().and_then(|all| all.remove(&outcome.seq));
                    if let Some(waiting) = waiting {
                        let _ = waiting.send(outcome.result.expect("an outcome has a result"));
                    }
                }
            }
            *told.lock().unwrap() = None;
        });
        Some(Self {
            frames,
            waiting,
            next: AtomicU64::new(1),
            service_url: service_url.to_owned(),
            welcome: first.welcome.expect("a welcome"),
            credits,
            routes,
            shed_window: first.shed_window,
        })
    }

    /// Whether the stream has ended.
    pub fn is_over(&self) -> bool {
        self.waiting.lock().unwrap().is_none()
    }

    /// Sends an activity and waits for its outcome.
    pub async fn sends(&self, activity: &Said) -> Answered {
        let receiver = self.begins(activity);
        let result = tokio::time::timeout(PATIENCE, receiver).await;
        answered(
            result
                .unwrap_or_else(|_| panic!("no outcome for {activity:?}"))
                .expect("the stream stays open"),
        )
    }

    /// Sends an activity; its outcome comes later.
    pub fn begins(&self, said: &Said) -> oneshot::Receiver<outcome::Result> {
        self.delivers(|seq| said.deliver(seq, &self.service_url))
    }

    /// Sends a notification of Graph to the call of that key, and waits for its outcome.
    pub async fn notifies(&self, told: &Told) -> Answered {
        let receiver = self.delivers(|seq| told.deliver(seq));
        let result = tokio::time::timeout(PATIENCE, receiver).await;
        let result = result.unwrap_or_else(|_| panic!("no outcome for {told:?}"));
        answered(result.expect("the stream stays open"))
    }

    fn delivers(&self, deliver: impl FnOnce(u64) -> Deliver) -> oneshot::Receiver<outcome::Result> {
        let (sender, receiver) = oneshot::channel();
        let seq = self.next.fetch_add(1, Ordering::SeqCst);
        // After the end of the stream nobody answers: the sender is dropped.
        if let Some(waiting) = self.waiting.lock().unwrap().as_mut() {
            waiting.insert(seq, sender);
        }
        let frame = ToWorker {
            deliver: vec![deliver(seq)],
            map_version: self.routes.lock().unwrap().version,
            ..ToWorker::default()
        };
        let _ = self.frames.send(frame);
        receiver
    }
}

fn learn(routes: &Mutex<Routes>, newer: Option<Routes>) {
    let mut known = routes.lock().unwrap();
    if let Some(newer) = newer.filter(|newer| newer.version > known.version) {
        *known = newer;
    }
}

pub fn answered(result: outcome::Result) -> Answered {
    let json = |body: &[u8]| {
        if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).unwrap()
        }
    };
    match result {
        outcome::Result::Done(answer) => Answered::Done(answer.status.try_into().unwrap(), json(&answer.body)),
        outcome::Result::Repeated(answer) => Answered::Repeated(answer.status.try_into().unwrap(), json(&answer.body)),
        outcome::Result::Accepted(_) => Answered::Accepted,
        outcome::Result::Moved(_) => Answered::Moved,
        outcome::Result::Refused(refused) => Answered::Refused(refused.reason()),
    }
}

/// A notification of a test.
#[derive(Clone, Debug)]
pub struct Told {
    pub bot: String,
    /// Key of the call.
    pub key: String,
    pub dedupe: u64,
    pub age_ms: u32,
    pub body: Value,
}

impl Told {
    /// About a call: what changed of it, or of what is below it.
    pub fn new(key: &str, id: &str, change: &str, below: &str, resource: &Value) -> Self {
        let url = format!("/communications/calls/{id}{below}");
        Self {
            bot: "test".to_owned(),
            key: key.to_owned(),
            dedupe: rand::random(),
            age_ms: 0,
            body: json!({ "changeType": change, "resourceUrl": url, "resourceData": resource }),
        }
    }

    /// Of the call itself.
    pub fn call(key: &str, id: &str, change: &str, mut call: Value) -> Self {
        call["@odata.type"] = json!("#microsoft.graph.call");
        Self::new(key, id, change, "", &call)
    }

    fn deliver(&self, seq: u64) -> Deliver {
        let triple = Triple::call(&self.bot, &self.key);
        Deliver {
            seq,
            shard: triple.shard(SHARDS).0,
            key: triple.key().0.to_vec().into(),
            dedupe: Some(self.dedupe),
            delivery_id: seq,
            remaining_ms: 3_000,
            kind: Kind::Call as i32,
            claims: Some(Claims {
                bot: self.bot.clone(),
                tenant: TENANT.to_owned(),
                service_url: String::new(),
                verified: true,
            }),
            conversation: self.key.clone(),
            activity: serde_json::to_vec(&self.body).unwrap().into(),
            age_ms: self.age_ms,
            ..Deliver::default()
        }
    }
}

/// An activity of a test.
#[derive(Clone, Debug)]
pub struct Said {
    pub bot: String,
    pub conversation: String,
    pub id: String,
    pub kind: Kind,
    pub body: Value,
    pub remaining: Duration,
    pub traceparent: String,
    pub is_shed: bool,
}

impl Said {
    /// A message of Ines in a conversation with the bot `test`.
    pub fn message(conversation: &str, id: &str, text: &str) -> Self {
        let body = json!({ "type": "message", "text": text });
        Self::activity(conversation, id, Kind::Message, body)
    }

    pub fn invoke(conversation: &str, id: &str, name: &str, value: &Value) -> Self {
        let body = json!({ "type": "invoke", "name": name, "value": value });
        Self::activity(conversation, id, Kind::Invoke, body)
    }

    pub fn activity(conversation: &str, id: &str, kind: Kind, mut body: Value) -> Self {
        body["id"] = json!(id);
        body["channelId"] = json!("msteams");
        body["from"] = json!({ "id": "29:ines", "name": "Ines" });
        body["recipient"] = json!({ "id": "28:bot", "name": "Bot" });
        body["conversation"] = json!({ "id": conversation, "conversationType": "personal", "tenantId": TENANT });
        Self {
            bot: "test".to_owned(),
            conversation: conversation.to_owned(),
            id: id.to_owned(),
            kind,
            body,
            remaining: Duration::from_secs(13),
            traceparent: String::new(),
            is_shed: false,
        }
    }

    /// Not to be run at once.
    #[must_use]
    pub fn shed(mut self) -> Self {
        self.is_shed = true;
        self
    }

    #[must_use]
    pub fn with_remaining(mut self, remaining: Duration) -> Self {
        self.remaining = remaining;
        self
    }

    fn deliver(&self, seq: u64, service_url: &str) -> Deliver {
        let triple = Triple::conversation(&self.bot, TENANT, &self.conversation);
        let mut body = self.body.clone();
        body["serviceUrl"] = json!(service_url);
        Deliver {
            seq,
            shard: triple.shard(SHARDS).0,
            key: triple.key().0.to_vec().into(),
            dedupe: Some(xxh3_64(format!("{}/{}", self.conversation, self.id).as_bytes())),
            delivery_id: seq,
            remaining_ms: u32::try_from(self.remaining.as_millis()).unwrap(),
            traceparent: self.traceparent.clone(),
            kind: self.kind as i32,
            claims: Some(Claims {
                bot: self.bot.clone(),
                tenant: TENANT.to_owned(),
                service_url: service_url.to_owned(),
                verified: true,
            }),
            conversation: self.conversation.clone(),
            activity: serde_json::to_vec(&body).unwrap().into(),
            shed: self.is_shed,
            ..Deliver::default()
        }
    }
}

impl Answered {
    /// The status of a first answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Done(status, _) => Some(*status),
            _ => None,
        }
    }
}

//! A worker that owns shards, grants credits and answers as the test says.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::Stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::routing_server::{Routing, RoutingServer};
use trunkline_proto::routing::{
    Answer, Deliver, Hello, MESSAGE_LIMIT, Moved, Outcome, PROTOCOL, Reason, Refused, RouteNode, Routes, ToIngress,
    ToWorker, Welcome,
};
use trunkline_store::key::DEFAULT_SHARDS;

/// What a worker does with a delivery; `None` keeps it.
type Decide = Box<dyn FnMut(&Deliver) -> Option<Ended> + Send>;

/// A running worker.
#[derive(Clone)]
pub(crate) struct FakeWorker {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What it is and what it saw.
pub(crate) struct State {
    pub(crate) welcome: Welcome,
    pub(crate) first_credits: u32,
    /// Reads and says nothing.
    pub(crate) is_silent: bool,
    decide: Decide,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) deliveries: Vec<Deliver>,
    /// Deliveries of each frame that carried any.
    pub(crate) batches: Vec<usize>,
    pub(crate) cancels: Vec<u64>,
    /// Process runs that the ingress reported.
    pub(crate) suspects: Vec<u64>,
    /// Version of the map that the last frame named.
    pub(crate) map_version: u64,
    /// Sent to whoever knows an older one. Unset: a table of this worker alone, which serves everything.
    pub(crate) routes: Option<Routes>,
    address: SocketAddr,
    /// Process runs so far.
    runs: u64,
    streams: Vec<UnboundedSender<Result<ToIngress, Status>>>,
    server: Option<tokio::task::JoinHandle<()>>,
    /// Set for a worker with a runtime of its own.
    crash: Option<CancellationToken>,
}

impl FakeWorker {
    /// Serves every shard and answers 200 to everything.
    pub(crate) async fn start() -> Self {
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: "test".into(),
            incarnation: rand::random(),
            shards: DEFAULT_SHARDS,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let worker = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                welcome,
                first_credits: 1_000,
                is_silent: false,
                decide: Box::new(|_| Some(done())),
                hellos: Vec::new(),
                deliveries: Vec::new(),
                batches: Vec::new(),
                cancels: Vec::new(),
                suspects: Vec::new(),
                map_version: 0,
                routes: None,
                address: listener.local_addr().unwrap(),
                runs: 1,
                streams: Vec::new(),
                server: None,
                crash: None,
            })),
        };
        worker.serve(listener);
        worker
    }

    /// A worker with a runtime of its own, which can crash.
    pub(crate) async fn start_mortal() -> Self {
        let crash = CancellationToken::new();
        let (started, worker) = tokio::sync::oneshot::channel();
        let crashed = crash.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let _ = started.send(Self::start().await);
                crashed.cancelled().await;
            });
            // Every socket of the runtime is closed here, in whatever state it is.
        });
        let worker: Self = worker.await.unwrap();
        worker.look().crash = Some(crash);
        worker
    }

    fn serve(&self, listener: TcpListener) {
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let service = RoutingServer::new(self.clone()).max_decoding_message_size(MESSAGE_LIMIT);
        let server = Server::builder().add_service(service).serve_with_incoming(incoming);
        let task = tokio::spawn(async move {
            let _ = server.await;
        });
        self.look().server = Some(task);
    }

    pub(crate) fn look(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What happens to deliveries from now on.
    pub(crate) fn on_delivery(&self, decide: impl FnMut(&Deliver) -> Option<Ended> + Send + 'static) {
        self.look().decide = Box::new(decide);
    }

    /// Dies as a process does: the system closes its connections in the middle of whatever they carry.
    pub(crate) fn crash(&self) {
        let crashing = self.look().crash.take();
        if let Some(crashing) = crashing {
            crashing.cancel();
        }
    }

    /// How routing tables name it.
    pub(crate) fn as_node(&self) -> RouteNode {
        self.look().as_node()
    }

    /// Ends: nobody listens, and every stream breaks.
    pub(crate) async fn die(&self) {
        let server = {
            let mut state = self.look();
            state.streams.clear();
            state.server.take()
        };
        if let Some(server) = server {
            server.abort();
            let _ = server.await;
        }
    }

    /// Breaks every stream and goes on.
    pub(crate) fn break_streams(&self) {
        self.look().streams.clear();
    }

    /// Starts again at the same address, as another process.
    pub(crate) async fn rise(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        {
            let mut state = self.look();
            state.welcome.incarnation = rand::random();
            state.runs += 1;
        }
        self.serve(listener);
    }

    /// Sends a frame over every open stream.
    pub(crate) fn say(&self, frame: &ToIngress) {
        for stream in &self.look().streams {
            let _ = stream.send(Ok(frame.clone()));
        }
    }
}

impl State {
    /// What came, as text.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let bodies = self
            .deliveries
            .iter()
            .map(|deliver| String::from_utf8(deliver.activity.to_vec()).unwrap());
        bodies.collect()
    }

    fn answer(&mut self, frame: ToWorker) -> ToIngress {
        if !frame.deliver.is_empty() {
            self.batches.push(frame.deliver.len());
        }
        self.cancels.extend(frame.cancel);
        self.suspects.extend(frame.suspect);
        let mut outcome = Vec::new();
        for deliver in frame.deliver {
            let result = (self.decide)(&deliver);
            if result.is_some() {
                outcome.push(Outcome {
                    seq: deliver.seq,
                    result,
                });
            }
            self.deliveries.push(deliver);
        }
        ToIngress {
            credits: u32::try_from(outcome.len()).unwrap(),
            outcome,
            routes: self.newer_routes(),
            ..ToIngress::default()
        }
    }

    fn newer_routes(&self) -> Option<Routes> {
        let routes = self.routes.clone().unwrap_or_else(|| Routes {
            version: self.runs,
            nodes: vec![self.as_node()],
            owners: vec![0; DEFAULT_SHARDS as usize * 2].into(),
        });
        (routes.version > self.map_version).then_some(routes)
    }

    fn as_node(&self) -> RouteNode {
        RouteNode {
            incarnation: self.welcome.incarnation,
            name: "test".into(),
            address: self.address.to_string(),
            draining: false,
        }
    }
}

#[tonic::async_trait]
impl Routing for FakeWorker {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<ToIngress, Status>> + Send>>;

    async fn exchange(&self, request: Request<Streaming<ToWorker>>) -> Result<Response<Self::ExchangeStream>, Status> {
        let mut incoming = request.into_inner();
        let (sender, outgoing) = unbounded_channel();
        let closed = sender.downgrade();
        self.look().streams.push(sender);
        let worker = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(frame)) = incoming.message().await {
                let Some(sender) = closed.upgrade() else {
                    return;
                };
                let mut state = worker.look();
                if state.is_silent {
                    continue;
                }
                state.map_version = frame.map_version;
                let answer = match frame.hello {
                    Some(hello) => {
                        state.hellos.push(hello);
                        ToIngress {
                            welcome: Some(state.welcome.clone()),
                            credits: state.first_credits,
                            routes: state.newer_routes(),
                            ..ToIngress::default()
                        }
                    }
                    None => state.answer(frame),
                };
                let _ = sender.send(Ok(answer));
            }
        });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(outgoing))))
    }
}

/// A table of these workers; `owner` gives the place of each shard's owner among them.
pub(crate) fn routes(version: u64, workers: &[&FakeWorker], owner: impl Fn(u32) -> u16) -> Routes {
    let owners = (0..DEFAULT_SHARDS).flat_map(|shard| owner(shard).to_le_bytes());
    Routes {
        version,
        nodes: workers.iter().map(|worker| worker.as_node()).collect(),
        owners: owners.collect::<Vec<u8>>().into(),
    }
}

/// A committed turn without a body.
pub(crate) fn done() -> Ended {
    done_with(200, "")
}

/// A committed turn with an answer of its own.
pub(crate) fn done_with(status: u32, body: &'static str) -> Ended {
    Ended::Done(Answer {
        status,
        body: Bytes::from_static(body.as_bytes()),
    })
}

/// A hand-back.
pub(crate) fn moved() -> Ended {
    Ended::Moved(Moved {})
}

/// A refusal.
pub(crate) fn refused(reason: Reason, retry_after_ms: u32) -> Ended {
    Ended::Refused(Refused {
        reason: reason.into(),
        retry_after_ms,
    })
}

//! A worker's listener with an echo behind it, clients of every kind, and the log that both write.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tracing::subscriber::DefaultGuard;
use trunkline_cluster::channel::{Connector, Identity, IdentityFiles, Listener, Peer, Role, TlsError};
use trunkline_proto::routing::routing_client::RoutingClient;
use trunkline_proto::routing::routing_server::{Routing, RoutingServer};
use trunkline_proto::routing::{Outcome, ToIngress, ToWorker};

use crate::authority::{Authority, DOMAIN, Pair};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The files of one process.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new(authorities: &[&Authority], pair: &Pair) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write(authorities, pair);
        files
    }

    pub(crate) fn write(&self, authorities: &[&Authority], pair: &Pair) {
        let bundle: String = authorities.iter().map(|authority| authority.pem()).collect();
        self.put("ca.crt", &bundle);
        self.put("tls.crt", &pair.certificate);
        self.put("tls.key", &pair.key);
    }

    pub(crate) fn put(&self, name: &str, contents: &str) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) async fn load(&self, role: Role, registry: &mut Registry) -> Result<Arc<Identity>, TlsError> {
        let files = IdentityFiles {
            reload_interval: Duration::from_millis(20),
            ..IdentityFiles::new(self.path("ca.crt"), self.path("tls.crt"), self.path("tls.key"), DOMAIN)
        };
        Identity::load(files, role, registry).await
    }
}

/// Answers each frame with what the listener knows of the other end.
struct Echo;

#[tonic::async_trait]
impl Routing for Echo {
    type ExchangeStream = Pin<Box<dyn Stream<Item = Result<ToIngress, Status>> + Send>>;

    async fn exchange(&self, request: Request<Streaming<ToWorker>>) -> Result<Response<Self::ExchangeStream>, Status> {
        let peer = request.extensions().get::<Peer>().expect("a peer").clone();
        let roles: Vec<Outcome> = Role::ALL
            .into_iter()
            .filter(|role| peer.may_act_as(*role))
            .map(|role| Outcome {
                seq: role as u64,
                result: None,
            })
            .collect();
        let frames = request.into_inner().map(move |frame| {
            frame.map(|frame| ToIngress {
                map_version: frame.map_version,
                outcome: roles.clone(),
                ..ToIngress::default()
            })
        });
        Ok(Response::new(Box::pin(frames)))
    }
}

/// The roles that [`Echo`] was shown, by their numbers.
pub(crate) fn roles(answer: &ToIngress) -> Vec<u64> {
    answer.outcome.iter().map(|outcome| outcome.seq).collect()
}

/// A worker that listens, until it is dropped.
pub(crate) struct Worker {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    stop: CancellationToken,
}

impl Worker {
    /// Serves by TLS, and looks at its files again and again.
    pub(crate) async fn start(files: &Files) -> Self {
        Self::start_as(Role::Worker, files).await
    }

    /// The same as a process of another role.
    pub(crate) async fn start_as(role: Role, files: &Files) -> Self {
        let mut registry = Registry::default();
        let identity = files.load(role, &mut registry).await.unwrap();
        let worker = Self::serve(Some(identity.clone()), registry);
        let stop = worker.stop.clone();
        tokio::spawn(async move { identity.keep_fresh(stop).await });
        worker
    }

    pub(crate) fn plain() -> Self {
        Self::serve(None, Registry::default())
    }

    pub(crate) fn serve(identity: Option<Arc<Identity>>, registry: Registry) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), identity).unwrap();
        let address = listener.address();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            Server::builder()
                .add_service(RoutingServer::new(Echo))
                .serve_with_incoming_shutdown(listener.connections().unwrap(), stopped)
                .await
                .unwrap();
        });
        Self {
            address,
            registry,
            stop,
        }
    }

    /// Value of a series; 0 if it is not there.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text
            .lines()
            .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    pub(crate) fn refused(&self, reason: &str) -> f64 {
        self.metric(&format!(
            "trunkline_worker_handshakes_refused_total{{reason=\"{reason}\"}}"
        ))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An open stream.
pub(crate) struct Client {
    frames: UnboundedSender<ToWorker>,
    answers: Streaming<ToIngress>,
}

impl Client {
    /// Connects as a process with these files does.
    pub(crate) async fn connect(files: &Files, to: &Worker) -> Result<Self, String> {
        let identity = files.load(Role::Ingress, &mut Registry::default()).await.unwrap();
        Self::open(Connector::new(Some(identity)), to.address).await
    }

    /// Opens a stream and exchanges a frame: with TLS 1.3 a client learns only then that it was refused.
    pub(crate) async fn open(connector: Connector, to: SocketAddr) -> Result<Self, String> {
        let endpoint = Endpoint::from_shared(format!("http://{to}"))
            .unwrap()
            .connect_timeout(PATIENCE);
        let channel = endpoint.connect_with_connector(connector).await.map_err(explained)?;
        let (frames, queue) = unbounded_channel();
        frames.send(ToWorker::default()).unwrap();
        let mut routing = RoutingClient::new(channel);
        let answers = routing.exchange(UnboundedReceiverStream::new(queue));
        let mut client = Self {
            frames,
            answers: answers.await.map_err(explained)?.into_inner(),
        };
        client.answers.message().await.map_err(explained)?.expect("an answer");
        Ok(client)
    }

    /// Sends a frame and waits for its answer.
    pub(crate) async fn exchange(&mut self, number: u64) -> ToIngress {
        self.frames
            .send(ToWorker {
                map_version: number,
                ..ToWorker::default()
            })
            .unwrap();
        let answer = tokio::time::timeout(PATIENCE, self.answers.message())
            .await
            .expect("in time");
        let answer = answer.expect("the stream goes on").expect("an answer");
        assert_eq!(answer.map_version, number);
        answer
    }
}

/// An error with all its causes.
fn explained(error: impl std::error::Error + 'static) -> String {
    let whole: &(dyn std::error::Error + 'static) = &error;
    let causes = std::iter::successors(Some(whole), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What this test's thread logs.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

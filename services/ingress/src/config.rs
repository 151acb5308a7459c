//! What an ingress is told at its start.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use trunkline_cluster::channel::{IdentityFiles, TlsFiles};
use trunkline_store::key::DEFAULT_SHARDS;
use trunkline_teams::envelope::DEFAULT_DEPTH;
use trunkline_teams::identity::Verifier;
use trunkline_teams::identity::source::SourceRules;

/// What an ingress is told at its start.
#[derive(Clone, Debug)]
pub struct IngressConfig {
    /// Addresses to listen on. Each has its own set of threads' streams to the workers, so one is usual.
    pub listen: Vec<SocketAddr>,
    /// How the endpoint is secured.
    pub transport: Transport,
    /// Path of the messaging endpoint, as registered with Azure Bot Service.
    pub path: String,
    /// Threads that serve requests; each has one stream to each worker of the cluster. Default: one for each core.
    pub threads: usize,
    /// Label of this node, for the logs of the workers.
    pub node: String,
    /// `host:port` of workers that are asked for routes: at the start, and again when none of the workers that the routes
    /// name can be reached. A name is resolved by every attempt.
    pub workers: Vec<String>,
    /// How this process proves itself to workers, and they to it; `None` within one machine.
    pub workers_tls: Option<IdentityFiles>,
    /// Shards of the cluster: the number that the store was created with.
    pub shards: u32,
    /// Networks that may send requests, and proxies that are believed.
    pub sources: SourceRules,
    /// What is too much.
    pub limits: Limits,
    /// The webhook of calls; `None` where no bot takes calls: then its path does not exist.
    pub calls: Option<CallsEndpoint>,
    /// How an ingress stops.
    pub stop: StopTimes,
    /// The time that tokens are judged by.
    pub clock: Clock,
}

/// How the endpoint is secured.
#[derive(Clone, Debug)]
pub enum Transport {
    /// TLS 1.2 and 1.3. Teams cannot do 1.3 yet, so 1.2 is never switched off ("Bot Framework security guidelines").
    Tls(TlsFiles),
    /// Plain HTTP: only behind a proxy that ends TLS, or on the own machine.
    PlainHttp,
}

/// The webhook of calls.
#[derive(Clone, Debug)]
pub struct CallsEndpoint {
    /// Its path, as registered as the webhook for calling; one segment below it names a call.
    pub path: String,
    /// Bytes of one body, as it comes and inflated: 413. A whole roster has about 1 KB for each participant.
    pub body_bytes: usize,
    /// Who may send notifications, and for which bots.
    pub verifier: Arc<Verifier>,
}

impl CallsEndpoint {
    /// The usual path, and bodies of 1 MiB.
    pub fn new(verifier: Arc<Verifier>) -> Self {
        Self {
            path: "/api/calls".to_owned(),
            body_bytes: 1024 * 1024,
            verifier,
        }
    }
}

/// What is too much; each bound has its own answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one body, as it comes and inflated: 413. Microsoft documents no bound; invokes carry up to 80 KB.
    pub body_bytes: usize,
    /// Levels of arrays and objects in a body: 400.
    pub body_depth: usize,
    /// From the end of a request's head to the end of its body: 408.
    pub body_time: Duration,
    /// For the head of a request: 408.
    pub head_time: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// For a TLS handshake.
    pub handshake_time: Duration,
    /// Connections of one thread; more wait to be accepted.
    pub connections_per_thread: usize,
    /// Requests in flight in this process: 503.
    pub requests_in_flight: usize,
    /// Bytes of bodies in flight in this process: 503.
    pub bytes_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_depth: DEFAULT_DEPTH,
            body_time: Duration::from_secs(5),
            head_time: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            handshake_time: Duration::from_secs(3),
            connections_per_thread: 10_000,
            requests_in_flight: 4_096,
            bytes_in_flight: 256 * 1024 * 1024,
        }
    }
}

/// How an ingress stops: it fails its readiness, goes on serving until the balancer has noticed, then finishes what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopTimes {
    /// From failing readiness to closing the listeners. It should be longer than the balancer needs to notice.
    pub notice: Duration,
    /// For requests in flight after that. Teams waits 15 s for an answer.
    pub finish: Duration,
}

impl Default for StopTimes {
    fn default() -> Self {
        Self {
            notice: Duration::from_secs(5),
            finish: Duration::from_secs(15),
        }
    }
}

/// The time that tokens are judged by: the system's, unless a test says otherwise.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// A clock that asks `now`.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

impl IngressConfig {
    /// The defaults, for this transport and these workers, listening on `listen`.
    pub fn new(listen: SocketAddr, transport: Transport, workers: Vec<String>) -> Self {
        Self {
            listen: vec![listen],
            transport,
            path: "/api/messages".to_owned(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            node: "ingress".to_owned(),
            workers,
            workers_tls: None,
            shards: DEFAULT_SHARDS,
            sources: SourceRules::default(),
            limits: Limits::default(),
            calls: None,
            stop: StopTimes::default(),
            clock: Clock::default(),
        }
    }
}

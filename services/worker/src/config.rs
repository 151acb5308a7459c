//! How a worker is set up. Plain values: the schema of the configuration file is the binary's.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use trunkline_bot::logic::Logic;
use trunkline_cluster::ClusterError;
use trunkline_cluster::channel::{IdentityFiles, SETTINGS, TlsError};
use trunkline_store::StoreError;
use trunkline_teams::connector::Connector;

use crate::conversation::{CallSettings, ConversationSettings, Unreadable};

/// How a worker is set up.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Where ingresses connect. Without TLS a loopback address.
    pub listen: SocketAddr,
    /// How this process and those that connect prove themselves; `None` within one machine.
    pub tls: Option<IdentityFiles>,
    /// Label of this process in the cluster: another for each, the same again after a restart.
    pub name: String,
    /// Host and port at which others reach it; `None` for what it listens at.
    pub advertise: Option<String>,
    /// Failure zone, empty for none.
    pub zone: String,
    /// Its part of the shards, relative to the other workers; 0 takes none.
    pub weight: u32,
    /// Longest time for its shards to move to other workers when it ends.
    pub drain_deadline: Duration,
    /// Threads that conversations are spread over; 0 for one a core.
    pub arbiters: usize,
    /// Threads for bots whose executor is the pool; 0 for one a core.
    pub pool_threads: usize,
    /// Deliveries that ingresses may have outstanding here, over all streams.
    pub credits: u32,
    /// A conversation leaves memory when it was idle for this long.
    pub idle: Duration,
    /// Conversations leave memory, the longest idle first, when all hold more than this many bytes.
    pub memory_bytes: usize,
    /// A thread of conversations that does not answer for this long is counted and its handler named.
    pub stall_after: Duration,
    /// A thread that does not answer for this long ends the process, for its supervisor to start it again; `None` never.
    pub abort_after: Option<Duration>,
    /// A turn that holds its thread for this long without a pause is counted and logged.
    pub slow_poll: Duration,
    /// Budgets and bounds of every conversation.
    pub conversations: ConversationSettings,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: None,
            name: "worker".to_owned(),
            advertise: None,
            zone: String::new(),
            weight: 100,
            drain_deadline: Duration::from_secs(18),
            arbiters: 0,
            pool_threads: 0,
            credits: 8_192,
            idle: Duration::from_secs(60),
            memory_bytes: 1024 * 1024 * 1024,
            stall_after: Duration::from_secs(3),
            abort_after: Some(Duration::from_secs(15)),
            slow_poll: Duration::from_millis(50),
            conversations: ConversationSettings::default(),
        }
    }
}

/// Where the turns of a bot run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Executor {
    /// On the thread of their conversation.
    #[default]
    Arbiter,
    /// On threads of their own, for bots that compute much.
    Pool,
}

/// Says whether a bot's token may be sent to a service URL that did not come in a verified activity.
pub type AllowsServiceUrl = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A bot that runs here.
#[derive(Clone)]
pub struct HostedBot {
    /// Its code.
    pub logic: Arc<dyn Logic>,
    /// Its way to Teams.
    pub connector: Connector,
    /// The allow-list of service URLs.
    pub allows_service_url: AllowsServiceUrl,
    /// Longest time that one turn may take.
    pub turn_limit: Duration,
    /// Where its turns run.
    pub executor: Executor,
    /// What is done with stored state that its code cannot read.
    pub unreadable: Unreadable,
    /// Its calls; `None` for a bot that is not called and calls nobody.
    pub calls: Option<HostedCalls>,
}

/// The calls of a bot that runs here.
#[derive(Clone)]
pub struct HostedCalls {
    /// Its code; the name and the rest of the description are the bot's.
    pub logic: Arc<dyn Logic>,
    /// Its way to Graph.
    pub graph: trunkline_teams::graph::Client,
    /// Where Graph sends notifications of calls: `https://HOST/api/calls`. The key of a call is put behind it.
    pub callback: String,
    /// Budgets and limits.
    pub settings: CallSettings,
}

impl fmt::Debug for HostedCalls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HostedCalls")
            .field("callback", &self.callback)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl HostedBot {
    /// A bot with the default settings: turns of at most 120 s on their conversation's thread, unreadable state parks, and no
    /// service URL is allowed but those of verified activities.
    pub fn new(logic: Arc<dyn Logic>, connector: Connector) -> Self {
        Self {
            logic,
            connector,
            allows_service_url: Arc::new(|_| false),
            turn_limit: Duration::from_secs(120),
            executor: Executor::Arbiter,
            unreadable: Unreadable::Park,
            calls: None,
        }
    }

    /// The same with calls. A bot that only calls has the logic of its calls as its own, too.
    #[must_use]
    pub fn with_calls(self, calls: HostedCalls) -> Self {
        Self {
            calls: Some(calls),
            ..self
        }
    }
}

impl fmt::Debug for HostedBot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HostedBot")
            .field("turn_limit", &self.turn_limit)
            .field("executor", &self.executor)
            .field("unreadable", &self.unreadable)
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

/// Why a worker cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// Without TLS activities travel in the clear: they may not leave this machine.
    #[error("the worker cannot listen at {listen} without TLS: set {SETTINGS}, or use a loopback address")]
    NotLoopback {
        /// The address that was configured.
        listen: SocketAddr,
    },
    /// Certificate, key or authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address cannot be bound.
    #[error("the worker cannot listen at {listen}")]
    Listen {
        /// The address that was configured.
        listen: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Two bots have one name.
    #[error("two bots have the name {0}")]
    TwoBots(String),
    /// The worker cannot be a node of the cluster.
    #[error("the worker cannot join the cluster")]
    Cluster(#[from] ClusterError),
    /// The store failed while the worker started.
    #[error("the store failed while the worker started")]
    Store(#[from] StoreError),
    /// A thread could not be started.
    #[error("a thread of the worker could not be started")]
    Thread(#[source] std::io::Error),
    /// The stream's server ended.
    #[error("the server of the stream between ingress and worker ended")]
    Serve(#[source] tonic::transport::Error),
}

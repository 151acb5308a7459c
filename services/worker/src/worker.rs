//! The role: starts its threads, joins the cluster, serves ingresses, and leaves without losing anything.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::{Actor, Addr};
use actix_rt::{Arbiter, ArbiterHandle};
use prometheus_client::registry::Registry;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use trunkline_cluster::channel::{Identity, Listener, Role};
use trunkline_cluster::{Cluster, ClusterConfig, Load, NodeFacts, ShardOrder};
use trunkline_proto::admin::admin_server::AdminServer;
use trunkline_proto::peer::peer_server::PeerServer;
use trunkline_proto::routing::routing_server::RoutingServer;
use trunkline_proto::routing::{CONNECTION_WINDOW, MESSAGE_LIMIT, PROTOCOLS, STREAM_WINDOW};
use trunkline_store::SharedStore;
use trunkline_teams::connector::MayBegin;

use crate::admin::{AdminService, only_operators};
use crate::clock::Clock;
use crate::config::{Executor, HostedBot, WorkerConfig, WorkerError};
use crate::conversation::{BotRules, Bots, Gates};
use crate::departure;
use crate::media::Lines;
use crate::membership::{Membership, WorkerHealth};
use crate::metrics::WorkerMetrics;
use crate::peer::{PeerMetrics, PeerService, Peers, only_workers};
use crate::record;
use crate::shell::context::{ArbiterContext, CallParts, HostedParts, WorkerParts};
use crate::shell::courier::Bases;
use crate::shell::directory::Directory;
use crate::shell::operator::Operator;
use crate::shell::ownership::{MapKnown, Order};
use crate::shell::pace::Paces;
use crate::shell::pool::Pool;
use crate::shell::watchdog::{self, Limits, Pulse};
use crate::stream::{Announcement, Ingresses, Pressure, RoutingService};

/// How often the store's clock is read.
const READ_CLOCK: Duration = Duration::from_secs(30);
/// Frames of HTTP/2: one of ours fits one of its.
const HTTP2_FRAME: u32 = 64 * 1024;
/// HTTP/2 pings an idle connection after this time, and gives up after the same time again.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Longest time for the threads to end.
const JOIN_WITHIN: Duration = Duration::from_secs(2);

/// A worker that listens and owns its shards.
pub struct Worker {
    parts: Arc<WorkerParts>,
    arbiters: Arbiters,
    listener: Listener,
    identity: Option<Arc<Identity>>,
    address: SocketAddr,
    service: RoutingService,
    drain_within: Duration,
    /// Ends streams and the watchdog.
    closing: CancellationToken,
}

/// The threads of conversations; they end with the worker.
struct Arbiters(Vec<Arbiter>);

impl Arbiters {
    /// Runs the streams of ingresses: where there is one thread of conversations, on that, so that a frame needs no switch of
    /// threads. Else on the caller's: a bot that blocks its thread must not stall the streams of conversations elsewhere.
    async fn serve(
        &self,
        streams: impl Future<Output = Result<(), WorkerError>> + Send + 'static,
        closing: &CancellationToken,
    ) -> Result<(), WorkerError> {
        let [only] = self.0.as_slice() else {
            return streams.await;
        };
        let (end, ended) = oneshot::channel();
        only.spawn(async move {
            // Nobody waits any more when the thread was blocked for too long.
            let _ = end.send(streams.await);
        });
        let blocked = async {
            closing.cancelled().await;
            tokio::time::sleep(JOIN_WITHIN).await;
        };
        tokio::select! {
            ended = ended => ended.unwrap_or_else(|_| {
                Err(WorkerError::Thread(std::io::Error::other("the thread of conversations has ended")))
            }),
            () = blocked => Ok(()),
        }
    }

    /// Stops the threads and waits until they have let go of the store; one that a bot blocks is not waited for.
    async fn end(mut self) {
        let arbiters = std::mem::take(&mut self.0);
        for arbiter in &arbiters {
            arbiter.stop();
        }
        let join = tokio::task::spawn_blocking(move || {
            for arbiter in arbiters {
                let _ = arbiter.join();
            }
        });
        if tokio::time::timeout(JOIN_WITHIN, join).await.is_err() {
            tracing::warn!("a thread of conversations does not end: a bot blocks it");
        }
    }
}

impl Drop for Arbiters {
    fn drop(&mut self) {
        for arbiter in &self.0 {
            arbiter.stop();
        }
    }
}

impl Worker {
    /// Binds the address, starts the threads and begins to join the cluster, which gives it its shards. Needs an actix `System` around it.
    ///
    /// # Errors
    /// [`WorkerError`] says what could not be had.
    pub async fn bind(
        config: WorkerConfig,
        store: SharedStore,
        bots: Vec<HostedBot>,
        registry: &mut Registry,
    ) -> Result<Self, WorkerError> {
        let listen = config.listen;
        if config.tls.is_none() && !listen.ip().is_loopback() {
            return Err(WorkerError::NotLoopback { listen });
        }
        let identity = match config.tls {
            Some(files) => Some(Identity::load(files, Role::Worker, registry).await?),
            None => None,
        };
        let refused = |source| WorkerError::Listen { listen, source };
        let listener = Listener::bind(listen, identity.clone()).map_err(refused)?;
        let address = listener.address();

        let membership = Membership::default();
        let (rules, hosted) = host(bots, &membership)?;
        let needs_pool = hosted.values().any(|bot| bot.executor == Executor::Pool);
        let pool = needs_pool
            .then(|| Pool::start(or_cores(config.pool_threads)))
            .transpose()
            .map_err(WorkerError::Thread)?;
        let metrics = WorkerMetrics::register(registry, &rules);
        let clock = Clock::new();
        clock.follow(store.now().await?);
        let parts = Arc::new(WorkerParts {
            store,
            clock,
            membership: membership.clone(),
            peers: Peers::new(identity.clone(), PeerMetrics::register(registry)),
            media: Lines::new(identity.clone(), config.name.clone(), config.zone.clone()),
            announced: watch::Sender::default(),
            ingresses: Ingresses::default(),
            turns: AtomicU64::new(0),
            bots: Arc::new(rules),
            hosted,
            settings: Arc::new(config.conversations),
            metrics,
            pool,
            idle: config.idle,
            memory_bytes: config.memory_bytes,
            slow_poll: config.slow_poll,
            pressure: Pressure::default(),
            slow_commit: std::sync::atomic::AtomicBool::new(false),
            gates: Gates::default(),
            paces: Paces::default(),
            directories: OnceLock::new(),
        });
        let closing = CancellationToken::new();
        let (arbiters, pulses) = start_arbiters(&parts, or_cores(config.arbiters)).await?;
        let facts = NodeFacts {
            name: config.name.clone(),
            address: config.advertise.unwrap_or_else(|| address.to_string()),
            zone: config.zone,
            weight: config.weight,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            speaks: PROTOCOLS,
            reads: record::FORMAT,
        };
        join_cluster(&parts, facts, registry)?;
        let limits = Limits {
            stall_after: config.stall_after,
            abort_after: config.abort_after,
        };
        watchdog::start(&parts, pulses, limits, closing.clone()).map_err(WorkerError::Thread)?;
        let service = RoutingService::new(parts.clone(), config.name, config.credits, closing.clone());
        Ok(Self {
            parts,
            arbiters,
            listener,
            identity,
            address,
            service,
            drain_within: config.drain_deadline,
            closing,
        })
    }

    /// Where ingresses connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The operator's way to the conversations of this worker, as long as it serves.
    pub fn operator(&self) -> Operator {
        Operator::new(&self.parts)
    }

    /// Whether it wants work, for readiness.
    pub fn health(&self) -> WorkerHealth {
        WorkerHealth::new(self.parts.membership.clone())
    }

    /// The node that this worker is in the cluster.
    pub fn cluster(&self) -> Option<Cluster> {
        self.parts.membership.cluster().cloned()
    }

    /// Serves until `shutdown`; then its shards move to other workers, if there are any, and what is left ends.
    ///
    /// # Errors
    /// [`WorkerError::Serve`] when the listener fails.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), WorkerError> {
        let Self {
            parts,
            arbiters,
            listener,
            address,
            identity,
            service,
            drain_within,
            closing,
        } = self;
        let routing = RoutingServer::new(service)
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        let admin = AdminServer::with_interceptor(AdminService::new(&parts), only_operators);
        let peer = PeerServer::with_interceptor(PeerService::new(&parts, closing.clone()), only_workers);
        let closed = closing.clone();
        let streams = async move {
            let connections = listener.connections().map_err(|source| WorkerError::Listen {
                listen: address,
                source,
            })?;
            Server::builder()
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_frame_size(HTTP2_FRAME)
                .http2_keepalive_interval(Some(KEEP_ALIVE))
                .http2_keepalive_timeout(Some(KEEP_ALIVE))
                .add_service(routing)
                .add_service(admin)
                .add_service(peer)
                .serve_with_incoming_shutdown(connections, closed.cancelled_owned())
                .await
                .map_err(WorkerError::Serve)
        };
        let server = arbiters.serve(streams, &closing);
        let life = live(&parts, drain_within, &shutdown, &closing);
        let fresh = async {
            if let Some(identity) = identity {
                identity.keep_fresh(closing.clone()).await;
            }
        };
        let (ended, (), ()) = futures_util::join!(server, life, fresh);
        drop(parts);
        arbiters.end().await;
        ended
    }
}

/// Everything that happens by the clock, until the end, and the end itself.
async fn live(parts: &WorkerParts, drain_within: Duration, shutdown: &CancellationToken, closing: &CancellationToken) {
    let end = async {
        tokio::select! {
            () = shutdown.cancelled() => departure::leave(parts, drain_within).await,
            // The listener failed.
            () = closing.cancelled() => departure::leave(parts, Duration::ZERO).await,
        }
    };
    tokio::select! {
        () = end => {}
        () = follow_clock(parts) => {}
        () = adapt(parts) => {}
        () = announce(parts) => {}
    }
    closing.cancel();
}

/// Follows the store's clock, by which everything stored is due.
async fn follow_clock(parts: &WorkerParts) {
    loop {
        tokio::time::sleep(READ_CLOCK).await;
        match parts.store.now().await {
            Ok(now) => parts.clock.follow(now),
            Err(error) => tracing::warn!(%error, "the store's clock was not read"),
        }
    }
}

/// Adapts the windows of the streams to the speed of the store, and tells the cluster what this worker is busy with, once a
/// second.
async fn adapt(parts: &WorkerParts) {
    let mut turns = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if parts.slow_commit.swap(false, Ordering::Relaxed) {
            parts.pressure.shrink();
        } else {
            parts.pressure.grow();
        }
        let before = std::mem::replace(&mut turns, parts.turns.load(Ordering::Relaxed));
        parts.membership.load(Load {
            turns_per_second: f64::from(u32::try_from(turns - before).unwrap_or(u32::MAX)),
            actors: u64::try_from(parts.metrics.actors.get()).unwrap_or(0),
            queued: u64::try_from(parts.metrics.waiting.get()).unwrap_or(0),
        });
    }
}

/// Tells streams and directories of every new map, and of another membership.
async fn announce(parts: &WorkerParts) {
    let Some(mut view) = parts.membership.view() else {
        return std::future::pending().await;
    };
    loop {
        let seen = view.borrow_and_update().clone();
        if parts.announced.borrow().is_out_of_date(&seen) {
            parts.announced.send_replace(Announcement::of(&seen));
            for directory in parts.directories.get().into_iter().flatten() {
                directory.do_send(MapKnown(seen.map.version()));
            }
        }
        if view.changed().await.is_err() {
            // The node has ended, and nothing changes any more.
            return std::future::pending().await;
        }
    }
}

/// Joins the cluster; its orders go to the threads that have the shards.
fn join_cluster(parts: &Arc<WorkerParts>, facts: NodeFacts, registry: &mut Registry) -> Result<(), WorkerError> {
    let directories = parts.directories.get().cloned().unwrap_or_default();
    let orders = move |order: ShardOrder| {
        if let Some(directory) = directories.get(order.shard().0 as usize % directories.len().max(1)) {
            directory.do_send(Order(order));
        }
    };
    let cluster = Cluster::start(ClusterConfig { facts }, parts.store.clone(), orders)?;
    cluster.register(registry);
    parts.announced.send_replace(Announcement::of(&cluster.view().borrow()));
    parts.membership.started(cluster);
    Ok(())
}

fn host(
    bots: Vec<HostedBot>,
    membership: &Membership,
) -> Result<(Bots, HashMap<String, Arc<HostedParts>>), WorkerError> {
    let mut rules = Bots::new();
    let mut hosted = HashMap::new();
    let membership = membership.clone();
    let permission: MayBegin = Arc::new(move || membership.may_begin());
    for (index, bot) in bots.into_iter().enumerate() {
        let mut of_bot = BotRules::new(bot.logic.clone(), bot.turn_limit, bot.unreadable);
        if let Some(calls) = &bot.calls {
            of_bot = of_bot.with_calls(calls.logic.clone(), calls.settings.clone());
        }
        let name = of_bot.name.clone();
        let parts = HostedParts {
            index,
            logic: bot.logic,
            connector: bot.connector.with_permission(permission.clone()),
            allows_service_url: bot.allows_service_url,
            bases: Bases::default(),
            executor: bot.executor,
            calls: bot.calls.map(|calls| CallParts {
                logic: calls.logic,
                graph: calls.graph.with_permission(permission.clone()),
                callback: calls.callback,
            }),
        };
        if rules.insert(name.clone(), Arc::new(of_bot)).is_some() {
            return Err(WorkerError::TwoBots(name));
        }
        hosted.insert(name, Arc::new(parts));
    }
    Ok((rules, hosted))
}

async fn start_arbiters(parts: &Arc<WorkerParts>, threads: usize) -> Result<(Arbiters, Vec<Arc<Pulse>>), WorkerError> {
    let mut arbiters = Arbiters(Vec::new());
    let mut directories = Vec::new();
    let mut pulses = Vec::new();
    for _ in 0..threads {
        let arbiter = Arbiter::new();
        let pulse = Arc::new(Pulse::new());
        let directory = start_directory(&arbiter.handle(), parts.clone(), pulse.clone()).await?;
        arbiters.0.push(arbiter);
        directories.push(directory);
        pulses.push(pulse);
    }
    // Nobody else sets them.
    let _ = parts.directories.set(directories);
    Ok((arbiters, pulses))
}

async fn start_directory(
    arbiter: &ArbiterHandle,
    parts: Arc<WorkerParts>,
    pulse: Arc<Pulse>,
) -> Result<Addr<Directory>, WorkerError> {
    let (started, directory) = oneshot::channel();
    arbiter.spawn_fn(move || {
        let context = Rc::new(ArbiterContext::new(parts, pulse));
        let _ = started.send(Directory::new(context).start());
    });
    directory
        .await
        .map_err(|_| WorkerError::Thread(std::io::Error::other("a thread of conversations ended at once")))
}

/// As configured, or one a core.
fn or_cores(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

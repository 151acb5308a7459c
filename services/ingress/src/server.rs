//! An ingress from its listeners to its end.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use prometheus_client::registry::Registry;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::{CancellationToken, DropGuard};
use trunkline_cluster::channel::{Connector, Identity, Role, ServerCertificate};
use trunkline_proto::routing::MESSAGE_LIMIT;
use trunkline_teams::envelope::MAX_DEPTH;
use trunkline_teams::identity::Verifier;

use crate::config::{IngressConfig, Transport};
use crate::error::IngressError;
use crate::http::{self, Edge, RefusalLog, Shared};
use crate::metrics::{KeyAge, RequestMetrics, StreamMetrics};
use crate::readiness::Readiness;
use crate::stream::{self, StreamSettings, Streams};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// The settings of the endpoint's certificate and its key.
const CERTIFICATE: [&str; 2] = ["ingress.tls_certificate", "ingress.tls_key"];
/// What a frame needs beside the body of its delivery: names of at most 1 KB each, and some.
const FRAME_OVERHEAD: usize = 64 * 1024;

/// An ingress that listens and does not serve yet.
#[derive(Debug)]
pub struct Ingress {
    listeners: Vec<(SocketAddr, TcpListener)>,
    certificate: Option<Arc<ServerCertificate>>,
    identity: Option<Arc<Identity>>,
    shared: Arc<Shared>,
    streams: StreamSettings,
    stream_metrics: Arc<StreamMetrics>,
}

impl Ingress {
    /// Listens on the configured addresses and reads the certificate, so that a wrong setting is known at the start.
    ///
    /// `verifier` says who may send requests; its keys are kept fresh while the ingress serves.
    ///
    /// # Errors
    /// A setting that cannot work, with its name.
    pub async fn bind(
        config: IngressConfig,
        verifier: Arc<Verifier>,
        registry: &mut Registry,
    ) -> Result<Self, IngressError> {
        check(&config)?;
        for address in &config.workers {
            stream::endpoint(address).map_err(|source| IngressError::WorkerAddress {
                address: address.clone(),
                source,
            })?;
        }
        let identity = match &config.workers_tls {
            Some(files) => Some(Identity::load(files.clone(), Role::Ingress, registry).await?),
            None => None,
        };
        let streams = StreamSettings {
            node: config.node.clone(),
            incarnation: rand::random(),
            shards: config.shards,
            seeds: config.workers.clone(),
            connector: Connector::new(identity.clone()),
        };
        let certificate = match &config.transport {
            Transport::Tls(files) => Some(ServerCertificate::load(files.clone(), CERTIFICATE).await?),
            Transport::PlainHttp => None,
        };
        let listeners = config
            .listen
            .iter()
            .map(|address| listen(*address))
            .collect::<Result<Vec<_>, _>>()?;
        let calls = config.calls.as_ref().map(|calls| &*calls.verifier);
        if std::iter::once(&*verifier)
            .chain(calls)
            .any(Verifier::accepts_unauthenticated)
        {
            let beyond = listeners.iter().find(|(address, _)| !address.ip().is_loopback());
            if let Some((address, _)) = beyond {
                return Err(IngressError::UnauthenticatedBeyondLoopback { address: *address });
            }
        }
        let stream_metrics = Arc::new(StreamMetrics::register(registry));
        registry.register_collector(Box::new(KeyAge::of_messages(verifier.clone())));
        let of_calls = config.calls.as_ref().map(|calls| calls.verifier.clone());
        if let Some(verifier) = &of_calls {
            registry.register_collector(Box::new(KeyAge::of_calls(verifier.clone())));
        }
        let shared = Shared {
            metrics: RequestMetrics::register(registry),
            readiness: Readiness::new(verifier.clone(), of_calls, stream_metrics.clone()),
            refusals: RefusalLog::new(),
            verifier,
            config,
        };
        Ok(Self {
            listeners,
            certificate,
            identity,
            shared: Arc::new(shared),
            streams,
            stream_metrics,
        })
    }

    /// The addresses it listens on, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(address, _)| *address).collect()
    }

    /// Whether it should get requests: what `/readyz` says, for an admin port.
    pub fn readiness(&self) -> Readiness {
        self.shared.readiness.clone()
    }

    /// Serves until `shutdown`, then stops in three steps: readiness fails and connections are closed after their next
    /// answer, the listeners are closed, what is in flight is finished within its time.
    ///
    /// # Errors
    /// The server could not be started, or ended by itself.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), IngressError> {
        let shared = self.shared.clone();
        let _background = self.keep_fresh();
        let mut server = self.start()?;
        let handle = server.handle();
        tokio::select! {
            ended = &mut server => return ended.map_err(IngressError::Server),
            () = shutdown.cancelled() => {}
        }
        shared.readiness.stop();
        let times = shared.config.stop;
        tracing::info!(notice_ms = times.notice.as_millis(), "ingress is stopping");
        tokio::select! {
            ended = &mut server => return ended.map_err(IngressError::Server),
            () = tokio::time::sleep(times.notice) => {}
        }
        let (ended, ()) = tokio::join!(server, handle.stop(true));
        tracing::info!("ingress has stopped");
        ended.map_err(IngressError::Server)
    }

    /// Reads keys and certificate again when they are due, until the guard is dropped.
    fn keep_fresh(&self) -> DropGuard {
        let stop = CancellationToken::new();
        let verifier = self.shared.verifier.clone();
        let stopped = stop.clone().cancelled_owned();
        actix_rt::spawn(async move { verifier.keep_keys_fresh(stopped).await });
        if let Some(calls) = &self.shared.config.calls {
            let (verifier, stopped) = (calls.verifier.clone(), stop.clone().cancelled_owned());
            actix_rt::spawn(async move { verifier.keep_keys_fresh(stopped).await });
        }
        if let Some(certificate) = self.certificate.clone() {
            let stop = stop.clone();
            let metrics = &self.shared.metrics;
            let (reloads, failures) = (
                metrics.certificate_reloads.clone(),
                metrics.certificate_failures.clone(),
            );
            actix_rt::spawn(async move { certificate.keep_fresh(stop, reloads, failures).await });
        }
        if let Some(identity) = self.identity.clone() {
            let stop = stop.clone();
            actix_rt::spawn(async move { identity.keep_fresh(stop).await });
        }
        stop.drop_guard()
    }

    fn start(self) -> Result<Server, IngressError> {
        let limits = self.shared.config.limits;
        let finish = self.shared.config.stop.finish;
        let threads = self.shared.config.threads;
        let Self {
            listeners,
            certificate,
            shared,
            streams,
            stream_metrics,
            ..
        } = self;
        let next_thread = Arc::new(AtomicU32::new(0));
        let app = move || {
            // Called once on every thread, for every address that it serves.
            let thread = next_thread.fetch_add(1, Ordering::Relaxed);
            let streams = Streams::start(
                streams.clone(),
                thread,
                stream_metrics.clone(),
                shared.readiness.clone(),
            );
            let edge = Edge::new(shared.clone(), streams);
            App::new()
                .app_data(Data::new(edge))
                .configure(http::routes(&shared.config))
        };
        let mut server = HttpServer::new(app)
            .workers(threads)
            .disable_signals()
            .tcp_nodelay(true)
            .keep_alive(limits.keep_alive)
            .client_request_timeout(limits.head_time)
            // A caller who closes does not wait for an answer.
            .h1_allow_half_closed(false)
            .tls_handshake_timeout(limits.handshake_time)
            .max_connections(limits.connections_per_thread)
            .shutdown_timeout(whole_seconds(finish));
        for (_, listener) in listeners {
            let listening = match &certificate {
                Some(certificate) => server.listen_rustls_0_23(listener, certificate.server_config()?),
                None => server.listen_auto_h2c(listener),
            };
            server = listening.map_err(IngressError::Server)?;
        }
        Ok(server.run())
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn check(config: &IngressConfig) -> Result<(), IngressError> {
    if config.listen.is_empty() {
        return Err(IngressError::NoAddress);
    }
    if config.workers.is_empty() {
        return Err(IngressError::NoWorkers);
    }
    let limits = &config.limits;
    let most_body = MESSAGE_LIMIT - FRAME_OVERHEAD;
    let ranges = [
        ("threads", config.threads, 1..=1_024, "1 to 1,024"),
        ("shards", config.shards as usize, 1..=65_536, "1 to 65,536"),
        (
            "limits.body_bytes",
            limits.body_bytes,
            1..=most_body,
            "1 byte to 4 MB less 64 KB, what a frame carries",
        ),
        (
            "calls.body_bytes",
            config.calls.as_ref().map_or(1, |calls| calls.body_bytes),
            1..=most_body,
            "1 byte to 4 MB less 64 KB, what a frame carries",
        ),
        ("limits.body_depth", limits.body_depth, 1..=MAX_DEPTH, "1 to 126"),
    ];
    for (setting, value, range, allowed) in ranges {
        if !range.contains(&value) {
            return Err(IngressError::OutOfRange {
                setting,
                value,
                allowed,
            });
        }
    }
    Ok(())
}

fn listen(address: SocketAddr) -> Result<(SocketAddr, TcpListener), IngressError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        Ok((listener.local_addr()?, listener))
    };
    open().map_err(|source| IngressError::Listen { address, source })
}

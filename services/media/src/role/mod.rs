//! The process that hosts media, from its listeners to its end: it serves peers and workers, says where it is, and when it is
//! told to stop takes no new legs and lets those that it has come to their end.

mod announce;
mod codec_metrics;
mod config;
mod drain;
mod error;
mod health;
mod leg_metrics;
mod metrics;
mod overflow;
mod series;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server as PeerServer;
use prometheus_client::registry::Registry;
use socket2::{Domain, Protocol, Socket, Type};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Status};
use trunkline_cluster::channel::{Identity, Listener, Peer, Role, ServerCertificate};
use trunkline_proto::media::media_server::MediaServer;
use trunkline_store::SharedStore;

pub use self::config::{MediaConfig, Transport};
pub use self::error::MediaError;
pub use self::health::MediaHealth;

use self::announce::Announcer;
use self::metrics::{HostMetrics, RoleMetrics};
use crate::control::{Host, MediaService};
use crate::whip::{self, Settings};

/// The settings of the certificate that peers see, and of its key.
const CERTIFICATE: [&str; 2] = ["media.tls_certificate", "media.tls_key"];
/// Connections of peers that may wait to be accepted.
const BACKLOG: i32 = 1_024;
/// A worker that does not answer for so long, twice, is gone: an open stream renews its legs.
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// What workers are told last must reach them within this time.
const FAREWELL: Duration = Duration::from_secs(2);

/// A media host that listens and does not serve yet.
pub struct MediaRole {
    host: Arc<Host>,
    control: Listener,
    identity: Option<Arc<Identity>>,
    peers: (SocketAddr, TcpListener),
    certificate: Option<Arc<ServerCertificate>>,
    origins: Vec<String>,
    announcer: Announcer,
    drain_deadline: Duration,
    metrics: RoleMetrics,
}

impl MediaRole {
    /// Listens, reads the certificates and starts the media thread, so that a wrong setting is known at the start. Within a
    /// tokio runtime.
    ///
    /// # Errors
    /// A setting that cannot work, with its name.
    pub async fn bind(config: MediaConfig, store: SharedStore, registry: &mut Registry) -> Result<Self, MediaError> {
        if config.tls.is_none() && !config.listen.ip().is_loopback() {
            return Err(MediaError::NotLoopback { listen: config.listen });
        }
        let identity = match config.tls {
            Some(files) => Some(Identity::load(files, Role::Media, registry).await?),
            None => None,
        };
        let certificate = match &config.transport {
            Transport::Tls(files) => Some(ServerCertificate::load(files.clone(), CERTIFICATE).await?),
            Transport::PlainHttp => None,
        };
        let listen = |address| move |source| MediaError::Listen { address, source };
        let control = Listener::bind(config.listen, identity.clone()).map_err(listen(config.listen))?;
        let peers = listen_for_peers(config.whip_listen).map_err(|source| MediaError::ListenForPeers {
            address: config.whip_listen,
            source,
        })?;
        let host = Host::start(config.host)?;
        registry.register_collector(Box::new(HostMetrics::new(&host)));
        let metrics = RoleMetrics::register(registry);
        let whip = config.whip_url.unwrap_or_else(|| {
            let scheme = if certificate.is_some() { "https" } else { "http" };
            format!("{scheme}://{}", peers.0)
        });
        host.reached_at(&whip);
        let announcer = Announcer::new(
            store,
            config.name,
            config.advertise.unwrap_or_else(|| control.address().to_string()),
            &whip,
            config.zone,
            metrics.clone(),
        );
        Ok(Self {
            host,
            control,
            identity,
            peers,
            certificate,
            origins: config.origins,
            announcer,
            drain_deadline: config.drain_deadline,
            metrics,
        })
    }

    /// Where workers connect.
    pub fn control_address(&self) -> SocketAddr {
        self.control.address()
    }

    /// Where peers post their offers.
    pub fn peer_address(&self) -> SocketAddr {
        self.peers.0
    }

    /// Whether workers should open legs here, for readiness.
    pub fn health(&self) -> MediaHealth {
        MediaHealth::new(&self.host, self.announcer.heard())
    }

    /// Serves until `shutdown`; then takes no new legs, waits for those that there are until the deadline, ends what is left and
    /// withdraws.
    ///
    /// # Errors
    /// A listener failed.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), MediaError> {
        let stop = CancellationToken::new();
        let _stop_whatever_happens = stop.clone().drop_guard();
        let mut peers = self.serve_peers()?;
        let peer_server = peers.handle();
        let Self {
            host,
            control,
            identity,
            certificate,
            announcer,
            drain_deadline,
            metrics,
            ..
        } = self;

        let mut workers = std::pin::pin!(serve_workers(host.clone(), control, stop.clone()));
        let life = async {
            tokio::select! {
                () = keep_fresh(identity.as_deref(), certificate.as_deref(), &metrics, &stop) => {}
                () = announcer.announce(&host) => {}
                () = async {
                    shutdown.cancelled().await;
                    drain::drain(&host, drain_deadline, &announcer).await;
                } => {}
            }
        };
        tokio::select! {
            ended = &mut peers => return ended.map_err(MediaError::ServePeers),
            ended = &mut workers => return ended,
            () = life => {}
        }

        announcer.withdraw().await;
        // Ends the streams of workers, after what waits in them, and thereby their server.
        host.close();
        stop.cancel();
        let farewell = async { tokio::join!(peers, workers, peer_server.stop(false)) };
        // A worker that does not take its last events is not waited for.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        tracing::info!("the media host has ended");
        Ok(())
    }

    fn serve_peers(&self) -> Result<PeerServer, MediaError> {
        let tls = self
            .certificate
            .as_ref()
            .map(ServerCertificate::server_config)
            .transpose()?;
        let settings = Settings {
            origins: self.origins.clone(),
        };
        let listener = self.peers.1.try_clone().map_err(MediaError::ServePeers)?;
        whip::serve(self.host.clone(), listener, tls, settings).map_err(MediaError::ServePeers)
    }
}

/// Takes changed certificates into use, until `stop`.
async fn keep_fresh(
    identity: Option<&Identity>,
    certificate: Option<&ServerCertificate>,
    metrics: &RoleMetrics,
    stop: &CancellationToken,
) {
    let of_cluster = async {
        if let Some(identity) = identity {
            identity.keep_fresh(stop.clone()).await;
        }
    };
    let of_peers = async {
        if let Some(certificate) = certificate {
            let (reloads, failures) = (metrics.reloads.clone(), metrics.failures.clone());
            certificate.keep_fresh(stop.clone(), reloads, failures).await;
        }
    };
    tokio::join!(of_cluster, of_peers, stop.cancelled());
}

/// Serves the streams of workers until `stop` and until they have ended.
async fn serve_workers(host: Arc<Host>, control: Listener, stop: CancellationToken) -> Result<(), MediaError> {
    let address = control.address();
    let connections = control
        .connections()
        .map_err(|source| MediaError::Listen { address, source })?;
    Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(MediaServer::with_interceptor(MediaService::new(host), only_workers))
        .serve_with_incoming_shutdown(connections, stop.cancelled_owned())
        .await
        .map_err(MediaError::ServeWorkers)
}

/// Lets workers in: an ingress or an operator tells legs nothing.
///
/// # Errors
/// `PERMISSION_DENIED` for anybody else.
#[allow(clippy::result_large_err, reason = "the form of an interceptor")]
fn only_workers(request: Request<()>) -> Result<Request<()>, Status> {
    let peer = request.extensions().get::<Peer>();
    if peer.is_some_and(|peer| peer.may_act_as(Role::Worker)) {
        Ok(request)
    } else {
        Err(Status::permission_denied("only a worker tells legs something"))
    }
}

fn listen_for_peers(address: SocketAddr) -> std::io::Result<(SocketAddr, TcpListener)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    Ok((listener.local_addr()?, listener))
}

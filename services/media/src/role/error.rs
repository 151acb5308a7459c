//! Why a media host did not start or did not go on.

use std::net::SocketAddr;

use trunkline_cluster::channel::{SETTINGS, TlsError};

use crate::control::StartError;

/// Why a media host did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Commands would come in the clear from other machines.
    #[error("media.listen = {listen} is not a loopback address, and commands would come in the clear; set {SETTINGS}")]
    NotLoopback {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// The address for workers cannot be listened on.
    #[error("media.listen = {address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The address for peers cannot be listened on.
    #[error("media.whip_listen = {address} cannot be listened on")]
    ListenForPeers {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The media thread or the recorder did not start.
    #[error("the media thread cannot be started (media.udp_listen, media.udp_ports)")]
    Start(#[from] StartError),
    /// The server of peers failed.
    #[error("the server of peers failed")]
    ServePeers(#[source] std::io::Error),
    /// The server of workers failed.
    #[error("the server of workers failed")]
    ServeWorkers(#[source] tonic::transport::Error),
}

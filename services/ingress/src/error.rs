//! Why an ingress cannot start or go on.

use std::io;
use std::net::SocketAddr;

use trunkline_cluster::channel::TlsError;

/// Why an ingress cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngressError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No address to listen on.
    #[error("no address to listen on is configured")]
    NoAddress,
    /// No worker to forward to.
    #[error("no worker is configured")]
    NoWorkers,
    /// A worker's address is none.
    #[error("`{address}` is no address of a worker, expected host:port")]
    WorkerAddress {
        /// What was configured.
        address: String,
        /// What is wrong with it.
        #[source]
        source: tonic::transport::Error,
    },
    /// A number that cannot be worked with.
    #[error("{setting} is {value}, allowed is {allowed}")]
    OutOfRange {
        /// Name of the field.
        setting: &'static str,
        /// What was configured.
        value: usize,
        /// What may be.
        allowed: &'static str,
    },
    /// A bot accepts requests without a token, and others than this machine could send them.
    #[error("a bot accepts unauthenticated requests, which is possible on loopback only, but {address} is none")]
    UnauthenticatedBeyondLoopback {
        /// The address that others reach.
        address: SocketAddr,
    },
    /// A certificate, a key or the cluster's authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server ended by itself.
    #[error("the HTTP server ended")]
    Server(#[source] io::Error),
}

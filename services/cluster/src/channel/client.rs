//! The beginning of a connection to another process.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::SETTINGS;
use super::connection::Connection;
use super::identity::Identity;
use super::refusal::Refusal;
use super::role::Role;
use super::server::no_delay;

/// Connects to a process at an address and makes sure that it is a worker, or a media host, of this cluster; for
/// `tonic::transport::Endpoint::connect_with_connector`, whose time-out bounds it. The scheme of the endpoint is not looked
/// at.
#[derive(Clone, Debug)]
pub struct Connector {
    identity: Option<Arc<Identity>>,
    to: Role,
}

/// To workers of this machine.
impl Default for Connector {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Connector {
    /// Connects to workers with this identity; without one to loopback addresses only.
    pub fn new(identity: Option<Arc<Identity>>) -> Self {
        Self {
            identity,
            to: Role::Worker,
        }
    }

    /// Connects to media hosts with this identity; without one to loopback addresses only.
    pub fn to_media_hosts(identity: Option<Arc<Identity>>) -> Self {
        Self {
            identity,
            to: Role::Media,
        }
    }

    async fn connect(self, to: Uri) -> io::Result<Connection> {
        let authority = to.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let stream = self.open(authority).await?;
        no_delay(&stream);
        let peer = stream.peer_addr()?;
        let Some(identity) = self.identity else {
            return Ok(Connection::plain(stream, peer));
        };
        let connector = TlsConnector::from(identity.client());
        match connector.connect(identity.server_name(self.to), stream).await {
            Ok(stream) => Ok(Connection::tls(stream, peer, vec![self.to])),
            Err(error) => Err(io::Error::new(error.kind(), Refusal::from(error))),
        }
    }

    /// Tries the addresses of a name one after the other.
    async fn open(&self, authority: &str) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{authority} has no address"));
        for address in lookup_host(authority).await? {
            if self.identity.is_none() && !address.ip().is_loopback() {
                return Err(not_this_machine(address));
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

fn not_this_machine(address: SocketAddr) -> io::Error {
    io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{address} is not of this machine and nothing is sent there in the clear; set {SETTINGS}"),
    )
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(to).await.map(TokioIo::new) })
    }
}

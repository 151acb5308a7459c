//! Where a process listens for the others: accepting never waits for a handshake.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::identity::Identity;
use super::refusal::{Refusal, RefusalLog};

/// Longest time for a handshake; between our processes it takes a few milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// Handshakes under way at once. With more the oldest is given up: an honest one is never old.
const HANDSHAKES: usize = 256;
/// Wait after the system refused to accept: it has no more descriptors, which a connection's end cures.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Where a process listens for the others.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
    identity: Option<Arc<Identity>>,
}

impl Listener {
    /// Listens at this address, without TLS when there is no identity. Whether that is fit for the address is the caller's
    /// to decide.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(listen: SocketAddr, identity: Option<Arc<Identity>>) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(listen)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            identity,
        })
    }

    /// The address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connections, one after the other as they are ready; handshakes run in the runtime that polls them. Dropping the
    /// stream ends the handshakes under way.
    ///
    /// # Errors
    /// What the system says. Needs a tokio runtime around it.
    pub fn connections(self) -> io::Result<impl Stream<Item = io::Result<Connection>> + Send> {
        let accepting = Accepting {
            socket: TcpListener::from_std(self.socket)?,
            identity: self.identity,
            handshakes: Handshakes::default(),
            log: RefusalLog::default(),
        };
        Ok(stream::unfold(accepting, |mut accepting| async move {
            let connection = accepting.next().await;
            Some((Ok(connection), accepting))
        }))
    }
}

struct Accepting {
    socket: TcpListener,
    identity: Option<Arc<Identity>>,
    handshakes: Handshakes,
    log: RefusalLog,
}

impl Accepting {
    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => {
                        no_delay(&stream);
                        let Some(identity) = &self.identity else {
                            return Connection::plain(stream, peer);
                        };
                        let handshake = shake_hands(identity.clone(), stream, peer);
                        if let Some(given_up) = self.handshakes.begin(peer, handshake) {
                            self.refuse(given_up, &Refusal::Crowded(HANDSHAKES));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no connection can be accepted, trying again");
                        tokio::time::sleep(ACCEPT_AGAIN).await;
                    }
                },
                ended = self.handshakes.ended() => match ended {
                    Ok(connection) => return connection,
                    Err((peer, refusal)) => self.refuse(peer, &refusal),
                },
            }
        }
    }

    fn refuse(&mut self, peer: SocketAddr, refusal: &Refusal) {
        if let Some(identity) = &self.identity {
            identity.metrics().count(refusal);
        }
        self.log.note(peer, refusal);
    }
}

type Ended = Result<Connection, (SocketAddr, Refusal)>;

/// The handshakes under way, the oldest first.
#[derive(Default)]
struct Handshakes {
    tasks: JoinSet<Ended>,
    order: VecDeque<(SocketAddr, AbortHandle)>,
}

impl Handshakes {
    /// Begins one. Returns whom it was given up for, when there are too many.
    fn begin(
        &mut self,
        peer: SocketAddr,
        handshake: impl Future<Output = Ended> + Send + 'static,
    ) -> Option<SocketAddr> {
        self.order.retain(|(_, task)| !task.is_finished());
        let given_up = if self.order.len() < HANDSHAKES {
            None
        } else {
            self.order.pop_front()
        };
        let task = self.tasks.spawn(handshake);
        self.order.push_back((peer, task));
        given_up.map(|(peer, task)| {
            task.abort();
            peer
        })
    }

    /// The next one that ends; waits for ever while there is none.
    async fn ended(&mut self) -> Ended {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return ended,
                // Given up.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

async fn shake_hands(identity: Arc<Identity>, stream: TcpStream, peer: SocketAddr) -> Ended {
    let refused = |refusal| (peer, refusal);
    let handshake = TlsAcceptor::from(identity.server()).accept(stream);
    let stream = tokio::time::timeout(HANDSHAKE, handshake)
        .await
        .map_err(|_| refused(Refusal::Slow(HANDSHAKE)))?
        .map_err(|error| refused(error.into()))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| refused(Refusal::NoCertificate))?;
    let roles = identity
        .roles_of(certificate)
        .map_err(|error| refused(Refusal::Certificate(error)))?;
    Ok(Connection::tls(stream, peer, roles))
}

/// Frames must not wait for the next one to fill a packet: forgotten, the stream falls to a hundredth of its speed.
pub(super) fn no_delay(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection waits for full packets");
    }
}

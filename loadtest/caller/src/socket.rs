//! A socket with faults: what it sends and receives goes along a [`Path`].

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::ReadBuf;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

use crate::faults::Faults;
use crate::path::{Path, Way};

/// A datagram of a host is no larger.
const LARGEST: usize = 2_048;

/// The caller's address as the host sees it.
#[derive(Debug)]
struct Nat {
    sender: UdpSocket,
    receiver: tokio::net::UdpSocket,
}

impl Nat {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            sender: socket.try_clone()?,
            receiver: tokio::net::UdpSocket::from_std(socket)?,
        })
    }

    fn elsewhere(&self) -> io::Result<Self> {
        let ip = self.sender.local_addr()?.ip();
        Self::new(UdpSocket::bind((ip, 0))?)
    }
}

/// A socket that believes to have one address, whatever the NAT does.
#[derive(Debug)]
pub(crate) struct BadSocket {
    address: SocketAddr,
    way: Mutex<BadWay>,
}

#[derive(Debug)]
struct BadWay {
    path: Path,
    nat: Nat,
    arrived: VecDeque<(Vec<u8>, SocketAddr)>,
    /// Who waits for a datagram, at a socket that the NAT may leave.
    waiting: Option<Waker>,
}

impl BadSocket {
    /// Within the reactor that will wait for it.
    pub(crate) fn new(socket: UdpSocket, faults: Faults) -> io::Result<Self> {
        Ok(Self {
            address: socket.local_addr()?,
            way: Mutex::new(BadWay {
                path: Path::new(faults),
                nat: Nat::new(socket)?,
                arrived: VecDeque::new(),
                waiting: None,
            }),
        })
    }

    fn way(&self) -> MutexGuard<'_, BadWay> {
        // Each change is whole, whoever panicked.
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncUdpSocket for BadSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.way().send(transmit.contents, transmit.destination);
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        self.way().receive(context).map_ok(|(datagram, from)| {
            let length = datagram.len().min(buffer.len());
            buffer[..length].copy_from_slice(&datagram[..length]);
            *meta = RecvMeta::default();
            meta.addr = from;
            meta.len = length;
            meta.stride = length.max(1);
            1
        })
    }
}

impl BadWay {
    fn send(&mut self, datagram: &[u8], to: SocketAddr) {
        let now = Instant::now();
        if self.path.rebinds(now) {
            self.rebind();
        }
        for datagram in self.path.carry(Way::ToHost, datagram, now) {
            // What the system does not take is lost, as on any network.
            let _ = self.nat.sender.send_to(&datagram, to);
        }
    }

    fn rebind(&mut self) {
        match self.nat.elsewhere() {
            Ok(nat) => self.nat = nat,
            Err(error) => tracing::warn!(%error, "a caller gets no other port"),
        }
        // Nothing comes where it waits any more.
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }

    fn receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Vec<u8>, SocketAddr)>> {
        loop {
            if let Some(datagram) = self.arrived.pop_front() {
                return Poll::Ready(Ok(datagram));
            }
            let mut buffer = [0; LARGEST];
            let mut buffer = ReadBuf::new(&mut buffer);
            match self.nat.receiver.poll_recv_from(context, &mut buffer) {
                Poll::Ready(Ok(from)) => {
                    let arrive = self.path.carry(Way::ToCaller, buffer.filled(), Instant::now());
                    self.arrived.extend(arrive.into_iter().map(|datagram| (datagram, from)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.waiting = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

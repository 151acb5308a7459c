//! UDP sockets of a media thread.
//!
//! They are never connected: the system would silence a peer whose address changes. They never share a port: a second host on
//! it fails loudly.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer of a socket that all legs share: 0.4 s of 2,000 legs. The system may allow less.
pub(super) const SHARED_BUFFER: usize = 32 * 1024 * 1024;
/// Receive buffer of a leg's own socket.
pub(super) const OWN_BUFFER: usize = 64 * 1024;

/// A bound socket that does not block.
pub(super) fn bind(address: IpAddr, port: u16, buffer: usize) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // Whatever the system's default is: peers of both families come to one socket.
        socket.set_only_v6(false)?;
    }
    // What the system allows is taken.
    let _ = socket.set_recv_buffer_size(buffer);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// An address as a socket of this family takes it: an IPv6 socket reaches IPv4 peers by mapped addresses.
pub(super) fn for_family(to: SocketAddr, is_v6: bool) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if is_v6 => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), to.port()),
        _ => to,
    }
}

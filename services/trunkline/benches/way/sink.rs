//! The Connector of the benchmark: reads replies, counts them, answers each with an id. HTTP/1.1 by hand, as cheap as it
//! can be, because its CPU time is not what is measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A Connector that takes every reply.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Sink {
    /// Listens on a free loopback port for as long as the runtime lives.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let received = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&counter)));
            }
        });
        Ok(Self { address, received })
    }

    /// Replies taken so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

async fn serve(mut socket: TcpStream, received: Arc<AtomicU64>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8_192);
    loop {
        while let Some(length) = complete_request(&buffer) {
            buffer.drain(..length);
            let id = 1_795_100_000_000 + received.fetch_add(1, Ordering::Relaxed);
            let body = format!(r#"{{"id":"{id}"}}"#);
            let answer = format!(
                "HTTP/1.1 201 Created\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await?;
        }
        if socket.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Length of the request at the front of the buffer, once it is whole.
fn complete_request(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length: usize = text
        .lines()
        .find_map(|line| {
            line.get(..15)
                .filter(|name| name.eq_ignore_ascii_case("content-length:"))
                .map(|_| &line[15..])
        })
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0);
    (buffer.len() >= head + length).then_some(head + length)
}

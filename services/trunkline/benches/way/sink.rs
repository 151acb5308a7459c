//! The Connector of the benchmark: reads replies, counts them, answers each with an id. HTTP/1.1 by hand, as cheap as it
//! can be, because its CPU time is not what is measured.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the bot [`crate::bot`] says when its alarm rings, before the time at which it was due, in milliseconds since 1970.
pub(crate) const DUE: &str = "due ";

/// A Connector that takes every reply.
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    replies: AtomicU64,
    alarms: Mutex<Vec<Alarm>>,
}

/// An alarm that rang.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm {
    /// When it was due, in milliseconds since 1970.
    pub(crate) due_ms: u64,
    /// When the Connector heard it.
    pub(crate) heard: SystemTime,
}

impl Alarm {
    /// Milliseconds from the one to the other; negative when it rang too early.
    pub(crate) fn late_ms(self) -> f64 {
        let heard = self.heard.duration_since(UNIX_EPOCH).unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
        let due = self.due_ms as f64;
        heard.as_secs_f64() * 1e3 - due
    }
}

impl Sink {
    /// Listens on a free loopback port for as long as the runtime lives.
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let heard = Arc::new(Heard::default());
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, heard })
    }

    /// Replies taken so far.
    pub(crate) fn received(&self) -> u64 {
        self.heard.replies.load(Ordering::Relaxed)
    }

    /// Alarms that rang and were due at this time.
    pub(crate) fn alarms(&self, due_ms: u64) -> Vec<Alarm> {
        let alarms = self.heard.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        alarms.iter().filter(|alarm| alarm.due_ms == due_ms).copied().collect()
    }
}

impl Heard {
    /// Takes a reply, and returns its number.
    fn take(&self, request: &[u8]) -> u64 {
        if let Some(due_ms) = due(request) {
            let heard = SystemTime::now();
            let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
            alarms.push(Alarm { due_ms, heard });
        }
        self.replies.fetch_add(1, Ordering::Relaxed)
    }
}

async fn serve(mut socket: TcpStream, heard: Arc<Heard>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(8_192);
    loop {
        while let Some(length) = complete_message(&buffer) {
            let id = 1_795_100_000_000 + heard.take(&buffer[..length]);
            buffer.drain(..length);
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

/// The time that a reply names behind [`DUE`].
fn due(request: &[u8]) -> Option<u64> {
    let needle = DUE.as_bytes();
    let place = request.windows(needle.len()).position(|window| window == needle)? + needle.len();
    let digits = request[place..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&request[place..place + digits]).ok()?.parse().ok()
}

/// Length of the request or answer at the front of the buffer, once it is whole.
pub(crate) fn complete_message(buffer: &[u8]) -> Option<usize> {
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

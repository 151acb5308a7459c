//! Sends activities over a fixed number of keep-alive connections and reads the answers: HTTP/1.1 by hand, because a
//! general client would cost more than the host that is measured.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Who is spoken to and about what.
pub(crate) struct Target {
    pub(crate) ingress: SocketAddr,
    pub(crate) app_id: String,
    pub(crate) tenant: String,
    pub(crate) service_url: String,
}

/// How much is sent, and how fast.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) activities: u64,
    pub(crate) connections: usize,
    /// `None`: each connection sends its next activity as soon as the last is answered.
    pub(crate) per_second: Option<f64>,
    pub(crate) first_id: u64,
    /// Conversations are numbered from here.
    pub(crate) first_conversation: u64,
    pub(crate) conversations: u64,
    /// A fresh token after this many activities.
    pub(crate) token_every: u64,
}

/// What came back.
pub(crate) struct Answers {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// From the planned instant to the status line, in microseconds.
    pub(crate) latency: Histogram<u64>,
    pub(crate) took: Duration,
}

/// Makes the bearer token number `n`.
pub(crate) type Tokens = Arc<dyn Fn(u64) -> String + Send + Sync>;

/// Runs a load to its end.
pub(crate) async fn run(target: Arc<Target>, load: Load, tokens: Tokens) -> io::Result<Answers> {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        let connection = Connection {
            target: Arc::clone(&target),
            load,
            tokens: Arc::clone(&tokens),
            next: Arc::clone(&next),
            began,
        };
        connections.push(tokio::spawn(connection.run()));
    }
    let mut answers = Answers {
        accepted: 0,
        refused: 0,
        latency: microseconds(),
        took: Duration::ZERO,
    };
    for connection in connections {
        let part = connection.await.map_err(io::Error::other)??;
        answers.accepted += part.accepted;
        answers.refused += part.refused;
        answers.latency.add(&part.latency).map_err(io::Error::other)?;
    }
    answers.took = began.elapsed();
    Ok(answers)
}

/// One microsecond to two minutes, three digits.
fn microseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"))
}

struct Connection {
    target: Arc<Target>,
    load: Load,
    tokens: Tokens,
    next: Arc<AtomicU64>,
    began: Instant,
}

impl Connection {
    async fn run(self) -> io::Result<Answers> {
        let mut socket = TcpStream::connect(self.target.ingress).await?;
        socket.set_nodelay(true)?;
        let mut answers = Answers {
            accepted: 0,
            refused: 0,
            latency: microseconds(),
            took: Duration::ZERO,
        };
        let mut token = (u64::MAX, String::new());
        let mut received = Vec::with_capacity(4_096);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.load.activities {
                return Ok(answers);
            }
            let planned = self.planned(number).await;
            let batch = number / self.load.token_every;
            if token.0 != batch {
                token = (batch, (self.tokens)(batch));
            }
            socket.write_all(&self.request(number, &token.1)).await?;
            let status = read_answer(&mut socket, &mut received).await?;
            if (200..300).contains(&status) {
                answers.accepted += 1;
            } else {
                answers.refused += 1;
            }
            let micros = u64::try_from(planned.elapsed().as_micros()).unwrap_or(u64::MAX);
            answers.latency.saturating_record(micros.max(1));
        }
    }

    /// Waits for the instant at which this activity is due; latency counts from it, however late the connection is free.
    async fn planned(&self, number: u64) -> Instant {
        let Some(per_second) = self.load.per_second else {
            return Instant::now();
        };
        #[allow(clippy::cast_precision_loss, reason = "a bench sends far fewer than 2^52 activities")]
        let due = self.began + Duration::from_secs_f64(number as f64 / per_second);
        tokio::time::sleep_until(due.into()).await;
        due
    }

    /// A personal message of about one kilobyte, as Teams writes it.
    fn request(&self, number: u64, token: &str) -> Vec<u8> {
        let Target {
            ingress,
            app_id,
            tenant,
            service_url,
        } = &*self.target;
        let conversation = self.load.first_conversation + number % self.load.conversations;
        let id = self.load.first_id + number;
        let body = format!(
            r#"{{"text":"message {number}","textFormat":"plain","attachments":[{{"contentType":"text/html","content":"<p>message {number}</p>"}}],"type":"message","timestamp":"2026-11-24T10:00:00.0070993Z","localTimestamp":"2026-11-24T11:00:00.0070993+01:00","id":"{id}","channelId":"msteams","serviceUrl":"{service_url}","from":{{"id":"29:1{conversation:0>83}","name":"Robin Marsh","aadObjectId":"5b2f8f0a-6f1c-4f5e-9d3c-{conversation:0>12}"}},"conversation":{{"conversationType":"personal","tenantId":"{tenant}","id":"a:1{conversation:0>128}"}},"recipient":{{"id":"28:{app_id}","name":"Echo"}},"entities":[{{"locale":"en-GB","country":"GB","platform":"Web","timezone":"Europe/London","type":"clientInfo"}}],"channelData":{{"tenant":{{"id":"{tenant}"}}}},"locale":"en-GB","localTimezone":"Europe/London"}}"#
        );
        format!(
            "POST /api/messages HTTP/1.1\r\nHost: {ingress}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

/// Reads one answer and returns its status; the body is read and dropped.
async fn read_answer(socket: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<u16> {
    received.clear();
    loop {
        if let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            let status = text
                .get(9..12)
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| io::Error::other("no status line"))?;
            let length: usize = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0);
            if received.len() >= head + 4 + length {
                return Ok(status);
            }
        }
        if socket.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

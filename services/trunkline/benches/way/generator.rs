//! Sends activities over a fixed number of keep-alive connections and reads the answers: HTTP/1.1 by hand, because a
//! general client would cost more than the host that is measured.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::answers::{Answer, Answers};
use crate::pace::Pace;
use crate::progress::Progress;

/// Who is spoken to and about what.
pub(crate) struct Target {
    pub(crate) host: SocketAddr,
    pub(crate) app_id: String,
    pub(crate) tenant: String,
    pub(crate) service_url: String,
}

/// How much is sent, and how fast.
pub(crate) struct Load {
    pub(crate) activities: u64,
    pub(crate) connections: usize,
    pub(crate) pace: Pace,
    /// Activities go round these conversations.
    pub(crate) conversations: Range<u64>,
    /// What everybody says; `None`: each activity something else.
    pub(crate) text: Option<String>,
    /// What a progress bar is called; `None`: there is none.
    pub(crate) progress: Option<&'static str>,
}

/// A fresh token after this many activities.
const TOKEN_EVERY: u64 = 1_000;

/// Makes the bearer token number `n`.
pub(crate) type Tokens = Arc<dyn Fn(u64) -> String + Send + Sync>;

/// Runs a load to its end. The first activity has the id `first_id`. Connections are open before the first activity is due.
pub(crate) async fn run(target: Arc<Target>, load: Load, first_id: u64, tokens: Tokens) -> io::Result<Answers> {
    let mut sockets = Vec::new();
    for _ in 0..load.connections {
        sockets.push(connect(&target).await?);
    }
    let shared = Arc::new(Shared {
        target,
        load,
        first_id,
        tokens,
        began: Instant::now(),
        next: AtomicU64::new(0),
        answered: AtomicU64::new(0),
    });
    let connections: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(Connection::new(Arc::clone(&shared), socket).run()))
        .collect();
    let mut answers = Answers::since(shared.began);
    let bar = shared
        .load
        .progress
        .map(|label| tokio::spawn(show(label, Arc::clone(&shared))));
    for connection in connections {
        let part = connection.await.map_err(io::Error::other)??;
        answers.all.extend(part);
    }
    answers.took = answers.began.elapsed();
    if let Some(bar) = bar {
        bar.await.map_err(io::Error::other)?;
    }
    Ok(answers)
}

/// Shows how far a load is, until it is at its end.
async fn show(label: &'static str, shared: Arc<Shared>) {
    let mut progress = Progress::new(label, shared.load.activities);
    loop {
        let answered = shared.answered.load(Ordering::Relaxed);
        progress.at(answered);
        if answered >= shared.load.activities {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What all connections of a load have in common.
struct Shared {
    target: Arc<Target>,
    load: Load,
    first_id: u64,
    tokens: Tokens,
    began: Instant,
    next: AtomicU64,
    answered: AtomicU64,
}

struct Connection {
    shared: Arc<Shared>,
    socket: TcpStream,
    received: Vec<u8>,
    token: (u64, String),
    answers: Vec<Answer>,
}

impl Connection {
    fn new(shared: Arc<Shared>, socket: TcpStream) -> Self {
        Self {
            shared,
            socket,
            received: Vec::with_capacity(4_096),
            token: (u64::MAX, String::new()),
            answers: Vec::new(),
        }
    }

    async fn run(mut self) -> io::Result<Vec<Answer>> {
        let began = self.shared.began;
        loop {
            let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.shared.load.activities {
                return Ok(self.answers);
            }
            let planned = match self.shared.load.pace.due(number) {
                None => began.elapsed(),
                // Latency counts from the plan, however late the connection is free.
                Some(due) => {
                    tokio::time::sleep_until((began + due).into()).await;
                    due
                }
            };
            if has_closed(&self.socket) {
                self.socket = connect(&self.shared.target).await?;
            }
            let request = self.request(number);
            let sent = began.elapsed();
            let told = self.ask(&request).await;
            self.answers.push(Answer {
                planned,
                sent,
                answered: began.elapsed(),
                told: told.ok(),
            });
            self.shared.answered.fetch_add(1, Ordering::Relaxed);
            if self.answers.last().is_some_and(|answer| answer.told.is_none()) {
                self.socket = connect(&self.shared.target).await?;
            }
        }
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<Told> {
        self.socket.write_all(request).await?;
        read_answer(&mut self.socket, &mut self.received).await
    }

    /// A personal message of about one kilobyte, as Teams writes it.
    fn request(&mut self, number: u64) -> Vec<u8> {
        let batch = number / TOKEN_EVERY;
        if self.token.0 != batch {
            self.token = (batch, (self.shared.tokens)(batch));
        }
        let (load, token) = (&self.shared.load, &self.token.1);
        let Target {
            host,
            app_id,
            tenant,
            service_url,
        } = &*self.shared.target;
        let conversation = load.conversations.start + number % (load.conversations.end - load.conversations.start);
        let id = self.shared.first_id + number;
        let text = load.text.clone().unwrap_or_else(|| format!("message {number}"));
        let body = format!(
            r#"{{"text":"{text}","textFormat":"plain","attachments":[{{"contentType":"text/html","content":"<p>{text}</p>"}}],"type":"message","timestamp":"2026-11-24T10:00:00.0070993Z","localTimestamp":"2026-11-24T11:00:00.0070993+01:00","id":"{id}","channelId":"msteams","serviceUrl":"{service_url}","from":{{"id":"29:1{conversation:0>83}","name":"Robin Marsh","aadObjectId":"5b2f8f0a-6f1c-4f5e-9d3c-{conversation:0>12}"}},"conversation":{{"conversationType":"personal","tenantId":"{tenant}","id":"a:1{conversation:0>128}"}},"recipient":{{"id":"28:{app_id}","name":"Echo"}},"entities":[{{"locale":"en-GB","country":"GB","platform":"Web","timezone":"Europe/London","type":"clientInfo"}}],"channelData":{{"tenant":{{"id":"{tenant}"}}}},"locale":"en-GB","localTimezone":"Europe/London"}}"#
        );
        format!(
            "POST /api/messages HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }
}

async fn connect(target: &Target) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(target.host).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Whether the other side closed an idle connection, or said something unasked before it does.
fn has_closed(socket: &TcpStream) -> bool {
    !matches!(socket.try_read(&mut [0; 16]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// A `Retry-After` came with it.
    pub(crate) says_when: bool,
}

/// Reads one answer; its body is read and dropped.
async fn read_answer(socket: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Told> {
    received.clear();
    loop {
        if let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            let status = text
                .get(9..12)
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| io::Error::other("no status line"))?;
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
            let length: usize = field("content-length:")
                .and_then(|value| value.trim().parse().ok())
                .unwrap_or(0);
            if received.len() >= head + 4 + length {
                return Ok(Told {
                    status,
                    says_when: field("retry-after:").is_some(),
                });
            }
        }
        if socket.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

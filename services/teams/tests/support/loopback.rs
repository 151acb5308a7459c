//! A service of a few lines on loopback: it answers by a script and keeps what it was asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An answer: status, headers, body.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// The connection is closed after the request was read.
    Close,
    /// The connection is closed in the middle of the answer's body.
    CloseInBody(u16),
    /// These bytes, whatever they are, and the connection is closed.
    Raw(&'static str),
    /// Nothing comes.
    Silence,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Which connection brought it, from 0.
    pub(crate) connection: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Shared {
    script: VecDeque<Reply>,
    requests: Vec<Request>,
    connections: usize,
}

pub(crate) struct Loopback {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Loopback {
    /// Starts one that answers by this script, and with 500 when the script has ended.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_with(|_| script).await
    }

    /// The same with a script that names the server's origin.
    pub(crate) async fn start_with<S: IntoIterator<Item = Reply>>(script: impl FnOnce(&str) -> S) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = script(&format!("http://{address}"));
        let shared = Arc::new(Mutex::new(Shared {
            script: script.into_iter().collect(),
            ..Shared::default()
        }));
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            server,
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.lock().unwrap().requests.clone()
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let number = {
            let mut shared = shared.lock().unwrap();
            shared.connections += 1;
            shared.connections - 1
        };
        tokio::spawn(converse(stream, number, Arc::clone(&shared)));
    }
}

async fn converse(stream: TcpStream, connection: usize, shared: Arc<Mutex<Shared>>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream, connection).await {
        let reply = {
            let mut shared = shared.lock().unwrap();
            shared.requests.push(request);
            shared
                .script
                .pop_front()
                .unwrap_or(Reply::Answer(500, &[], "the script has ended"))
        };
        let text = match reply {
            Reply::Answer(status, headers, body) => answer(status, headers, body, body.len()),
            Reply::CloseInBody(status) => answer(status, &[], "{\"id\":", 1000),
            Reply::Raw(text) => {
                let _ = stream.get_mut().write_all(text.as_bytes()).await;
                return;
            }
            Reply::Close => return,
            Reply::Silence => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return;
            }
        };
        let cut = matches!(reply, Reply::CloseInBody(_));
        if stream.get_mut().write_all(text.as_bytes()).await.is_err() || cut {
            return;
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str, length: usize) -> String {
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let headers = lines.concat();
    format!("HTTP/1.1 {status} X\r\nMS-CV: cv.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

async fn read_request(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut lines = lines.into_iter();
    let line = lines.next()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        line,
        headers,
        body: String::from_utf8(body).unwrap(),
        connection,
    })
}

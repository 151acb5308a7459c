//! One connection to Redis with one script, asked once at a time: nothing is pipelined.

use std::fmt::Write as _;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Counts what a conversation heard, and keeps its record.
const SCRIPT: &str = "local heard = redis.call('HINCRBY', KEYS[1], 'heard', 1) \
                      redis.call('HSET', KEYS[1], 'record', ARGV[1]) \
                      return heard";

/// A connection that is used by one request at a time.
pub(super) struct Redis {
    socket: TcpStream,
    received: Vec<u8>,
    script: String,
}

impl Redis {
    pub(super) async fn connect(port: u16) -> io::Result<Self> {
        let socket = TcpStream::connect(("127.0.0.1", port)).await?;
        socket.set_nodelay(true)?;
        let mut redis = Self {
            socket,
            received: Vec::with_capacity(256),
            script: String::new(),
        };
        // A bulk string: its length, then itself.
        let loaded = redis.ask(&["SCRIPT", "LOAD", SCRIPT], 2).await?;
        loaded.lines().nth(1).unwrap_or_default().clone_into(&mut redis.script);
        Ok(redis)
    }

    /// The turn of an activity: what its conversation has heard now, this included.
    pub(super) async fn turn(&mut self, conversation: &str, record: &str) -> io::Result<u64> {
        let script = std::mem::take(&mut self.script);
        let answer = self.ask(&["EVALSHA", &script, "1", conversation, record], 1).await;
        self.script = script;
        let answer = answer?;
        answer
            .strip_prefix(':')
            .and_then(|number| number.trim().parse().ok())
            .ok_or_else(|| io::Error::other(format!("redis says {answer}")))
    }

    /// Sends a command and returns the lines of its answer.
    async fn ask(&mut self, words: &[&str], lines: usize) -> io::Result<String> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            // Writing to a string does not fail.
            let _ = write!(request, "${}\r\n{word}\r\n", word.len());
        }
        self.socket.write_all(request.as_bytes()).await?;
        self.received.clear();
        while self.received.split(|byte| *byte == b'\n').count() <= lines {
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if self.received.starts_with(b"-") {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&self.received).into_owned())
    }
}

//! One redis-server on loopback with the settings of its test alone, in a directory of its own, ended with its owner: for
//! tests of a store. Those of a cluster have [`crate::redis`].

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::free_port;

/// How long a server may take to answer after it was started.
const START: Duration = Duration::from_secs(10);

/// Settings of a server that keeps nothing on disk.
pub const IN_MEMORY: &[&str] = &["--save", "", "--appendonly", "no"];

/// A server that can be ended and started again.
#[derive(Debug)]
pub struct RedisServer {
    process: Option<Child>,
    port: u16,
    settings: Vec<String>,
    directory: TempDir,
}

impl RedisServer {
    /// Starts a server with these settings.
    pub fn start(settings: &[&str]) -> Self {
        // Between finding a port and the server's bind another process may take it: then another port.
        for _ in 0..5 {
            let mut server = Self {
                process: None,
                port: free_port(),
                settings: settings.iter().map(ToString::to_string).collect(),
                directory: tempfile::tempdir().expect("a directory for redis-server"),
            };
            if server.launch() {
                return server;
            }
        }
        panic!("redis-server with {settings:?} did not start on any of five ports");
    }

    /// Port of the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Stops the server with SIGSTOP: it takes connections and answers nobody, until it is killed.
    pub fn freeze(&self) {
        let process = self.process.as_ref().expect("the server runs");
        let stopped = Command::new("kill").args(["-STOP", &process.id().to_string()]).status();
        assert!(stopped.expect("kill runs").success(), "the server was not stopped");
    }

    /// Starts a server that does not run, on its port and with its directory; `false` when it does not answer in time.
    pub fn launch(&mut self) -> bool {
        let launched = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"])
            .arg(self.directory.path())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match launched {
            Ok(process) => self.process = Some(process),
            Err(error) => {
                panic!("redis-server cannot be started ({error}): install the Debian package `redis-server`")
            }
        }
        let deadline = Instant::now() + START;
        while Instant::now() < deadline && self.lives() {
            if ping(self.port).unwrap_or(false) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn lives(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ping(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    // A server with a password answers, too.
    Ok(&answer == b"+PONG" || &answer == b"-NOAU")
}

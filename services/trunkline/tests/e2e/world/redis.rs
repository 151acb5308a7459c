//! A real redis-server on a free port, configured as `deploy/example` says, with its data in the test's directory.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::deployment::example_file;
use super::process::free_port;
use super::wait::wait_for;

/// A server that runs; dropped means killed.
pub(crate) struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    pub(crate) fn start(directory: &Path) -> Self {
        let port = free_port();
        let child = Command::new("redis-server")
            .arg(example_file("redis.conf"))
            .args(["--port", &port.to_string(), "--dir"])
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server cannot be started: install Debian's package redis-server");
        let mut redis = Self {
            child,
            url: format!("redis://127.0.0.1:{port}/0"),
        };
        wait_for("redis-server", || {
            assert!(redis.child.try_wait().unwrap().is_none(), "redis-server ended");
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        redis
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Real redis-servers, configured as `deploy/example` says: one alone, or a primary with a replica under three Sentinels.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::network::{Host, Network};
use crate::process::{Process, Recipe, free_port};
use crate::wait::wait_for;

/// The name that Sentinel knows the primary by.
pub const MASTER: &str = "trunkline";

/// A server; dropped means killed.
#[derive(Debug)]
pub struct Redis {
    recipe: Recipe,
    process: Option<Process>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it lives.
    pub host: Host,
}

impl Redis {
    /// Starts a server with its data in `directory`; later settings win over those of the example.
    pub fn start(directory: &Path, network: &Network, settings: &[&str]) -> Self {
        let host = network.host();
        let address = SocketAddr::new(host.address, free_port());
        let name = format!("redis-{}", address.port());
        let data = directory.join(&name);
        std::fs::create_dir_all(&data).unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/example/redis.conf");
        let mut recipe = Recipe::new(directory, &name, "redis-server").arguments([
            &file.display().to_string(),
            "--bind",
            &address.ip().to_string(),
            "--port",
            &address.port().to_string(),
            // Nobody else reaches a namespace or loopback of a test.
            "--protected-mode",
            "no",
            "--dir",
            &data.display().to_string(),
        ]);
        recipe = recipe.arguments(settings.iter().copied());
        if let Some(namespace) = &host.namespace {
            recipe = recipe.in_namespace(namespace);
        }
        let mut redis = Self {
            recipe,
            process: None,
            address,
            host,
        };
        redis.launch();
        redis
    }

    /// What a store connects to.
    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// Starts it, after [`Redis::kill`], with what it has on disk; waits until it answers.
    pub fn launch(&mut self) {
        self.process = Some(self.recipe.spawn());
        wait_for("redis-server", || (self.ask("PING").ok()? == "+PONG").then_some(()));
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// Sends one inline command and returns the first line of the answer.
    ///
    /// # Errors
    /// When nobody answers within a second.
    pub fn ask(&self, command: &str) -> std::io::Result<String> {
        let second = Duration::from_secs(1);
        let mut stream = TcpStream::connect_timeout(&self.address, second)?;
        stream.set_read_timeout(Some(second))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n") && stream.read(&mut byte)? == 1 {
            answer.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }
}

/// A primary, its replica, and three Sentinels that replace the one by the other.
#[derive(Debug)]
pub struct Sentinels {
    /// The first primary.
    pub primary: Redis,
    /// The first replica.
    pub replica: Redis,
    addresses: Vec<SocketAddr>,
    _watchers: Vec<Process>,
}

impl Sentinels {
    /// Starts all of them; a primary that is silent for `down_after` is replaced.
    pub fn start(directory: &Path, network: &Network, down_after: Duration) -> Self {
        let primary = Redis::start(directory, network, &[]);
        let (ip, port) = (primary.address.ip().to_string(), primary.address.port().to_string());
        let replica = Redis::start(directory, network, &["--replicaof", &ip, &port]);
        let (addresses, watchers) = (0..3)
            .map(|place| sentinel(directory, network, place, &primary, down_after))
            .unzip();
        let sentinels = Self {
            primary,
            replica,
            addresses,
            _watchers: watchers,
        };
        wait_for("the replica's first copy", || {
            let lag = sentinels.primary.ask("WAIT 1 100").ok()?;
            (lag == ":1").then_some(())
        });
        sentinels
    }

    /// What a store connects to.
    pub fn url(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        format!("redis+sentinel://{}/{MASTER}/0", addresses.join(","))
    }
}

fn sentinel(
    directory: &Path,
    network: &Network,
    place: usize,
    primary: &Redis,
    down_after: Duration,
) -> (SocketAddr, Process) {
    let host = network.host();
    let address = SocketAddr::new(host.address, free_port());
    let name = format!("sentinel-{place}");
    let file: PathBuf = directory.join(format!("{name}.conf"));
    let text = format!(
        "bind {ip}\nport {port}\nprotected-mode no\nsentinel monitor {MASTER} {primary_ip} {primary_port} 2\n\
         sentinel down-after-milliseconds {MASTER} {down_after}\nsentinel failover-timeout {MASTER} 5000\n",
        ip = address.ip(),
        port = address.port(),
        primary_ip = primary.address.ip(),
        primary_port = primary.address.port(),
        down_after = down_after.as_millis(),
    );
    std::fs::write(&file, text).unwrap();
    let mut recipe =
        Recipe::new(directory, &name, "redis-server").arguments([&file.display().to_string(), "--sentinel"]);
    if let Some(namespace) = &host.namespace {
        recipe = recipe.in_namespace(namespace);
    }
    (address, recipe.spawn())
}

//! What every host needs around it, measured or not: a Redis, a login service, a Connector.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trunkline_fleet::teams;
use trunkline_simulated_teams::{Handle, SimulatedTeamsConfig};

use crate::answers::Answers;
use crate::generator::{self, Load, Target, Tokens};
use crate::processes::Process;
use crate::sink::Sink;

/// Where the measured processes run, and where everything else does.
pub(crate) const MEASURED_CORE: usize = 1;
pub(crate) const OTHER_CORE: usize = 0;

/// How long after the last answer replies may still come.
const LAST_REPLIES: Duration = Duration::from_secs(30);

/// The surroundings of one host.
pub(crate) struct Outside {
    pub(crate) redis: Process,
    pub(crate) redis_port: u16,
    pub(crate) teams: Handle,
    pub(crate) sink: Sink,
    tokens: Tokens,
    /// No two activities have the same id: the second would be answered from the record.
    next_id: AtomicU64,
    /// The data of Redis, the configuration and the logs.
    pub(crate) directory: TempDir,
}

impl Outside {
    pub(crate) async fn start() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let teams = teams::start(SimulatedTeamsConfig {
            tenant: teams::TENANT.to_owned(),
            ..SimulatedTeamsConfig::default()
        });
        let sink = Sink::start().await?;
        let [redis_port] = free_ports()?;
        let redis = redis_server(directory.path(), redis_port)?;
        listening(redis_port).await?;
        let tokens = signed_beforehand(&teams, &service_url(&sink));
        Ok(Self {
            redis,
            redis_port,
            teams,
            sink,
            tokens,
            next_id: AtomicU64::new(1_795_000_000_000),
            directory,
        })
    }

    /// What a host at this port of loopback is told.
    pub(crate) fn target(&self, port: u16) -> Target {
        Target {
            host: ([127, 0, 0, 1], port).into(),
            app_id: SimulatedTeamsConfig::default().bots.remove(0).app_id,
            tenant: teams::TENANT.to_owned(),
            service_url: service_url(&self.sink),
        }
    }

    /// Sends a load, and waits until so many replies to each accepted activity have come. Returns how many came.
    pub(crate) async fn send(&self, target: &Arc<Target>, load: Load, replies_each: u64) -> io::Result<(Answers, u64)> {
        let before = self.sink.received();
        let first_id = self.next_id.fetch_add(load.activities, Ordering::Relaxed);
        let answers = generator::run(Arc::clone(target), load, first_id, Arc::clone(&self.tokens)).await?;
        let expected = before + answers.accepted() * replies_each;
        let deadline = Instant::now() + LAST_REPLIES;
        while self.sink.received() < expected && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok((answers, self.sink.received() - before))
    }

    /// A number that `INFO` of Redis says.
    pub(crate) async fn redis_says(&self, name: &str) -> io::Result<u64> {
        let output = tokio::process::Command::new("redis-cli")
            .args(["-p", &self.redis_port.to_string(), "info"])
            .output()
            .await?;
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
            .ok_or_else(|| io::Error::other(format!("redis-cli says nothing of {name}")))
    }
}

fn service_url(sink: &Sink) -> String {
    format!("http://{}", sink.address)
}

/// Signing costs a millisecond: enough tokens for a run are made before it.
fn signed_beforehand(teams: &Handle, service_url: &str) -> Tokens {
    // Claims of one second are equal, signatures of PKCS #1 deterministic: a different `nbf` makes a different token.
    let tokens: Vec<String> = (0..256).map(|age| teams::token(teams, service_url, age)).collect();
    Arc::new(move |number| {
        let place = usize::try_from(number).unwrap_or_default() % tokens.len();
        tokens[place].clone()
    })
}

fn redis_server(directory: &Path, port: u16) -> io::Result<Process> {
    fs::create_dir_all(directory)?;
    let arguments = [
        "--bind".to_owned(),
        "127.0.0.1".to_owned(),
        "--port".to_owned(),
        port.to_string(),
        "--save".to_owned(),
        String::new(),
        "--appendonly".to_owned(),
        "yes".to_owned(),
        // As in deploy/example/redis.conf.
        "--auto-aof-rewrite-min-size".to_owned(),
        "1gb".to_owned(),
        "--dir".to_owned(),
        directory.display().to_string(),
    ];
    Process::start("redis-server", Some(MEASURED_CORE), "redis-server".as_ref(), &arguments)
}

pub(crate) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<io::Result<_>>()?;
    let ports: Vec<u16> = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect::<io::Result<_>>()?;
    Ok(std::array::from_fn(|place| ports[place]))
}

/// Waits until somebody takes connections at this port of loopback.
pub(crate) async fn listening(port: u16) -> io::Result<()> {
    within_a_minute(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await
}

/// Waits until the process that answers at this port is ready.
pub(crate) async fn ready(port: u16) -> io::Result<()> {
    within_a_minute(async || get(port, "/readyz").await.is_ok()).await
}

async fn within_a_minute(is_so: impl AsyncFn() -> bool) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        if Instant::now() > deadline {
            return Err(io::Error::other("a process does not serve after 60 s"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The body of an answer with success.
pub(crate) async fn get(port: u16, path: &str) -> io::Result<String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}{path}"))
        .await
        .map_err(io::Error::other)?;
    answer
        .error_for_status()
        .map_err(io::Error::other)?
        .text()
        .await
        .map_err(io::Error::other)
}

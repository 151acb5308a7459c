//! The processes under measurement and everything that they talk to.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use trunkline_fleet::teams;
use trunkline_simulated_teams::{Handle, SimulatedTeamsConfig};

use crate::LAST_REPLIES;
use crate::generator::{self, Load, Target, Tokens};
use crate::processes::{Process, pin_this_process};
use crate::report::{Batches, Measured, Memory};
use crate::sink::Sink;

/// Where the measured processes run, and where everything else does.
const MEASURED_CORE: usize = 1;
const OTHER_CORE: usize = 0;
/// No run before the one for memory uses conversations from here on.
const NEW_CONVERSATIONS: u64 = 1_000_000;

/// Everything of one benchmark.
pub(crate) struct Setting {
    // Ended from top to bottom: nobody misses what it needs.
    ingress: Process,
    worker: Process,
    redis: Process,
    redis_port: u16,
    ingress_admin: u16,
    target: Arc<Target>,
    tokens: Tokens,
    sink: Sink,
    /// No two activities of one benchmark have the same id: the second would be answered from the record.
    next_id: AtomicU64,
    /// The data of Redis, the configuration and the logs.
    _directory: TempDir,
}

/// CPU time of each process and the batches so far.
struct Reading {
    cpu: [Duration; 3],
    batches: Batches,
}

impl Setting {
    /// Starts everything and waits until it serves. `trunkline` is the binary that is measured.
    pub(crate) async fn start(trunkline: &str, arbiters: &str) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let teams = teams::start(SimulatedTeamsConfig {
            tenant: teams::TENANT.to_owned(),
            ..SimulatedTeamsConfig::default()
        });
        let sink = Sink::start().await?;
        let [redis_port, worker_port, ingress_port, worker_admin, ingress_admin] = free_ports()?;
        let redis = redis_server(directory.path(), redis_port)?;
        listening(redis_port).await?;
        let file = directory.path().join("trunkline.toml");
        let redis_url = format!("redis://127.0.0.1:{redis_port}/0");
        let text = teams::configuration("echo", &redis_url, &teams, "http://127.0.0.1");
        fs::write(&file, text)?;
        let configuration = file.display();
        let role = |name: &'static str, admin: u16| {
            let arguments = [
                name.to_owned(),
                format!("--config={configuration}"),
                format!("--set=ingress.listen=127.0.0.1:{ingress_port}"),
                "--set=ingress.threads=1".to_owned(),
                format!("--set=ingress.workers=127.0.0.1:{worker_port}"),
                format!("--set=worker.listen=127.0.0.1:{worker_port}"),
                format!("--set=worker.arbiters={arbiters}"),
                format!("--set=admin.listen=127.0.0.1:{admin}"),
                "--set=log.filter=warn".to_owned(),
            ];
            Process::start(name, Some(MEASURED_CORE), trunkline.as_ref(), &arguments)
        };
        let worker = role("worker", worker_admin)?;
        let ingress = role("ingress", ingress_admin)?;
        ready(worker_admin).await?;
        ready(ingress_port).await?;
        pin_this_process(OTHER_CORE)?;

        let service_url = format!("http://{}", sink.address);
        let tokens = signed_beforehand(&teams, &service_url);
        let app_id = SimulatedTeamsConfig::default().bots.remove(0).app_id;
        let target = Target {
            ingress: SocketAddr::from(([127, 0, 0, 1], ingress_port)),
            app_id,
            tenant: teams::TENANT.to_owned(),
            service_url,
        };
        Ok(Self {
            redis,
            worker,
            ingress,
            redis_port,
            ingress_admin,
            target: Arc::new(target),
            tokens,
            sink,
            next_id: AtomicU64::new(1_795_000_000_000),
            _directory: directory,
        })
    }

    /// Sends a load and says what it cost, the last reply included.
    pub(crate) async fn run(
        &self,
        activities: u64,
        connections: usize,
        per_second: Option<f64>,
        conversations: Range<u64>,
    ) -> io::Result<Measured> {
        let load = Load {
            activities,
            connections,
            per_second,
            first_id: self.next_id.fetch_add(activities, Ordering::Relaxed),
            first_conversation: conversations.start,
            conversations: conversations.end - conversations.start,
            token_every: 1_000,
        };
        let before = self.read().await?;
        let replies_before = self.sink.received();
        let answers = generator::run(Arc::clone(&self.target), load, Arc::clone(&self.tokens)).await?;
        let expected = replies_before + answers.accepted;
        let deadline = Instant::now() + LAST_REPLIES;
        while self.sink.received() < expected && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let after = self.read().await?;
        Ok(Measured {
            cpu: std::array::from_fn(|process| {
                (
                    self.names()[process],
                    after.cpu[process].saturating_sub(before.cpu[process]),
                )
            }),
            batches: after.batches - before.batches,
            replies: self.sink.received() - replies_before,
            answers,
        })
    }

    /// What an idle actor and a stored conversation take.
    pub(crate) async fn memory(&self, conversations: u64) -> io::Result<Memory> {
        let (worker_before, redis_before) = (self.worker.resident()?, self.redis_bytes().await?);
        self.run(
            conversations,
            64,
            None,
            NEW_CONVERSATIONS..NEW_CONVERSATIONS + conversations,
        )
        .await?;
        let (worker_after, redis_after) = (self.worker.resident()?, self.redis_bytes().await?);
        Ok(Memory {
            conversations,
            worker: worker_after.saturating_sub(worker_before),
            redis: redis_after.saturating_sub(redis_before),
        })
    }

    fn names(&self) -> [&'static str; 3] {
        [self.ingress.name, self.worker.name, self.redis.name]
    }

    async fn read(&self) -> io::Result<Reading> {
        let metrics = get(self.ingress_admin, "/metrics").await?;
        Ok(Reading {
            cpu: [self.ingress.cpu()?, self.worker.cpu()?, self.redis.cpu()?],
            batches: Batches::read(&metrics),
        })
    }

    async fn redis_bytes(&self) -> io::Result<u64> {
        let output = tokio::process::Command::new("redis-cli")
            .args(["-p", &self.redis_port.to_string(), "info", "memory"])
            .output()
            .await?;
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok())
            .ok_or_else(|| io::Error::other("redis-cli says nothing of used_memory"))
    }
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
        "--dir".to_owned(),
        directory.display().to_string(),
    ];
    Process::start("redis-server", Some(MEASURED_CORE), "redis-server".as_ref(), &arguments)
}

fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let listeners: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<io::Result<_>>()?;
    let ports: Vec<u16> = listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect::<io::Result<_>>()?;
    Ok(std::array::from_fn(|place| ports[place]))
}

async fn listening(port: u16) -> io::Result<()> {
    within_a_minute(async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await
}

async fn ready(port: u16) -> io::Result<()> {
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

async fn get(port: u16, path: &str) -> io::Result<String> {
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

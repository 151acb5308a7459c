//! A primary, its replica and three sentinels, all real.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Commands as _;
use tempfile::TempDir;
use trunkline_store::StoreError;
use trunkline_store::contract::{Committed, Header, Incarnation, Led, MapVersion, MapWrite, SharedStore};
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::tls::Tls;
use super::{PATIENCE, beside, own};
use crate::members::beat_of;
use crate::world::{SHARD, SHARDS, header, key, turn};
use trunkline_fleet::process::free_port;
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

/// What Sentinel runs on, at its fastest.
pub(super) struct Guarded<'a> {
    pub(super) primary: RedisServer,
    replica: RedisServer,
    sentinels: Vec<Sentinel>,
    tls: Option<&'a Tls>,
}

/// A sentinel, ended with its owner.
struct Sentinel {
    process: Child,
    port: u16,
    /// For clients.
    address: String,
    _directory: TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sentinel {
    /// `primary` is the port that replicas and sentinels use.
    fn start(primary: u16, tls: Option<&Tls>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let settings = directory.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            directory.path().display()
        );
        let tls_port = free_port();
        let of_tls = tls.map(|tls| tls.settings(tls_port)).unwrap_or_default();
        let mut lines: Vec<String> = of_tls.iter().map(|(name, value)| format!("{name} {value}")).collect();
        lines.push(text);
        std::fs::write(&settings, lines.join("\n")).unwrap();
        Self {
            process: spawn_sentinel(&settings),
            port,
            address: format!("127.0.0.1:{}", if tls.is_some() { tls_port } else { port }),
            _directory: directory,
        }
    }

    /// One field of what it knows of the primary.
    fn knows(&self, field: &str) -> Option<u32> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut question = redis::cmd("SENTINEL");
        question.arg("MASTER").arg("main");
        let fields: Vec<(String, String)> = question.query(&mut client.get_connection().ok()?).ok()?;
        let (_, value) = fields.into_iter().find(|(name, _)| name == field)?;
        value.parse().ok()
    }
}

fn spawn_sentinel(settings: &Path) -> Child {
    Command::new("redis-server")
        .arg(settings)
        .arg("--sentinel")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl<'a> Guarded<'a> {
    /// Starts all and waits until the sentinels know each other and the replica. With TLS everybody speaks it to everybody.
    pub(super) fn start(tls: Option<&'a Tls>) -> Self {
        let (primary, port) = server(tls, &[]);
        let (replica, _) = server(tls, &["--replicaof", "127.0.0.1", &port.to_string()]);
        let sentinels: Vec<Sentinel> = (0..3).map(|_| Sentinel::start(port, tls)).collect();
        let guarded = Self {
            primary,
            replica,
            sentinels,
            tls,
        };
        wait_until("the sentinels know each other and the replica", || {
            guarded.sentinels.iter().all(|sentinel| {
                sentinel.knows("num-other-sentinels") == Some(2) && sentinel.knows("num-slaves") == Some(1)
            })
        });
        wait_until("the replica has what the primary has", || {
            let mut probe = beside(&guarded.primary);
            let () = probe.set("probe", 1).unwrap();
            beside(&guarded.replica).get("probe") == Ok(Some(1))
        });
        guarded
    }

    /// Waits until the replica has a key.
    pub(super) fn wait_until_copied(&self, key: &str) {
        wait_until(&format!("the replica has {key}"), || {
            beside(&self.replica).exists(key).unwrap_or(false)
        });
    }

    pub(super) fn config(&self, master: &str) -> RedisConfig {
        let sentinels: Vec<&str> = self
            .sentinels
            .iter()
            .map(|sentinel| sentinel.address.as_str())
            .collect();
        if let Some(tls) = self.tls {
            return tls.config(format!("rediss+sentinel://{}/{master}", sentinels.join(",")));
        }
        RedisConfig {
            shards: SHARDS,
            connect_timeout: PATIENCE,
            ..RedisConfig::at(format!("redis+sentinel://{}/{master}", sentinels.join(",")))
        }
    }
}

/// A server that keeps nothing on disk, and its port for those who follow or watch it.
fn server(tls: Option<&Tls>, settings: &[&str]) -> (RedisServer, u16) {
    let port = free_port();
    let of_tls = tls.map(|tls| tls.arguments(port)).unwrap_or_default();
    let of_tls: Vec<&str> = of_tls.iter().map(String::as_str).collect();
    let server = RedisServer::start(&[IN_MEMORY, settings, &of_tls].concat());
    let port = if tls.is_some() { port } else { server.port() };
    (server, port)
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Repeats a call until it is answered. A failover is never taken for the loss of the store.
pub(super) async fn until_answered<T>(call: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error @ (StoreError::Unavailable { .. } | StoreError::Refused { .. })) => {
                assert!(Instant::now() < deadline, "{error}");
            }
            Err(error) => panic!("a failover came to {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinel_promotes_a_replica_and_writes_resume_on_it_by_themselves() {
    let mut guarded = Guarded::start(None);
    let store: SharedStore = Arc::new(RedisStore::open(guarded.config("main")).await.unwrap());
    let token = own(&store).await;
    let first = turn(token, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(store.commit(first).await.unwrap(), Committed::Written);
    let pulse = until_answered(async || store.beat(beat_of(1)).await).await;
    let led = until_answered(async || store.lead(Incarnation(1), 60_000).await).await;
    assert!(matches!(led, Led::Leading { .. }), "{led:?}");
    let write_map = async || {
        let map = b"map".as_slice().into();
        store.write_map(Incarnation(1), MapVersion(0), MapVersion(1), map).await
    };
    assert_eq!(until_answered(write_map).await, MapWrite::Written);
    // Replication is asynchronous: what was acknowledged but did not arrive may go. This arrived.
    guarded.wait_until_copied("{tl}map");

    guarded.primary.kill();
    let killed = Instant::now();
    let next = turn(token, key("c"), header(1, 1), header(2, 2));
    let committed = until_answered(async || store.commit(next.clone()).await).await;
    println!("writes resumed {:?} after the primary was killed", killed.elapsed());
    assert_eq!(committed, Committed::Written);
    let again = until_answered(async || store.beat(beat_of(1)).await).await;
    assert_eq!((again.cluster, again.map), (pulse.cluster, MapVersion(1)));
    assert!(
        again.up_since_ms > pulse.now_ms,
        "the failover gave no fresh leases: {again:?}"
    );
    let there: bool = beside(&guarded.replica).exists("{tl}meta").unwrap();
    assert!(there);

    // The old primary comes back without data, and calls itself one until it is made a replica; not every sentinel has heard of
    // the failover yet. Nobody is sent there.
    assert!(guarded.primary.launch(), "the old primary did not start again");
    let last = turn(token, key("c"), header(2, 2), header(3, 3));
    let committed = until_answered(async || store.commit(last.clone()).await).await;
    assert_eq!(committed, Committed::Written);
    let fresh: SharedStore = Arc::new(RedisStore::open(guarded.config("main")).await.unwrap());
    let loaded = fresh.load(SHARD, key("c")).await.unwrap();
    assert_eq!(Header::of_record(&loaded.record.unwrap()), Some(header(3, 3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_to_connect_to_a_silent_primary_ends_when_another_takes_its_place() {
    let guarded = Guarded::start(None);
    let store: SharedStore = Arc::new(RedisStore::open(guarded.config("main")).await.unwrap());
    until_answered(async || store.beat(beat_of(1)).await).await;
    guarded.wait_until_copied("{tl}meta");
    // Connections to it are accepted and then silent for as long as an attempt may take, which is longer than this test.
    guarded.primary.freeze();
    until_answered(async || store.beat(beat_of(1)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_no_sentinel_knows_is_refused() {
    let primary = RedisServer::start(IN_MEMORY);
    let sentinel = Sentinel::start(primary.port(), None);
    wait_until("the sentinel answers", || sentinel.knows("port").is_some());
    let config = RedisConfig::at(format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port));
    let error = RedisStore::open(config).await.unwrap_err();
    assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("`other`"), "{error}");
}

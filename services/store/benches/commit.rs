//! Commits a second: one by one, and with 64 and 256 conversations at once, from one thread, records of 1.5 KB.
//!
//! `cargo bench -p trunkline-store`. Redis is left out when `redis-server` is not installed. The figures of the embedded
//! store are those of the disk that holds the temporary directory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use trunkline_store::contract::{
    Claim, Claimed, Commit, Committed, Epoch, Header, Incarnation, MapVersion, Parked, SharedStore, Token, Wake,
};
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore, SyncPolicy};
use trunkline_store::key::{ShardId, Triple};
use trunkline_store::redis::{RedisConfig, RedisStore};

use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

const SHARD: ShardId = ShardId(7);
const RECORD_BYTES: usize = 1_500;
const CONCURRENT: [u64; 3] = [1, 64, 256];
const EVERY_SECOND: &[&str] = &["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"];
const ALWAYS: &[&str] = &["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

/// One conversation after another turn.
async fn commit_turns(store: SharedStore, token: Token, conversation: u64, turns: u64) {
    let key = Triple::conversation("echo", "tenant", conversation.to_string()).key();
    let loaded = store.load(SHARD, key).await.unwrap().record;
    let mut header = loaded.map_or(Header::ABSENT, |record| Header::of_record(&record).unwrap());
    for _ in 0..turns {
        let next = Header {
            version: header.version + 1,
            turn: rand::random(),
        };
        let mut record = Vec::with_capacity(RECORD_BYTES);
        record.extend_from_slice(&next.to_bytes());
        record.resize(RECORD_BYTES, b'.');
        let commit = Commit {
            shard: SHARD,
            key,
            token,
            expected: header,
            record: Some(Bytes::from(record)),
            done: Vec::new(),
            accept: Vec::new(),
            wake: Wake::At(next.version),
            parked: Parked::Keep,
            retain_ms: Some(90 * 24 * 3_600_000),
            answer: None,
        };
        assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
        header = next;
    }
}

async fn commit_many(store: &SharedStore, token: Token, commits: u64, concurrent: u64) -> Duration {
    let began = Instant::now();
    let conversations: Vec<_> = (0..concurrent)
        .map(|conversation| {
            let turns = commits / concurrent + u64::from(conversation < commits % concurrent);
            tokio::spawn(commit_turns(Arc::clone(store), token, conversation, turns))
        })
        .collect();
    for conversation in conversations {
        conversation.await.unwrap();
    }
    began.elapsed()
}

fn own(runtime: &Runtime, store: &SharedStore) -> Token {
    let claim = Claim {
        me: Incarnation(1),
        map: MapVersion(1),
        force: true,
        floor: Epoch(0),
    };
    match runtime.block_on(store.claim(SHARD, claim)).unwrap() {
        Claimed::Ours(token) => token,
        other => panic!("the claim came to {other:?}"),
    }
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, runtime: &Runtime, store: &SharedStore) -> u64 {
    let token = own(runtime, store);
    let mut written = 0;
    for concurrent in CONCURRENT {
        group.bench_function(BenchmarkId::new(name, concurrent), |bencher| {
            bencher.iter_custom(|commits| {
                written += commits;
                runtime.block_on(commit_many(store, token, commits, concurrent))
            });
        });
    }
    written
}

fn embedded(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    for (name, sync) in [
        ("embedded, every commit on disk", SyncPolicy::EveryCommit),
        (
            "embedded, flushed each 200 ms",
            SyncPolicy::Interval(Duration::from_millis(200)),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let config = EmbeddedConfig {
            sync,
            ..EmbeddedConfig::in_directory(directory.path())
        };
        let store: SharedStore = Arc::new(EmbeddedStore::open(config).unwrap());
        measure(group, name, runtime, &store);
    }
}

fn redis(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime) {
    let version = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if version.is_err() {
        eprintln!("redis-server is missing (Debian package `redis-server`): Redis is not measured");
        return;
    }
    for (name, settings) in [
        ("redis, in memory", IN_MEMORY),
        ("redis, appendfsync everysec", EVERY_SECOND),
        ("redis, appendfsync always", ALWAYS),
    ] {
        let server = RedisServer::start(settings);
        let opened = runtime.block_on(RedisStore::open(RedisConfig::at(server.url())));
        let store: SharedStore = Arc::new(opened.unwrap());
        let before = server_cpu_us(&server);
        let written = measure(group, name, runtime, &store);
        let used = server_cpu_us(&server) - before;
        // Exact enough for a figure with two digits.
        #[allow(clippy::cast_precision_loss)]
        let each = used / written as f64;
        eprintln!("{name}: {each:.1} us of redis-server's processor time a commit, over all of the above");
    }
}

/// Processor time that a server has used.
fn server_cpu_us(server: &RedisServer) -> f64 {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("cpu").query(&mut connection).unwrap();
    let seconds = |name: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap().trim().parse().unwrap()
    };
    (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6
}

fn commits(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut group = criterion.benchmark_group("commit");
    group
        .throughput(Throughput::Elements(1))
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3));
    embedded(&mut group, &runtime);
    redis(&mut group, &runtime);
    group.finish();
}

criterion_group!(benches, commits);
criterion_main!(benches);

//! Answers that wait for a real replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::Commands as _;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, SharedStore};
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::{PATIENCE, beside, config, own, redis_pid, signal};
use crate::world::{SHARD, header, key, touch, turn};
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

/// A primary and its replica.
struct Pair {
    primary: RedisServer,
    replica: RedisServer,
}

impl Pair {
    fn start() -> Self {
        let primary = RedisServer::start(IN_MEMORY);
        let port = primary.port().to_string();
        let replica = RedisServer::start(&[IN_MEMORY, &["--replicaof", "127.0.0.1", &port]].concat());
        let deadline = Instant::now() + PATIENCE;
        let () = beside(&primary).set("probe", 1).unwrap();
        while beside(&replica).get("probe") != Ok(Some(1)) {
            assert!(Instant::now() < deadline, "the replica does not follow");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { primary, replica }
    }

    async fn open(&self) -> SharedStore {
        let waiting = RedisConfig {
            wait_replicas: 1,
            wait_timeout: Duration::from_millis(300),
            response_timeout: Duration::from_secs(1),
            ..config(&self.primary)
        };
        Arc::new(RedisStore::open(waiting).await.unwrap())
    }
}

fn assert_unconfirmed<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Unavailable { reason, .. }) => assert!(reason.contains("0 of 1 replicas"), "{reason}"),
        other => panic!("without its replica the store answered {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_replica_s_confirmation_nothing_is_acknowledged_and_nothing_is_read() {
    let pair = Pair::start();
    let store = pair.open().await;
    let token = own(&store).await;
    let first = Commit {
        answer: Some(("00ff".to_owned(), b"{}".as_slice().into())),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    assert_eq!(store.commit(first).await.unwrap(), Committed::Written);

    let replica = redis_pid(&pair.replica);
    signal(replica, "-STOP");
    let next = turn(token, key("c"), header(1, 1), header(2, 2));
    let unconfirmed = store.commit(next.clone()).await;
    let repeated = store.commit(next.clone()).await;
    // It is written, and yet neither we nor a process that has just connected may take it for safe.
    let stored: Vec<u8> = redis::cmd("GETRANGE")
        .arg(format!("{{{}}}c:{}", tag(&pair.primary), key("c").to_text()))
        .arg(0)
        .arg(15)
        .query(&mut beside(&pair.primary))
        .unwrap();
    let fresh = pair.open().await;
    let loaded = fresh.load(SHARD, key("c")).await;
    let answer = fresh.answer(SHARD, key("c"), "00ff").await;
    let refused = store.commit(touch(token, key("c"), header(9, 9))).await;
    signal(replica, "-CONT");
    assert_unconfirmed(unconfirmed);
    assert_unconfirmed(repeated);
    assert_eq!(Header::of_record(&stored), Some(header(2, 2)));
    assert_unconfirmed(loaded);
    assert_unconfirmed(answer);
    assert_unconfirmed(refused);

    let committed = super::sentinel::until_answered(async || store.commit(next.clone()).await).await;
    assert_eq!(committed, Committed::Written);
    let loaded = fresh.load(SHARD, key("c")).await.unwrap();
    assert_eq!(Header::of_record(&loaded.record.unwrap()), Some(header(2, 2)));
    assert!(fresh.answer(SHARD, key("c"), "00ff").await.unwrap().is_some());
}

fn tag(server: &RedisServer) -> String {
    let records: Vec<String> = beside(server).keys("*c:*").unwrap();
    let (tag, _) = records[0].split_once('}').unwrap();
    tag.trim_start_matches('{').to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_come_together_wait_together() {
    const COMMITS: usize = 500;
    let pair = Pair::start();
    let store = pair.open().await;
    let token = own(&store).await;
    let commits = (0..COMMITS).map(|number| {
        let key = key(&format!("conversation {number}"));
        store.commit(turn(token, key, Header::ABSENT, header(1, 1)))
    });
    for committed in join_all(commits).await {
        assert_eq!(committed.unwrap(), Committed::Written);
    }
    let statistics: String = redis::cmd("INFO")
        .arg("commandstats")
        .query(&mut beside(&pair.primary))
        .unwrap();
    let waits = statistics
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_wait:calls="))
        .unwrap();
    let waits: usize = waits.split(',').next().unwrap().parse().unwrap();
    assert!((1..COMMITS / 4).contains(&waits), "{waits} WAITs for {COMMITS} commits");
}

#[tokio::test]
async fn a_wait_that_outlasts_the_response_is_refused() {
    let server = RedisServer::start(IN_MEMORY);
    let wrong = RedisConfig {
        wait_replicas: 1,
        wait_timeout: PATIENCE,
        ..config(&server)
    };
    let error = RedisStore::open(wrong).await.unwrap_err();
    assert!(error.to_string().contains("wait_timeout"), "{error}");
}

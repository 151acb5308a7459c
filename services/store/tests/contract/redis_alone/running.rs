//! Scripts that are forgotten, servers that go away, memory that is full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::Commands as _;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, SharedStore, Wake};
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::{PATIENCE, beside, config, open, own, redis_pid, set, signal};
use crate::world::{SHARD, claim_of, header, key, touch, turn};
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

/// Settings of a server that has every acknowledged write on disk.
const ON_DISK: &[&str] = &["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_again() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    redis::cmd("SCRIPT").arg("FLUSH").exec(&mut beside(&server)).unwrap();
    let committed = store
        .commit(turn(token, key("c"), Header::ABSENT, header(1, 1)))
        .await
        .unwrap();
    assert_eq!(committed, Committed::Written);
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_nothing_acknowledged_is_lost() {
    let mut server = RedisServer::start(ON_DISK);
    let store = open_hasty(&server).await;
    let token = own(&store).await;
    store
        .commit(turn(token, key("c"), Header::ABSENT, header(1, 1)))
        .await
        .unwrap();

    server.kill();
    let next = turn(token, key("c"), header(1, 1), header(2, 2));
    let error = store.commit(next.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(server.launch(), "redis-server did not start again");

    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.commit(next.clone()).await {
            Ok(committed) => break assert_eq!(committed, Committed::Written),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn calls_wait_for_a_server_that_returns_in_time() {
    let mut server = RedisServer::start(ON_DISK);
    let store = open(&server).await;
    let token = own(&store).await;
    server.kill();
    let commit = turn(token, key("c"), Header::ABSENT, header(1, 1));
    let waiting = tokio::spawn(async move { store.commit(commit).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "the commit did not wait");
    assert!(server.launch(), "redis-server did not start again");
    assert_eq!(waiting.await.unwrap().unwrap(), Committed::Written);
}

#[tokio::test]
async fn a_server_that_came_back_empty_is_not_written_to() {
    let mut server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    server.kill();
    assert!(server.launch(), "redis-server did not start again");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let error = store
            .commit(turn(token, key("c"), Header::ABSENT, header(1, 1)))
            .await
            .unwrap_err();
        if matches!(error, StoreError::Unfit { .. }) {
            break assert!(error.to_string().contains("STORE_LOST"), "{error}");
        }
        assert!(Instant::now() < deadline, "{error}");
    }
    let keys: Vec<String> = beside(&server).keys("*").unwrap();
    assert!(keys.is_empty(), "{keys:?} were written to a store that is not ours");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time_and_used_again_later() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open_hasty(&server).await;
    let token = own(&store).await;
    let commit = turn(token, key("c"), Header::ABSENT, header(1, 1));

    let pid: u32 = redis_pid(&server);
    signal(pid, "-STOP");
    let began = Instant::now();
    let error = store.commit(commit.clone()).await.unwrap_err();
    let waited = began.elapsed();
    signal(pid, "-CONT");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(waited < PATIENCE, "waited {waited:?}");

    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.commit(commit.clone()).await {
            Ok(committed) => break assert_eq!(committed, Committed::Written),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

#[tokio::test]
async fn full_memory_refuses_the_whole_script() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    let first = Commit {
        accept: vec![("1".to_owned(), Bytes::from_static(b"an activity"))],
        wake: Wake::At(1),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    store.commit(first).await.unwrap();
    set(&server, "maxmemory", "1mb");

    let next = Commit {
        done: vec!["1".to_owned()],
        wake: Wake::Never,
        ..turn(token, key("c"), header(1, 1), header(2, 2))
    };
    let error = store.commit(next.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let loaded = store.load(SHARD, key("c")).await.unwrap();
    assert_eq!(Header::of_record(&loaded.record.unwrap()), Some(header(1, 1)));
    assert_eq!(loaded.inbox.len(), 1, "a refused commit removed an accepted activity");
    assert_eq!(store.due(SHARD, 1, 1).await.unwrap().len(), 1);

    set(&server, "maxmemory", "0");
    assert_eq!(store.commit(next).await.unwrap(), Committed::Written);
}

#[tokio::test]
async fn too_few_replicas_refuse_the_whole_script() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open_hasty(&server).await;
    let token = own(&store).await;
    set(&server, "min-replicas-to-write", "1");
    let error = store
        .commit(turn(token, key("c"), Header::ABSENT, header(1, 1)))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert!(store.load(SHARD, key("c")).await.unwrap().record.is_none());
}

#[tokio::test]
async fn keys_are_named_as_documented_and_answers_expire() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    let commit = Commit {
        accept: vec![("1".to_owned(), Bytes::from_static(b"an activity"))],
        wake: Wake::At(1_000),
        retain_ms: Some(60_000),
        answer: Some(("00ff".to_owned(), Bytes::from_static(b"{}"))),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    store.commit(commit).await.unwrap();

    let mut beside = beside(&server);
    let mut keys: Vec<String> = beside.keys("*").unwrap();
    keys.sort();
    let wakes = keys.iter().find(|name| name.ends_with("}w")).unwrap().clone();
    let tag = wakes.strip_suffix('w').unwrap();
    let member = key("c").to_text();
    let mut expected = vec![
        format!("{tag}f"),
        format!("{tag}c:{member}"),
        format!("{tag}i:{member}"),
        format!("{tag}a:{member}:00ff"),
        format!("{tag}w"),
        "{tl}meta".to_owned(),
    ];
    expected.sort();
    // Every shard has a fence from the beginning.
    keys.retain(|name| !name.ends_with("}f") || *name == format!("{tag}f"));
    assert_eq!(keys, expected);
    let fence: String = beside.get(format!("{tag}f")).unwrap();
    assert_eq!(fence, token.to_string());
    let answer_life: i64 = beside.pttl(format!("{tag}a:{member}:00ff")).unwrap();
    assert!((60_000..=120_000).contains(&answer_life), "{answer_life}");
    let record_life: i64 = beside.pttl(format!("{tag}c:{member}")).unwrap();
    assert!((1..=60_000).contains(&record_life), "{record_life}");
}

#[tokio::test]
async fn a_fence_that_is_gone_says_that_the_store_lost_data() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    let mut beside = beside(&server);
    let fences: Vec<String> = beside.keys("*}f").unwrap();
    assert_eq!(fences.len(), 64);
    let () = beside.del(fences).unwrap();
    let committed = store.commit(touch(token, key("c"), Header::ABSENT)).await.unwrap();
    assert_eq!(committed, Committed::Fenced);
    let error = store.claim(SHARD, claim_of(1)).await.unwrap_err();
    assert!(error.to_string().contains("STORE_LOST"), "{error}");
}

#[tokio::test]
async fn a_fence_that_cannot_be_read_is_reported_and_kept() {
    let server = RedisServer::start(IN_MEMORY);
    let store = open(&server).await;
    let token = own(&store).await;
    let mut beside = beside(&server);
    let fences: Vec<String> = beside.keys("*}f").unwrap();
    for fence in fences {
        let () = beside.set(fence, "nonsense").unwrap();
    }
    let error = store.claim(SHARD, claim_of(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let committed = store.commit(touch(token, key("c"), Header::ABSENT)).await.unwrap();
    assert_eq!(committed, Committed::Fenced);
}

/// A store that gives a call up after two seconds.
async fn open_hasty(server: &RedisServer) -> SharedStore {
    let hasty = RedisConfig {
        response_timeout: Duration::from_secs(2),
        ..config(server)
    };
    Arc::new(RedisStore::open(hasty).await.unwrap())
}

//! Servers that are refused, and how those that are not are reached.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use redis::Commands as _;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, Incarnation, MapVersion, MapWrite, SharedStore, Wake};
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::{PATIENCE, beside, config, open, own};
use crate::members::beat_of;
use crate::world::{SHARD, SHARDS, header, key, touch, turn};
use trunkline_fleet::process::free_port;
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

async fn refusal(config: RedisConfig) -> StoreError {
    match RedisStore::open(config).await {
        Ok(store) => panic!("{store:?} should have been refused"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_eviction_policy_that_loses_state_is_refused_at_start() {
    let server = RedisServer::start(&["--save", "", "--maxmemory-policy", "allkeys-lru"]);
    let error = refusal(config(&server)).await.to_string();
    assert!(error.contains("allkeys-lru") && error.contains("noeviction"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let server = RedisServer::start(&["--save", "", "--requirepass", "open sesame"]);
    let with = |password: &str| RedisConfig {
        url: server.url().replace("redis://", &format!("redis://:{password}@")),
        ..config(&server)
    };
    for password in ["", "hunter2"] {
        let error = refusal(with(password)).await;
        assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
        assert!(
            !format!("{error} {error:?} {:?}", with(password)).contains("hunter2"),
            "{error:?}"
        );
    }
    RedisStore::open(with("open%20sesame")).await.unwrap();
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_do_everything() {
    let server = RedisServer::start(IN_MEMORY);
    let rights = "+evalsha +eval +get +set +getrange +hgetall +hdel +hset +hget +hmget +hsetnx +zadd +zrem +zrange +time +info \
        +multi +exec";
    let mut command = redis::cmd("ACL");
    command.arg("SETUSER").arg("bots").arg("on").arg(">secret").arg("~*");
    command.arg(rights.split_whitespace().collect::<Vec<_>>());
    command.exec(&mut beside(&server)).unwrap();

    let limited = RedisConfig {
        url: server.url().replace("redis://", "redis://bots:secret@"),
        ..config(&server)
    };
    let store: SharedStore = Arc::new(RedisStore::open(limited).await.unwrap());
    let token = own(&store).await;
    let commit = Commit {
        done: vec!["0".to_owned()],
        accept: vec![("1".to_owned(), Bytes::from_static(b"an activity"))],
        wake: Wake::At(1),
        retain_ms: Some(60_000),
        answer: Some(("00ff".to_owned(), Bytes::from_static(b"{}"))),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
    let settled = Commit {
        wake: Wake::Never,
        ..touch(token, key("c"), header(1, 1))
    };
    assert_eq!(store.commit(settled).await.unwrap(), Committed::Written);
    store.load(SHARD, key("c")).await.unwrap();
    store.answer(SHARD, key("c"), "00ff").await.unwrap();
    store.due(SHARD, 1, 1).await.unwrap();
    store.now().await.unwrap();
    store.release(SHARD, token).await.unwrap();
    let me = Incarnation(1);
    store.beat(beat_of(1)).await.unwrap();
    store.nodes().await.unwrap();
    store.lead(me, 60_000).await.unwrap();
    let map = Bytes::from_static(b"map");
    let written = store.write_map(me, MapVersion(0), MapVersion(1), map).await.unwrap();
    assert_eq!(written, MapWrite::Written);
    store.map().await.unwrap();
    store.forget(vec![Incarnation(2)]).await.unwrap();
    store.leave(me).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_in_time() {
    let mut server = RedisServer::start(IN_MEMORY);
    server.kill();
    let began = Instant::now();
    let error = refusal(config(&server)).await;
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert!(began.elapsed() < PATIENCE, "took {:?}", began.elapsed());
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    for url in ["", "http://127.0.0.1", "redis://127.0.0.1:notaport", "127.0.0.1:6379"] {
        let error = refusal(RedisConfig::at(url)).await;
        assert!(matches!(error, StoreError::Unfit { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn tls_verifies_the_server_with_the_given_certificates() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("certificate.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let port = free_port();
    let server = RedisServer::start(&[
        "--save",
        "",
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        certificate.to_str().unwrap(),
        "--tls-key-file",
        key.to_str().unwrap(),
        "--tls-auth-clients",
        "no",
    ]);

    let encrypted = RedisConfig {
        url: format!("rediss://localhost:{port}"),
        root_certificates: Some(certificate.clone()),
        ..config(&server)
    };
    let store: SharedStore = Arc::new(RedisStore::open(encrypted.clone()).await.unwrap());
    own(&store).await;
    let strangers = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let of_strangers = certificate.with_extension("strangers");
    std::fs::write(&of_strangers, strangers.cert.pem()).unwrap();
    let distrusting = RedisConfig {
        root_certificates: Some(of_strangers),
        ..encrypted
    };
    let error = refusal(distrusting).await.to_string();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let server = RedisServer::start(IN_MEMORY);
    open(&server).await;
    let other = RedisConfig {
        shards: SHARDS * 2,
        ..config(&server)
    };
    let error = refusal(other).await.to_string();
    assert!(error.contains(&SHARDS.to_string()), "{error}");
}

#[tokio::test]
async fn processes_that_start_at_once_agree_on_the_store() {
    let server = RedisServer::start(IN_MEMORY);
    let opened = futures_util::future::join_all((0..8).map(|_| open(&server))).await;
    let identity = opened[0].identity();
    assert!(opened.iter().all(|store| store.identity() == identity));
}

#[tokio::test]
async fn the_database_of_the_address_is_used() {
    let server = RedisServer::start(IN_MEMORY);
    let third = RedisConfig {
        url: format!("{}/3", server.url()),
        ..config(&server)
    };
    RedisStore::open(third).await.unwrap();
    let keys: Vec<String> = beside(&server).keys("*").unwrap();
    assert!(keys.is_empty(), "{keys:?} are in database 0");
}

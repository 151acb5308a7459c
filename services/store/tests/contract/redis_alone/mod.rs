//! What only Redis does.

mod cluster;
mod membership;
mod replicas;
mod running;
mod sentinel;
mod start;
mod tls;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use trunkline_store::contract::{Claimed, SharedStore, Token};
use trunkline_store::redis::{RedisConfig, RedisStore};

use crate::world::{SHARD, SHARDS, claim_of};
use trunkline_fleet::redis_server::RedisServer;

/// How long anything may take that the tests wait for.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig {
        shards: SHARDS,
        response_timeout: PATIENCE,
        beat_timeout: PATIENCE,
        connect_timeout: PATIENCE,
        ..RedisConfig::at(server.url())
    }
}

pub(super) async fn open(server: &RedisServer) -> SharedStore {
    Arc::new(RedisStore::open(config(server)).await.unwrap())
}

pub(super) async fn own(store: &SharedStore) -> Token {
    match store.claim(SHARD, claim_of(1)).await.unwrap() {
        Claimed::Ours(token) => token,
        other => panic!("the claim came to {other:?}"),
    }
}

/// A connection of the test's own.
pub(super) fn beside(server: &RedisServer) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// Changes a setting of a running server.
pub(super) fn set(server: &RedisServer, setting: &str, value: &str) {
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg(setting).arg(value);
    command.exec(&mut beside(server)).unwrap();
}

/// The process of a server.
pub(super) fn redis_pid(server: &RedisServer) -> u32 {
    let info: String = redis::cmd("INFO").arg("server").query(&mut beside(server)).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    line.trim().parse().unwrap()
}

/// Sends a signal to a process.
pub(super) fn signal(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(sent.success(), "{signal} was not sent");
}

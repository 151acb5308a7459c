//! An engine under test and the few words that tests speak to it.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trunkline_store::contract::{
    Claim, Claimed, Commit, Committed, Epoch, Header, Incarnation, MapVersion, Parked, SharedStore, Token, Wake,
};
use trunkline_store::embedded::{EmbeddedConfig, EmbeddedStore};
use trunkline_store::key::{Key, ShardId, Triple};
use trunkline_store::redis::{RedisConfig, RedisStore};

use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

/// The shard that most tests use.
pub(crate) const SHARD: ShardId = ShardId(7);
/// Shards of every engine under test.
pub(crate) const SHARDS: u32 = 64;

/// A fresh engine.
pub(crate) struct World {
    pub(crate) store: SharedStore,
    /// Keeps the directory or the server until the test ends; dropped after the store.
    _ground: Box<dyn Any + Send + Sync>,
}

impl World {
    pub(crate) fn embedded_on_disk() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = EmbeddedConfig {
            shards: SHARDS,
            ..EmbeddedConfig::in_directory(directory.path())
        };
        Self {
            store: Arc::new(EmbeddedStore::open(config).unwrap()),
            _ground: Box::new(directory),
        }
    }

    pub(crate) fn embedded_in_memory() -> Self {
        let config = EmbeddedConfig {
            shards: SHARDS,
            ..EmbeddedConfig::in_memory()
        };
        Self {
            store: Arc::new(EmbeddedStore::open(config).unwrap()),
            _ground: Box::new(()),
        }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start(IN_MEMORY);
        let config = RedisConfig {
            shards: SHARDS,
            connections: 2,
            // A busy machine is no fault of the engine's.
            response_timeout: Duration::from_secs(20),
            beat_timeout: Duration::from_secs(20),
            connect_timeout: Duration::from_secs(20),
            ..RedisConfig::at(server.url())
        };
        Self {
            store: Arc::new(RedisStore::open(config).await.unwrap()),
            _ground: Box::new(server),
        }
    }

    /// Claims [`SHARD`] for `me` under map 1, which must succeed.
    pub(crate) async fn own(&self, me: u64) -> Token {
        self.own_by(claim_of(me)).await
    }

    /// Claims [`SHARD`], which must succeed.
    pub(crate) async fn own_by(&self, claim: Claim) -> Token {
        match self.store.claim(SHARD, claim).await.unwrap() {
            Claimed::Ours(token) => token,
            other => panic!("the claim {claim:?} came to {other:?}"),
        }
    }

    pub(crate) async fn commit(&self, commit: Commit) -> Committed {
        self.store.commit(commit).await.unwrap()
    }

    /// Commits, which must be written.
    pub(crate) async fn write(&self, commit: Commit) {
        assert_eq!(self.commit(commit).await, Committed::Written);
    }

    /// The header of the stored record.
    pub(crate) async fn header(&self, key: Key) -> Header {
        let loaded = self.store.load(SHARD, key).await.unwrap();
        loaded
            .record
            .map_or(Header::ABSENT, |record| Header::of_record(&record).unwrap())
    }

    /// The fields of the inbox, in order.
    pub(crate) async fn inbox(&self, key: Key) -> Vec<(String, Bytes)> {
        let mut inbox = self.store.load(SHARD, key).await.unwrap().inbox;
        inbox.sort();
        inbox
    }
}

/// A claim without force under map 1.
pub(crate) fn claim_of(me: u64) -> Claim {
    Claim {
        me: Incarnation(me),
        map: MapVersion(1),
        force: false,
        floor: Epoch(0),
    }
}

/// The key of a conversation.
pub(crate) fn key(conversation: &str) -> Key {
    Triple::conversation("echo", "5c1b9c3e-0000-4000-8000-0a0a0a0a0a0a", conversation).key()
}

/// A header.
pub(crate) fn header(version: u64, turn: u64) -> Header {
    Header { version, turn }
}

/// A record with this header and body.
pub(crate) fn record(header: Header, body: &[u8]) -> Bytes {
    let mut record = header.to_bytes().to_vec();
    record.extend_from_slice(body);
    record.into()
}

/// A commit that changes nothing yet.
pub(crate) fn touch(token: Token, key: Key, expected: Header) -> Commit {
    Commit {
        shard: SHARD,
        key,
        token,
        expected,
        record: None,
        done: Vec::new(),
        accept: Vec::new(),
        wake: Wake::Keep,
        parked: Parked::Keep,
        retain_ms: None,
        answer: None,
    }
}

/// A commit of a turn: a new record in place of the one with the header `expected`.
pub(crate) fn turn(token: Token, key: Key, expected: Header, new: Header) -> Commit {
    Commit {
        record: Some(record(new, b"state")),
        ..touch(token, key, expected)
    }
}

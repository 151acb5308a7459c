//! A store that stops answering beats when a test wants it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use trunkline_store::contract::{
    Beat, CallBook, Claim, Claimed, Commit, Committed, Identity, Incarnation, Led, Loaded, MapVersion, MapWrite,
    MediaBook, Nodes, Pulse, Released, Token,
};
use trunkline_store::key::{Key, ShardId};
use trunkline_store::{SharedStore, Store, StoreError};

/// The store behind it, unless something is held up.
pub struct FlakyStore {
    inner: SharedStore,
    pub no_beats: AtomicBool,
}

impl FlakyStore {
    pub fn new(inner: SharedStore) -> Arc<Self> {
        Arc::new(Self {
            inner,
            no_beats: AtomicBool::new(false),
        })
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl Store for FlakyStore {
    fn identity(&self) -> Identity {
        self.inner.identity()
    }
    fn now(&self) -> Answer<'_, u64> {
        self.inner.now()
    }
    fn claim(&self, shard: ShardId, claim: Claim) -> Answer<'_, Claimed> {
        self.inner.claim(shard, claim)
    }
    fn release(&self, shard: ShardId, token: Token) -> Answer<'_, Released> {
        self.inner.release(shard, token)
    }
    fn load(&self, shard: ShardId, key: Key) -> Answer<'_, Loaded> {
        self.inner.load(shard, key)
    }
    fn commit(&self, commit: Commit) -> Answer<'_, Committed> {
        self.inner.commit(commit)
    }
    fn answer<'a>(&'a self, shard: ShardId, key: Key, name: &'a str) -> Answer<'a, Option<Bytes>> {
        self.inner.answer(shard, key, name)
    }
    fn due(&self, shard: ShardId, until_ms: u64, limit: usize) -> Answer<'_, Vec<(Key, u64)>> {
        self.inner.due(shard, until_ms, limit)
    }
    fn parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> Answer<'_, Vec<(Key, u64)>> {
        self.inner.parked(shard, from_ms, limit)
    }
    fn beat(&self, beat: Beat) -> Answer<'_, Pulse> {
        if self.no_beats.load(Ordering::SeqCst) {
            return std::future::pending().boxed();
        }
        self.inner.beat(beat)
    }
    fn leave(&self, me: Incarnation) -> Answer<'_, ()> {
        self.inner.leave(me)
    }
    fn nodes(&self) -> Answer<'_, Nodes> {
        self.inner.nodes()
    }
    fn forget(&self, dead: Vec<Incarnation>) -> Answer<'_, ()> {
        self.inner.forget(dead)
    }
    fn lead(&self, me: Incarnation, lease_ms: u64) -> Answer<'_, Led> {
        self.inner.lead(me, lease_ms)
    }
    fn map(&self) -> Answer<'_, Option<(MapVersion, Bytes)>> {
        self.inner.map()
    }
    fn write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> Answer<'_, MapWrite> {
        self.inner.write_map(me, expected, version, blob)
    }
    fn calls(&self) -> &dyn CallBook {
        self.inner.calls()
    }
    fn media(&self) -> &dyn MediaBook {
        self.inner.media()
    }
}

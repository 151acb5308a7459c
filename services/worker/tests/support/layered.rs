//! A store in front of another one: what a layer leaves alone goes through.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use trunkline_store::contract::{
    Beat, CallBook, Claim, Claimed, Commit, Committed, Identity, Incarnation, Led, Loaded, MapVersion, MapWrite,
    MediaBook, Nodes, Pulse, Released, Token,
};
use trunkline_store::key::{Key, ShardId};
use trunkline_store::{SharedStore, Store, StoreError};

pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What a layer may change.
pub trait Layer: Send + Sync + 'static {
    /// The store behind it.
    fn behind(&self) -> &SharedStore;

    fn load(&self, shard: ShardId, key: Key) -> Answer<'_, Loaded> {
        self.behind().load(shard, key)
    }
    fn commit(&self, commit: Commit) -> Answer<'_, Committed> {
        self.behind().commit(commit)
    }
    fn beat(&self, beat: Beat) -> Answer<'_, Pulse> {
        self.behind().beat(beat)
    }
}

/// A layer as a store.
pub struct Layered<L>(pub Arc<L>);

impl<L: Layer> Store for Layered<L> {
    fn load(&self, shard: ShardId, key: Key) -> Answer<'_, Loaded> {
        self.0.load(shard, key)
    }
    fn commit(&self, commit: Commit) -> Answer<'_, Committed> {
        self.0.commit(commit)
    }
    fn beat(&self, beat: Beat) -> Answer<'_, Pulse> {
        self.0.beat(beat)
    }
    fn identity(&self) -> Identity {
        self.0.behind().identity()
    }
    fn now(&self) -> Answer<'_, u64> {
        self.0.behind().now()
    }
    fn claim(&self, shard: ShardId, claim: Claim) -> Answer<'_, Claimed> {
        self.0.behind().claim(shard, claim)
    }
    fn release(&self, shard: ShardId, token: Token) -> Answer<'_, Released> {
        self.0.behind().release(shard, token)
    }
    fn answer<'a>(&'a self, shard: ShardId, key: Key, name: &'a str) -> Answer<'a, Option<Bytes>> {
        self.0.behind().answer(shard, key, name)
    }
    fn due(&self, shard: ShardId, until_ms: u64, limit: usize) -> Answer<'_, Vec<(Key, u64)>> {
        self.0.behind().due(shard, until_ms, limit)
    }
    fn parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> Answer<'_, Vec<(Key, u64)>> {
        self.0.behind().parked(shard, from_ms, limit)
    }
    fn leave(&self, me: Incarnation) -> Answer<'_, ()> {
        self.0.behind().leave(me)
    }
    fn nodes(&self) -> Answer<'_, Nodes> {
        self.0.behind().nodes()
    }
    fn forget(&self, dead: Vec<Incarnation>) -> Answer<'_, ()> {
        self.0.behind().forget(dead)
    }
    fn lead(&self, me: Incarnation, lease_ms: u64) -> Answer<'_, Led> {
        self.0.behind().lead(me, lease_ms)
    }
    fn map(&self) -> Answer<'_, Option<(MapVersion, Bytes)>> {
        self.0.behind().map()
    }
    fn write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> Answer<'_, MapWrite> {
        self.0.behind().write_map(me, expected, version, blob)
    }
    fn calls(&self) -> &dyn CallBook {
        self.0.behind().calls()
    }
    fn media(&self) -> &dyn MediaBook {
        self.0.behind().media()
    }
}

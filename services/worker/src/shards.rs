//! The shards that this process owns, and the proof of it that every commit carries.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use trunkline_proto::routing::ShardRange;
use trunkline_store::SharedStore;
use trunkline_store::contract::{Claim, Claimed, Epoch, Incarnation, MapVersion, Token};
use trunkline_store::key::ShardId;

use crate::config::WorkerError;

/// Version of the static map: whoever is configured for a shard claims it under this one.
pub(crate) const STATIC_MAP: MapVersion = MapVersion(1);
/// Claims, releases and reads of the wake index that are under way at once.
const AT_ONCE: usize = 256;

/// A range of shards and what we hold of each.
#[derive(Debug)]
pub(crate) struct Shards {
    first: u32,
    tokens: Vec<Token>,
    is_lost: Vec<AtomicBool>,
}

impl Shards {
    /// Takes the range by force: its holder is a dead process, because only one at a time is configured for a shard.
    pub(crate) async fn claim(
        store: &SharedStore,
        me: Incarnation,
        first: u32,
        last: u32,
    ) -> Result<Self, WorkerError> {
        let claim = Claim {
            me,
            map: STATIC_MAP,
            force: true,
            floor: Epoch(0),
        };
        let tokens: Vec<Token> = stream::iter(first..=last)
            .map(|shard| async move {
                match store.claim(ShardId(shard), claim).await? {
                    Claimed::Ours(token) => Ok(token),
                    Claimed::Stale(version) => Err(WorkerError::NewerMap {
                        shard,
                        version: version.0,
                    }),
                    // A forced claim is never refused for its holder.
                    Claimed::Held(_) => Err(WorkerError::NewerMap {
                        shard,
                        version: STATIC_MAP.0,
                    }),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let is_lost = tokens.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self { first, tokens, is_lost })
    }

    /// Our token for a shard; `None` when it is not ours, or not any more.
    pub(crate) fn token(&self, shard: ShardId) -> Option<Token> {
        let place = self.place(shard)?;
        let is_lost = self.is_lost.get(place)?.load(Ordering::Relaxed);
        if is_lost { None } else { self.tokens.get(place).copied() }
    }

    /// Notes that the fence refused us.
    pub(crate) fn lose(&self, shard: ShardId) {
        if let Some(lost) = self.place(shard).and_then(|place| self.is_lost.get(place)) {
            lost.store(true, Ordering::Relaxed);
        }
    }

    /// What the `Welcome` of a stream says.
    pub(crate) fn serves(&self) -> Vec<ShardRange> {
        let mut ranges: Vec<ShardRange> = Vec::new();
        for shard in self.ours() {
            match ranges.last_mut() {
                Some(range) if range.last + 1 == shard.0 => range.last = shard.0,
                _ => ranges.push(ShardRange {
                    first: shard.0,
                    last: shard.0,
                }),
            }
        }
        ranges
    }

    /// The shards that are ours.
    pub(crate) fn ours(&self) -> impl Iterator<Item = ShardId> + '_ {
        let all = (self.first..).take(self.tokens.len());
        all.map(ShardId).filter(|shard| self.token(*shard).is_some())
    }

    fn place(&self, shard: ShardId) -> Option<usize> {
        usize::try_from(shard.0.checked_sub(self.first)?).ok()
    }

    /// Gives the shards back.
    pub(crate) async fn release(&self, store: &SharedStore) {
        let held: Vec<(ShardId, Token)> = self
            .ours()
            .filter_map(|shard| Some((shard, self.token(shard)?)))
            .collect();
        stream::iter(held)
            .for_each_concurrent(AT_ONCE, |(shard, token)| async move {
                if let Err(error) = store.release(shard, token).await {
                    tracing::warn!(%shard, %error, "a shard was not released; the next owner takes it by force");
                }
                self.lose(shard);
            })
            .await;
    }
}

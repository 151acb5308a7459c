//! The operator's way to conversations: how one stands, which work is parked, and what becomes of it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::oneshot;
use trunkline_store::StoreError;
use trunkline_store::key::{Key, ShardId, Triple};

use super::context::WorkerParts;
use super::directory::AskConversation;
use crate::conversation::{CallUnderWay, ParkedEntry, Request, Response, call_in, parked_in};

/// How long an operator waits for a conversation.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const LISTING: &str = "listing parked work";
const LISTING_CALLS: &str = "listing calls";
/// A call that is not over wants the clock within this time: Graph drops it if it is not kept alive for 45 minutes.
const CALLS_WITHIN_MS: u64 = 46 * 60_000;
/// Actors of a shard that are looked at: whoever has a timer within that time.
const DUE: usize = 10_000;
/// Questions to the store at once.
const AT_ONCE: usize = 64;

/// Asks conversations of this worker. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    /// Gone when the worker has ended: a handle keeps nothing open.
    worker: Weak<WorkerParts>,
}

impl Operator {
    pub(crate) fn new(worker: &Arc<WorkerParts>) -> Self {
        Self {
            worker: Arc::downgrade(worker),
        }
    }

    /// Asks the conversation of this triple.
    pub async fn ask(&self, triple: Triple, request: Request) -> Response {
        let Some(worker) = self.worker.upgrade() else {
            return Response::Moved;
        };
        let shard = triple.shard(worker.store.identity().shards);
        self.ask_actor(shard, triple.key(), Some(triple), request).await
    }

    /// Asks a conversation of which only shard and key are known, as they stand in the index of parked work.
    pub async fn ask_key(&self, shard: ShardId, key: Key, request: Request) -> Response {
        self.ask_actor(shard, key, None, request).await
    }

    /// Parked work of a shard, what was parked first comes first: from `from_ms` on, of at most `conversations`. Read from
    /// the store: nothing is taken into memory, and any worker can answer for any shard.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the worker has ended, else the store's; an entry that this build cannot read is [`StoreError::Corrupt`].
    pub async fn parked(
        &self,
        shard: ShardId,
        from_ms: u64,
        conversations: usize,
    ) -> Result<Vec<(Key, ParkedEntry)>, StoreError> {
        let Some(worker) = self.worker.upgrade() else {
            return Err(StoreError::Unavailable {
                doing: LISTING,
                reason: "this worker has ended".to_owned(),
            });
        };
        let store = &worker.store;
        let mut found = Vec::new();
        for (key, _) in store.parked(shard, from_ms, conversations).await? {
            let loaded = store.load(shard, key).await?;
            let entries = parked_in(key.0, loaded).map_err(|error| StoreError::Corrupt {
                doing: LISTING,
                reason: error.to_string(),
            })?;
            found.extend(entries.into_iter().map(|entry| (key, entry)));
        }
        Ok(found)
    }

    /// Calls of these shards that are not over, in no order. Read from the store by when their actors want the clock next:
    /// nothing is taken into memory, and any worker can answer for any shard.
    ///
    /// # Errors
    /// As [`Operator::parked`].
    pub async fn calls(&self, shards: Vec<ShardId>) -> Result<Vec<CallUnderWay>, StoreError> {
        let Some(worker) = self.worker.upgrade() else {
            return Err(StoreError::Unavailable {
                doing: LISTING_CALLS,
                reason: "this worker has ended".to_owned(),
            });
        };
        let until_ms = worker.store.now().await? + CALLS_WITHIN_MS;
        let due = stream::iter(shards).map(|shard| {
            let due = worker.store.due(shard, until_ms, DUE);
            async move { Ok::<_, StoreError>(due.await?.into_iter().map(move |(key, _)| (shard, key))) }
        });
        let due: Vec<_> = due.buffer_unordered(AT_ONCE).try_collect().await?;
        let found = stream::iter(due.into_iter().flatten()).map(|(shard, key)| {
            let loaded = worker.store.load(shard, key);
            async move {
                call_in(shard, &loaded.await?).map_err(|error| StoreError::Corrupt {
                    doing: LISTING_CALLS,
                    reason: error.to_string(),
                })
            }
        });
        let found: Vec<_> = found.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn ask_actor(&self, shard: ShardId, key: Key, triple: Option<Triple>, request: Request) -> Response {
        let (response, answer) = oneshot::channel();
        let worker = self.worker.upgrade();
        let Some(directory) = worker.as_ref().and_then(|worker| worker.directory_of(shard)) else {
            return Response::Moved;
        };
        directory.do_send(AskConversation {
            shard,
            key,
            triple,
            request,
            response,
        });
        drop(worker);
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(response)) => response,
            // The actor is gone: its shard left.
            Ok(Err(_)) => Response::Moved,
            Err(_) => {
                Response::Unavailable("the conversation did not answer in time; see what the store says".to_owned())
            }
        }
    }
}

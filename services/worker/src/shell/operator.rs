//! The operator's way to conversations: how one stands, which work is parked, and what becomes of it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use trunkline_store::StoreError;
use trunkline_store::key::{Key, ShardId, Triple};

use super::context::WorkerParts;
use super::directory::AskConversation;
use crate::conversation::{ParkedEntry, Request, Response, parked_in};

/// How long an operator waits for a conversation.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const LISTING: &str = "listing parked work";

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

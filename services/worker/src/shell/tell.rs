//! One actor tells another something: what is told, and the way within this process.

use std::time::Duration;

use tokio::sync::oneshot;
use trunkline_store::key::{ShardId, Triple};

use super::context::WorkerParts;
use super::directory::TellActor;
use crate::conversation::{Reply, Work};

/// What an actor is told.
pub(crate) struct Told {
    /// Whom.
    pub(crate) triple: Triple,
    /// Names this telling in all its repeats.
    pub(crate) repeat_key: u64,
    /// How long the teller waits.
    pub(crate) remaining: Duration,
    pub(crate) traceparent: String,
    pub(crate) work: Work,
}

impl Told {
    /// Where the actor is.
    pub(crate) fn shard(&self, worker: &WorkerParts) -> ShardId {
        self.triple.shard(worker.store.identity().shards)
    }
}

/// An actor has what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Its turn has committed, now or when it was told before.
    Done,
    /// Its inbox holds it.
    Accepted,
}

/// Why it is not known that an actor has what it was told. Telling it again harms nobody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// Another worker may serve the shard.
    #[error("the other actor's shard is not served where it was told")]
    Moved,
    /// Not now.
    #[error("the other actor was not told: {0}")]
    Refused(String),
    /// No answer within the time.
    #[error("the other actor did not answer")]
    Silent,
    /// The worker that owns the shard was not reached, or broke off.
    #[error("the worker at {address} was not asked or did not answer: {problem}")]
    Unreachable {
        /// Where it listens.
        address: String,
        /// What is wrong.
        problem: String,
    },
}

/// Tells an actor of a shard that this process serves.
pub(crate) async fn tell_here(worker: &WorkerParts, told: Told) -> Result<Heard, Unheard> {
    let shard = told.shard(worker);
    let Some(directory) = worker.directory_of(shard) else {
        return Err(Unheard::Refused("the worker is starting".to_owned()));
    };
    let remaining = told.remaining;
    let (reply, answer) = oneshot::channel();
    directory.do_send(TellActor { shard, told, reply });
    match tokio::time::timeout(remaining, answer).await {
        Ok(Ok(Reply::Done(_) | Reply::Repeated(_))) => Ok(Heard::Done),
        Ok(Ok(Reply::Accepted(_))) => Ok(Heard::Accepted),
        Ok(Ok(Reply::Moved(_))) => Err(Unheard::Moved),
        Ok(Ok(Reply::Refused(refused))) => Err(Unheard::Refused(refused.reason().as_str_name().to_owned())),
        Ok(Err(_)) | Err(_) => Err(Unheard::Silent),
    }
}

//! What an exchange is given, what it sends and what it answers.

use std::time::Instant;

use bytes::Bytes;
use trunkline_proto::routing::Reason;
use trunkline_store::ShardId;

use super::routes::WorkerIndex;

/// Number of a request within one exchange; rises in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RequestId(pub(crate) u64);

/// One activity on its way to a worker.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) shard: ShardId,
    /// When the caller stops waiting.
    pub(crate) deadline: Instant,
    /// Every field of the delivery that stays the same over resends, encoded once.
    pub(crate) head: Bytes,
    /// The body as it came.
    pub(crate) activity: Bytes,
}

/// What a stream carries to a worker.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    Deliver(Delivery),
    /// The caller of this sequence has gone or ran out of time.
    Cancel(u64),
    /// The worker was silent: it answers with its next frame.
    Ping,
    /// An empty frame, the answer to a ping.
    Pong,
}

/// A request with what differs from sending to sending.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) seq: u64,
    pub(crate) remaining_ms: u32,
    pub(crate) head: Bytes,
    pub(crate) activity: Bytes,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The turn committed.
    Done { status: u32, body: Bytes },
    /// A repeat, answered from the record.
    Repeated { status: u32, body: Bytes },
    /// Durable in the conversation's inbox.
    Accepted,
    /// The worker refused.
    Refused { reason: Reason, retry_after_ms: u32 },
    /// No worker granted a place in time.
    NoCredit,
    /// The caller's time ran out before a worker answered.
    Expired,
    /// It was outstanding at two workers that died: a third is not risked.
    Poisoned,
}

/// What the shell must do.
#[derive(Debug)]
pub(crate) enum Action<W> {
    /// Open a stream. Every event about it carries the generation, so that a late one of an older stream is known.
    Connect {
        worker: WorkerIndex,
        generation: u64,
    },
    /// Give the stream up, whatever it still holds.
    Close {
        worker: WorkerIndex,
    },
    Send {
        worker: WorkerIndex,
        outgoing: Outgoing,
    },
    Answer {
        waiter: W,
        answer: Answer,
    },
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It broke, or could not be opened for another reason than the next.
    Broken,
    /// Nobody listens at the address: the process that was there has died.
    Refused,
}

/// A worker that this ingress cannot work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    /// The worker speaks another version of the stream.
    #[error("the worker speaks version {theirs} of the stream, this ingress speaks {ours}")]
    Protocol {
        /// Version of this ingress.
        ours: u32,
        /// Version of the worker.
        theirs: u32,
    },
    /// The worker counts another number of shards, so the same conversation would have two owners.
    #[error("the worker counts {theirs} shards, this ingress is configured with {ours}; set the same number on both")]
    Shards {
        /// Shards configured here.
        ours: u32,
        /// Shards of the worker.
        theirs: u32,
    },
}

/// Events since they were last taken, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Deliveries sent again, after `moved`, a broken stream or silence.
    pub(crate) resends: u64,
    /// Requests that had to wait for a credit.
    pub(crate) credit_waits: u64,
    /// Requests refused because they were outstanding at two workers that died.
    pub(crate) poisoned: u64,
}

//! What an exchange is given, what it sends and what it answers.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use trunkline_proto::routing::Reason;
use trunkline_store::ShardId;

use super::connections::WorkerIndex;

/// Number of a request within one exchange; rises in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// One activity on its way to a worker.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where its conversation belongs.
    pub shard: ShardId,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Every field of the delivery that stays the same over resends, encoded once.
    pub head: Bytes,
    /// The body as it came.
    pub activity: Bytes,
    /// May be accepted into the conversation's inbox when no worker has a place for its turn. An invoke may not: whoever
    /// pressed a button waits for its answer.
    pub is_deferrable: bool,
    /// Set for the notification of a call: when its request was received. Only workers that speak [`CALLS_SINCE`] get it,
    /// with its age.
    ///
    /// [`CALLS_SINCE`]: trunkline_proto::routing::CALLS_SINCE
    pub notified_at: Option<Instant>,
}

/// What a stream carries to a worker.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A request.
    Deliver(Delivery),
    /// The caller of this sequence has gone or ran out of time.
    Cancel(u64),
    /// The worker was silent: it answers with its next frame.
    Ping,
    /// An empty frame, the answer to a ping.
    Pong,
    /// This frame and those after it name this version of the map.
    MapVersion(u64),
    /// The connection to this process run broke off, or nobody listens there: for the leader to look.
    Suspect(u64),
}

/// A request with what differs from sending to sending.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Rising within a stream; its outcome names it.
    pub seq: u64,
    /// Time that the caller still waits, in milliseconds.
    pub remaining_ms: u32,
    /// [`Request::head`].
    pub head: Bytes,
    /// [`Request::activity`].
    pub activity: Bytes,
    /// To be accepted without a turn, or refused.
    pub is_shed: bool,
    /// Workers that died while they had it.
    pub deaths: u32,
    /// Of a call's notification: milliseconds since its request was received. 0 for everything else.
    pub age_ms: u32,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The turn committed.
    Done {
        /// HTTP status.
        status: u32,
        /// JSON, or nothing.
        body: Bytes,
    },
    /// A repeat, answered from the record.
    Repeated {
        /// HTTP status.
        status: u32,
        /// JSON, or nothing.
        body: Bytes,
    },
    /// Durable in the conversation's inbox.
    Accepted,
    /// The worker refused.
    Refused {
        /// Why.
        reason: Reason,
        /// For Retry-After; 0 for none.
        retry_after_ms: u32,
    },
    /// The notification of a call, and the owner of its shard speaks a protocol without them.
    Unspoken,
    /// No worker granted a place in time.
    NoCredit,
    /// The caller's time ran out before a worker answered.
    Expired,
    /// It was outstanding at two workers that died: a third is not risked.
    Poisoned {
        /// The process runs that died.
        workers: Vec<u64>,
    },
}

/// What the shell must do.
#[derive(Debug)]
pub enum Action<W> {
    /// Open a stream. Every event about it carries the generation, so that a late one of an older stream is known.
    Connect {
        /// The place of the connection.
        worker: WorkerIndex,
        /// Of this stream; rises over all streams.
        generation: u64,
        /// Host and port. A name is resolved anew.
        address: Arc<str>,
        /// Version of the map that its first frame names.
        map_version: u64,
    },
    /// Give the stream up, whatever it still holds. There may be none.
    Close {
        /// The place of the connection.
        worker: WorkerIndex,
    },
    /// Send this over the open stream.
    Send {
        /// The place of the connection.
        worker: WorkerIndex,
        /// What to send.
        outgoing: Outgoing,
    },
    /// Tell a waiter how its request ended.
    Answer {
        /// As given with the request.
        waiter: W,
        /// How it ended.
        answer: Answer,
    },
    /// An operator wants this ingress to drain, or no longer.
    Drain(bool),
}

/// Why a stream ended, or could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The worker ended it, as both agreed to (a status, or `GOAWAY`).
    Ended,
    /// The connection broke off without a word, as when a process dies.
    Reset,
    /// Nobody listens at the address: the process that was there has died.
    Refused,
    /// Anything else: no answer, no such name, a mismatch.
    Failed,
}

/// A worker that this ingress cannot work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
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
    /// The routing table is one of another number of shards.
    #[error(
        "the worker's routing table has {theirs} shards, this ingress is configured with {ours}; set the same number on both"
    )]
    Table {
        /// Shards configured here.
        ours: usize,
        /// Shards of the table.
        theirs: usize,
    },
}

/// Events since they were last taken, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries sent again, after `moved`, a broken stream or silence.
    pub resends: u64,
    /// Requests that had to wait for a credit.
    pub credit_waits: u64,
    /// Requests refused because they were outstanding at two workers that died.
    pub poisoned: u64,
    /// Requests sent to be accepted without a turn.
    pub sheds: u64,
    /// Times that a worker was reported because its connection broke off or nobody listened there.
    pub suspects: u64,
    /// Routing tables taken.
    pub tables: u64,
}

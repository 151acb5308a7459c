//! What every store engine promises. The contract suite in `tests/contract` runs on each.
//!
//! The map is advice, the fence is law, the record's header is the lock: `commit` writes only when the shard's fence equals
//! the caller's token and the record's header equals the one the caller read. Every operation is idempotent, because
//! clients, the network and we ourselves repeat them.
//!
//! Limits, checked before anything is sent: a record and an inbox entry up to [`RECORD_BYTES`], a recorded answer up to
//! [`ANSWER_BYTES`]. How many entries an inbox may hold is the worker's rule. Epochs, map versions and times stay below 2^53:
//! Redis counts in doubles.

mod calls;
mod media;
mod membership;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use self::calls::{
    CALL_NAME_BYTES, CallBook, CallLease, CallTaken, CallUsage, ENDED_BYTES, EndedCall, EndedQuery, Month,
    USAGE_LIFE_MS,
};
pub use self::media::{MEDIA_ENTRY_BYTES, MEDIA_NAME_BYTES, MediaBook, MediaEntry};
pub use self::membership::{BEAT_BYTES, Beat, Led, MAP_BYTES, MapWrite, NodeBeat, Nodes, Pulse, SILENCE_MS};
use crate::key::{Key, ShardId};

/// Random identity of one process run. A dead one never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

/// Counter of claims at one shard's fence; rises with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// Version of the shard map that a claim was made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapVersion(pub u64);

/// What `commit` compares with the shard's fence: proof that this process owns the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// Claim counter.
    pub epoch: Epoch,
    /// Who claimed.
    pub holder: Incarnation,
    /// Under which map.
    pub map: MapVersion,
}

impl fmt::Display for Token {
    /// The text of the fence while it is held.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{:016x}:{}", self.epoch.0, self.holder.0, self.map.0)
    }
}

/// First 16 bytes of a record: which commit wrote it. Equality alone counts; the number is for people and for noticing a
/// store that lost writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Rises by one with each commit.
    pub version: u64,
    /// Random, so that a re-created version number is not mistaken for the lost one.
    pub turn: u64,
}

impl Header {
    /// Length of a header in bytes.
    pub const BYTES: usize = 16;
    /// The header of a record that does not exist.
    pub const ABSENT: Self = Self { version: 0, turn: 0 };

    /// As it stands at the front of a record.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.version.to_be_bytes());
        bytes[8..].copy_from_slice(&self.turn.to_be_bytes());
        bytes
    }

    /// Reads the front of a record; `None` when it is shorter than a header.
    pub fn of_record(record: &[u8]) -> Option<Self> {
        let (version, rest) = record.split_first_chunk::<8>()?;
        let (turn, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            version: u64::from_be_bytes(*version),
            turn: u64::from_be_bytes(*turn),
        })
    }
}

/// A wish to own a shard.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The process that claims.
    pub me: Incarnation,
    /// The map that gives it the shard.
    pub map: MapVersion,
    /// Take the shard although another holds it: the map says that the other is dead.
    pub force: bool,
    /// The new epoch is above this one.
    pub floor: Epoch,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The shard is ours under this token.
    Ours(Token),
    /// Another process holds it and `force` was not set.
    Held(Incarnation),
    /// The fence was written under a newer map.
    Stale(MapVersion),
}

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The fence names no holder now.
    Free,
    /// The token was not the fence: somebody else owns the shard.
    Fenced,
}

/// One atomic write to one conversation.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The conversation's shard.
    pub shard: ShardId,
    /// The conversation's key.
    pub key: Key,
    /// Proof of ownership.
    pub token: Token,
    /// The header that the caller read, [`Header::ABSENT`] for none.
    pub expected: Header,
    /// The new record, header first; `None` leaves the record alone (acceptance, kept steps).
    pub record: Option<Bytes>,
    /// Fields to remove from the inbox, before [`Commit::accept`] puts new ones there. Fields that are not there are fine.
    pub done: Vec<String>,
    /// Fields to put into the inbox, in place of those of the same name.
    pub accept: Vec<(String, Bytes)>,
    /// When the conversation next needs attention.
    pub wake: Wake,
    /// Whether the conversation holds work that was given up.
    pub parked: Parked,
    /// Life of the record from now, at least 1; `None` keeps it for ever. Counts only with a record: without one the life
    /// of the stored record stays as it is. Inbox and wake entry have no such end.
    pub retain_ms: Option<u64>,
    /// The recorded answer of an invoke: its name and its bytes, kept for [`ANSWER_LIFE_MS`].
    pub answer: Option<(String, Bytes)>,
}

/// What a commit does to the wake index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Leaves the entry as it is.
    Keep,
    /// Removes the entry: nothing pends.
    Never,
    /// Needs attention at this time, in milliseconds of the store's clock since 1970.
    At(u64),
}

/// What a commit does to the index of parked work: by it an operator finds what was given up without reading every
/// conversation. A conversation without an entry costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parked {
    /// Leaves the entry as it is.
    #[default]
    Keep,
    /// Removes the entry: nothing is parked.
    Nothing,
    /// Something has been parked since this time, in milliseconds of the store's clock since 1970.
    Since(u64),
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Written, now or by an earlier copy of this very commit. On disk where the engine says so.
    Written,
    /// The shard is not ours any more.
    Fenced,
    /// The record's header is another one: reload.
    Conflict(Header),
}

/// What the store holds of one conversation. Should a late commit arrive while it is read, the inbox may hold an entry that
/// the record already knows; it never lacks one that the record does not know.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The record, header first.
    pub record: Option<Bytes>,
    /// The inbox: accepted activities and kept steps, in no order.
    pub inbox: Vec<(String, Bytes)>,
}

/// Life of a recorded answer.
pub const ANSWER_LIFE_MS: u64 = 120_000;
/// Largest recorded answer in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// Largest record in bytes.
pub const RECORD_BYTES: usize = 1024 * 1024;

/// Facts of the store that never change once it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Random; another value means another store, or one that came back empty.
    pub cluster: u64,
    /// Number of shards, fixed at creation.
    pub shards: u32,
}

/// A store engine.
pub trait Store: Send + Sync + 'static {
    /// Who this store is.
    fn identity(&self) -> Identity;
    /// The store's clock, in milliseconds since 1970: the only clock that wake times are compared with.
    fn now(&self) -> BoxFuture<'_, Result<u64, StoreError>>;
    /// Takes ownership of a shard. A repeated claim is ours again, under a higher epoch that alone counts.
    fn claim(&self, shard: ShardId, claim: Claim) -> BoxFuture<'_, Result<Claimed, StoreError>>;
    /// Gives a shard back. A repeated release is [`Released::Fenced`]: the shard is not ours then, as it should be.
    fn release(&self, shard: ShardId, token: Token) -> BoxFuture<'_, Result<Released, StoreError>>;
    /// Reads a conversation, after the claim and never from a replica.
    fn load(&self, shard: ShardId, key: Key) -> BoxFuture<'_, Result<Loaded, StoreError>>;
    /// Writes a conversation: a turn, an acceptance, a settled outbox, an erasure. The only way to write one.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, StoreError>>;
    /// A recorded answer that has not expired.
    fn answer<'a>(
        &'a self,
        shard: ShardId,
        key: Key,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Bytes>, StoreError>>;
    /// Conversations of a shard that need attention up to and at `until_ms`, earliest first, at most `limit`. Those of one
    /// millisecond come in any order.
    fn due(&self, shard: ShardId, until_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>>;
    /// Conversations of a shard that hold parked work, with the time since when: those from `from_ms` on, earliest first, at
    /// most `limit`. Those of one millisecond come in any order. Anybody may ask, the shard's owner or not.
    fn parked(&self, shard: ShardId, from_ms: u64, limit: usize) -> BoxFuture<'_, Result<Vec<(Key, u64)>, StoreError>>;
    /// Says that a node lives, and reads what it must know. Never held up by commits. Whoever answers late must not be
    /// believed: the caller counts its lease from before the call.
    fn beat(&self, beat: Beat) -> BoxFuture<'_, Result<Pulse, StoreError>>;
    /// Removes a node that ends; it leads no more.
    fn leave(&self, me: Incarnation) -> BoxFuture<'_, Result<(), StoreError>>;
    /// The nodes, read in one moment.
    fn nodes(&self) -> BoxFuture<'_, Result<Nodes, StoreError>>;
    /// Removes nodes that are long dead; the leader's task. One that beats again after all is known again.
    fn forget(&self, dead: Vec<Incarnation>) -> BoxFuture<'_, Result<(), StoreError>>;
    /// Becomes or stays leader for `lease_ms` from now, unless another one's lease runs. A lease that would end later than a
    /// fresh one is of a clock that stepped back, and counts as ended.
    fn lead(&self, me: Incarnation, lease_ms: u64) -> BoxFuture<'_, Result<Led, StoreError>>;
    /// The newest map.
    fn map(&self) -> BoxFuture<'_, Result<Option<(MapVersion, Bytes)>, StoreError>>;
    /// Replaces the map of version `expected` (0 for none), if `me` leads.
    fn write_map(
        &self,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> BoxFuture<'_, Result<MapWrite, StoreError>>;
    /// What is known of calls beyond the record of each.
    fn calls(&self) -> &dyn CallBook;
    /// Which media hosts there are.
    fn media(&self) -> &dyn MediaBook;
}

/// A store engine shared by the actors of a process.
pub type SharedStore = Arc<dyn Store>;

/// Why a store could not do what was asked. Says nothing about whether a write happened: repeat it to learn.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer, or the connection broke.
    #[error("the store did not answer while {doing}: {reason}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the client saw.
        reason: String,
    },
    /// The store refused for want of memory, replicas or disk.
    #[error("the store refuses writes while {doing}: {reason}")]
    Refused {
        /// What was being done.
        doing: &'static str,
        /// What the store said.
        reason: String,
    },
    /// What is stored cannot be read.
    #[error("stored data cannot be read while {doing}: {reason}")]
    Corrupt {
        /// What was being done.
        doing: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The store is not fit for use: version, eviction policy, shard count. While running: a store came back as another one
    /// or empty (`STORE_LOST`), and repeating is in vain until an operator has acted.
    #[error("the store cannot be used: {problem}; {remedy}")]
    Unfit {
        /// What is wrong.
        problem: String,
        /// What the operator can do.
        remedy: String,
    },
    /// A limit of the contract was exceeded.
    #[error("{what} has {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

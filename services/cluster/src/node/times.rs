//! The times of membership and hand-off, in milliseconds. One place, so that their relations can be read.
//!
//! A node stops by itself ([`VALIDITY`] after it sent the last beat that was answered) before others may take it for dead
//! ([`LEASE`] after the store received that beat): the difference is what its last store request and a slow clock may take.

/// From a beat to the next.
pub const BEAT: u64 = 200;
/// Soonest beat after another when there is news that the leader waits for.
pub const NEWS_BEAT: u64 = 50;
/// Longest wait for the answer to a beat, and to a wish to lead.
pub const BEAT_ANSWER: u64 = 300;
/// Longest wait for any other answer of the store.
pub const STORE_ANSWER: u64 = 1_000;
/// A node may begin something this long after it sent a beat that the store answered.
pub const VALIDITY: u64 = 800;
/// A node whose last beat is older is dead.
pub const LEASE: u64 = 1_000;
/// A node whose beats had a longer gap than the lease waits this long for a map that says so: a leader that saw the gap has
/// written it by then.
pub const DOUBT: u64 = 1_000;
/// A node that knows of a newer map and has not read it for this long begins nothing. With the time in which it must have
/// heard of it, [`VALIDITY`], this is less than the patience of the next owner, [`CLAIM_PATIENCE`].
pub const BEHIND: u64 = 1_000;
/// A leader leads this long after the store confirmed it.
pub const LEADER_LEASE: u64 = 1_000;
/// What the leader takes off its own lease for the time between its decision and the store's.
pub const LEADER_MARGIN: u64 = 200;
/// Nodes that see a leader's lease end ask for theirs within this time, each at a moment of its own.
pub const ELECTION_SPREAD: u64 = 50;
/// From a look of the leader at the nodes to the next.
pub const TICK: u64 = 100;
/// A node whose last beat is older is late: no shard moves for the sake of balance.
pub const LATE: u64 = 500;
/// A node that refuses connections, or has a successor of its name, is dead once its beat is this old: every
/// living node has beaten again by then.
pub const MISSED_BEAT: u64 = 350;
/// How much longer nodes live when many would die in one decision.
pub const MASS_DEATH: u64 = 5_000;
/// A report that a node could not be reached counts this long.
pub const REPORT: u64 = 1_000;
/// From one probe of a node to the next.
pub const PROBE_AGAIN: u64 = 300;
/// Longest time for a probe to connect.
pub const PROBE_ANSWER: u64 = 300;
/// Entries of dead nodes leave the table of nodes after this time.
pub const FORGET: u64 = 10_000;
/// A node that died takes shards again after it has lived this long; doubles with each death.
pub const RETURN_FIRST: u64 = 5_000;
/// Longest such time.
pub const RETURN_LONGEST: u64 = 300_000;
/// Deaths this long ago do not count any more.
pub const RETURN_FORGET: u64 = 900_000;
/// Nodes that have not adopted a map hold up moves for balance at most this long after it was written.
pub const LAGGARD: u64 = 3_000;
/// Arbiters that do not answer for this long make their node give its shards away.
pub const STALL: u64 = 3_000;
/// A shard that cannot be claimed for this long, while the store answers beats, makes the node give its shards away.
pub const CANNOT_CLAIM: u64 = 3_000;
/// How long such a node takes no shards; doubles up to [`RETURN_LONGEST`].
pub const CANNOT_CLAIM_REST: u64 = 30_000;
/// A member that no map names for this long was taken for dead before it read the map that named it, and joins anew. A leader
/// names who is new at its next look, and there is another leader after [`LEADER_LEASE`].
pub const UNNAMED: u64 = 3_000;
/// From one attempt to claim a shard that another holds to the next.
pub const CLAIM_POLL: u64 = 50;
/// How long a living holder may keep a shard from the node that the map names.
pub const CLAIM_PATIENCE: u64 = 2_000;
/// After a claim or a release that the store did not answer.
pub const STORE_AGAIN: u64 = 100;
/// A worker that has not quiesced a shard after this time loses it. The next owner's patience has the same length, and began
/// later.
pub const QUIESCE: u64 = 2_000;
/// Rest of a shard after its fence was lost; doubles up to [`LOSS_LONGEST`].
pub const LOSS_FIRST: u64 = 100;
/// Longest such rest.
pub const LOSS_LONGEST: u64 = 5_000;
/// A shard that was served this long is forgiven its losses.
pub const LOSS_FORGET: u64 = 10_000;
/// After a map that could not be read.
pub const MAP_AGAIN: u64 = 100;
/// A node that leaves waits this long for its last releases.
pub const LEAVE: u64 = 1_000;
/// From one look at the nodes of a node that does not lead to the next; [`LOOK_EACH`] more for each node.
pub const LOOK: u64 = 1_000;
/// See [`LOOK`].
pub const LOOK_EACH: u64 = 10;
/// Claims under way at once.
pub const CLAIMS_AT_ONCE: usize = 256;
/// An operator's wish to move a shard is refused when it had to wait this long.
pub const WISH: u64 = 10_000;
/// Beats without an answer at once: with more, the store is away and the next one says so as well.
pub const BEATS_AT_ONCE: usize = 3;

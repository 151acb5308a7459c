//! What can be broken, and the seed that did it.

use std::fmt;

/// The invariants of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invariant {
    /// One incarnation holds a token that a commit is accepted with: whoever has written, nobody with an older token writes
    /// after it.
    I1,
    /// No commit removes an activity from state.
    I2,
    /// An activity is applied at most once.
    I3,
    /// What was acknowledged is applied, in the order of requests that did not overlap, unless a failover lost it.
    I4,
    /// A reply is sent only for a committed turn, at least once, and in order.
    I5,
    /// Every shard with a live node is served again, and whoever calls is answered.
    I6,
    /// A map that nothing asks to change stays as it is.
    I7,
    /// No request of a shard is outstanding at two workers from one ingress.
    I8,
    /// What the cores promise each other beside these: one answer for each waiter, in time; nothing begins without a lease.
    Manners,
}

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub(crate) struct Broken {
    pub(crate) invariant: Invariant,
    pub(crate) seed: u64,
    /// Simulated time in milliseconds.
    pub(crate) at: u64,
    pub(crate) what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            invariant,
            seed,
            at,
            what,
        } = self;
        write!(
            formatter,
            "{invariant:?} is broken at {at} ms: {what}\nTRUNKLINE_SEED={seed} runs it alone and tells all that happened"
        )
    }
}

//! What may go wrong in a world.

/// Which faults are on.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    /// Answers of the store are lost, commits arrive late, and once more.
    pub(crate) store: bool,
    /// Turns fail and are slow.
    pub(crate) turns: bool,
    /// The Connector refuses, or takes a message without saying so.
    pub(crate) connector: bool,
    /// Processes die.
    pub(crate) crashes: bool,
    /// Leases run out for a while.
    pub(crate) lease: bool,
    /// The shard changes its owner: handed over in order, or taken from one that is paused and comes back later.
    pub(crate) owners: bool,
    /// The store fails over to a replica that lacks the last writes, the fence's included.
    pub(crate) failovers: bool,
    /// One of the activities kills the process that runs it.
    pub(crate) killer: bool,
}

impl Faults {
    pub(crate) const NONE: Self = Self {
        store: false,
        turns: false,
        connector: false,
        crashes: false,
        lease: false,
        owners: false,
        failovers: false,
        killer: false,
    };
    /// All of one owner.
    pub(crate) const ALONE: Self = Self {
        store: true,
        turns: true,
        connector: true,
        crashes: true,
        lease: true,
        ..Self::NONE
    };
    /// All but those that lose acknowledged writes.
    pub(crate) const SAFE: Self = Self {
        owners: true,
        killer: true,
        ..Self::ALONE
    };
    pub(crate) const ALL: Self = Self {
        failovers: true,
        ..Self::SAFE
    };
}

//! Who may write: one shard with one conversation, three processes, a store with a replica that is promoted.
//!
//! Invariants: I1 one process holds a token that a commit is accepted with; I2 no commit removes an activity from state; I3
//! an activity is applied once; I4 what was acknowledged is in the state, unless a failover lost it, and with confirmed
//! writes always.
//!
//! What is more here than in life: a claim is always forced, the leader hands out map versions without remembering those
//! that were lost, a process goes on when the map gives its shard away, the clock stands still, and the map names a process
//! by its name, which two of them share. A crash is a process that does nothing any more, a pause one that does nothing for
//! long: both are among the orders of events that are tried.

mod state;
mod steps;

pub use state::State;
pub use steps::Step;

use crate::explore::Model;

/// What the processes compare. All but the first are known to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// What the product does.
    Right,
    /// The fence is the map's version, and a commit is refused when its own is lower.
    FenceByMapVersion,
    /// The record's header is not compared.
    NoHeader,
    /// The record's header is a number without the turn's identity.
    NumberOnly,
    /// With confirmed writes: a record that was read counts as confirmed.
    UnconfirmedAnswers,
}

/// How much of everything there is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Different activities, each of which arrives as often as it likes; at most 3.
    pub activities: u8,
    /// Claims that are sent; at most 3.
    pub claims: u8,
    /// How often one claim reaches the store at most: each time it counts the epoch up.
    pub claim_arrivals: u8,
    /// Turns whose commit is sent, each delivered as often as it likes; at most 3.
    pub commits: u8,
    /// Releases that are sent, each delivered as often as it likes; at most 1.
    pub releases: u8,
    /// Failovers of the shard's primary.
    pub failovers: u8,
    /// Which map versions a process claims under.
    pub maps: Maps,
}

/// Which map versions a process claims under.
#[derive(Clone, Copy, Debug)]
pub enum Maps {
    /// Any up to this one, whoever the process is: more than any leader and any failover could bring about.
    Any(u8),
    /// Those that stand in the store and give it the shard.
    Stored {
        /// Highest version.
        versions: u8,
        /// Failovers of the primary that holds the map.
        failovers: u8,
    },
}

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct StoreModel {
    /// What is compared.
    pub variant: Variant,
    /// Whether nothing is answered before a replica confirmed it (`wait_replicas`).
    pub confirmed: bool,
    /// How much there is.
    pub bounds: Bounds,
}

impl Model for StoreModel {
    type State = State;
    type Step = Step;

    fn start(&self) -> State {
        State::default()
    }

    fn next(&self, state: &State, steps: &mut Vec<(Step, State)>) {
        self.all_steps(state, steps);
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        if state.removed {
            return Some("I2: a commit removes an activity from the state");
        }
        if (0..state::PROCESSES)
            .filter(|&process| self.could_commit(state, process))
            .count()
            > 1
        {
            return Some("I1: two processes hold a token that a commit is accepted with");
        }
        if state.primary.record.applied.twice != 0 {
            return Some("I3: an activity is applied twice");
        }
        let excused = if self.confirmed { 0 } else { state.lost };
        if state.acknowledged & !state.primary.record.applied.once & !excused != 0 {
            return Some("I4: an acknowledged activity is not in the state");
        }
        None
    }
}

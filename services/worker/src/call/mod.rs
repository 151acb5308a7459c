//! What is special about the actor of a call, as a pure state machine: what Graph tells and answers goes in, what happened
//! to the call comes out. It says which news counts (notifications are repeated, swapped and lost), and what becomes of an
//! operation of which nobody knows whether Graph took it.
//!
//! Everything is in the [`CallRecord`], which is a part of the actor's record: the machine has no other memory. The actor
//! around it is the conversation's (`crate::conversation`). Order of states: Graph's pages give none but that establishing and
//! established may be swapped; the table here is inferred from their sequences.

mod kept;
mod leg;
mod life;
mod operations;
mod record;
mod recording;
mod reopening;
mod roster;
mod schedule;
mod timeline;
mod witnessed;

pub use self::kept::{KeptCall, KeptEnd, KeptFile, NO_LEG};
pub use self::leg::{
    AnswerEnd, AnswerToRecord, Clip, LOST, Leg, LegCommand, LegDirection, LegEnd, LegNews, LegState, NO_HOST, OnLeg,
    OpenedLeg,
};
pub use self::life::News;
pub use self::operations::{budget_ms, is_decision, is_look};
pub use self::record::{CallRecord, EndedBy, EndedRecord, Lease, Own, Pending, Queued, QueuedKind, name_of};
pub use self::recording::{Half, NOT_CONFIRMED};
pub use self::timeline::{Moment, MomentKind};

#[cfg(test)]
mod tests;

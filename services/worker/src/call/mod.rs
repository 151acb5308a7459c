//! What is special about the actor of a call, as a pure state machine: what Graph tells and answers goes in, what happened
//! to the call comes out. It says which news counts (notifications are repeated, swapped and lost), and what becomes of a
//! request of which nobody knows whether Graph took it.
//!
//! This is the machine alone: no actor of this build feeds it yet, and no call is hosted. Order of states: Graph's pages give
//! none but that establishing and established may be swapped; the table here is inferred from their sequences.

mod life;
mod requests;

pub use self::life::{CallRecord, EndedBy, Happened, Heard, Present, State};
pub use self::requests::{Answer, Kind, Outcome, Pending, Verdict};

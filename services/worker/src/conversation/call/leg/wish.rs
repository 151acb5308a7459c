//! What is asked of a leg, and what comes back.

use trunkline_bot::logic::CallLeg;

use crate::call::{Leg, LegCommand, LegNews, OpenedLeg};
use crate::conversation::call::ask::AskId;

/// Where a leg is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegPlace {
    /// Name of the host.
    pub host: String,
    /// Where it is asked.
    pub address: String,
    /// The leg's name there.
    pub name: String,
}

impl LegPlace {
    pub(super) fn of(leg: &Leg) -> Self {
        Self {
            host: leg.host.clone(),
            address: leg.address.clone(),
            name: leg.name.clone(),
        }
    }
}

/// Something to ask of a media host.
#[derive(Clone, Debug)]
pub struct LegAsk {
    /// Epoch of the call's shard: it shuts earlier owners out.
    pub epoch: u64,
    /// What is wanted.
    pub wish: LegWish,
}

/// What is wanted of a media host.
#[derive(Clone, Debug)]
pub enum LegWish {
    /// A leg, at any host.
    Open {
        /// Entra tenant of the call: its recordings may have keys of their own.
        tenant: String,
        /// A policy demands that the call is recorded: nothing of it may be kept before that was confirmed.
        of_policy: bool,
        /// The bot wants to know when the caller speaks.
        tells_speech: bool,
        /// The bot hears its calls itself.
        is_live: bool,
        /// And says nothing there.
        hears_only: bool,
        /// Another call's leg that it should be near.
        near: Option<CallLeg>,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// What the leg tells from now on, and what it told after that event.
    Attach {
        /// The leg.
        leg: LegPlace,
        /// Number of the last event that was heard.
        last_event: u64,
    },
    /// A command; answered by [`crate::conversation::Event::GraphAnswered`].
    Command {
        /// Names the operation.
        id: AskId,
        /// The leg.
        leg: LegPlace,
        /// The command's number.
        number: u64,
        /// What is to be done.
        command: LegCommand,
        /// How long it may take, in milliseconds.
        within_ms: u64,
    },
    /// The end of the leg.
    Close {
        /// The leg.
        leg: LegPlace,
        /// The command's number.
        number: u64,
    },
}

/// What came of opening, attaching or closing a leg.
#[derive(Clone, Debug)]
pub enum LegAnswer {
    /// A host opened it.
    Opened(OpenedLeg),
    /// No host takes it.
    NoHost {
        /// For people.
        reason: String,
    },
    /// It tells its events here.
    Attached {
        /// The highest number of a command that it has looked at, of whatever owner.
        last_command: u64,
        /// Events between the last heard one and the next are missing.
        events_lost: bool,
    },
    /// It is closed.
    Closed,
    /// The host does not know it.
    Gone {
        /// For people.
        reason: String,
    },
    /// The host did not answer.
    Unreachable {
        /// For people.
        reason: String,
    },
    /// Nothing was asked, or another owner is known: this process may do nothing now.
    Withheld,
}

/// What a leg tells of itself.
#[derive(Clone, Debug)]
pub struct LegTold {
    /// Name of the leg.
    pub leg: String,
    /// Counts the leg's events.
    pub number: u64,
    /// What happened.
    pub news: LegNews,
}

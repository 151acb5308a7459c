//! Several people who are recorded by one call.

use trunkline_teams::calls::{IdentitySet, ResultInfo};

use crate::logic::{self, CallAbout};

/// Another person of the recording policy joins and is recorded by this call, because its answer had room
/// ([`crate::Media::capacity`]). The host has accepted it: Graph waits for that answer as long as the person waits at the door.
/// Beyond the room an invitation to record comes as a call of its own.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordedJoins {
    /// Who is to be recorded and what the policy says, as in an invitation.
    pub about: CallAbout,
}

impl RecordedJoins {
    pub(crate) fn new(about: CallAbout) -> Self {
        Self { about }
    }

    /// The participant who is to be recorded.
    pub fn participant(&self) -> &str {
        self.about.observed_participant().unwrap_or_default()
    }

    /// Who it is.
    pub fn person(&self) -> Option<&IdentitySet> {
        self.about.caller()
    }
}

/// A recorded person left. When it was the last one the bot should hang up: so do Microsoft's samples.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordedLeft {
    /// The participant.
    pub participant: String,
    /// Graph's codes, where it told any.
    pub result: Option<ResultInfo>,
}

impl RecordedLeft {
    pub(crate) fn new(left: logic::RecordedLeft) -> Self {
        Self {
            participant: left.participant,
            result: left.result,
        }
    }
}

//! What cannot be asked of a call.

use crate::logic::CallNow;

/// Something was asked of a call that Graph would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallProblem {
    /// A number is outside its limits.
    #[error("{what} can be {least} to {most}, not {given}")]
    OutOfRange {
        /// What is limited, with its unit.
        what: &'static str,
        /// What was given.
        given: u64,
        /// The least that is possible.
        least: u64,
        /// The most that is possible.
        most: u64,
    },
    /// Graph fetches prompts over HTTP.
    #[error("a prompt is fetched from an http or https address, and {0:?} is none")]
    PromptAddress(String),
    /// Not a key of a telephone.
    #[error("{0:?} is no key of a telephone: 0 to 9, *, # and A to D are")]
    Key(char),
    /// Numbers are E.164.
    #[error("{0:?} is no telephone number: a plus sign and 3 to 15 digits, country code first")]
    Phone(String),
    /// An id is missing.
    #[error("the id of {0} is empty")]
    NoId(&'static str),
    /// Operations need a call that is established.
    #[error("{what} needs an established call, and this one is {state}: ask for it from the event `connected` on")]
    NotEstablished {
        /// What was asked for.
        what: &'static str,
        /// Where the call stands.
        state: String,
    },
    /// Nobody would hear of the digits.
    #[error("keys are gathered and no route listens: add .on(calls::gathered(), ..) to the bot")]
    NobodyListens,
    /// In a call that a policy records the word on recording comes first.
    #[error(
        "a policy records this call: say `recording_status(Recording)`, and it is recorded from Graph's confirmation of it on"
    )]
    OfPolicy,
    /// In a group call a transfer must name who is handed on, elsewhere it must not.
    #[error("in a call of several `Then::HandOver` says who is handed on; in a call of two it is `Then::Transfer`")]
    Transferee,
    /// A call belongs to one tenant.
    #[error(
        "the meeting is of tenant {meeting}, the turn of tenant {turn}: a bot joins meetings of the tenant that asks it"
    )]
    OtherTenant {
        /// Tenant of the meeting.
        meeting: String,
        /// Tenant of the turn.
        turn: String,
    },
}

/// Checks a number against its limits.
pub(crate) fn within(what: &'static str, given: u64, least: u64, most: u64) -> Result<u64, CallProblem> {
    if (least..=most).contains(&given) {
        return Ok(given);
    }
    Err(CallProblem::OutOfRange {
        what,
        given,
        least,
        most,
    })
}

/// Checks a count against its limits.
pub(crate) fn count(what: &'static str, given: usize, least: u64, most: u64) -> Result<(), CallProblem> {
    within(what, given as u64, least, most).map(drop)
}

/// Whole seconds within their limits; a part of a second counts as one.
pub(crate) fn seconds(
    what: &'static str,
    given: std::time::Duration,
    least: u64,
    most: u64,
) -> Result<i32, CallProblem> {
    let seconds = given.as_secs() + u64::from(given.subsec_nanos() > 0);
    let seconds = within(what, seconds, least, most)?;
    Ok(i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// An id that is not empty.
pub(crate) fn id(what: &'static str, given: &str) -> Result<String, CallProblem> {
    if given.trim().is_empty() {
        return Err(CallProblem::NoId(what));
    }
    Ok(given.to_owned())
}

/// Whether something is asked of a call where it stands. Of one that is over, or about to be, nothing is: whoever hangs up is
/// faster than any bot.
pub(crate) fn takes(what: &'static str, call: &CallNow) -> Result<bool, CallProblem> {
    use trunkline_teams::calls::CallState::{
        Established, Hold, Other, Terminated, Terminating, TransferAccepted, Transferring,
    };
    match &call.state {
        Established | Hold | Transferring | TransferAccepted | Other(_) => Ok(true),
        Terminating | Terminated => Ok(false),
        state => Err(CallProblem::NotEstablished {
            what,
            state: state.to_string(),
        }),
    }
}

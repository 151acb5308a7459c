//! What happens in calls.

mod ended;
mod recorded;
mod sharing;

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_teams::calls::{Identity, IdentitySet, Participant, ResultInfo};

pub use ended::{
    Clip, Done, Invited, NotDone, OperationEnded, PromptEnded, Recorded, RecordingEnd, StatusUpdated, TonesSent,
};

pub use recorded::{RecordedJoins, RecordedLeft};
pub use sharing::{SharingEnded, SharingStarted};

use crate::call::{Digits, GatherEnd, Op, WholeCall};
use crate::logic::{CallAbout, CallEnd, EndedBy, RecordingTold, TroubleTold};
pub use crate::logic::{RecordedFile, RecordingNews, TroubleKind};

/// Somebody calls.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Invitation {
    /// Who calls, who is called, and how the call came about.
    pub about: CallAbout,
}

impl Invitation {
    pub(crate) fn new(about: CallAbout) -> Self {
        Self { about }
    }

    /// Who calls.
    pub fn caller(&self) -> Option<&IdentitySet> {
        self.about.caller()
    }

    /// Name of the caller, else the id or number; empty if Teams told neither.
    pub fn caller_name(&self) -> &str {
        self.caller()
            .and_then(IdentitySet::any)
            .map(name_of)
            .unwrap_or_default()
    }

    /// Whether it is an invitation into a group call or a meeting.
    pub fn is_to_group(&self) -> bool {
        self.about.chat_info.is_some() || self.about.meeting_info.is_some()
    }
}

/// A recording policy asks the bot to record somebody, before that person joins a call or a meeting.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordingInvitation {
    /// Who is to be recorded and what the policy says.
    pub about: CallAbout,
}

impl RecordingInvitation {
    pub(crate) fn new(about: CallAbout) -> Self {
        Self { about }
    }

    /// The participant who is to be recorded.
    pub fn observed_participant(&self) -> &str {
        self.about.observed_participant().unwrap_or_default()
    }

    /// Who is to be recorded.
    pub fn person(&self) -> Option<&IdentitySet> {
        self.about.caller()
    }

    /// Name of the policy, as Teams writes it (`TeamsComplianceRecordingPolicy=..`); observed, not promised.
    pub fn policy(&self) -> Option<&str> {
        self.bot_data()?.get("policyIdentifier")?.as_str()
    }

    /// What the policy says of the person, the other side and other recorders, as it came: `botData`. Source: Graph,
    /// `call: answer`, example of policy-based recording.
    pub fn bot_data(&self) -> Option<&Value> {
        self.about.application_metadata.as_ref()?.get("botData")
    }
}

/// The call is established and sound goes through: prompts are heard from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {}

impl Connected {
    pub(crate) const NOW: Self = Self {};
}

/// A key was pressed: `0` to `9`, `*`, `#`, `A` to `D`; `!` is the hook flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tone(pub char);

/// Somebody began to speak, or fell silent. Told in calls with [`crate::Media::hosted`], whose media host listens because there is a
/// route for it: speech after 60 ms of it, silence half a second after the last sound. What was said is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Speech {
    /// Whether somebody speaks from now on.
    pub speaks: bool,
}

impl Speech {
    pub(crate) fn new(speaks: bool) -> Self {
        Self { speaks }
    }
}

/// Something is wrong with the sound of the call, or not any more. Told in calls with [`crate::Media::hosted`], by what the media host
/// measures, within some seconds; each trouble once when it begins and once when it is over. What is wrong at the end of a call is not told
/// to be over. It is for what a bot can do about it: to ask "are you there?", to speak more slowly, to hang up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble {
    /// What is wrong.
    pub kind: TroubleKind,
    /// It is so no more.
    pub is_over: bool,
}

impl Trouble {
    pub(crate) fn new(told: TroubleTold) -> Self {
        Self {
            kind: told.kind,
            is_over: told.is_over,
        }
    }
}

/// The other call of the bridge ended, or its bot used it otherwise, see [`crate::Call::bridge`]. Nobody hears this one now but the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BridgeEnded {}

impl BridgeEnded {
    pub(crate) const NOW: Self = Self {};
}

/// Something about the recording of the call, see [`crate::Call::record_call`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallRecording {
    /// Which recording.
    pub recording: Op<WholeCall>,
    /// What happened to it.
    pub news: RecordingNews,
}

impl CallRecording {
    pub(crate) fn new(told: RecordingTold) -> Self {
        Self {
            recording: Op::new(told.key),
            news: told.news,
        }
    }
}

/// Keys were gathered.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gathered {
    /// Which gathering.
    pub digits: Op<Digits>,
    /// The keys, the stop key apart. Not to be stored, see [`crate::Call::gather`].
    pub keys: String,
    /// Why it ended.
    pub end: GatherEnd,
}

/// Crosses from the gathering to its handler within one turn.
#[derive(Serialize, Deserialize)]
struct GatheredWire {
    digits: Op<Digits>,
    keys: String,
    end: GatherEnd,
}

impl Gathered {
    pub(crate) fn new(digits: Op<Digits>, keys: String, end: GatherEnd) -> Self {
        Self { digits, keys, end }
    }

    pub(crate) fn to_json(&self) -> Bytes {
        let wire = GatheredWire {
            digits: self.digits.clone(),
            keys: self.keys.clone(),
            end: self.end,
        };
        // Texts and words alone: writing them cannot fail.
        serde_json::to_vec(&wire).unwrap_or_default().into()
    }

    pub(crate) fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        let wire: GatheredWire = serde_json::from_slice(json)?;
        Ok(Self::new(wire.digits, wire.keys, wire.end))
    }
}

/// What people press may be a secret: it does not get into logs.
impl fmt::Debug for Gathered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Gathered({:?}, {} keys, {:?})",
            self.digits,
            self.keys.len(),
            self.end
        )
    }
}

/// Events about people of the roster.
macro_rules! people {
    ($( $(#[$meta:meta])* pub struct $name:ident; )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// Who.
            pub people: Vec<Participant>,
        }

        impl $name {
            pub(crate) fn new(people: Vec<Participant>) -> Self {
                Self { people }
            }
        }
    )*};
}

people! {
    /// These came, the bot itself among them when it joins.
    pub struct Joined;
    /// These went.
    pub struct Left;
    /// Microphones went off or on; `is_muted` of each says which.
    pub struct Muted;
}

/// The bot waits in the lobby, or was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lobby {
    /// Whether it waits.
    pub waits: bool,
}

impl Lobby {
    pub(crate) fn new(waits: bool) -> Self {
        Self { waits }
    }
}

/// A transfer failed and the call goes on.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TransferFailed {
    /// Why, in Graph's codes.
    pub result: ResultInfo,
}

impl TransferFailed {
    pub(crate) fn new(result: ResultInfo) -> Self {
        Self { result }
    }
}

/// Nobody knows whether the call was made: it is not made again, so that nobody is rung twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InDoubt {}

impl InDoubt {
    pub(crate) const NOW: Self = Self {};
}

/// The media host that carried the sound of the call is gone, or what it had of the call ended. The call itself goes on, without
/// sound: prompts and keys are refused from now on. Without a handler for it the bot hangs up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaLost {
    /// Why, for people and logs.
    pub reason: String,
}

impl MediaLost {
    pub(crate) fn new(reason: String) -> Self {
        Self { reason }
    }
}

/// The media host that carries the sound of the call is stopped by its operator and has waited for its calls to end: this one loses its
/// sound then. There is time to say goodbye, or to hand the other one on. Without a handler for it nothing happens until [`MediaLost`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaEnds {
    /// When, from now on.
    pub within: std::time::Duration,
}

impl MediaEnds {
    pub(crate) fn new(within_ms: u64) -> Self {
        Self {
            within: std::time::Duration::from_millis(within_ms),
        }
    }
}

/// The call is over: the last that is heard of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// Graph's codes, where it told any.
    pub result: Option<ResultInfo>,
}

impl Ended {
    pub(crate) fn new(end: CallEnd) -> Self {
        Self {
            by: end.by,
            result: end.result,
        }
    }

    /// Whether the codes name a failure: nobody answered, nobody could be reached, media were lost.
    pub fn is_failure(&self) -> bool {
        self.result.as_ref().is_some_and(ResultInfo::is_failure)
    }
}

fn name_of(identity: &Identity) -> &str {
    let name = identity.display_name.as_deref().filter(|name| !name.is_empty());
    name.or(identity.id.as_deref()).unwrap_or_default()
}

/// How somebody of the roster is called: the name, else the id or number, else the participant's id.
pub fn participant_name(participant: &Participant) -> &str {
    let identity = participant.identity().and_then(IdentitySet::any).map(name_of);
    let named = identity.filter(|name| !name.is_empty());
    named.or(participant.participant_id()).unwrap_or("somebody")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gathered_keys_do_not_print() {
        let gathered = Gathered::new(Op::new("o1"), "4711".to_owned(), GatherEnd::Complete);
        assert_eq!(format!("{gathered:?}"), "Gathered(Op(o1), 4 keys, Complete)");
        assert_eq!(Gathered::from_json(&gathered.to_json()).unwrap(), gathered);
    }
}

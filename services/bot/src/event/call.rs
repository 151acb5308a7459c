//! What happens in calls.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trunkline_teams::calls::{
    CommsOperation, Identity, IdentitySet, Participant, ResultInfo, Secret, SendDtmfCompletionReason,
};

use crate::call::{Digits, GatherEnd, Invite, Op, Recording, Status, Tones, Voice};
use crate::logic::{CallAbout, CallEnd, EndedBy, OperationEnd, OperationOutcome};

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

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDone {
    /// The bot stopped it, or a recording that may barge in did.
    #[error("it was cancelled")]
    Cancelled,
    /// Graph took it and it failed.
    #[error("it failed with {code}/{subcode}: {message}")]
    Failed {
        /// `resultInfo.code`.
        code: i64,
        /// `resultInfo.subcode`: the reason.
        subcode: i64,
        /// `resultInfo.message`.
        message: String,
    },
    /// Graph did not take it.
    #[error("graph refused it with {status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// Nobody knows: no word of it in time, or the call ended first.
    #[error("what became of it is not known")]
    Unknown,
}

impl NotDone {
    fn of(result: Option<&ResultInfo>) -> Self {
        match result {
            Some(result) if result.subcode() == CANCELLED => Self::Cancelled,
            Some(result) => Self::Failed {
                code: result.code(),
                subcode: result.subcode(),
                message: result.message.clone().unwrap_or_default(),
            },
            None => Self::Failed {
                code: 0,
                subcode: 0,
                message: String::new(),
            },
        }
    }
}

/// Sub-code of what was cancelled. Source: Graph, `call: record`.
const CANCELLED: i64 = 8508;

/// Whether an operation was done.
pub type Done = Result<(), NotDone>;

/// What Graph told of an operation, if it took and did it.
fn done(outcome: OperationOutcome) -> Result<Box<CommsOperation>, NotDone> {
    match outcome {
        OperationOutcome::Completed(operation) => match &operation.completion_reason {
            Some(SendDtmfCompletionReason::MediaOperationCanceled) => Err(NotDone::Cancelled),
            _ => Ok(operation),
        },
        OperationOutcome::Failed(operation) => Err(NotDone::of(operation.result_info.as_ref())),
        OperationOutcome::Refused { status, code, message } => Err(NotDone::Refused { status, code, message }),
        OperationOutcome::Unknown => Err(NotDone::Unknown),
    }
}

/// Events of one kind of operation: the operation, and whether it was done.
macro_rules! ended {
    ($( $(#[$meta:meta])* pub struct $name:ident { $field:ident: $kind:ty } )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            /// Which one.
            pub $field: Op<$kind>,
            /// Whether it was done.
            pub done: Done,
        }

        impl $name {
            pub(crate) fn new(end: OperationEnd) -> Self {
                Self { $field: Op::new(end.key), done: done(end.outcome).map(drop) }
            }
        }
    )*};
}

ended! {
    /// Prompts were played, or will not be.
    pub struct PromptEnded { prompt: Voice }
    /// People who were invited came, or will not.
    pub struct Invited { invite: Invite }
    /// Keys were pressed by the bot.
    pub struct TonesSent { tones: Tones }
    /// Graph has taken the bot's word on whether it records.
    pub struct StatusUpdated { status: Status }
}

/// A recording is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Which one.
    pub recording: Op<Recording>,
    /// What was recorded. Fetch it in the handler: Graph keeps it only until shortly after the call.
    pub clip: Option<Clip>,
    /// Why it ended.
    pub end: RecordingEnd,
}

impl Recorded {
    pub(crate) fn new(end: OperationEnd) -> Self {
        let recording = Op::new(end.key);
        match done(end.outcome) {
            Ok(operation) => Self {
                recording,
                end: RecordingEnd::of(operation.result_info.as_ref()),
                clip: Clip::of(*operation),
            },
            Err(NotDone::Failed { subcode, .. }) if subcode == RecordingEnd::NOTHING_SAID => Self {
                recording,
                clip: None,
                end: RecordingEnd::NothingSaid,
            },
            Err(not_done) => Self {
                recording,
                clip: None,
                end: RecordingEnd::NotDone(not_done),
            },
        }
    }
}

/// Why a recording ended. Sub-codes as Azure Communication Services documents them; Graph's pages name only two.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingEnd {
    /// By a stop key.
    StopKey,
    /// The speaker fell silent.
    Silence,
    /// As long as it may be.
    FullLength,
    /// Nobody spoke.
    NothingSaid,
    /// It was not made.
    NotDone(NotDone),
    /// It was made, and Graph gave no reason that is known.
    Other,
}

impl RecordingEnd {
    const NOTHING_SAID: i64 = 8510;

    fn of(result: Option<&ResultInfo>) -> Self {
        match result.map(ResultInfo::subcode) {
            Some(8509) => Self::Silence,
            Some(Self::NOTHING_SAID) => Self::NothingSaid,
            Some(8514) => Self::StopKey,
            Some(8515) => Self::FullLength,
            _ => Self::Other,
        }
    }
}

/// Where a recording lies and what opens it: `GET` with the token as bearer. It cannot be remembered, only fetched. Graph's
/// terms of use forbid to keep what was recorded unless the people in the call agreed to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    location: String,
    token: Secret,
}

impl Clip {
    fn of(operation: CommsOperation) -> Option<Self> {
        Some(Self {
            location: operation.recording_location?,
            token: operation.recording_access_token.unwrap_or_default(),
        })
    }

    /// Its address.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The bearer token; prints as dots.
    pub fn token(&self) -> &Secret {
        &self.token
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

/// An operation for whose kind there is no event of its own.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OperationEnded {
    /// As Graph names it: `muteParticipant`.
    pub operation: String,
    /// Whether it was done.
    pub done: Done,
    key: String,
}

impl OperationEnded {
    pub(crate) fn new(end: OperationEnd) -> Self {
        Self {
            operation: end.operation,
            done: done(end.outcome).map(drop),
            key: end.key,
        }
    }

    /// Whether it is this one.
    pub fn is<K>(&self, operation: &Op<K>) -> bool {
        operation.key() == self.key
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

    fn ended(operation: &str, outcome: OperationOutcome) -> OperationEnd {
        OperationEnd {
            key: "o1".to_owned(),
            operation: operation.to_owned(),
            outcome,
        }
    }

    fn with_result(code: i64, subcode: i64) -> Box<CommsOperation> {
        Box::new(CommsOperation {
            result_info: Some(ResultInfo::new(code, subcode)),
            recording_location: (code == 200).then(|| "https://graph.example/clip".to_owned()),
            ..CommsOperation::default()
        })
    }

    #[test]
    fn a_prompt_that_was_stopped_is_cancelled() {
        let event = PromptEnded::new(ended("playPrompt", OperationOutcome::Failed(with_result(400, 8508))));
        assert_eq!(event.prompt, Op::new("o1"));
        assert_eq!(event.done, Err(NotDone::Cancelled));
    }

    #[test]
    fn a_recording_says_why_it_ended() {
        let recorded = |outcome| Recorded::new(ended("recordResponse", outcome));
        let by_key = recorded(OperationOutcome::Completed(with_result(200, 8514)));
        assert_eq!(by_key.clip.unwrap().location(), "https://graph.example/clip");
        assert_eq!(by_key.end, RecordingEnd::StopKey);
        let silent = recorded(OperationOutcome::Failed(with_result(400, 8510)));
        assert_eq!((silent.clip, silent.end), (None, RecordingEnd::NothingSaid));
        let lost = recorded(OperationOutcome::Unknown);
        assert_eq!(lost.end, RecordingEnd::NotDone(NotDone::Unknown));
    }

    #[test]
    fn of_tones_that_were_sent_the_reason_counts_and_not_the_status() {
        let operation = CommsOperation {
            completion_reason: Some(SendDtmfCompletionReason::MediaOperationCanceled),
            ..CommsOperation::default()
        };
        let event = TonesSent::new(ended("sendDtmfTones", OperationOutcome::Completed(Box::new(operation))));
        assert_eq!(event.done, Err(NotDone::Cancelled));
    }

    #[test]
    fn gathered_keys_do_not_print() {
        let gathered = Gathered::new(Op::new("o1"), "4711".to_owned(), GatherEnd::Complete);
        assert_eq!(format!("{gathered:?}"), "Gathered(Op(o1), 4 keys, Complete)");
        assert_eq!(Gathered::from_json(&gathered.to_json()).unwrap(), gathered);
    }
}

//! How operations on calls ended.

use trunkline_teams::calls::{CommsOperation, ResultInfo, Secret, SendDtmfCompletionReason};

use crate::call::{Invite, Op, Recording, Status, Tones, Voice};
use crate::logic::{OperationEnd, OperationOutcome};

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
}

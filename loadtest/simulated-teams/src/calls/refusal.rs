//! Every way in which the calls API says no.
//!
//! Statuses and codes as calls.md sections 7.3, 11 and 13 collect them. Observed or documented: 8501, 8522, 8523, 8529,
//! 7504, 7505, 7507; the other codes are documented for Azure Communication Services, which shares the number space, and
//! their statuses are inferred.

use std::fmt;

/// A refused request: status, `error.code` and `error.message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.status, self.code, self.message)
    }
}

/// What the request is not allowed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    /// The call, the participant or the operation is not there, or no more.
    NotFound,
    ParticipantAbsent,
    NotEstablished,
    WrongState,
    WrongMediaMode,
    AudioInactive,
    NotAGroup,
    NotARecordingCall,
    DuplicateRecording,
    OrganizerStays,
    ForeignSource,
    TenantMismatch,
    CallTenantMismatch,
    NotAllowed,
    BadToken,
    BadCoordinates,
    BadMeetingId,
    Monthly,
    Concurrent,
    Conflict,
}

impl No {
    fn parts(self) -> (u16, u32, &'static str) {
        match self {
            Self::NotFound => (404, 8522, "Call not found."),
            Self::ParticipantAbsent => (404, 8558, "Participant is not present in the call."),
            Self::NotEstablished => (400, 8501, "Call is not established."),
            Self::WrongState => (400, 8585, "The action is not valid in the current state of the call."),
            Self::WrongMediaMode => (
                400,
                8500,
                "The action is not valid for the media configuration of the call.",
            ),
            Self::AudioInactive => (400, 8503, "Audio is inactive."),
            Self::NotAGroup => (400, 8548, "Call is not a group call."),
            Self::NotARecordingCall => (400, 8506, "API call not allowed for non-Compliance Recording call"),
            Self::DuplicateRecording => (400, 8553, "The recording has been started already."),
            Self::OrganizerStays => (403, 8552, "The organizer cannot be removed."),
            Self::ForeignSource => (403, 7507, "Call source identity invalid"),
            Self::TenantMismatch => (403, 7505, "Request authorization tenant mismatch."),
            Self::CallTenantMismatch => (403, 8517, "Call tenant mismatch."),
            Self::NotAllowed => (
                403,
                7504,
                "Insufficient enterprise tenant permissions, cannot access this API.",
            ),
            Self::BadToken => (400, 8526, "The join token is not valid."),
            Self::BadCoordinates => (400, 8527, "The meeting does not exist."),
            Self::BadMeetingId => (400, 8561, "The join meeting id is not valid."),
            Self::Monthly => (403, 8529, "Application reached the monthly call creation limit."),
            Self::Concurrent => (403, 8530, "Application reached the limit of active calls."),
            Self::Conflict => (409, 8519, "The action conflicts with another one."),
        }
    }
}

impl From<No> for Refusal {
    fn from(no: No) -> Self {
        let (status, code, message) = no.parts();
        Self {
            status,
            code: code.to_string(),
            message: message.to_owned(),
        }
    }
}

impl Refusal {
    /// 400 with 8523, the code that a missing mediaConfig was seen with.
    pub(super) fn argument(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: "8523".to_owned(),
            message: message.into(),
        }
    }

    /// A refusal whose code is a word, as Graph's own are.
    pub(crate) fn word(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }
}

//! What Graph tells of calls: the resources of its cloud communications, as they really come.
//!
//! Every object keeps the members that it has no field for, and every word that is not listed is kept as
//! it was spelled: both grow without notice. Words are read without regard to case, numbers also from text, because the pages,
//! the metadata and the wire differ. Source of the types: Microsoft Graph v1.0, "Working with the cloud communications API",
//! resources `call`, `participant`, `commsOperation` and those that they hold; members marked *wire* were only observed.

mod call;
mod id;
mod identity;
mod join_url;
mod media;
mod meeting;
mod notification;
mod number;
mod online_meeting;
mod operation;
mod participant;
mod quality;
mod result;
pub mod results;
mod routing;
mod secret;
mod sharing;
mod word;

pub use call::{Call, CallDirection, CallMediaState, CallOptions, CallRoute, CallState, IncomingContext, ToneInfo};
pub use call::{CallTranscription, MediaState, RejectReason, Tone};
pub use id::{OWN_KEY, is_own_key, normal_id};
pub use identity::{Identity, IdentitySet};
pub use join_url::{JoinUrl, JoinUrlError};
pub use media::{MediaConfig, MediaInfo, MediaPrompt, Modality, NearLeg};
pub use meeting::{ChatInfo, MeetingInfo};
pub use notification::{
    Batch, ChangeType, Notification, NotificationError, Outline, ParticipantJoining, ParticipantLeft, Subject,
    SubjectKind,
};
pub use online_meeting::{MeetingParticipantInfo, MeetingParticipants, OnlineMeeting};
pub use operation::{CommsOperation, OperationStatus, SendDtmfCompletionReason};
pub use participant::{
    DeltaParticipants, InvitationParticipantInfo, MediaDirection, MediaStream, Participant, ParticipantInfo,
    RecordingInfo, RecordingStatus, RemovedState,
};
pub use quality::{TeleconferenceDeviceMediaQuality, TeleconferenceDeviceQuality};
pub use result::ResultInfo;
pub use routing::{AudioRoutingGroup, RoutingMode};
pub use secret::Secret;
pub use sharing::ContentSharingSession;

#[cfg(feature = "clients")]
pub(crate) use notification::id_in_path;

#[cfg(test)]
mod tests;

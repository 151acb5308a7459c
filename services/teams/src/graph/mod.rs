//! What a bot asks of Graph on calls: every documented operation as a value that can be stored, and its HTTP request.
//!
//! An [`Operation`] is committed before it is sent, so it is plain data without address and token: the call's id, the
//! callback and the id of a replaced call are put in when it leaves. Source: Microsoft Graph v1.0, cloud communications, the
//! page of each operation. The `Client` (feature `clients`) does them: it has its own clock, tries again what may be tried
//! again, and says of every failure whether the operation was certainly not done.

#[cfg(feature = "clients")]
mod attempt;
mod body;
#[cfg(feature = "clients")]
mod client;
#[cfg(feature = "clients")]
mod error;
mod kind;
mod operation;
#[cfg(feature = "clients")]
mod request;
#[cfg(feature = "clients")]
mod told;

pub use body::{
    Answer, CancelMedia, CreateOrGetMeeting, Invite, LogDeviceQuality, Mute, PlayPrompt, RecordResponse, Redirect,
    Reject, ScreenSharingRole, SendDtmfTones, StartHoldMusic, StopHoldMusic, SubscribeToTone, Transfer,
    UpdateRecordingStatus,
};
#[cfg(feature = "clients")]
pub use client::{Client, ClientError, Errand};
#[cfg(feature = "clients")]
pub use error::{Failure, GraphError};
pub use kind::{Completion, OperationKind};
pub use operation::{ById, OfParticipant, OfUser, Operation};
#[cfg(feature = "clients")]
pub use request::{Method, Request};
#[cfg(feature = "clients")]
pub use told::Told;

#[cfg(all(test, feature = "clients"))]
mod tests;

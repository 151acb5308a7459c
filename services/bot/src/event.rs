//! What handlers get: typed views of what Teams sent. Unknown kinds are kept in `Other`.

mod call;
mod chat;
mod message;
mod pressed;

pub use call::{
    BridgeEnded, CallRecording, Clip, Connected, Done, Ended, Gathered, InDoubt, Invitation, Invited, Joined, Left,
    Lobby, MediaEnds, MediaLost, Muted, NotDone, OperationEnded, PromptEnded, Recorded, RecordedFile, RecordedJoins,
    RecordedLeft, RecordingEnd, RecordingInvitation, RecordingNews, SharingEnded, SharingStarted, Speech,
    StatusUpdated, Tone, TonesSent, TransferFailed, Trouble, TroubleKind, participant_name,
};
pub(crate) use chat::change_of;
pub use chat::{
    ChannelChange, ChannelChanged, Deleted, Installed, MeetingEnded, MeetingStarted, Members, Participant,
    Participants, Reaction, ReadReceipt, Removed, TeamChange, TeamChanged, Upgraded,
};
pub use message::{Edited, Matched, Message};
pub use pressed::{Pressed, Submitted};

use crate::address::{ActivityId, Person, SentRef};
use trunkline_teams::activity::Activity;

/// Teams took a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The send that asked to be told.
    pub sent: SentRef,
    /// The id that Teams gave the message.
    pub id: ActivityId,
}

fn person_of(activity: &Activity) -> Person {
    activity.from.as_ref().map(Person::from).unwrap_or_default()
}

fn replied_to(activity: &Activity) -> Option<ActivityId> {
    activity.reply_to_id.clone().map(ActivityId)
}

//! The chat of a call and the meeting that it joins.

use super::identity::{Identity, IdentitySet};
use super::secret::Secret;
use crate::wire::wire_object;

wire_object! {
    /// The chat of a group call or meeting. Source: Graph, `chatInfo`.
    pub struct ChatInfo {
        /// `19:meeting_..@thread.v2`.
        thread_id: Option<String> => "threadId",
        /// `0` for a scheduled meeting, a number for one of a channel.
        message_id: Option<String> => "messageId",
        /// The message that a channel's meeting hangs on.
        reply_chain_message_id: Option<String> => "replyChainMessageId",
    }
}

wire_object! {
    /// Which meeting. Source: Graph, `organizerMeetingInfo`, `tokenMeetingInfo`, `joinMeetingIdMeetingInfo`.
    pub struct MeetingInfo {
        /// Which of the three: required, the declared type is abstract.
        odata_type: Option<String> => "@odata.type",
        /// Who organises it.
        organizer: Option<IdentitySet> => "organizer",
        /// Undocumented, in Microsoft's samples.
        allow_conversation_without_host: Option<bool> => "allowConversationWithoutHost",
        /// Lets in whoever has it: never logged.
        token: Option<Secret> => "token",
        /// The number that people type.
        join_meeting_id: Option<String> => "joinMeetingId",
        /// The pass code that people type.
        passcode: Option<Secret> => "passcode",
    }
}

impl MeetingInfo {
    /// By its organizer, together with a chat.
    pub fn of_organizer(user: impl Into<String>, tenant: impl Into<String>) -> Self {
        let organizer = Identity {
            tenant_id: Some(tenant.into()),
            ..Identity::of(user)
        };
        Self {
            odata_type: Some("#microsoft.graph.organizerMeetingInfo".to_owned()),
            organizer: Some(IdentitySet {
                user: Some(Box::new(organizer)),
                ..IdentitySet::default()
            }),
            allow_conversation_without_host: Some(true),
            ..Self::default()
        }
    }

    /// By meeting id and pass code.
    pub fn of_meeting_id(id: impl Into<String>, passcode: Option<String>) -> Self {
        Self {
            odata_type: Some("#microsoft.graph.joinMeetingIdMeetingInfo".to_owned()),
            join_meeting_id: Some(id.into()),
            passcode: passcode.map(Secret::new),
            ..Self::default()
        }
    }

    /// By the token of an incoming notification: rejoins after a crash, and answers recording invitations.
    pub fn of_token(token: Secret) -> Self {
        Self {
            odata_type: Some("#microsoft.graph.tokenMeetingInfo".to_owned()),
            token: Some(token),
            ..Self::default()
        }
    }
}

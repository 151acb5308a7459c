//! A meeting as Graph keeps it, apart from any call.

use super::{ChatInfo, IdentitySet};
use crate::wire::wire_object;

wire_object! {
    /// A meeting, as far as whoever joins it wants to know. Source: Graph, `onlineMeeting`.
    pub struct OnlineMeeting {
        /// `#microsoft.graph.onlineMeeting`.
        odata_type: Option<String> => "@odata.type",
        /// Graph's id of the meeting.
        id: Option<String> => "id",
        /// Ours: one meeting for each organizer and external id (documented: `createOrGet`).
        external_id: Option<String> => "externalId",
        /// What it is about.
        subject: Option<String> => "subject",
        /// When it begins: RFC 3339.
        start_date_time: Option<String> => "startDateTime",
        /// When it ends: RFC 3339.
        end_date_time: Option<String> => "endDateTime",
        /// What people click.
        join_web_url: Option<String> => "joinWebUrl",
        /// Its chat: with the organizer, what a bot joins by.
        chat_info: Option<ChatInfo> => "chatInfo",
        /// Who takes part.
        participants: Option<MeetingParticipants> => "participants",
    }
}

wire_object! {
    /// Who takes part in a meeting. Source: Graph, `meetingParticipants`.
    pub struct MeetingParticipants {
        /// Whose meeting it is.
        organizer: Option<MeetingParticipantInfo> => "organizer",
        /// Who is invited.
        attendees: Vec<MeetingParticipantInfo> => "attendees",
    }
}

wire_object! {
    /// One of them. Source: Graph, `meetingParticipantInfo`.
    pub struct MeetingParticipantInfo {
        /// Who.
        identity: Option<IdentitySet> => "identity",
        /// `attendee`, `presenter`, `coorganizer`, `producer`.
        role: Option<String> => "role",
        /// The name by which people log in.
        upn: Option<String> => "upn",
    }
}

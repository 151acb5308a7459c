//! Events of meetings and read receipts.
//!
//! Documents, SDK types and samples write the members of these values in different cases, and one sample has a blank before
//! the name: all of it is read without case, names are trimmed.
//!
//! Source: Teams "Meeting apps API references"; "Conversation events", read receipts.

use serde_json::Value;

use super::{Activity, ChannelAccount};

/// What an activity of type `event` tells.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TeamsEvent {
    /// A meeting began.
    MeetingStarted(MeetingDetails),
    /// A meeting ended.
    MeetingEnded(MeetingDetails),
    /// People came.
    ParticipantsJoined(Vec<MeetingParticipant>),
    /// People left.
    ParticipantsLeft(Vec<MeetingParticipant>),
    /// The person has read everything up to this message of the bot.
    ReadReceipt {
        /// Id of the message; digits, so that all messages with a smaller number are read too.
        last_read_message_id: String,
    },
}

/// A meeting as its events describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeetingDetails {
    /// Id for the meeting calls of the Connector; that of `channelData` where there is one.
    pub id: Option<String>,
    /// Address to join.
    pub join_url: Option<String>,
    /// Subject.
    pub title: Option<String>,
    /// `Scheduled`, `Recurring`, `MeetNow` and others.
    pub meeting_type: Option<String>,
    /// UTC; on the start.
    pub start_time: Option<String>,
    /// UTC; on the end.
    pub end_time: Option<String>,
}

/// Somebody in a meeting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeetingParticipant {
    /// Who.
    pub user: ChannelAccount,
    /// Whether they are in the meeting now.
    pub in_meeting: Option<bool>,
    /// `Organizer`, `Presenter`, `Attendee`.
    pub role: Option<String>,
}

impl Activity {
    /// What an event of Teams tells; `None` for another activity, another name, or a value that is no object.
    pub fn teams_event(&self) -> Option<TeamsEvent> {
        const PREFIX: &str = "application/vnd.microsoft.";
        if !self.is("event") {
            return None;
        }
        let name = self.trimmed_name()?;
        let (prefix, kind) = name.split_at_checked(PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        let value = self.value_object()?;
        match kind.to_ascii_lowercase().as_str() {
            "meetingstart" => Some(TeamsEvent::MeetingStarted(self.meeting_details(&value))),
            "meetingend" => Some(TeamsEvent::MeetingEnded(self.meeting_details(&value))),
            "meetingparticipantjoin" => Some(TeamsEvent::ParticipantsJoined(participants(&value))),
            "meetingparticipantleave" => Some(TeamsEvent::ParticipantsLeft(participants(&value))),
            "readreceipt" => {
                let last_read_message_id = text(&value, "lastReadMessageId")?;
                Some(TeamsEvent::ReadReceipt { last_read_message_id })
            }
            _ => None,
        }
    }

    /// Id of the meeting that the activity belongs to.
    pub fn meeting_id(&self) -> Option<&str> {
        self.channel_data.as_ref()?.meeting.as_ref()?.id.as_deref()
    }

    fn meeting_details(&self, value: &Value) -> MeetingDetails {
        MeetingDetails {
            id: self.meeting_id().map(str::to_owned).or_else(|| text(value, "id")),
            join_url: text(value, "joinUrl"),
            title: text(value, "title"),
            meeting_type: text(value, "meetingType"),
            start_time: text(value, "startTime"),
            end_time: text(value, "endTime"),
        }
    }
}

fn participants(value: &Value) -> Vec<MeetingParticipant> {
    let members = member(value, "members")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    members.iter().map(participant).collect()
}

fn participant(value: &Value) -> MeetingParticipant {
    let user = member(value, "user").unwrap_or(&Value::Null);
    let meeting = member(value, "meeting").unwrap_or(&Value::Null);
    MeetingParticipant {
        user: ChannelAccount {
            id: text(user, "id"),
            name: text(user, "name"),
            aad_object_id: text(user, "aadObjectId"),
            tenant_id: text(user, "tenantId"),
            ..ChannelAccount::default()
        },
        in_meeting: member(meeting, "inMeeting").and_then(Value::as_bool),
        role: text(meeting, "role"),
    }
}

/// A member by its name without case.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| {
        members
            .iter()
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    })
}

fn text(value: &Value, name: &str) -> Option<String> {
    member(value, name)?.as_str().map(str::to_owned)
}

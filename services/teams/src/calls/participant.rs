//! Who is in a call.

use serde_json::Value;

use super::identity::IdentitySet;
use super::word::wire_word;
use crate::wire::wire_object;

wire_object! {
    /// Somebody who takes part. Source: Graph, `participantInfo`.
    pub struct ParticipantInfo {
        /// Who.
        identity: Option<IdentitySet> => "identity",
        /// `default`, `voicemail` and others.
        endpoint_type: Option<String> => "endpointType",
        /// BCP 47.
        language_id: Option<String> => "languageId",
        /// Home region of the person: `amer`, `emea`, `apac`.
        region: Option<String> => "region",
        /// ISO 3166-1 alpha-2, estimated.
        country_code: Option<String> => "countryCode",
        /// Id of the participant.
        participant_id: Option<String> => "participantId",
        /// The same on incoming calls (wire).
        id: Option<String> => "id",
    }
}

wire_object! {
    /// Somebody who is called or invited. Source: Graph, `invitationParticipantInfo`.
    pub struct InvitationParticipantInfo {
        /// Who.
        identity: Option<IdentitySet> => "identity",
        /// The person's other call, dropped once the person is in this one.
        replaces_call_id: Option<String> => "replacesCallId",
        /// Id of the participant.
        participant_id: Option<String> => "participantId",
        /// Whether others do not see this participant.
        hidden: Option<bool> => "hidden",
        /// Whether this participant is left out of the call's common sound.
        remove_from_default_audio_routing_group: Option<bool> => "removeFromDefaultAudioRoutingGroup",
        /// Id of the participant on incoming calls (wire).
        id: Option<String> => "id",
    }
}

wire_object! {
    /// One of the roster. Source: Graph, `participant`.
    pub struct Participant {
        /// Null in some samples.
        id: Option<String> => "id",
        /// Who.
        info: Option<ParticipantInfo> => "info",
        /// Waits to be let in.
        is_in_lobby: Option<bool> => "isInLobby",
        /// By the person or by the service.
        is_muted: Option<bool> => "isMuted",
        /// What this participant sends and gets.
        media_streams: Vec<MediaStream> => "mediaStreams",
        /// JSON inside a text.
        metadata: Option<String> => "metadata",
        /// Whether it records.
        recording_info: Option<RecordingInfo> => "recordingInfo",
        /// Why it left; of delta rosters.
        removed_state: Option<RemovedState> => "removedState",
        /// What it may not do.
        restricted_experience: Option<Value> => "restrictedExperience",
        /// When it changed last; of delta rosters.
        roster_sequence_number: Option<i64> => "rosterSequenceNumber",
        /// `organizer`, `presenter` and others (wire).
        meeting_role: Option<String> => "meetingRole",
    }
}

wire_object! {
    /// One stream. Source: Graph, `mediaStream`.
    pub struct MediaStream {
        /// `audio`, `video`, `videoBasedScreenSharing`, `data`.
        media_type: Option<String> => "mediaType",
        /// Which way.
        direction: Option<MediaDirection> => "direction",
        /// `main-audio`, `main-video`, `applicationsharing-video`.
        label: Option<String> => "label",
        /// Media source id, a number in a text.
        source_id: Option<String> => "sourceId",
        /// Muted by the service.
        server_muted: Option<bool> => "serverMuted",
    }
}

wire_object! {
    /// Whether a participant records. Source: Graph, `recordingInfo`.
    pub struct RecordingInfo {
        /// What it says of itself.
        recording_status: Option<RecordingStatus> => "recordingStatus",
        /// Who began it.
        initiator: Option<ParticipantInfo> => "initiator",
    }
}

wire_object! {
    /// Why a participant left. Source: Graph, `removedState`; no value of the reason was found.
    pub struct RemovedState {
        /// The reason.
        reason: Option<String> => "reason",
    }
}

wire_object! {
    /// Changes of a roster, where a call asked for them. Source: Graph, `deltaParticipants`.
    pub struct DeltaParticipants {
        /// A gap or a fall means: read the whole roster.
        sequence_number: Option<i64> => "sequenceNumber",
        /// Who changed.
        participants: Vec<Participant> => "participants",
    }
}

wire_word! {
    /// Which way a stream goes. Source: Graph, `mediaDirection`.
    pub enum MediaDirection {
        /// Neither.
        Inactive => "inactive",
        /// From the participant.
        SendOnly => "sendOnly",
        /// To the participant.
        ReceiveOnly => "receiveOnly",
        /// Both.
        SendReceive => "sendReceive",
    }
}

wire_word! {
    /// What a recorder says of itself. Source: Graph, `recordingStatus`.
    pub enum RecordingStatus {
        /// Nothing yet.
        Unknown => "unknown",
        /// Does not record.
        NotRecording => "notRecording",
        /// Records.
        Recording => "recording",
        /// Should record and cannot: must be reported.
        Failed => "failed",
    }
}

impl Participant {
    /// The participant's id under any of the names that it comes by.
    pub fn participant_id(&self) -> Option<&str> {
        let info = || self.info.as_ref().and_then(|info| info.participant_id.as_deref());
        self.id.as_deref().or_else(info)
    }

    /// Who it is.
    pub fn identity(&self) -> Option<&IdentitySet> {
        self.info.as_ref()?.identity.as_ref()
    }
}

impl InvitationParticipantInfo {
    /// An invitation of somebody.
    pub fn to(identity: IdentitySet) -> Self {
        Self {
            identity: Some(identity),
            ..Self::default()
        }
    }
}

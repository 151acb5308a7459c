//! A call.

use serde_json::Value;

use super::identity::IdentitySet;
use super::media::{MediaConfig, Modality};
use super::meeting::{ChatInfo, MeetingInfo};
use super::participant::{InvitationParticipantInfo, ParticipantInfo};
use super::result::ResultInfo;
use super::word::wire_word;
use crate::wire::wire_object;

wire_object! {
    /// A call as Graph tells it and as it is asked for. Source: Graph, `call`.
    pub struct Call {
        /// `#microsoft.graph.call`.
        odata_type: Option<String> => "@odata.type",
        /// A GUID; may be absent in notifications.
        id: Option<String> => "id",
        /// Where it stands; absent in some last notifications.
        state: Option<CallState> => "state",
        /// Who began it.
        direction: Option<CallDirection> => "direction",
        /// Where notifications go: https.
        callback_uri: Option<String> => "callbackUri",
        /// One for all legs of a conversation; equals the scenario id.
        call_chain_id: Option<String> => "callChainId",
        /// Entra tenant of the call.
        tenant_id: Option<String> => "tenantId",
        /// Who calls.
        source: Option<ParticipantInfo> => "source",
        /// Who is called.
        targets: Vec<InvitationParticipantInfo> => "targets",
        /// Which media are wanted.
        requested_modalities: Vec<Modality> => "requestedModalities",
        /// Who hosts the media.
        media_config: Option<MediaConfig> => "mediaConfig",
        /// Whether sound goes through.
        media_state: Option<CallMediaState> => "mediaState",
        /// The chat beside it.
        chat_info: Option<ChatInfo> => "chatInfo",
        /// The meeting.
        meeting_info: Option<MeetingInfo> => "meetingInfo",
        /// The bot's own participant.
        my_participant_id: Option<String> => "myParticipantId",
        /// How an incoming call came about.
        incoming_context: Option<IncomingContext> => "incomingContext",
        /// How it was sent on before.
        call_routes: Vec<CallRoute> => "callRoutes",
        /// What is asked for beside.
        call_options: Option<CallOptions> => "callOptions",
        /// Why it ended, or why a transfer failed.
        result_info: Option<ResultInfo> => "resultInfo",
        /// What it is about.
        subject: Option<String> => "subject",
        /// A key that was pressed.
        tone_info: Option<ToneInfo> => "toneInfo",
        /// Whether it is written down.
        transcription: Option<CallTranscription> => "transcription",
        /// Why it ended, in a word (wire).
        termination_reason: Option<String> => "terminationReason",
        /// What a recording invitation says of the person and of other recorders (wire).
        application_metadata: Option<Value> => "applicationMetadata",
    }
}

wire_object! {
    /// Whether media go through. Source: Graph, `callMediaState`.
    pub struct CallMediaState {
        /// Sound.
        audio: Option<MediaState> => "audio",
    }
}

wire_object! {
    /// How an incoming call came about. Source: Graph, `incomingContext`.
    pub struct IncomingContext {
        /// The participant that caused the call.
        source_participant_id: Option<String> => "sourceParticipantId",
        /// The participant under observation: present means an invitation to record.
        observed_participant_id: Option<String> => "observedParticipantId",
        /// For whom the call is made.
        on_behalf_of: Option<IdentitySet> => "onBehalfOf",
        /// Who transferred it.
        transferor: Option<IdentitySet> => "transferor",
    }
}

wire_object! {
    /// One way that a call was sent on. Source: Graph, `callRoute`.
    pub struct CallRoute {
        /// Whom it reached.
        last: Option<IdentitySet> => "final",
        /// Whom it was for.
        original: Option<IdentitySet> => "original",
        /// `forwarded`, `lookup`, `selfFork`.
        routing_type: Option<String> => "routingType",
    }
}

wire_object! {
    /// What is asked for beside a call. Source: Graph, `outgoingCallOptions` and `incomingCallOptions`.
    pub struct CallOptions {
        /// Which of the two: required, the declared type is abstract.
        odata_type: Option<String> => "@odata.type",
        /// Hide the bot after a peer-to-peer call became a group call.
        hide_bot_after_escalation: Option<bool> => "hideBotAfterEscalation",
        /// Tell of shared content.
        is_content_sharing_notification_enabled: Option<bool> => "isContentSharingNotificationEnabled",
        /// Tell changes of the roster instead of the roster.
        is_delta_roster_enabled: Option<bool> => "isDeltaRosterEnabled",
        /// Leave out of these who cannot interact.
        is_interactive_roster_enabled: Option<bool> => "isInteractiveRosterEnabled",
    }
}

wire_object! {
    /// A key that was pressed. Source: Graph, `toneInfo`.
    pub struct ToneInfo {
        /// Grows with each key.
        sequence_id: Option<i64> => "sequenceId",
        /// Which key.
        tone: Option<Tone> => "tone",
    }
}

wire_object! {
    /// Whether a call is written down. Source: Graph, `callTranscriptionInfo`.
    pub struct CallTranscription {
        /// `notStarted`, `active`, `inactive`.
        state: Option<String> => "state",
        /// RFC 3339.
        last_modified: Option<String> => "lastModifiedDateTime",
    }
}

wire_word! {
    /// Where a call stands. Source: Graph, `callState`.
    pub enum CallState {
        /// Somebody calls.
        Incoming => "incoming",
        /// Being set up.
        Establishing => "establishing",
        /// Rings: in one page only, not in the metadata.
        Ringing => "ringing",
        /// People can talk.
        Established => "established",
        /// Held.
        Hold => "hold",
        /// A transfer was asked for.
        Transferring => "transferring",
        /// The target took the transfer.
        TransferAccepted => "transferAccepted",
        /// Others ring instead.
        Redirecting => "redirecting",
        /// Ends.
        Terminating => "terminating",
        /// Over.
        Terminated => "terminated",
    }
}

wire_word! {
    /// Who began a call. Source: Graph, `callDirection`.
    pub enum CallDirection {
        /// Somebody else.
        Incoming => "incoming",
        /// The bot.
        Outgoing => "outgoing",
    }
}

wire_word! {
    /// Whether a kind of media goes through. Source: Graph, `mediaState`.
    pub enum MediaState {
        /// It does.
        Active => "active",
        /// It does not.
        Inactive => "inactive",
    }
}

wire_word! {
    /// Why an incoming call is not taken. Source: Graph, `rejectReason`.
    pub enum RejectReason {
        /// Not said.
        None => "none",
        /// The bot is busy.
        Busy => "busy",
        /// It may not be called.
        Forbidden => "forbidden",
    }
}

wire_word! {
    /// A key of a telephone. Source: Graph, `tone`.
    pub enum Tone {
        /// 0
        Tone0 => "tone0",
        /// 1
        Tone1 => "tone1",
        /// 2
        Tone2 => "tone2",
        /// 3
        Tone3 => "tone3",
        /// 4
        Tone4 => "tone4",
        /// 5
        Tone5 => "tone5",
        /// 6
        Tone6 => "tone6",
        /// 7
        Tone7 => "tone7",
        /// 8
        Tone8 => "tone8",
        /// 9
        Tone9 => "tone9",
        /// `*`
        Star => "star",
        /// `#`
        Pound => "pound",
        /// A
        A => "a",
        /// B
        B => "b",
        /// C
        C => "c",
        /// D
        D => "d",
        /// The hook flash.
        Flash => "flash",
    }
}

impl Tone {
    /// Keys in the order of [`Tone::from_key`], with their signs.
    const SIGNS: [(char, Self); 16] = [
        ('0', Self::Tone0),
        ('1', Self::Tone1),
        ('2', Self::Tone2),
        ('3', Self::Tone3),
        ('4', Self::Tone4),
        ('5', Self::Tone5),
        ('6', Self::Tone6),
        ('7', Self::Tone7),
        ('8', Self::Tone8),
        ('9', Self::Tone9),
        ('*', Self::Star),
        ('#', Self::Pound),
        ('A', Self::A),
        ('B', Self::B),
        ('C', Self::C),
        ('D', Self::D),
    ];

    /// The tone of a key's sign: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn from_key(sign: char) -> Option<Self> {
        let sign = sign.to_ascii_uppercase();
        let found = Self::SIGNS.iter().find(|(known, _)| *known == sign);
        found.map(|(_, tone)| tone.clone())
    }

    /// The sign on the key; `None` for the flash and for unknown words.
    pub fn key(&self) -> Option<char> {
        let found = Self::SIGNS.iter().find(|(_, tone)| tone == self);
        found.map(|(sign, _)| *sign)
    }
}

impl Call {
    /// Whether this is an invitation to record somebody by policy, which must be answered within 5 s.
    pub fn is_recording_invitation(&self) -> bool {
        let context = self.incoming_context.as_ref();
        context.is_some_and(|context| context.observed_participant_id.is_some())
    }
}

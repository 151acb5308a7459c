//! Bodies of the operations, as they are stored and as they are sent.

use serde::{Deserialize, Serialize};

use crate::calls::{
    CallOptions, ChatInfo, InvitationParticipantInfo, MediaConfig, MediaInfo, MediaPrompt, MeetingParticipants,
    Modality, ParticipantInfo, RecordingStatus, RejectReason, TeleconferenceDeviceQuality, Tone,
};

/// Defines bodies: absent members are not sent.
macro_rules! bodies {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* $field:ident: $type:ty, )* }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }
    )*};
}

bodies! {
    /// Takes an incoming call. Source: Graph, `call: answer`.
    pub struct Answer {
        /// Where notifications go from now on: https. Put in when it is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        callback_uri: Option<String>,
        /// Which media.
        accepted_modalities: Vec<Modality>,
        /// Who hosts them; required.
        #[serde(skip_serializing_if = "Option::is_none")]
        media_config: Option<MediaConfig>,
        /// How many recorded people one call serves; policy recording only.
        #[serde(skip_serializing_if = "Option::is_none")]
        participant_capacity: Option<i32>,
        /// `incomingCallOptions`.
        #[serde(skip_serializing_if = "Option::is_none")]
        call_options: Option<CallOptions>,
    }

    /// Does not take an incoming call. Source: Graph, `call: reject`.
    pub struct Reject {
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<RejectReason>,
        /// Where the end is told. Put in when it is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        callback_uri: Option<String>,
    }

    /// Lets others ring instead. Source: Graph, `call: redirect`.
    pub struct Redirect {
        /// One to 25; all ring, the first to pick up has the call.
        targets: Vec<InvitationParticipantInfo>,
        /// Seconds of ringing, 15 to 90; by default 55 for one target, 60 for several.
        #[serde(skip_serializing_if = "Option::is_none")]
        timeout: Option<i32>,
        /// Where the end is told. Put in when it is sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        callback_uri: Option<String>,
    }

    /// Hands a call on. Source: Graph, `call: transfer`.
    pub struct Transfer {
        /// To whom; `replacesCallId` makes it consultative.
        transfer_target: InvitationParticipantInfo,
        /// Who is handed on; required in group calls, only there.
        #[serde(skip_serializing_if = "Option::is_none")]
        transferee: Option<ParticipantInfo>,
    }

    /// Plays prompts one after the other. Source: Graph, `call: playPrompt`.
    pub struct PlayPrompt {
        /// At most 20.
        prompts: Vec<MediaPrompt>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Records a short answer. Source: Graph, `call: recordResponse`.
    pub struct RecordResponse {
        /// At most one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        prompts: Vec<MediaPrompt>,
        /// Stops running and queued prompts first.
        #[serde(skip_serializing_if = "Option::is_none")]
        barge_in_allowed: Option<bool>,
        /// 1 to 120, by default 5.
        #[serde(skip_serializing_if = "Option::is_none")]
        initial_silence_timeout_in_seconds: Option<i32>,
        /// 1 to 120, by default 5.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_silence_timeout_in_seconds: Option<i32>,
        /// 1 to 120, by default 5.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_record_duration_in_seconds: Option<i32>,
        /// By default true.
        #[serde(skip_serializing_if = "Option::is_none")]
        play_beep: Option<bool>,
        /// Signs of keys (`#`), not names of tones.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        stop_tones: Vec<String>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Asks for the caller's keys. Source: Graph, `call: subscribeToTone`.
    pub struct SubscribeToTone {
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Presses keys. Source: Graph, `call: sendDtmfTones`.
    pub struct SendDtmfTones {
        /// Names of tones (the page's table says otherwise; its sample and the metadata say this).
        tones: Vec<Tone>,
        /// Milliseconds between two.
        #[serde(skip_serializing_if = "Option::is_none")]
        delay_between_tones_ms: Option<i32>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Drops the running and all queued prompts and recordings. Source: Graph, `call: cancelMediaProcessing`.
    pub struct CancelMedia {
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Mutes or unmutes the bot, or mutes a participant. Source: Graph, `call: mute`, `call: unmute`, `participant: mute`.
    pub struct Mute {
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Says whether the bot records; nothing may be kept before Graph confirmed it. Source: Graph,
    /// `call: updateRecordingStatus`.
    pub struct UpdateRecordingStatus {
        /// `recording`, `notRecording`, `failed`.
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<RecordingStatus>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Makes the bot a viewer or a sharer of a screen. Source: Graph, `call: changeScreenSharingRole`.
    pub struct ScreenSharingRole {
        /// `viewer` or `sharer`.
        role: String,
    }

    /// Invites people into a group call. Source: Graph, `participant: invite`.
    pub struct Invite {
        /// At most 5.
        participants: Vec<InvitationParticipantInfo>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Puts one participant on hold. Source: Graph, `participant: startHoldMusic`.
    pub struct StartHoldMusic {
        /// Instead of Graph's own music.
        #[serde(skip_serializing_if = "Option::is_none")]
        custom_prompt: Option<MediaPrompt>,
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Takes a participant off hold. Source: Graph, `participant: stopHoldMusic`.
    pub struct StopHoldMusic {
        /// At most 256 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_context: Option<String>,
    }

    /// Reports how good the media of a conference device were. Source: Graph, `call: logTeleconferenceDeviceQuality`; for
    /// partners of Cloud Video Interop only.
    pub struct LogDeviceQuality {
        /// What is reported.
        quality: TeleconferenceDeviceQuality,
    }

    /// Makes a meeting or finds it by an id of our own. Without times it is now and lasts an hour; with a start alone, an hour
    /// from then. It stands in nobody's calendar. Source: Graph, `onlineMeeting: createOrGet`.
    pub struct CreateOrGetMeeting {
        /// Required.
        external_id: String,
        /// What it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// RFC 3339, in UTC.
        #[serde(skip_serializing_if = "Option::is_none")]
        start_date_time: Option<String>,
        /// RFC 3339, in UTC; not without a start, nor before it.
        #[serde(skip_serializing_if = "Option::is_none")]
        end_date_time: Option<String>,
        /// Who is invited.
        #[serde(skip_serializing_if = "Option::is_none")]
        participants: Option<MeetingParticipants>,
        /// The chat that it belongs to; in the metadata, not on the page.
        #[serde(skip_serializing_if = "Option::is_none")]
        chat_info: Option<ChatInfo>,
    }
}

impl PlayPrompt {
    /// Plays one prompt.
    pub fn one(media: MediaInfo) -> Self {
        Self {
            prompts: vec![media.into()],
            client_context: None,
        }
    }
}

//! An operation on a call, as it is stored until it is known to have been done.

use serde::{Deserialize, Serialize};

use super::body::{
    Answer, CancelMedia, CreateOrGetMeeting, Invite, LogDeviceQuality, Mute, PlayPrompt, RecordResponse, Redirect,
    Reject, ScreenSharingRole, SendDtmfTones, StartHoldMusic, StopHoldMusic, SubscribeToTone, Transfer,
    UpdateRecordingStatus,
};
use crate::calls::{AudioRoutingGroup, Call, MediaConfig, NearLeg, Secret};

/// One operation on a call. Stored as JSON: `{"operation":"playPrompt","with":{..}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "with", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// Calls people, or joins a meeting.
    Create(Box<Call>),
    /// Takes an incoming call.
    Answer(Box<Answer>),
    /// Does not take an incoming call.
    Reject(Reject),
    /// Lets others ring instead.
    Redirect(Box<Redirect>),
    /// Hands the call on.
    Transfer(Box<Transfer>),
    /// Hangs up.
    Delete,
    /// Reads the call.
    Get,
    /// Keeps the call alive.
    KeepAlive,
    /// Mutes the bot.
    Mute(Mute),
    /// Unmutes the bot.
    Unmute(Mute),
    /// Makes the bot a viewer or a sharer.
    ChangeScreenSharingRole(ScreenSharingRole),
    /// Plays prompts.
    PlayPrompt(Box<PlayPrompt>),
    /// Records a short answer.
    RecordResponse(Box<RecordResponse>),
    /// Asks for the caller's keys.
    SubscribeToTone(SubscribeToTone),
    /// Presses keys.
    SendDtmfTones(SendDtmfTones),
    /// Drops prompts and recordings.
    CancelMediaProcessing(CancelMedia),
    /// Says whether the bot records.
    UpdateRecordingStatus(UpdateRecordingStatus),
    /// Adds the large gallery.
    AddLargeGalleryView(Mute),
    /// Reads the roster.
    ListParticipants,
    /// Reads one participant.
    GetParticipant(OfParticipant<()>),
    /// Invites people.
    Invite(Box<Invite>),
    /// Removes a participant.
    RemoveParticipant(OfParticipant<()>),
    /// Mutes a participant.
    MuteParticipant(OfParticipant<Mute>),
    /// Puts a participant on hold.
    StartHoldMusic(Box<OfParticipant<StartHoldMusic>>),
    /// Takes a participant off hold.
    StopHoldMusic(OfParticipant<StopHoldMusic>),
    /// Opens a private way of sound under the id that the group tells.
    CreateAudioRoutingGroup(Box<AudioRoutingGroup>),
    /// Reads all of them.
    ListAudioRoutingGroups,
    /// Reads one.
    GetAudioRoutingGroup(ById),
    /// Changes who hears whom in the group of that id.
    UpdateAudioRoutingGroup(Box<AudioRoutingGroup>),
    /// Closes one.
    DeleteAudioRoutingGroup(ById),
    /// Reads the operations on the call. In the metadata, on no page: what is read after an operation ended is not known.
    ListOperations,
    /// Reads one; known and unknown as above.
    GetOperation(ById),
    /// Reads what is shared.
    ListContentSharingSessions,
    /// Reads one sharing.
    GetContentSharingSession(ById),
    /// Reports how good the media of a conference device were; names its call in the body.
    LogTeleconferenceDeviceQuality(Box<LogDeviceQuality>),
    /// Makes a meeting of somebody, or finds it. Belongs to no call, and wants a permission of its own
    /// (`OnlineMeetings.ReadWrite.All`) with an application access policy for that somebody.
    CreateOrGetMeeting(Box<OfUser<CreateOrGetMeeting>>),
}

/// An operation on something of the call that has an id of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ById {
    /// As Graph or its creator named it.
    pub id: String,
}

/// An operation on what somebody has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OfUser<B> {
    /// Entra object id.
    pub user: String,
    /// Body of the request.
    pub body: B,
}

/// An operation on one participant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfParticipant<B> {
    /// Id of the participant.
    pub participant: String,
    /// Body of the request; `()` where there is none.
    pub body: B,
}

impl Operation {
    /// The same with a correlation key, where the operation has room for one (at most 256 characters).
    #[must_use]
    pub fn with_client_context(mut self, context: &str) -> Self {
        if let Some(place) = self.client_context_mut() {
            *place = Some(context.to_owned());
        }
        self
    }

    /// The same with the address where notifications go, where the operation has room for one.
    #[must_use]
    pub fn with_callback(mut self, uri: &str) -> Self {
        let place = match &mut self {
            Self::Create(call) => &mut call.callback_uri,
            Self::Answer(answer) => &mut answer.callback_uri,
            Self::Reject(reject) => &mut reject.callback_uri,
            Self::Redirect(redirect) => &mut redirect.callback_uri,
            _ => return self,
        };
        *place = Some(uri.to_owned());
        self
    }

    /// Whether a media host of the bot's own has still to be named in it: an answer, or a call that is made.
    pub fn wants_media_host(&self) -> bool {
        self.media_config().is_some_and(MediaConfig::wants_host)
    }

    /// The leg that the media session should be near, if the bot named one.
    pub fn near_leg(&self) -> Option<&NearLeg> {
        self.media_config()?.near.as_ref()
    }

    fn media_config(&self) -> Option<&MediaConfig> {
        match self {
            Self::Create(call) => call.media_config.as_ref(),
            Self::Answer(answer) => answer.media_config.as_ref(),
            _ => None,
        }
    }

    /// The same with what lets the peer into the media session, where the operation has room for it.
    #[must_use]
    pub fn with_media_blob(mut self, blob: Secret) -> Self {
        let config = match &mut self {
            Self::Create(call) => call.media_config.as_mut(),
            Self::Answer(answer) => answer.media_config.as_mut(),
            _ => None,
        };
        if let Some(config) = config {
            config.blob = Some(blob);
            config.near = None;
        }
        self
    }

    fn client_context_mut(&mut self) -> Option<&mut Option<String>> {
        Some(match self {
            Self::Mute(body) | Self::Unmute(body) | Self::AddLargeGalleryView(body) => &mut body.client_context,
            Self::PlayPrompt(body) => &mut body.client_context,
            Self::RecordResponse(body) => &mut body.client_context,
            Self::SubscribeToTone(body) => &mut body.client_context,
            Self::SendDtmfTones(body) => &mut body.client_context,
            Self::CancelMediaProcessing(body) => &mut body.client_context,
            Self::UpdateRecordingStatus(body) => &mut body.client_context,
            Self::Invite(body) => &mut body.client_context,
            Self::MuteParticipant(of) => &mut of.body.client_context,
            Self::StartHoldMusic(of) => &mut of.body.client_context,
            Self::StopHoldMusic(of) => &mut of.body.client_context,
            Self::Create(_)
            | Self::Answer(_)
            | Self::Reject(_)
            | Self::Redirect(_)
            | Self::Transfer(_)
            | Self::Delete
            | Self::Get
            | Self::KeepAlive
            | Self::ChangeScreenSharingRole(_)
            | Self::ListParticipants
            | Self::GetParticipant(_)
            | Self::RemoveParticipant(_)
            | Self::CreateAudioRoutingGroup(_)
            | Self::ListAudioRoutingGroups
            | Self::GetAudioRoutingGroup(_)
            | Self::UpdateAudioRoutingGroup(_)
            | Self::DeleteAudioRoutingGroup(_)
            | Self::ListOperations
            | Self::GetOperation(_)
            | Self::ListContentSharingSessions
            | Self::GetContentSharingSession(_)
            | Self::LogTeleconferenceDeviceQuality(_)
            | Self::CreateOrGetMeeting(_) => return None,
        })
    }
}

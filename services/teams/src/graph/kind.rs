//! What is known of each operation: its name, how its end is told, and whether asking twice is heard twice.

use super::operation::Operation;

/// Which operation, without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OperationKind {
    /// See [`Operation::Create`].
    Create,
    /// See [`Operation::Answer`].
    Answer,
    /// See [`Operation::Reject`].
    Reject,
    /// See [`Operation::Redirect`].
    Redirect,
    /// See [`Operation::Transfer`].
    Transfer,
    /// See [`Operation::Delete`].
    Delete,
    /// See [`Operation::Get`].
    Get,
    /// See [`Operation::KeepAlive`].
    KeepAlive,
    /// See [`Operation::Mute`].
    Mute,
    /// See [`Operation::Unmute`].
    Unmute,
    /// See [`Operation::ChangeScreenSharingRole`].
    ChangeScreenSharingRole,
    /// See [`Operation::PlayPrompt`].
    PlayPrompt,
    /// See [`Operation::RecordResponse`].
    RecordResponse,
    /// See [`Operation::SubscribeToTone`].
    SubscribeToTone,
    /// See [`Operation::SendDtmfTones`].
    SendDtmfTones,
    /// See [`Operation::CancelMediaProcessing`].
    CancelMediaProcessing,
    /// See [`Operation::UpdateRecordingStatus`].
    UpdateRecordingStatus,
    /// See [`Operation::AddLargeGalleryView`].
    AddLargeGalleryView,
    /// See [`Operation::ListParticipants`].
    ListParticipants,
    /// See [`Operation::GetParticipant`].
    GetParticipant,
    /// See [`Operation::Invite`].
    Invite,
    /// See [`Operation::RemoveParticipant`].
    RemoveParticipant,
    /// See [`Operation::MuteParticipant`].
    MuteParticipant,
    /// See [`Operation::StartHoldMusic`].
    StartHoldMusic,
    /// See [`Operation::StopHoldMusic`].
    StopHoldMusic,
    /// See [`Operation::CreateAudioRoutingGroup`].
    CreateAudioRoutingGroup,
    /// See [`Operation::ListAudioRoutingGroups`].
    ListAudioRoutingGroups,
    /// See [`Operation::GetAudioRoutingGroup`].
    GetAudioRoutingGroup,
    /// See [`Operation::UpdateAudioRoutingGroup`].
    UpdateAudioRoutingGroup,
    /// See [`Operation::DeleteAudioRoutingGroup`].
    DeleteAudioRoutingGroup,
    /// See [`Operation::ListOperations`].
    ListOperations,
    /// See [`Operation::GetOperation`].
    GetOperation,
    /// See [`Operation::ListContentSharingSessions`].
    ListContentSharingSessions,
    /// See [`Operation::GetContentSharingSession`].
    GetContentSharingSession,
    /// See [`Operation::LogTeleconferenceDeviceQuality`].
    LogTeleconferenceDeviceQuality,
    /// See [`Operation::CreateOrGetMeeting`].
    CreateOrGetMeeting,
}

/// How the end of an operation is told. Source: Graph, `commsOperation` and the page of each operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// By its answer.
    Answer,
    /// By a notification that the operation was deleted, unless the answer says that it is over.
    Notification,
    /// By a change of the call's state.
    CallState,
}

impl Operation {
    /// Which operation this is.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Create(_) => OperationKind::Create,
            Self::Answer(_) => OperationKind::Answer,
            Self::Reject(_) => OperationKind::Reject,
            Self::Redirect(_) => OperationKind::Redirect,
            Self::Transfer(_) => OperationKind::Transfer,
            Self::Delete => OperationKind::Delete,
            Self::Get => OperationKind::Get,
            Self::KeepAlive => OperationKind::KeepAlive,
            Self::Mute(_) => OperationKind::Mute,
            Self::Unmute(_) => OperationKind::Unmute,
            Self::ChangeScreenSharingRole(_) => OperationKind::ChangeScreenSharingRole,
            Self::PlayPrompt(_) => OperationKind::PlayPrompt,
            Self::RecordResponse(_) => OperationKind::RecordResponse,
            Self::SubscribeToTone(_) => OperationKind::SubscribeToTone,
            Self::SendDtmfTones(_) => OperationKind::SendDtmfTones,
            Self::CancelMediaProcessing(_) => OperationKind::CancelMediaProcessing,
            Self::UpdateRecordingStatus(_) => OperationKind::UpdateRecordingStatus,
            Self::AddLargeGalleryView(_) => OperationKind::AddLargeGalleryView,
            Self::ListParticipants => OperationKind::ListParticipants,
            Self::GetParticipant(_) => OperationKind::GetParticipant,
            Self::Invite(_) => OperationKind::Invite,
            Self::RemoveParticipant(_) => OperationKind::RemoveParticipant,
            Self::MuteParticipant(_) => OperationKind::MuteParticipant,
            Self::StartHoldMusic(_) => OperationKind::StartHoldMusic,
            Self::StopHoldMusic(_) => OperationKind::StopHoldMusic,
            Self::CreateAudioRoutingGroup(_) => OperationKind::CreateAudioRoutingGroup,
            Self::ListAudioRoutingGroups => OperationKind::ListAudioRoutingGroups,
            Self::GetAudioRoutingGroup(_) => OperationKind::GetAudioRoutingGroup,
            Self::UpdateAudioRoutingGroup(_) => OperationKind::UpdateAudioRoutingGroup,
            Self::DeleteAudioRoutingGroup(_) => OperationKind::DeleteAudioRoutingGroup,
            Self::ListOperations => OperationKind::ListOperations,
            Self::GetOperation(_) => OperationKind::GetOperation,
            Self::ListContentSharingSessions => OperationKind::ListContentSharingSessions,
            Self::GetContentSharingSession(_) => OperationKind::GetContentSharingSession,
            Self::LogTeleconferenceDeviceQuality(_) => OperationKind::LogTeleconferenceDeviceQuality,
            Self::CreateOrGetMeeting(_) => OperationKind::CreateOrGetMeeting,
        }
    }
}

impl OperationKind {
    /// Every kind, for tables and metrics.
    pub const ALL: [Self; 36] = [
        Self::Create,
        Self::Answer,
        Self::Reject,
        Self::Redirect,
        Self::Transfer,
        Self::Delete,
        Self::Get,
        Self::KeepAlive,
        Self::Mute,
        Self::Unmute,
        Self::ChangeScreenSharingRole,
        Self::PlayPrompt,
        Self::RecordResponse,
        Self::SubscribeToTone,
        Self::SendDtmfTones,
        Self::CancelMediaProcessing,
        Self::UpdateRecordingStatus,
        Self::AddLargeGalleryView,
        Self::ListParticipants,
        Self::GetParticipant,
        Self::Invite,
        Self::RemoveParticipant,
        Self::MuteParticipant,
        Self::StartHoldMusic,
        Self::StopHoldMusic,
        Self::CreateAudioRoutingGroup,
        Self::ListAudioRoutingGroups,
        Self::GetAudioRoutingGroup,
        Self::UpdateAudioRoutingGroup,
        Self::DeleteAudioRoutingGroup,
        Self::ListOperations,
        Self::GetOperation,
        Self::ListContentSharingSessions,
        Self::GetContentSharingSession,
        Self::LogTeleconferenceDeviceQuality,
        Self::CreateOrGetMeeting,
    ];

    /// Name in Graph's documentation, stored state, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Answer => "answer",
            Self::Reject => "reject",
            Self::Redirect => "redirect",
            Self::Transfer => "transfer",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::KeepAlive => "keepAlive",
            Self::Mute => "mute",
            Self::Unmute => "unmute",
            Self::ChangeScreenSharingRole => "changeScreenSharingRole",
            Self::PlayPrompt => "playPrompt",
            Self::RecordResponse => "recordResponse",
            Self::SubscribeToTone => "subscribeToTone",
            Self::SendDtmfTones => "sendDtmfTones",
            Self::CancelMediaProcessing => "cancelMediaProcessing",
            Self::UpdateRecordingStatus => "updateRecordingStatus",
            Self::AddLargeGalleryView => "addLargeGalleryView",
            Self::ListParticipants => "listParticipants",
            Self::GetParticipant => "getParticipant",
            Self::Invite => "invite",
            Self::RemoveParticipant => "removeParticipant",
            Self::MuteParticipant => "muteParticipant",
            Self::StartHoldMusic => "startHoldMusic",
            Self::StopHoldMusic => "stopHoldMusic",
            Self::CreateAudioRoutingGroup => "createAudioRoutingGroup",
            Self::ListAudioRoutingGroups => "listAudioRoutingGroups",
            Self::GetAudioRoutingGroup => "getAudioRoutingGroup",
            Self::UpdateAudioRoutingGroup => "updateAudioRoutingGroup",
            Self::DeleteAudioRoutingGroup => "deleteAudioRoutingGroup",
            Self::ListOperations => "listOperations",
            Self::GetOperation => "getOperation",
            Self::ListContentSharingSessions => "listContentSharingSessions",
            Self::GetContentSharingSession => "getContentSharingSession",
            Self::LogTeleconferenceDeviceQuality => "logTeleconferenceDeviceQuality",
            Self::CreateOrGetMeeting => "createOrGetMeeting",
        }
    }

    /// The kind of that [name](Self::name).
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// How its end is told.
    pub fn completion(self) -> Completion {
        match self {
            Self::Create | Self::Answer | Self::Reject | Self::Redirect | Self::Transfer | Self::Delete => {
                Completion::CallState
            }
            Self::PlayPrompt
            | Self::RecordResponse
            | Self::SendDtmfTones
            | Self::AddLargeGalleryView
            | Self::Invite
            | Self::StartHoldMusic
            | Self::StopHoldMusic => Completion::Notification,
            Self::Get
            | Self::KeepAlive
            | Self::Mute
            | Self::Unmute
            | Self::ChangeScreenSharingRole
            | Self::SubscribeToTone
            | Self::CancelMediaProcessing
            | Self::UpdateRecordingStatus
            | Self::ListParticipants
            | Self::GetParticipant
            | Self::RemoveParticipant
            | Self::MuteParticipant
            | Self::CreateAudioRoutingGroup
            | Self::ListAudioRoutingGroups
            | Self::GetAudioRoutingGroup
            | Self::UpdateAudioRoutingGroup
            | Self::DeleteAudioRoutingGroup
            | Self::ListOperations
            | Self::GetOperation
            | Self::ListContentSharingSessions
            | Self::GetContentSharingSession
            | Self::LogTeleconferenceDeviceQuality
            | Self::CreateOrGetMeeting => Completion::Answer,
        }
    }

    /// Whether asking twice does what asking once does, so that a request in doubt may be sent again.
    pub fn may_repeat(self) -> bool {
        !matches!(
            self,
            Self::Create
                | Self::Transfer
                | Self::PlayPrompt
                | Self::RecordResponse
                | Self::SendDtmfTones
                | Self::AddLargeGalleryView
                | Self::Invite
                | Self::CreateAudioRoutingGroup
                | Self::LogTeleconferenceDeviceQuality
        )
    }

    /// Whether its answer is all that it is for.
    #[cfg(feature = "clients")]
    pub(super) fn is_read(self) -> bool {
        matches!(
            self,
            Self::Get
                | Self::ListParticipants
                | Self::GetParticipant
                | Self::ListAudioRoutingGroups
                | Self::GetAudioRoutingGroup
                | Self::ListOperations
                | Self::GetOperation
                | Self::ListContentSharingSessions
                | Self::GetContentSharingSession
                | Self::CreateOrGetMeeting
        )
    }

    /// Whether nothing that anybody hears or sees depends on whether it was done.
    #[cfg(feature = "clients")]
    pub(super) fn changes_nothing(self) -> bool {
        (self.is_read() && self != Self::CreateOrGetMeeting) || self == Self::KeepAlive
    }
}

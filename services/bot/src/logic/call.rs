//! The part of the boundary that is about calls: what happens in one, and what a bot asks of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trunkline_teams::calls::{
    CallDirection, CallState, ChatInfo, CommsOperation, IdentitySet, IncomingContext, InvitationParticipantInfo,
    MeetingInfo, Modality, Participant, ParticipantInfo, ResultInfo, Tone,
};
use trunkline_teams::graph::OperationKind;

use super::hosted::{CallLeg, HostedOperation, RecordingTold, TroubleTold};

/// A call as its bot sees it when a turn begins: everything that is remembered of it.
#[derive(Clone, Debug, PartialEq)]
pub struct CallNow {
    /// Names the call's actor, for ever: our own for a call that the bot began, Graph's id for one that came in.
    pub key: String,
    /// Graph's id; `None` until Graph has told it.
    pub id: Option<String>,
    /// Entra tenant of the call.
    pub tenant: String,
    /// Where it stands.
    pub state: CallState,
    /// Whether prompts can be heard.
    pub is_audio_active: bool,
    /// Time to decide, while it rings; already counted from the receipt of the notification.
    pub decide_within: Option<Duration>,
    /// Who began it, who takes part, and what it is about.
    pub about: CallAbout,
    /// The roster as last told; empty in peer-to-peer calls.
    pub present: Vec<Participant>,
    /// Where its sound is, while a media host of ours carries it.
    pub leg: Option<CallLeg>,
}

/// What does not change in a call. Stored with it as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallAbout {
    /// Who began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<CallDirection>,
    /// One for all legs of a conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_chain_id: Option<String>,
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ParticipantInfo>,
    /// Who is called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<InvitationParticipantInfo>,
    /// Which media were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requested_modalities: Vec<Modality>,
    /// The chat beside it: with `meeting_info` it lets a bot join again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_info: Option<ChatInfo>,
    /// The meeting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meeting_info: Option<MeetingInfo>,
    /// The bot's own participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub my_participant_id: Option<String>,
    /// How an incoming call came about; an observed participant means an invitation to record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incoming_context: Option<IncomingContext>,
    /// What a recording invitation says of the person and of other recorders, as it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_metadata: Option<serde_json::Value>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// What happened in a call. Each is told once. Stored as JSON until its turn has committed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "of", rename_all = "camelCase")]
#[non_exhaustive]
pub enum CallEvent {
    /// Somebody calls: the turn's effects must hold an answer, a reject or a redirect.
    Incoming,
    /// Established and audio active.
    Connected,
    /// A key was pressed.
    Tone(Tone),
    /// An operation ended.
    OperationEnded(Box<OperationEnd>),
    /// These came: differences of the roster.
    Joined(Vec<Participant>),
    /// These went.
    Left(Vec<Participant>),
    /// Their microphones went off or on, as each says.
    Muted(Vec<Participant>),
    /// The bot itself waits in the lobby, or was let in (`false`).
    Lobby(bool),
    /// The call is established again after a transfer that failed.
    TransferFailed(ResultInfo),
    /// Nobody knows whether the call was made; it is not made again.
    InDoubt,
    /// Somebody shares content, under this id of a session. Only where the call's options asked for it.
    SharingStarted(String),
    /// Nobody shares the content of that session any more.
    SharingEnded(String),
    /// Another person of the recording policy joins, and is recorded by this call. Only where its answer had room for several.
    RecordedJoins(Box<CallAbout>),
    /// A recorded person left.
    RecordedLeft(RecordedLeft),
    /// The media host that carried the sound is gone, or the leg there ended; the text says why. The call goes on without sound.
    MediaLost(String),
    /// The media host that carries the sound is about to end, in so many milliseconds: then the sound is lost.
    MediaEnds(u64),
    /// Somebody began to speak (`true`), or fell silent half a second ago. Only calls whose sound a media host of ours carries.
    Speech(bool),
    /// Something is wrong with the sound, or not any more. Only calls whose sound a media host of ours carries.
    Trouble(TroubleTold),
    /// The other call of the bridge ended, or its bot used it otherwise.
    BridgeEnded,
    /// Something about the recording of the call by a media host of ours.
    Recording(Box<RecordingTold>),
    /// Over. The last event of a call.
    Ended(CallEnd),
}

impl CallEvent {
    /// Whether it tells a call whose sound is lost that nothing is under way which would bring it back: a bot that does not listen to it
    /// hangs up then.
    pub fn leaves_no_sound(&self) -> bool {
        match self {
            Self::MediaLost(_) => true,
            Self::OperationEnded(end) => {
                end.operation == HostedOperation::REOPEN && !matches!(end.outcome, OperationOutcome::Completed(_))
            }
            _ => false,
        }
    }
}

/// A recorded person who left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedLeft {
    /// Who, as the roster and the invitation name the participant.
    pub participant: String,
    /// Graph's codes, where it told any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultInfo>,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationEnd {
    /// The key that the effect gave.
    pub key: String,
    /// [`OperationKind::name`], or that of a [`super::HostedOperation`].
    pub operation: String,
    /// What became of it.
    pub outcome: OperationOutcome,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "of", rename_all = "camelCase")]
pub enum OperationOutcome {
    /// Done, with what Graph told of it.
    Completed(Box<CommsOperation>),
    /// Graph took it and says that it failed.
    Failed(Box<CommsOperation>),
    /// Graph did not take it.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `error.code` of the answer: a word, or a number of the calling service.
        code: String,
        /// `error.message` of the answer.
        message: String,
    },
    /// No answer and no notification in time, or the call ended first.
    Unknown,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEnd {
    /// Who ended it.
    pub by: EndedBy,
    /// Graph's codes, where it told any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultInfo>,
}

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EndedBy {
    /// It had gone when Graph was asked for it.
    Unknown,
    /// The bot.
    Bot,
    /// A person.
    Person,
    /// Teams.
    Service,
}

/// What a calling bot says of itself at start, beside its routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallsDescription {
    /// Whether it takes incoming calls.
    pub answers: bool,
    /// Whether it wants the caller's keys: the host subscribes to them.
    pub wants_tones: bool,
    /// Whether it wants to know when the caller speaks: a media host listens for it.
    pub wants_speech: bool,
    /// Whether it listens to the sound of its calls itself.
    pub listens: bool,
    /// And says nothing there.
    pub hears_only: bool,
}

impl CallNow {
    /// Whether it is a group call or a meeting: only these have a chat, a meeting or a roster.
    pub fn is_of_several(&self) -> bool {
        self.about.chat_info.is_some()
            || self.about.meeting_info.is_some()
            || self.about.targets.len() > 1
            || !self.present.is_empty()
    }
}

impl CallAbout {
    /// Who calls, if the call came in.
    pub fn caller(&self) -> Option<&IdentitySet> {
        let came_in = self.direction == Some(CallDirection::Incoming);
        self.source.as_ref().filter(|_| came_in)?.identity.as_ref()
    }

    /// The participant whose presence a recording invitation is about; `None` if this is no such invitation.
    pub fn observed_participant(&self) -> Option<&str> {
        self.incoming_context.as_ref()?.observed_participant_id.as_deref()
    }
}

impl OperationEnd {
    /// Which operation; `None` for one that this build does not know.
    pub fn kind(&self) -> Option<OperationKind> {
        OperationKind::by_name(&self.operation)
    }
}

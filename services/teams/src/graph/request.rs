//! The HTTP request of an operation.

use bytes::Bytes;
use serde::Serialize;

use super::operation::Operation;

const GROUPS: &str = "audioRoutingGroups";
const SESSIONS: &str = "contentSharingSessions";

/// Method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks.
    Post,
    /// Changes what is named.
    Patch,
    /// Ends or removes.
    Delete,
}

/// The HTTP request of an operation, without host and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Path below Graph's base address, segment by segment and unescaped: `communications`, `calls`, ..
    pub segments: Vec<String>,
    /// JSON; `None` where the operation takes none.
    pub body: Option<Bytes>,
}

impl Operation {
    /// The request for a call of that Graph id. [`Operation::Create`], [`Operation::LogTeleconferenceDeviceQuality`] and
    /// [`Operation::CreateOrGetMeeting`] need none.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    pub fn request(&self, call: Option<&str>) -> Result<Request, serde_json::Error> {
        let calls = ["communications", "calls"];
        let whole = [calls[0], calls[1], call.unwrap_or_default()];
        let post = |action: &str, body| Ok(Request::new(Method::Post, &whole, &[action], Some(body)));
        let of = |participant: &str, action: &str, body| {
            let below = ["participants", participant, action];
            Ok(Request::new(Method::Post, &whole, &below, Some(body)))
        };
        let bare = |method, below: &[&str]| Ok(Request::new(method, &whole, below, None));
        match self {
            Self::Create(call) => Ok(Request::new(Method::Post, &calls, &[], Some(json(call)?))),
            Self::Answer(body) => post("answer", json(body)?),
            Self::Reject(body) => post("reject", json(body)?),
            Self::Redirect(body) => post("redirect", json(body)?),
            Self::Transfer(body) => post("transfer", json(body)?),
            Self::Delete => bare(Method::Delete, &[]),
            Self::Get => bare(Method::Get, &[]),
            Self::KeepAlive => bare(Method::Post, &["keepAlive"]),
            Self::Mute(body) => post("mute", json(body)?),
            Self::Unmute(body) => post("unmute", json(body)?),
            Self::ChangeScreenSharingRole(body) => post("changeScreenSharingRole", json(body)?),
            Self::PlayPrompt(body) => post("playPrompt", json(body)?),
            Self::RecordResponse(body) => post("recordResponse", json(body)?),
            Self::SubscribeToTone(body) => post("subscribeToTone", json(body)?),
            Self::SendDtmfTones(body) => post("sendDtmfTones", json(body)?),
            Self::CancelMediaProcessing(body) => post("cancelMediaProcessing", json(body)?),
            Self::UpdateRecordingStatus(body) => post("updateRecordingStatus", json(body)?),
            Self::AddLargeGalleryView(body) => post("addLargeGalleryView", json(body)?),
            Self::ListParticipants => bare(Method::Get, &["participants"]),
            Self::GetParticipant(who) => bare(Method::Get, &["participants", &who.participant]),
            Self::Invite(body) => {
                let below = ["participants", "invite"];
                Ok(Request::new(Method::Post, &whole, &below, Some(json(body)?)))
            }
            Self::RemoveParticipant(who) => bare(Method::Delete, &["participants", &who.participant]),
            Self::MuteParticipant(who) => of(&who.participant, "mute", json(&who.body)?),
            Self::StartHoldMusic(who) => of(&who.participant, "startHoldMusic", json(&who.body)?),
            Self::StopHoldMusic(who) => of(&who.participant, "stopHoldMusic", json(&who.body)?),
            Self::CreateAudioRoutingGroup(group) => post(GROUPS, json(group)?),
            Self::ListAudioRoutingGroups => bare(Method::Get, &[GROUPS]),
            Self::GetAudioRoutingGroup(group) => bare(Method::Get, &[GROUPS, &group.id]),
            Self::UpdateAudioRoutingGroup(group) => {
                let below = [GROUPS, group.id.as_deref().unwrap_or_default()];
                Ok(Request::new(Method::Patch, &whole, &below, Some(json(group)?)))
            }
            Self::DeleteAudioRoutingGroup(group) => bare(Method::Delete, &[GROUPS, &group.id]),
            Self::ListOperations => bare(Method::Get, &["operations"]),
            Self::GetOperation(operation) => bare(Method::Get, &["operations", &operation.id]),
            Self::ListContentSharingSessions => bare(Method::Get, &[SESSIONS]),
            Self::GetContentSharingSession(session) => bare(Method::Get, &[SESSIONS, &session.id]),
            Self::LogTeleconferenceDeviceQuality(body) => {
                let below = ["logTeleconferenceDeviceQuality"];
                Ok(Request::new(Method::Post, &calls, &below, Some(json(body)?)))
            }
            Self::CreateOrGetMeeting(of) => {
                let root = ["users", of.user.as_str(), "onlineMeetings", "createOrGet"];
                Ok(Request::new(Method::Post, &root, &[], Some(json(&of.body)?)))
            }
        }
    }
}

impl Request {
    fn new(method: Method, root: &[&str], below: &[&str], body: Option<Bytes>) -> Self {
        let segments = root.iter().chain(below);
        Self {
            method,
            segments: segments.map(|&segment| segment.to_owned()).collect(),
            body,
        }
    }
}

fn json<B: Serialize>(body: &B) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(body).map(Bytes::from)
}

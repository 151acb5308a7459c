//! The HTTP request of an operation.

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::operation::Operation;

/// What a path segment may not hold as it is.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'?')
    .add(b'\\')
    .add(b'<')
    .add(b'>');

/// Method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Asks.
    Post,
    /// Ends or removes.
    Delete,
}

/// The HTTP request of an operation, without host and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Below Graph's base address: `communications/calls/..`.
    pub path: String,
    /// JSON; `None` where the operation takes none.
    pub body: Option<Bytes>,
}

impl Operation {
    /// The request for a call of that Graph id; [`Operation::Create`] needs none.
    ///
    /// # Errors
    /// If the body cannot be written as JSON.
    pub fn request(&self, call: Option<&str>) -> Result<Request, serde_json::Error> {
        let call = segment(call.unwrap_or_default());
        let root = format!("communications/calls/{call}");
        let post = |action: &str, body| Ok(Request::post(format!("{root}/{action}"), Some(body)));
        let bare = |action: &str| Ok(Request::post(format!("{root}/{action}"), None));
        let of = |participant: &str| format!("{root}/participants/{}", segment(participant));
        match self {
            Self::Create(call) => Ok(Request::post("communications/calls".to_owned(), Some(json(call)?))),
            Self::Answer(body) => post("answer", json(body)?),
            Self::Reject(body) => post("reject", json(body)?),
            Self::Redirect(body) => post("redirect", json(body)?),
            Self::Transfer(body) => post("transfer", json(body)?),
            Self::Delete => Ok(Request::bare(Method::Delete, root)),
            Self::Get => Ok(Request::bare(Method::Get, root)),
            Self::KeepAlive => bare("keepAlive"),
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
            Self::ListParticipants => Ok(Request::bare(Method::Get, format!("{root}/participants"))),
            Self::GetParticipant(who) => Ok(Request::bare(Method::Get, of(&who.participant))),
            Self::Invite(body) => post("participants/invite", json(body)?),
            Self::RemoveParticipant(who) => Ok(Request::bare(Method::Delete, of(&who.participant))),
            Self::MuteParticipant(who) => Ok(Request::post(
                format!("{}/mute", of(&who.participant)),
                Some(json(&who.body)?),
            )),
            Self::StartHoldMusic(who) => Ok(Request::post(
                format!("{}/startHoldMusic", of(&who.participant)),
                Some(json(&who.body)?),
            )),
            Self::StopHoldMusic(who) => Ok(Request::post(
                format!("{}/stopHoldMusic", of(&who.participant)),
                Some(json(&who.body)?),
            )),
        }
    }
}

impl Request {
    fn post(path: String, body: Option<Bytes>) -> Self {
        Self {
            method: Method::Post,
            path,
            body,
        }
    }

    fn bare(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            body: None,
        }
    }
}

fn json<B: Serialize>(body: &B) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(body).map(Bytes::from)
}

fn segment(id: &str) -> String {
    utf8_percent_encode(id, SEGMENT).to_string()
}

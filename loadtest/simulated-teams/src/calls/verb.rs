//! Which operation a path names.

use super::refusal::Refusal;

/// The prefix that Microsoft's .NET library gives to actions (observed).
const NAMESPACE: &str = "microsoft.graph.";

/// An operation that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Get,
    Delete,
    Answer,
    Reject,
    Redirect,
    Transfer,
    KeepAlive,
    Mute,
    Unmute,
    ChangeScreenSharingRole,
    PlayPrompt,
    RecordResponse,
    SubscribeToTone,
    SendDtmfTones,
    CancelMediaProcessing,
    UpdateRecordingStatus,
    AddLargeGalleryView,
    ListParticipants,
    GetParticipant,
    Invite,
    RemoveParticipant,
    MuteParticipant,
    StartHoldMusic,
    StopHoldMusic,
}

/// Actions on a call, with the names of their paths.
const ACTIONS: [(&str, Verb); 16] = [
    ("answer", Verb::Answer),
    ("reject", Verb::Reject),
    ("redirect", Verb::Redirect),
    ("transfer", Verb::Transfer),
    ("keepAlive", Verb::KeepAlive),
    ("mute", Verb::Mute),
    ("unmute", Verb::Unmute),
    ("changeScreenSharingRole", Verb::ChangeScreenSharingRole),
    ("playPrompt", Verb::PlayPrompt),
    ("recordResponse", Verb::RecordResponse),
    ("subscribeToTone", Verb::SubscribeToTone),
    ("sendDtmfTones", Verb::SendDtmfTones),
    ("cancelMediaProcessing", Verb::CancelMediaProcessing),
    ("updateRecordingStatus", Verb::UpdateRecordingStatus),
    ("addLargeGalleryView", Verb::AddLargeGalleryView),
    ("invite", Verb::Invite),
];

/// Parts of the API that are real and not simulated.
const NOT_SIMULATED: [&str; 4] = [
    "operations",
    "audioRoutingGroups",
    "contentSharingSessions",
    "logTeleconferenceDeviceQuality",
];

impl Verb {
    /// The name in the path, or one like it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Delete => "delete",
            Self::ListParticipants => "listParticipants",
            Self::GetParticipant => "getParticipant",
            Self::RemoveParticipant => "removeParticipant",
            Self::MuteParticipant => "muteParticipant",
            Self::StartHoldMusic => "startHoldMusic",
            Self::StopHoldMusic => "stopHoldMusic",
            action => ACTIONS
                .iter()
                .find(|(_, verb)| *verb == action)
                .map_or("action", |(name, _)| name),
        }
    }
}

/// A path that was read.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) verb: Verb,
    pub(super) call: &'a str,
    pub(super) participant: &'a str,
}

/// Names are compared without case, as Graph does.
pub(super) fn read_path<'a>(method: &str, segments: &'a [String]) -> Result<Target<'a>, Refusal> {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let target = |verb, call, participant| {
        Ok(Target {
            verb,
            call,
            participant,
        })
    };
    match (method, names.as_slice()) {
        ("POST", []) => return target(Verb::Create, "", ""),
        ("GET", [call]) => return target(Verb::Get, call, ""),
        ("DELETE", [call]) => return target(Verb::Delete, call, ""),
        ("GET", [call, what]) if is(what, "participants") => return target(Verb::ListParticipants, call, ""),
        ("GET", [call, what, participant]) if is(what, "participants") => {
            return target(Verb::GetParticipant, call, participant);
        }
        ("DELETE", [call, what, participant]) if is(what, "participants") => {
            return target(Verb::RemoveParticipant, call, participant);
        }
        ("POST", [call, what, action]) if is(what, "participants") && is(action, "invite") => {
            return target(Verb::Invite, call, "");
        }
        ("POST", [call, what, participant, action]) if is(what, "participants") => {
            let verbs = [
                ("mute", Verb::MuteParticipant),
                ("startHoldMusic", Verb::StartHoldMusic),
                ("stopHoldMusic", Verb::StopHoldMusic),
            ];
            if let Some((_, verb)) = verbs.iter().find(|(name, _)| is(action, name)) {
                return target(*verb, call, participant);
            }
        }
        ("POST", [call, action]) => {
            let found = ACTIONS.iter().find(|(name, _)| is(action, name));
            if let Some((_, verb)) = found.filter(|(_, verb)| *verb != Verb::Invite) {
                return target(*verb, call, "");
            }
        }
        _ => {}
    }
    if names
        .iter()
        .any(|name| NOT_SIMULATED.iter().any(|other| is(name, other)))
    {
        return Err(Refusal::word(
            501,
            "NotSimulated",
            "This part of Graph is not simulated.",
        ));
    }
    Err(Refusal::word(
        404,
        "ResourceNotFound",
        "Resource not found for the segment.",
    ))
}

fn is(segment: &str, name: &str) -> bool {
    let prefix = segment.get(..NAMESPACE.len());
    let plain = match prefix {
        Some(prefix) if prefix.eq_ignore_ascii_case(NAMESPACE) => &segment[NAMESPACE.len()..],
        _ => segment,
    };
    plain.eq_ignore_ascii_case(name)
}

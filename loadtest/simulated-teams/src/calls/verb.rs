//! Which operation a path names.

use super::refusal::Refusal;

/// The prefix that Microsoft's .NET library gives to actions (observed).
const NAMESPACE: &str = "microsoft.graph.";
/// The one action that names its call in the body.
const QUALITY: &str = "logTeleconferenceDeviceQuality";

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
    CreateRoute,
    ListRoutes,
    GetRoute,
    UpdateRoute,
    DeleteRoute,
    ListOperations,
    GetOperation,
    ListSharings,
    GetSharing,
    LogDeviceQuality,
    CreateOrGetMeeting,
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
            Self::CreateRoute => "createAudioRoutingGroup",
            Self::ListRoutes => "listAudioRoutingGroups",
            Self::GetRoute => "getAudioRoutingGroup",
            Self::UpdateRoute => "updateAudioRoutingGroup",
            Self::DeleteRoute => "deleteAudioRoutingGroup",
            Self::ListOperations => "listOperations",
            Self::GetOperation => "getOperation",
            Self::ListSharings => "listContentSharingSessions",
            Self::GetSharing => "getContentSharingSession",
            Self::LogDeviceQuality => QUALITY,
            Self::CreateOrGetMeeting => "createOrGetMeeting",
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
    /// Of a meeting that is made: its organizer.
    pub(super) call: &'a str,
    /// A participant, or whatever else of the call has an id.
    pub(super) item: &'a str,
}

/// A name in the path, what is done with all of them, and with one.
type Collection = (
    &'static str,
    &'static [(&'static str, Verb)],
    &'static [(&'static str, Verb)],
);

/// What a call has of things with an id.
const COLLECTIONS: [Collection; 4] = [
    (
        "participants",
        &[("GET", Verb::ListParticipants)],
        &[("GET", Verb::GetParticipant), ("DELETE", Verb::RemoveParticipant)],
    ),
    (
        "audioRoutingGroups",
        &[("GET", Verb::ListRoutes), ("POST", Verb::CreateRoute)],
        &[
            ("GET", Verb::GetRoute),
            ("PATCH", Verb::UpdateRoute),
            ("DELETE", Verb::DeleteRoute),
        ],
    ),
    (
        "operations",
        &[("GET", Verb::ListOperations)],
        &[("GET", Verb::GetOperation)],
    ),
    (
        "contentSharingSessions",
        &[("GET", Verb::ListSharings)],
        &[("GET", Verb::GetSharing)],
    ),
];

/// Names are compared without case, as Graph does.
pub(super) fn read_path<'a>(method: &str, segments: &'a [String]) -> Result<Target<'a>, Refusal> {
    let names: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match (method, names.as_slice()) {
        ("POST", []) => Some((Verb::Create, "", "")),
        ("POST", [action]) if is(action, QUALITY) => Some((Verb::LogDeviceQuality, "", "")),
        ("GET", [call]) => Some((Verb::Get, *call, "")),
        ("DELETE", [call]) => Some((Verb::Delete, *call, "")),
        ("POST", [call, what, action]) if is(what, "participants") && is(action, "invite") => {
            Some((Verb::Invite, *call, ""))
        }
        (method, [call, what]) => {
            let of_collection = of_collection(what, |(_, whole, _)| verb_of(method, whole));
            let verb = of_collection.or_else(|| action(what).filter(|_| method == "POST"));
            verb.map(|verb| (verb, *call, ""))
        }
        (method, [call, what, item]) => {
            let verb = of_collection(what, |(_, _, each)| verb_of(method, each));
            verb.map(|verb| (verb, *call, *item))
        }
        ("POST", [call, what, participant, action]) if is(what, "participants") => {
            let verbs = [
                ("mute", Verb::MuteParticipant),
                ("startHoldMusic", Verb::StartHoldMusic),
                ("stopHoldMusic", Verb::StopHoldMusic),
            ];
            let verb = verbs.iter().find(|(name, _)| is(action, name));
            verb.map(|(_, verb)| (*verb, *call, *participant))
        }
        _ => None,
    };
    let (verb, call, item) = found.ok_or_else(unknown)?;
    Ok(Target { verb, call, item })
}

/// The same below `/users`: of meetings, what makes one or finds it.
pub(super) fn read_user_path<'a>(method: &str, segments: &'a [String]) -> Result<Target<'a>, Refusal> {
    match segments {
        [user, meetings, action] if method == "POST" && is(meetings, "onlineMeetings") && is(action, "createOrGet") => {
            Ok(Target {
                verb: Verb::CreateOrGetMeeting,
                call: user,
                item: "",
            })
        }
        _ => Err(unknown()),
    }
}

fn of_collection(name: &str, verb: impl Fn(&Collection) -> Option<Verb>) -> Option<Verb> {
    COLLECTIONS.iter().find(|(known, ..)| is(name, known)).and_then(verb)
}

fn verb_of(method: &str, verbs: &[(&str, Verb)]) -> Option<Verb> {
    let found = verbs.iter().find(|(known, _)| *known == method);
    found.map(|(_, verb)| *verb)
}

/// An action on a call; an invitation is one on its participants.
fn action(name: &str) -> Option<Verb> {
    let found = ACTIONS.iter().find(|(known, _)| is(name, known));
    found.map(|(_, verb)| *verb).filter(|verb| *verb != Verb::Invite)
}

fn unknown() -> Refusal {
    Refusal::word(404, "ResourceNotFound", "Resource not found for the segment.")
}

fn is(segment: &str, name: &str) -> bool {
    let prefix = segment.get(..NAMESPACE.len());
    let plain = match prefix {
        Some(prefix) if prefix.eq_ignore_ascii_case(NAMESPACE) => &segment[NAMESPACE.len()..],
        _ => segment,
    };
    plain.eq_ignore_ascii_case(name)
}

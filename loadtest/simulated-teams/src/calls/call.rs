//! One call as Graph keeps it.

use serde::Serialize;
use serde_json::Value;

use super::{
    lane::Lane, media::Media, operation::Operation, party::Party, recorded::Recorded, routing::Route, view::CallEvent,
    wire::Style,
};
use crate::world::people::{BotNumber, PersonNumber};

/// The number of a call in this simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallKey(pub(super) u64);

/// The number of a conference: a meeting, or a call of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConferenceKey(pub(super) usize);

/// What kind of call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CallKind {
    /// One to one.
    Peer,
    /// Several people, called or invited.
    Group,
    /// A meeting that the bot joined.
    Meeting,
    /// A recording invitation by policy.
    Recording,
}

/// Where a call stands: `callState` of Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CallState {
    /// The bot is rung.
    Incoming,
    /// The bot has answered, or rings somebody.
    Establishing,
    /// Both are in.
    Established,
    /// It is being handed on.
    Transferring,
    /// The target has picked up.
    TransferAccepted,
    /// Others ring in the bot's place.
    Redirecting,
    /// It is ending.
    Terminating,
    /// It has ended.
    Terminated,
}

impl CallState {
    /// The word of Microsoft's pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Establishing => "establishing",
            Self::Established => "established",
            Self::Transferring => "transferring",
            Self::TransferAccepted => "transferAccepted",
            Self::Redirecting => "redirecting",
            Self::Terminating => "terminating",
            Self::Terminated => "terminated",
        }
    }

    /// Whether the call ends or has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Terminating | Self::Terminated)
    }
}

/// Who set the call up, seen from the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CallDirection {
    /// Somebody called the bot.
    Incoming,
    /// The bot called, or joined.
    Outgoing,
}

impl CallDirection {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }
}

/// How a call ended: `resultInfo`, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallEnd {
    /// `code`; absent where Graph sends no `resultInfo`.
    pub code: Option<u16>,
    /// `subcode`.
    pub subcode: Option<u32>,
    /// `message`, or `terminationReason` where there is no result.
    pub message: String,
}

impl CallEnd {
    pub(super) fn new(code: u16, subcode: u32, message: &str) -> Self {
        Self {
            code: Some(code),
            subcode: Some(subcode),
            message: message.to_owned(),
        }
    }

    /// An end without `resultInfo`; `reason` may be empty.
    pub(super) fn silent(reason: &str) -> Self {
        Self {
            code: None,
            subcode: None,
            message: reason.to_owned(),
        }
    }
}

/// Somebody who is being rung for this call.
#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) number: u32,
    pub(super) party: Party,
    pub(super) why: RingPurpose,
}

/// Why somebody is rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RingPurpose {
    /// The bot calls.
    Outgoing,
    /// The bot hands the call on.
    Transfer,
    /// The bot lets others ring in its place.
    Redirect,
    /// The bot asks somebody to join; the number is the operation's.
    Invite { operation: usize },
}

/// What came of ringing somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RingOutcome {
    Answered,
    Declined,
    Busy,
    NoAnswer,
    Unreachable,
}

/// What a transfer wants.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) target: Party,
    /// The other call of the bot that the target is in.
    pub(super) replaces: Option<CallKey>,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) bot: BotNumber,
    pub(super) kind: CallKind,
    pub(super) direction: CallDirection,
    pub(super) state: CallState,
    pub(super) style: Style,
    /// Whom the bot talks to; `None` in groups and meetings.
    pub(super) other: Option<Party>,
    pub(super) conference: Option<ConferenceKey>,
    /// Whether the bot is called by its application instance, by which it may reach telephones.
    pub(super) by_instance: bool,
    pub(super) callback: Option<String>,
    pub(super) chain: String,
    pub(super) my_participant: String,
    pub(super) source: Value,
    pub(super) targets: Value,
    pub(super) modalities: Value,
    pub(super) media_config: Option<Value>,
    pub(super) chat_info: Option<Value>,
    pub(super) meeting_info: Option<Value>,
    pub(super) subject: Option<String>,
    /// Members of an incoming call that only its first notification carries.
    pub(super) invitation: Vec<(&'static str, Value)>,
    pub(super) wants_delta: bool,
    pub(super) wants_sharing: bool,
    /// Who is recorded by it, of a recording by policy.
    pub(super) recorded: Recorded,
    pub(super) routes: Vec<Route>,
    pub(super) media: Media,
    pub(super) operations: Vec<Operation>,
    pub(super) ringing: Vec<Ringing>,
    pub(super) rings: u32,
    pub(super) transfer: Option<Transfer>,
    pub(super) recording_status: Option<String>,
    /// Whether `established` goes out before `establishing`.
    pub(super) is_swapped: bool,
    /// Milliseconds since 1970.
    pub(super) keep_alive_until: u64,
    pub(super) lane: Lane,
    /// Whether `deleted` is in the lane: nothing follows it.
    pub(super) is_closed: bool,
    /// Whether all of it was sent.
    pub(super) is_settled: bool,
    pub(super) end: Option<CallEnd>,
    pub(super) redirected_to: Option<PersonNumber>,
    pub(super) transferred_to: Option<String>,
    pub(super) began: u64,
    pub(super) answered: Option<u64>,
    pub(super) ended: Option<u64>,
    pub(super) timeline: Vec<CallEvent>,
}

impl Call {
    /// A call at its beginning.
    pub(super) fn new(id: String, bot: BotNumber, direction: CallDirection, chain: String, now: u64) -> Self {
        Self {
            id,
            bot,
            kind: CallKind::Peer,
            direction,
            state: match direction {
                CallDirection::Incoming => CallState::Incoming,
                CallDirection::Outgoing => CallState::Establishing,
            },
            style: Style::Page,
            other: None,
            conference: None,
            by_instance: false,
            callback: None,
            chain,
            my_participant: String::new(),
            source: Value::Null,
            targets: Value::Array(Vec::new()),
            modalities: serde_json::json!(["audio"]),
            media_config: None,
            chat_info: None,
            meeting_info: None,
            subject: None,
            invitation: Vec::new(),
            wants_delta: false,
            wants_sharing: false,
            recorded: Recorded::default(),
            routes: Vec::new(),
            media: Media::default(),
            operations: Vec::new(),
            ringing: Vec::new(),
            rings: 0,
            transfer: None,
            recording_status: None,
            is_swapped: false,
            keep_alive_until: 0,
            lane: Lane::default(),
            is_closed: false,
            is_settled: false,
            end: None,
            redirected_to: None,
            transferred_to: None,
            began: now,
            answered: None,
            ended: None,
            timeline: Vec::new(),
        }
    }

    /// Whether it is a conference with a roster.
    pub(super) fn has_roster(&self) -> bool {
        self.conference.is_some()
    }

    /// Notes a request of the bot, a notification, or what somebody did.
    pub(super) fn note(&mut self, event: CallEvent) {
        self.timeline.push(event);
    }
}

//! What a call remembers, as it is stored.

use bytes::Bytes;
use prost::{Enumeration, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_bot::logic::{self, CallAbout, CallEnd, CallEvent, CallNow, RecordingNews};
use trunkline_teams::calls::{CallState, Participant};
use trunkline_teams::graph::Operation;

use super::kept::KeptCall;
use super::leg::Leg;
use super::timeline::{Moment, MomentKind};

/// Events that wait for their turns.
const UNTOLD: usize = 256;
/// Bytes of events that wait, beyond which none is added that may lack. One more may be as large as a roster.
const UNTOLD_BYTES: usize = 64 * 1024;

/// What a call remembers. Objects of Graph are kept as JSON: they have members that nobody here knows.
#[derive(Clone, PartialEq, Message)]
pub struct CallRecord {
    /// Entra tenant of the call.
    #[prost(string, tag = "1")]
    pub tenant: String,
    /// Graph's id, once it is known.
    #[prost(string, optional, tag = "2")]
    pub id: Option<String>,
    /// Where it stands, in Graph's word.
    #[prost(string, tag = "3")]
    pub state: String,
    /// Whether prompts can be heard.
    #[prost(bool, tag = "4")]
    pub is_audio_active: bool,
    /// Whether the bot was told that it is connected.
    #[prost(bool, tag = "5")]
    pub was_connected: bool,
    /// Number of the last tone: Graph numbers them upwards.
    #[prost(int64, optional, tag = "6")]
    pub last_tone: Option<i64>,
    /// [`CallAbout`].
    #[prost(bytes = "bytes", tag = "7")]
    pub about: Bytes,
    /// Each [`Participant`] of the roster.
    #[prost(bytes = "bytes", repeated, tag = "8")]
    pub present: Vec<Bytes>,
    /// Number of the last change of the roster, where Graph sends changes.
    #[prost(int64, optional, tag = "9")]
    pub roster_sequence: Option<i64>,
    /// Whether the bot itself waits in the lobby.
    #[prost(bool, tag = "10")]
    pub is_in_lobby: bool,
    /// Operations without an end.
    #[prost(message, repeated, tag = "11")]
    pub pending: Vec<Pending>,
    /// What the bot has not been told yet, in order.
    #[prost(message, repeated, tag = "12")]
    pub events: Vec<Queued>,
    /// Number of the next of them.
    #[prost(uint64, tag = "13")]
    pub next_event: u64,
    /// Operations of the host itself that are to be asked.
    #[prost(message, repeated, tag = "14")]
    pub own: Vec<Own>,
    /// Number of the next of them.
    #[prost(uint64, tag = "15")]
    pub next_own: u64,
    /// Until when an incoming call waits for its decision, in milliseconds since 1970; 0 for none.
    #[prost(fixed64, tag = "16")]
    pub decide_by_ms: u64,
    /// Whether a decision was committed, or none will be.
    #[prost(bool, tag = "17")]
    pub is_decided: bool,
    /// Whether it invites to record somebody by policy.
    #[prost(bool, tag = "18")]
    pub is_recording_invitation: bool,
    /// When Graph is next told that the call is wanted, in milliseconds since 1970; 0 for never.
    #[prost(fixed64, tag = "19")]
    pub keep_alive_ms: u64,
    /// When Graph is next asked how the call stands, in milliseconds since 1970; 0 for never.
    #[prost(fixed64, tag = "20")]
    pub look_ms: u64,
    /// Times that Graph was asked so since it last told something.
    #[prost(uint32, tag = "21")]
    pub looks: u32,
    /// How the call stands in the book of simultaneous calls.
    #[prost(enumeration = "Lease", tag = "22")]
    pub lease: i32,
    /// When it came or was asked for, in milliseconds since 1970.
    #[prost(fixed64, tag = "23")]
    pub began_ms: u64,
    /// When it was first connected, in milliseconds since 1970; 0 for never.
    #[prost(fixed64, tag = "24")]
    pub connected_ms: u64,
    /// How it ended.
    #[prost(message, optional, tag = "25")]
    pub ended: Option<EndedRecord>,
    /// Whether we asked for the end and Graph took it.
    #[prost(bool, tag = "26")]
    pub is_ending: bool,
    /// Whether an operator asked for the end.
    #[prost(bool, tag = "27")]
    pub by_operator: bool,
    /// Whether the bot began it.
    #[prost(bool, tag = "28")]
    pub is_outgoing: bool,
    /// Names the call in Graph's logs: the id of its chain.
    #[prost(string, tag = "29")]
    pub scenario: String,
    /// Which process wrote this.
    #[prost(fixed64, tag = "30")]
    pub owner: u64,
    /// What happened, the newest last, without what lies between the beginning and the end where it was too much.
    #[prost(message, repeated, tag = "31")]
    pub timeline: Vec<Moment>,
    /// Content that is shared: ids of sessions.
    #[prost(string, repeated, tag = "40")]
    pub sharings: Vec<String>,
    /// People who joined to be recorded by this call: ids of participants.
    #[prost(string, repeated, tag = "41")]
    pub recorded: Vec<String>,
    /// People of those, and the first one, who left.
    #[prost(string, repeated, tag = "42")]
    pub recorded_left: Vec<String>,
    /// The leg at a media host of ours that carries the sound, where Graph does not. Builds of format 2 would ask Graph instead.
    #[prost(message, optional, tag = "32")]
    pub leg: Option<Leg>,
    /// Recordings of the call that the bot asked for and that go on. Builds of format 3 would forget them.
    #[prost(message, repeated, tag = "43")]
    pub kept: Vec<KeptCall>,
}

/// An operation of which no end is known.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Pending {
    /// Its key, and its client context where it has room for one.
    #[prost(string, tag = "1")]
    pub key: String,
    /// [`trunkline_teams::graph::OperationKind::name`], or that of a [`trunkline_bot::logic::HostedOperation`].
    #[prost(string, tag = "2")]
    pub kind: String,
    /// When it is given up, in milliseconds since 1970; 0 while it has not left.
    #[prost(fixed64, tag = "3")]
    pub until_ms: u64,
    /// How long it may take from then on, in milliseconds.
    #[prost(uint64, tag = "4")]
    pub budget_ms: u64,
    /// Graph's id of it, where the answer told one.
    #[prost(string, tag = "5")]
    pub operation_id: String,
    /// It is asked of the call's leg: its id is the command's number.
    #[prost(bool, tag = "6")]
    pub is_of_leg: bool,
}

/// Something that the bot has not been told yet.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Queued {
    /// Names it in its call.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// What it is.
    #[prost(enumeration = "QueuedKind", tag = "2")]
    pub kind: i32,
    /// A [`CallEvent`], or the payload of a signal.
    #[prost(bytes = "bytes", tag = "3")]
    pub body: Bytes,
    /// Name of the signal; of an event its own, for people.
    #[prost(string, tag = "4")]
    pub name: String,
    /// Key of the signal.
    #[prost(string, tag = "5")]
    pub key: String,
    /// When it happened, in milliseconds since 1970.
    #[prost(fixed64, tag = "6")]
    pub at_ms: u64,
    /// Trace context of what brought it.
    #[prost(string, tag = "7")]
    pub traceparent: String,
}

/// What the bot is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum QueuedKind {
    /// Something that happened in the call.
    Event = 0,
    /// What the call was begun with.
    Signal = 1,
}

/// An operation of the host itself: all of them may be asked twice.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Own {
    /// Names it in its call.
    #[prost(uint64, tag = "1")]
    pub number: u64,
    /// An [`Operation`].
    #[prost(bytes = "bytes", tag = "2")]
    pub operation: Bytes,
    /// When it is given up, in milliseconds since 1970.
    #[prost(fixed64, tag = "3")]
    pub until_ms: u64,
}

/// How a call stands in the book of simultaneous calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum Lease {
    /// Not asked for.
    None = 0,
    /// To be taken: nothing else happens before.
    Wanted = 1,
    /// The call counts.
    Held = 2,
    /// The call has ended: to be given back and written down.
    Closing = 3,
    /// Given back.
    Closed = 4,
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EndedRecord {
    /// When, in milliseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub at_ms: u64,
    /// Who ended it.
    #[prost(enumeration = "EndedBy", tag = "2")]
    pub by: i32,
    /// A [`trunkline_teams::calls::ResultInfo`]; empty where Graph told none.
    #[prost(bytes = "bytes", tag = "3")]
    pub result: Bytes,
}

/// Who ended a call, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum EndedBy {
    /// It had gone when Graph was asked for it.
    Unknown = 0,
    /// The bot.
    Bot = 1,
    /// A person.
    Person = 2,
    /// Teams.
    Service = 3,
}

impl From<EndedBy> for logic::EndedBy {
    fn from(by: EndedBy) -> Self {
        match by {
            EndedBy::Unknown => Self::Unknown,
            EndedBy::Bot => Self::Bot,
            EndedBy::Person => Self::Person,
            EndedBy::Service => Self::Service,
        }
    }
}

impl CallRecord {
    /// Where it stands.
    pub fn state(&self) -> CallState {
        CallState::from(self.state.as_str())
    }

    pub(super) fn set_state(&mut self, state: &CallState) {
        state.as_str().clone_into(&mut self.state);
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.state() == CallState::Terminated
    }

    /// Whether it rings and nobody has decided yet.
    pub fn waits_for_decision(&self) -> bool {
        self.decide_by_ms > 0 && !self.is_decided && !self.is_over()
    }

    /// Who began it, who takes part, and what it is about.
    pub fn about(&self) -> CallAbout {
        from_json(&self.about).unwrap_or_default()
    }

    pub(super) fn set_about(&mut self, about: &CallAbout) {
        self.about = to_json(about);
    }

    /// The roster as last told.
    pub fn roster(&self) -> Vec<Participant> {
        self.present.iter().filter_map(from_json).collect()
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<CallEnd> {
        let ended = self.ended.as_ref()?;
        Some(CallEnd {
            by: ended.by().into(),
            result: from_json(&ended.result),
        })
    }

    /// The call as its bot sees it.
    pub fn now(&self, key: &str, now_ms: u64) -> CallNow {
        let left = self.decide_by_ms.saturating_sub(now_ms);
        CallNow {
            key: key.to_owned(),
            id: self.id.clone(),
            tenant: self.tenant.clone(),
            state: self.state(),
            is_audio_active: self.is_audio_active,
            decide_within: self
                .waits_for_decision()
                .then(|| std::time::Duration::from_millis(left)),
            about: self.about(),
            present: self.roster(),
            leg: self.open_leg(),
        }
    }

    /// Puts an event behind those that the bot has not been told yet. One that only tells who is there or which key was pressed
    /// is left out while a handler keeps more of them waiting than a record can hold.
    pub fn queue(&mut self, event: &CallEvent, traceparent: &str, now_ms: u64) {
        let name = name_of(event).to_owned();
        let waiting: usize = self.events.iter().map(|queued| queued.body.len()).sum();
        let is_full = waiting > UNTOLD_BYTES || self.events.len() >= UNTOLD;
        let may_lack = match event {
            CallEvent::Joined(_)
            | CallEvent::Left(_)
            | CallEvent::Muted(_)
            | CallEvent::Tone(_)
            | CallEvent::Speech(_)
            | CallEvent::Trouble(_) => true,
            CallEvent::Recording(told) => matches!(told.news, RecordingNews::Gap { .. }),
            _ => false,
        };
        if is_full && may_lack {
            self.note(MomentKind::Host, format!("{name} is not told: too much waits"), now_ms);
            return;
        }
        self.push_queued(
            QueuedKind::Event,
            to_json(event),
            (name, String::new()),
            traceparent,
            now_ms,
        );
    }

    /// Puts a signal there.
    pub fn queue_signal(&mut self, name: String, key: String, payload: Bytes, traceparent: &str, now_ms: u64) {
        self.push_queued(QueuedKind::Signal, payload, (name, key), traceparent, now_ms);
    }

    fn push_queued(
        &mut self,
        kind: QueuedKind,
        body: Bytes,
        (name, key): (String, String),
        traceparent: &str,
        at_ms: u64,
    ) {
        let number = self.next_event;
        self.next_event += 1;
        self.events.push(Queued {
            number,
            kind: kind as i32,
            body,
            name,
            key,
            at_ms,
            traceparent: traceparent.to_owned(),
        });
    }

    /// The bot was told, or will be from elsewhere.
    pub fn told(&mut self, number: u64) {
        self.events.retain(|queued| queued.number != number);
    }

    /// An operation of the host is to be asked until then. Its number.
    pub fn wants(&mut self, operation: &Operation, until_ms: u64) -> u64 {
        self.want_leg_for(operation);
        let number = self.next_own;
        self.next_own += 1;
        self.own.push(Own {
            number,
            operation: to_json(operation),
            until_ms,
        });
        number
    }
}

impl Queued {
    /// The event; `None` for a signal, and for an event of a newer build.
    pub fn event(&self) -> Option<CallEvent> {
        (self.kind() == QueuedKind::Event).then(|| from_json(&self.body))?
    }
}

impl Own {
    /// The operation; `None` for one of a newer build.
    pub fn operation(&self) -> Option<Operation> {
        from_json(&self.operation)
    }
}

/// For people: the event's name as it is stored.
pub fn name_of(event: &CallEvent) -> &'static str {
    match event {
        CallEvent::Incoming => "incoming",
        CallEvent::Connected => "connected",
        CallEvent::Tone(_) => "tone",
        CallEvent::OperationEnded(_) => "operation ended",
        CallEvent::Joined(_) => "joined",
        CallEvent::Left(_) => "left",
        CallEvent::Muted(_) => "muted",
        CallEvent::Lobby(_) => "lobby",
        CallEvent::TransferFailed(_) => "transfer failed",
        CallEvent::InDoubt => "in doubt",
        CallEvent::SharingStarted(_) => "sharing started",
        CallEvent::SharingEnded(_) => "sharing ended",
        CallEvent::RecordedJoins(_) => "recorded joins",
        CallEvent::RecordedLeft(_) => "recorded left",
        CallEvent::MediaLost(_) => "media lost",
        CallEvent::MediaEnds(_) => "media ends",
        CallEvent::Speech(true) => "speech",
        CallEvent::Speech(false) => "silence",
        CallEvent::Trouble(told) if told.is_over => "trouble over",
        CallEvent::Trouble(_) => "trouble",
        CallEvent::BridgeEnded => "bridge ended",
        CallEvent::Recording(_) => "call recording",
        CallEvent::Ended(_) => "ended",
        _ => "event",
    }
}

/// What is stored of it. Nothing here can fail to be written: there are no maps with keys that are no texts.
pub(super) fn to_json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

pub(super) fn from_json<T: DeserializeOwned>(stored: &Bytes) -> Option<T> {
    serde_json::from_slice(stored).ok()
}

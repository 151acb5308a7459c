//! An entry of the outbox as it is stored.

use bytes::Bytes;
use prost::{Enumeration, Message};
use trunkline_bot::Address;
use trunkline_bot::logic::HostedOperation;
use trunkline_teams::graph::Operation;

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum EntryKind {
    /// A new message.
    Send = 0,
    /// A message of the bot is replaced.
    Update = 1,
    /// A message of the bot is deleted.
    Delete = 2,
    /// Another conversation of the bot is told something.
    Signal = 3,
    /// What is remembered of a person changes.
    ChangeUser = 4,
    /// Graph is asked for something on the call whose record this is.
    Call = 5,
    /// A call begins.
    StartCall = 6,
    /// The media host that carries the call's sound is asked for something: builds of format 3 would never let it go.
    Hosted = 7,
}

/// What an operation on a call asks, and of whom.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// Graph, or the leg in its place.
    Graph(Operation),
    /// The media host that carries the sound.
    Host(HostedOperation),
}

/// Where entries go: one at a time in each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// To the Connector.
    Connector,
    /// To another actor of ours.
    Actors,
    /// To Graph, or to the leg of the call.
    Graph,
}

impl EntryKind {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Signal => "signal",
            Self::ChangeUser => "change user",
            Self::Call => "operation on the call",
            Self::StartCall => "start call",
            Self::Hosted => "operation on the leg",
        }
    }
}

/// Something that happens because of a committed turn.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Entry {
    /// Number of this entry in its conversation.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// What it does.
    #[prost(enumeration = "EntryKind", tag = "2")]
    pub kind: i32,
    /// Where to; absent for the entry's own conversation.
    #[prost(message, optional, tag = "3")]
    pub to: Option<Place>,
    /// The outgoing activity, the signal's payload, the change, or the operation on the call as JSON.
    #[prost(bytes = "bytes", tag = "4")]
    pub body: Bytes,
    /// Not sent again when it is unknown whether Teams took it.
    #[prost(bool, tag = "5")]
    pub skip_in_doubt: bool,
    /// A turn is told the id.
    #[prost(bool, tag = "6")]
    pub wants_id: bool,
    /// Only its recipient sees it.
    #[prost(bool, tag = "7")]
    pub targeted: bool,
    /// The stream on the user's screen that this is the final text of.
    #[prost(string, tag = "8")]
    pub stream_id: String,
    /// When that stream began, in milliseconds since 1970.
    #[prost(uint64, tag = "9")]
    pub stream_began_ms: u64,
    /// Updates and deletions: the send that made the message; 0 when `message_id` says it.
    #[prost(uint64, tag = "10")]
    pub message_sequence: u64,
    /// Updates and deletions: the message.
    #[prost(string, tag = "11")]
    pub message_id: String,
    /// Name of the signal, of the kind of user state, or of the operation.
    #[prost(string, tag = "12")]
    pub name: String,
    /// Key of the signal or of the operation, or the person.
    #[prost(string, tag = "13")]
    pub key: String,
    /// Asked for by the turn that tells of a failure: its own failure is told nobody, else it would never end.
    #[prost(bool, tag = "14")]
    pub of_failure: bool,
    /// Trace context of the turn.
    #[prost(string, tag = "15")]
    pub traceparent: String,
    /// When its turn committed, in milliseconds since 1970.
    #[prost(fixed64, tag = "16")]
    pub queued_ms: u64,
    /// When that stream takes its next part, in milliseconds since 1970.
    #[prost(fixed64, tag = "17")]
    pub stream_next_ms: u64,
    /// Operations: not before the one of that key has ended; empty for no such.
    #[prost(string, tag = "18")]
    pub after: String,
    /// Operations: key of the call that a consultative transfer replaces; empty for none.
    #[prost(string, tag = "19")]
    pub replaces: String,
    /// Operations: it may have been asked of Graph. Committed before it is.
    #[prost(bool, tag = "20")]
    pub is_leaving: bool,
    /// A call that begins: the [`trunkline_teams::calls::Call`] as JSON.
    #[prost(bytes = "bytes", tag = "21")]
    pub call: Bytes,
    /// Operations on the call's leg that have left: the command's number; 0 for all others.
    #[prost(uint64, tag = "22")]
    pub leg_command: u64,
    /// The word on recording of a call with a leg: its first half is done, at Graph or at the leg.
    #[prost(bool, tag = "23")]
    pub is_second_half: bool,
    /// Of a second half: the operation by which Graph confirmed that the call may be recorded.
    #[prost(string, tag = "24")]
    pub confirmed_by: String,
}

impl Entry {
    /// The first half is done; the second has not left yet.
    pub fn begins_second_half(&mut self, confirmed_by: String) {
        self.is_second_half = true;
        self.confirmed_by = confirmed_by;
        self.is_leaving = false;
        self.leg_command = 0;
    }

    /// Where it goes.
    pub fn lane(&self) -> Lane {
        match self.kind() {
            EntryKind::Send | EntryKind::Update | EntryKind::Delete => Lane::Connector,
            EntryKind::Signal | EntryKind::ChangeUser | EntryKind::StartCall => Lane::Actors,
            EntryKind::Call | EntryKind::Hosted => Lane::Graph,
        }
    }

    /// What is asked; `None` for what is no operation on a call, and for one of a newer build.
    pub fn asks(&self) -> Option<Asks> {
        match self.kind() {
            EntryKind::Call => self.operation().map(Asks::Graph),
            EntryKind::Hosted => self.hosted().map(Asks::Host),
            _ => None,
        }
    }

    /// What is asked of Graph.
    pub fn operation(&self) -> Option<Operation> {
        (self.kind() == EntryKind::Call).then(|| serde_json::from_slice(&self.body).ok())?
    }

    /// What is asked of the media host.
    pub fn hosted(&self) -> Option<HostedOperation> {
        (self.kind() == EntryKind::Hosted).then(|| serde_json::from_slice(&self.body).ok())?
    }
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum PlaceKind {
    /// A conversation that exists.
    Conversation = 0,
    /// The one-to-one chat with a person.
    Person = 1,
    /// A new thread of a channel.
    Channel = 2,
    /// A call.
    Call = 3,
}

/// An [`Address`] as it is stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Place {
    /// What kind of place it is.
    #[prost(enumeration = "PlaceKind", tag = "1")]
    pub kind: i32,
    /// Entra tenant id.
    #[prost(string, tag = "2")]
    pub tenant: String,
    /// Base of the Connector that serves it.
    #[prost(string, tag = "3")]
    pub service_url: String,
    /// Id of the conversation, person or channel, or key of the call.
    #[prost(string, tag = "4")]
    pub id: String,
}

impl Place {
    /// The stored form; `None` for a kind of address that this build does not know how to reach.
    pub fn of(address: &Address) -> Option<Self> {
        let (kind, id) = match address {
            Address::Conversation { conversation, .. } => (PlaceKind::Conversation, conversation),
            Address::Person { person, .. } => (PlaceKind::Person, person),
            Address::Channel { channel, .. } => (PlaceKind::Channel, channel),
            Address::Call { call, .. } => (PlaceKind::Call, call),
            _ => return None,
        };
        Some(Self {
            kind: kind as i32,
            tenant: address.tenant().to_owned(),
            service_url: address.service_url().to_owned(),
            id: id.clone(),
        })
    }
}

/// The id that Teams gave a message of the bot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SentId {
    /// Which send.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// The activity id.
    #[prost(string, tag = "2")]
    pub id: String,
    /// The conversation it is in; empty for the record's own.
    #[prost(string, tag = "3")]
    pub conversation: String,
    /// The Connector of that conversation; empty for the record's own.
    #[prost(string, tag = "4")]
    pub service_url: String,
}

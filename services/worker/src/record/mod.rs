//! What is stored of a conversation: one string, 16 bytes of [`Header`] and then a [`Record`] as protobuf.
//!
//! The messages are written by derive instead of a `.proto` file because nobody but this crate reads them. Field numbers are
//! never reused; `format` says what a reader must know.

mod accepted;
mod entry;
mod ring;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;
use trunkline_store::contract::{Header, RECORD_BYTES};
use trunkline_store::key::{ActorKind, Triple};

use crate::call::CallRecord;

pub use self::accepted::{Accepted, AcceptedWork, PARKING_REASON_BYTES, Parking, WorkKind};
pub use self::entry::{Asks, Entry, EntryKind, Lane, Place, PlaceKind, SentId};
pub use self::ring::Ring;

/// Newest format that this build reads.
pub const FORMAT: u32 = 5;
/// Format of a call whose sound a leg carries: a build that does not know legs would ask Graph for what the leg is to do.
const FORMAT_WITH_LEG: u32 = 3;
/// Format of a call that its bot records: a build that does not know that would forget it.
const FORMAT_WITH_KEPT: u32 = 4;
/// Format of a call that looks for another leg: a build that does not know that would wait for an answer for ever, or reject the call.
const FORMAT_WITH_REOPENING: u32 = 5;
/// Format of what this build writes of an actor of that kind, unless it holds more: builds before calls refuse what they would
/// misread.
pub fn format_of(kind: u32) -> u32 {
    if kind == ActorKind::Call as u32 { 2 } else { 1 }
}

/// Ids of sent messages that a record remembers, for updates and deletions.
pub const SENT_IDS: usize = 64;

/// Everything that a conversation or a person remembers.
#[derive(Clone, PartialEq, Message)]
pub struct Record {
    /// Format of the writer. A reader refuses what is newer than itself.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Whose record this is: compared at each load, because the key is only a hash.
    #[prost(message, optional, tag = "2")]
    pub names: Option<Names>,
    /// Base of the Connector, newest from each activity.
    #[prost(string, tag = "3")]
    pub service_url: String,
    /// Whether that service URL came with a verified token.
    #[prost(bool, tag = "11")]
    pub is_verified: bool,
    /// What the bot remembers.
    #[prost(message, optional, tag = "4")]
    pub state: Option<State>,
    /// Activities of the last ten minutes.
    #[prost(message, optional, tag = "5")]
    pub ring: Option<Ring>,
    /// Timers of the bot.
    #[prost(message, repeated, tag = "6")]
    pub timers: Vec<Timer>,
    /// What is to be sent, oldest first.
    #[prost(message, repeated, tag = "7")]
    pub outbox: Vec<Entry>,
    /// Ids of the last [`SENT_IDS`] messages, oldest first.
    #[prost(message, repeated, tag = "8")]
    pub sent: Vec<SentId>,
    /// Sequence number for the next send; the first is 1.
    #[prost(uint64, tag = "9")]
    pub next_sequence: u64,
    /// Unreadable state that was replaced by a new one, kept for whoever repairs it.
    #[prost(message, optional, tag = "10")]
    pub set_aside: Option<SetAside>,
    /// The call, in the record of one.
    #[prost(message, optional, boxed, tag = "12")]
    pub call: Option<Box<CallRecord>>,
}

/// The triple of a record.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Names {
    /// Number of the [`ActorKind`].
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Name of the bot.
    #[prost(string, tag = "2")]
    pub bot: String,
    /// Entra tenant id.
    #[prost(string, tag = "3")]
    pub tenant: String,
    /// Conversation id, or state name and person.
    #[prost(string, tag = "4")]
    pub conversation: String,
}

impl From<&Triple> for Names {
    fn from(triple: &Triple) -> Self {
        Self {
            kind: triple.kind as u32,
            bot: triple.bot.clone(),
            tenant: triple.tenant.clone(),
            conversation: triple.conversation.clone(),
        }
    }
}

impl Names {
    /// The triple that these names say; `None` for a kind that this build does not know.
    pub fn to_triple(&self) -> Option<Triple> {
        let kind = [ActorKind::Conversation, ActorKind::Person, ActorKind::Call]
            .into_iter()
            .find(|kind| *kind as u32 == self.kind)?;
        Some(Triple {
            kind,
            bot: self.bot.clone(),
            tenant: self.tenant.clone(),
            conversation: self.conversation.clone(),
        })
    }
}

/// State of a bot.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct State {
    /// Version of the code that wrote it.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// JSON.
    #[prost(bytes = "bytes", tag = "2")]
    pub bytes: Bytes,
}

/// State that could not be read and was replaced.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SetAside {
    /// The state as it was.
    #[prost(message, optional, tag = "1")]
    pub state: Option<State>,
    /// Until when it is kept, in milliseconds since 1970.
    #[prost(fixed64, tag = "2")]
    pub until_ms: u64,
}

/// A timer of a conversation, named by `name` and `key`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Timer {
    /// Name of the signal that comes.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Key of the signal.
    #[prost(string, tag = "2")]
    pub key: String,
    /// When, in milliseconds since 1970.
    #[prost(fixed64, tag = "3")]
    pub at_ms: u64,
    /// Again after each of these milliseconds; 0 for once.
    #[prost(uint64, tag = "4")]
    pub every_ms: u64,
    /// The signal as JSON.
    #[prost(bytes = "bytes", tag = "5")]
    pub payload: Bytes,
}

/// Why stored bytes are not a record of this conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not protobuf, or shorter than a header.
    #[error("the stored record cannot be read: {0}")]
    Unreadable(String),
    /// Written by a newer build.
    #[error(
        "the stored record has format {stored}, this build knows up to {FORMAT}: start a worker of the version that wrote it"
    )]
    Newer {
        /// Its format.
        stored: u32,
    },
    /// The record belongs to another conversation: two keys collided, or the store is damaged.
    #[error("the stored record belongs to another conversation")]
    AnotherTriple,
}

impl Record {
    /// The record of a conversation that is new.
    pub fn new(triple: &Triple) -> Self {
        Self {
            format: format_of(triple.kind as u32),
            names: Some(triple.into()),
            next_sequence: 1,
            ..Self::default()
        }
    }

    /// Reads a stored record. `triple` is what the caller believes to be there, when it knows.
    pub fn read(stored: &Bytes, triple: Option<&Triple>) -> Result<(Header, Self), RecordError> {
        let header =
            Header::of_record(stored).ok_or_else(|| RecordError::Unreadable("shorter than a header".to_owned()))?;
        let record =
            Self::decode(stored.slice(Header::BYTES..)).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        if record.format > FORMAT {
            return Err(RecordError::Newer { stored: record.format });
        }
        if let (Some(triple), Some(names)) = (triple, &record.names)
            && !names.are(triple)
        {
            return Err(RecordError::AnotherTriple);
        }
        Ok((header, record))
    }

    /// Says what a reader must know.
    pub fn set_format(&mut self) {
        let Some(call) = &self.call else { return };
        let asks_host = self.outbox.iter().any(|entry| entry.kind() == EntryKind::Hosted);
        if call.wants_to_reopen() {
            self.format = FORMAT_WITH_REOPENING;
        } else if asks_host || !call.kept.is_empty() {
            self.format = FORMAT_WITH_KEPT;
        } else if call.has_leg() {
            self.format = self.format.max(FORMAT_WITH_LEG);
        }
    }

    /// The bytes to store: header and record in one buffer.
    pub fn write(&self, header: Header) -> Bytes {
        let mut buffer = BytesMut::with_capacity(Header::BYTES + self.encoded_len());
        buffer.put_slice(&header.to_bytes());
        self.encode_raw(&mut buffer);
        buffer.freeze()
    }

    /// Entra tenant of the actor. A call's names have none.
    pub fn tenant(&self) -> &str {
        match (&self.call, &self.names) {
            (Some(call), _) => &call.tenant,
            (None, Some(names)) => &names.tenant,
            (None, None) => "",
        }
    }

    /// The activity id that a send got, and the place when it was not this conversation.
    pub fn sent_id(&self, sequence: u64) -> Option<&SentId> {
        self.sent.iter().rev().find(|sent| sent.sequence == sequence)
    }

    /// Remembers the id of a send and forgets the oldest beyond [`SENT_IDS`].
    pub fn remember_sent(&mut self, sent: SentId) {
        if self.sent.len() >= SENT_IDS {
            self.sent.remove(0);
        }
        self.sent.push(sent);
    }

    /// When the earliest timer is due, in milliseconds since 1970.
    pub fn next_timer_ms(&self) -> Option<u64> {
        self.timers.iter().map(|timer| timer.at_ms).min()
    }

    /// When a timer or something of the call is next due, in milliseconds since 1970.
    pub fn next_due_ms(&self) -> Option<u64> {
        let of_call = self.call.as_ref().and_then(|call| call.next_due_ms());
        self.next_timer_ms().into_iter().chain(of_call).min()
    }
}

impl Names {
    fn are(&self, triple: &Triple) -> bool {
        self.kind == triple.kind as u32
            && self.bot == triple.bot
            && self.tenant == triple.tenant
            && self.conversation == triple.conversation
    }
}

/// Most bytes that protobuf may make of a record and still leave room for the header.
pub const BODY_BYTES: usize = RECORD_BYTES - Header::BYTES;

#[cfg(test)]
mod tests {
    use super::*;

    fn triple() -> Triple {
        Triple::conversation("echo", "tenant", "a:1")
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut record = Record::new(&triple());
        record.state = Some(State {
            version: 3,
            bytes: Bytes::from_static(b"{\"n\":1}"),
        });
        record.ring.get_or_insert_default().remember(7, 200, 1_000);
        record.timers.push(Timer {
            name: "wake".into(),
            at_ms: 5,
            ..Timer::default()
        });
        let header = Header { version: 9, turn: 77 };
        let stored = record.write(header);
        assert_eq!(Record::read(&stored, Some(&triple())), Ok((header, record)));
    }

    #[test]
    fn a_record_of_another_conversation_is_refused() {
        let stored = Record::new(&triple()).write(Header { version: 1, turn: 1 });
        let other = Triple::conversation("echo", "tenant", "a:2");
        assert_eq!(Record::read(&stored, Some(&other)), Err(RecordError::AnotherTriple));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let mut record = Record::new(&triple());
        record.format = FORMAT + 1;
        let stored = record.write(Header { version: 1, turn: 1 });
        assert_eq!(
            Record::read(&stored, None),
            Err(RecordError::Newer { stored: FORMAT + 1 })
        );
    }

    #[test]
    fn only_the_last_ids_are_remembered() {
        let mut record = Record::new(&triple());
        for sequence in 0..=SENT_IDS as u64 {
            record.remember_sent(SentId {
                sequence,
                id: sequence.to_string(),
                ..SentId::default()
            });
        }
        assert_eq!(record.sent_id(0), None);
        assert_eq!(record.sent_id(64).map(|sent| sent.id.as_str()), Some("64"));
    }
}

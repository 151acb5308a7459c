//! An entry of the inbox as it is stored: work that was acknowledged, or that failed, before it was done.

use bytes::Bytes;
use prost::{Enumeration, Message};

use super::{FORMAT, Names, RecordError};

/// What kind of work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum WorkKind {
    /// An activity from Teams.
    Activity = 0,
    /// A signal of another conversation, or a timer.
    Signal = 1,
    /// The id of a send is known.
    Sent = 2,
    /// A turn or a send was given up.
    Failed = 3,
    /// What is remembered of a person changes.
    Change = 4,
    /// Something happened in a call.
    Call = 5,
    /// A call is to begin.
    StartCall = 6,
}

/// Work that waits in the inbox.
#[derive(Clone, PartialEq, Message)]
pub struct Accepted {
    /// Format of the writer.
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Whose inbox this is: the record may not exist yet.
    #[prost(message, optional, tag = "2")]
    pub names: Option<Names>,
    /// The work.
    #[prost(message, optional, tag = "3")]
    pub work: Option<AcceptedWork>,
    /// Recognises repeats; absent for work that is never repeated.
    #[prost(fixed64, optional, tag = "4")]
    pub repeat_key: Option<u64>,
    /// Names the turn in each of its runs.
    #[prost(fixed64, tag = "5")]
    pub turn_key: u64,
    /// Time of the first run, in milliseconds since 1970: what the turn sees as now.
    #[prost(uint64, tag = "6")]
    pub first_run_ms: u64,
    /// Runs that failed.
    #[prost(uint32, tag = "7")]
    pub attempts: u32,
    /// Not before this time, in milliseconds since 1970.
    #[prost(uint64, tag = "8")]
    pub not_before_ms: u64,
    /// Given up: kept for the operator, not run again by itself.
    #[prost(bool, tag = "9")]
    pub is_parked: bool,
    /// Trace context of the request that brought it.
    #[prost(string, tag = "10")]
    pub traceparent: String,
    /// When it was made durable, in milliseconds since 1970.
    #[prost(fixed64, tag = "11")]
    pub accepted_ms: u64,
    /// Workers that had died with it before it was made durable.
    #[prost(uint32, tag = "12")]
    pub deaths: u32,
    /// Since when and why it is parked.
    #[prost(message, optional, tag = "13")]
    pub parking: Option<Parking>,
}

/// Why work is not run any more by itself.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Parking {
    /// Since when, in milliseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub since_ms: u64,
    /// What failed, at most [`PARKING_REASON_BYTES`] bytes. Written by the bot's code: it may hold what a person wrote.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// Bytes of the reason that is kept of parked work.
pub const PARKING_REASON_BYTES: usize = 300;

/// The work itself; which fields count depends on the kind.
#[derive(Clone, PartialEq, Message)]
pub struct AcceptedWork {
    /// What kind of work it is.
    #[prost(enumeration = "WorkKind", tag = "1")]
    pub kind: i32,
    /// The activity as Teams sent it, the payload of a signal, a change, or what happened in a call.
    #[prost(bytes = "bytes", tag = "2")]
    pub body: Bytes,
    /// Verified base of the Connector (activities).
    #[prost(string, tag = "3")]
    pub service_url: String,
    /// Name of a signal or a kind of user state; reference of a failure.
    #[prost(string, tag = "4")]
    pub name: String,
    /// Key of a signal; id of a sent message; route of a failed turn.
    #[prost(string, tag = "5")]
    pub key: String,
    /// Sequence of a send, where it is about one.
    #[prost(uint64, tag = "6")]
    pub sequence: u64,
    /// Attempts that a failure had.
    #[prost(uint32, tag = "7")]
    pub attempts: u32,
    /// Whether the service URL came with a verified token.
    #[prost(bool, tag = "8")]
    pub is_verified: bool,
    /// Entra tenant of a call that is to begin.
    #[prost(string, tag = "9")]
    pub tenant: String,
    /// The call that is to begin, as JSON.
    #[prost(bytes = "bytes", tag = "10")]
    pub call: Bytes,
}

impl Accepted {
    /// The bytes to store.
    pub fn write(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    /// Reads a stored entry.
    pub fn read(stored: &Bytes) -> Result<Self, RecordError> {
        let accepted = Self::decode(stored.clone()).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        if accepted.format > FORMAT {
            return Err(RecordError::Newer {
                stored: accepted.format,
            });
        }
        Ok(accepted)
    }
}

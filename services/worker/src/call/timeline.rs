//! What happened to a call, for people who look: bounded, without what anybody said.

use prost::{Enumeration, Message};

use super::record::CallRecord;

/// Moments that a call remembers.
const MOMENTS: usize = 96;
/// Of these the first are never forgotten: how a call began matters as much as how it ended.
const FIRST: usize = 16;
/// Longest text of a moment in bytes.
const TEXT: usize = 160;

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Moment {
    /// When, in milliseconds since 1970.
    #[prost(fixed64, tag = "1")]
    pub at_ms: u64,
    /// What kind of thing.
    #[prost(enumeration = "MomentKind", tag = "2")]
    pub kind: i32,
    /// What, for people.
    #[prost(string, tag = "3")]
    pub what: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum MomentKind {
    /// Graph told something.
    Notification = 0,
    /// Something was asked of Graph, or answered.
    Operation = 1,
    /// A turn of the bot ended.
    Turn = 2,
    /// The host did something: a deadline, a limit, a new owner, an operator.
    Host = 3,
}

impl MomentKind {
    /// As operators read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Operation => "operation",
            Self::Turn => "turn",
            Self::Host => "host",
        }
    }
}

impl CallRecord {
    /// Notes a moment.
    pub fn note(&mut self, kind: MomentKind, what: impl Into<String>, at_ms: u64) {
        let mut what = what.into();
        if what.len() > TEXT {
            let end = (0..=TEXT).rev().find(|end| what.is_char_boundary(*end)).unwrap_or(0);
            what.truncate(end);
        }
        if self.timeline.len() >= MOMENTS {
            self.timeline.remove(FIRST);
        }
        self.timeline.push(Moment {
            at_ms,
            kind: kind as i32,
            what,
        });
    }
}

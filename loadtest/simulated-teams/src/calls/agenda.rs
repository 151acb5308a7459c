//! What is due, and when: the one clock of all calls.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{
    call::{CallKey, RingOutcome},
    lane::Outgoing,
};

/// Something that happens later, unless the call has gone another way by then.
#[derive(Debug)]
pub(super) enum Step {
    /// The bot has not answered, rejected or redirected in time.
    AnswerLimit,
    /// `establishing` is told.
    Establishing,
    /// The call is up, or the bot is in.
    Established,
    /// Audio flows.
    Media,
    /// The person who is rung under this number does what the script says, or has been rung long enough.
    Callee { ringing: u32, outcome: RingOutcome },
    /// The transfer is told to be under way.
    Transferring,
    /// The transfer has succeeded.
    Transferred,
    /// An operation without media is done.
    Operation { operation: usize },
    /// What plays has ended, or the recording's time is up; the number tells which timer it was.
    MediaTimer { timer: u64 },
    /// The end is told.
    Deleted,
    /// No keep-alive came.
    KeepAliveLimit,
    /// Nobody let the bot in.
    LobbyLimit,
    /// A notification that was not accepted is sent again.
    Resend,
    /// A notification that left its lane is sent.
    Stray(Box<Outgoing>),
    /// A notification that waited for another one to share its body goes alone.
    Alone { waiting: u64 },
    /// A clip is no longer kept.
    ForgetRecordings,
}

/// A step of one call at one time.
#[derive(Debug)]
struct Entry {
    at: u64,
    number: u64,
    call: CallKey,
    step: Step,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// All steps, the next one first; steps of one time in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: u64, call: CallKey, step: Step) {
        self.count += 1;
        self.entries.push(Reverse(Entry {
            at,
            number: self.count,
            call,
            step,
        }));
    }

    /// When the next step is due (milliseconds since 1970).
    pub(super) fn next(&self) -> Option<u64> {
        self.entries.peek().map(|entry| entry.0.at)
    }

    /// Takes the next step that is due at `now`.
    pub(super) fn take(&mut self, now: u64) -> Option<(u64, CallKey, Step)> {
        if self.next()? > now {
            return None;
        }
        self.entries
            .pop()
            .map(|Reverse(entry)| (entry.at, entry.call, entry.step))
    }
}

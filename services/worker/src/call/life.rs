//! The life of a call: which news moves it on, and what its bot is told of it.

use prost::{Enumeration, Message};

use super::requests::{Outcome, Pending};

/// Where a call stands. Numbers follow Graph's, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum State {
    /// Somebody calls.
    Incoming = 0,
    /// Being set up.
    Establishing = 1,
    /// People can talk.
    Established = 3,
    /// Held.
    Hold = 4,
    /// A transfer was asked for.
    Transferring = 5,
    /// The target took the transfer.
    TransferAccepted = 6,
    /// Others ring instead.
    Redirecting = 7,
    /// Ends.
    Terminating = 8,
    /// Over.
    Terminated = 9,
}

/// Who ended a call.
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

/// Somebody in the call.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Present {
    /// Participant id.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Whether the microphone is off.
    #[prost(bool, tag = "2")]
    pub is_muted: bool,
}

/// What a call remembers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CallRecord {
    /// Where it stands.
    #[prost(enumeration = "State", tag = "1")]
    pub state: i32,
    /// Whether prompts can be heard.
    #[prost(bool, tag = "2")]
    pub is_audio_active: bool,
    /// Whether the bot was told that it is connected.
    #[prost(bool, tag = "3")]
    pub was_connected: bool,
    /// Number of the last tone: Graph numbers them upwards.
    #[prost(int64, optional, tag = "4")]
    pub last_tone: Option<i64>,
    /// Who is in it.
    #[prost(message, repeated, tag = "5")]
    pub present: Vec<Present>,
    /// Requests without an end.
    #[prost(message, repeated, tag = "6")]
    pub pending: Vec<Pending>,
    /// Why it ended: Graph's code and sub-code.
    #[prost(int32, tag = "7")]
    pub code: i32,
    /// See `code`.
    #[prost(int32, tag = "8")]
    pub subcode: i32,
    /// Who ended it; counts when it is over.
    #[prost(enumeration = "EndedBy", tag = "9")]
    pub ended_by: i32,
}

/// What Graph tells of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A state, with code and sub-code where there are any.
    State(State, Option<(i32, i32)>),
    /// Audio became active or inactive; told of an established call.
    Audio(bool),
    /// A key: its number, its name.
    Tone(i64, String),
    /// Everybody who is in the call.
    Roster(Vec<Present>),
    /// A request ended: its client context.
    OperationEnded(String, Outcome),
    /// Graph does not know the call any more.
    Gone,
}

/// What happened to a call, for its bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Established and audio active, once.
    Connected,
    /// A key was pressed.
    Tone(String),
    /// A request ended.
    OperationEnded(String, Outcome),
    /// Differences of the roster; not all are empty.
    Roster {
        /// Who came.
        joined: Vec<Present>,
        /// Who went.
        left: Vec<Present>,
        /// Whose microphone went off or on.
        changed: Vec<Present>,
    },
    /// A transfer failed: code and sub-code.
    TransferFailed(i32, i32),
    /// Nobody knows whether the call was made.
    InDoubt,
    /// Over, once.
    Ended(EndedBy),
}

impl State {
    /// Whether news of `next` moves a call on. Going back to established from a transfer wants a failure, which the caller
    /// looks at: a late repeat of an earlier notification says the same state.
    fn may_become(self, next: Self) -> bool {
        use State::{
            Established, Establishing, Hold, Incoming, Redirecting, Terminated, Terminating, TransferAccepted,
            Transferring,
        };
        match next {
            Incoming => false,
            Establishing | Redirecting => self == Incoming,
            Established => !matches!(self, Established | Redirecting | Terminating | Terminated),
            Hold => self == Established,
            Transferring => matches!(self, Established | Hold),
            TransferAccepted => matches!(self, Established | Hold | Transferring),
            Terminating => !matches!(self, Terminating | Terminated),
            Terminated => self != Terminated,
        }
    }
}

impl CallRecord {
    /// Takes what Graph tells. Whatever is repeated, or comes after the call has gone beyond it, changes nothing.
    pub fn hear(&mut self, heard: Heard) -> Vec<Happened> {
        if self.state() == State::Terminated {
            return Vec::new();
        }
        match heard {
            Heard::State(State::Terminated, result) => self.end(result),
            Heard::Gone => self.end(None),
            Heard::State(next, result) => self.move_on(next, result),
            Heard::Audio(is_active) => {
                self.is_audio_active = is_active;
                let mut happened = self.move_on(State::Established, None);
                happened.extend(self.connect());
                happened
            }
            Heard::Tone(number, tone) => {
                if self.last_tone.is_some_and(|last| number <= last) {
                    return Vec::new();
                }
                self.last_tone = Some(number);
                vec![Happened::Tone(tone)]
            }
            Heard::Roster(present) => self.compare(present),
            Heard::OperationEnded(context, outcome) => {
                let Some(place) = self.pending.iter().position(|pending| pending.context == context) else {
                    return Vec::new();
                };
                self.pending.remove(place);
                vec![Happened::OperationEnded(context, outcome)]
            }
        }
    }

    fn move_on(&mut self, next: State, result: Option<(i32, i32)>) -> Vec<Happened> {
        let state = self.state();
        if !state.may_become(next) {
            return Vec::new();
        }
        let was_transferring = matches!(state, State::Transferring | State::TransferAccepted);
        if was_transferring && next == State::Established {
            let Some((code, subcode)) = result.filter(|(code, _)| *code >= 400) else {
                return Vec::new();
            };
            self.set_state(next);
            return vec![Happened::TransferFailed(code, subcode)];
        }
        self.set_state(next);
        self.connect().into_iter().collect()
    }

    fn connect(&mut self) -> Option<Happened> {
        let is_new = self.state() == State::Established && self.is_audio_active && !self.was_connected;
        self.was_connected |= is_new;
        is_new.then_some(Happened::Connected)
    }

    /// The end is final: what was under way ends with it, and nobody is in the call any more.
    fn end(&mut self, result: Option<(i32, i32)>) -> Vec<Happened> {
        self.set_state(State::Terminated);
        self.is_audio_active = false;
        self.present = Vec::new();
        let by = result.map_or(EndedBy::Unknown, |(code, subcode)| {
            self.code = code;
            self.subcode = subcode;
            who(code, subcode)
        });
        self.set_ended_by(by);
        let unknown = |pending: Pending| Happened::OperationEnded(pending.context, Outcome::Unknown);
        let pending = std::mem::take(&mut self.pending).into_iter().map(unknown);
        pending.chain([Happened::Ended(by)]).collect()
    }

    fn compare(&mut self, present: Vec<Present>) -> Vec<Happened> {
        let known = std::mem::take(&mut self.present);
        let before = |one: &Present| known.iter().find(|other| other.id == one.id);
        let joined: Vec<Present> = present.iter().filter(|one| before(one).is_none()).cloned().collect();
        let is_changed = |one: &&Present| before(one).is_some_and(|other| other.is_muted != one.is_muted);
        let changed: Vec<Present> = present.iter().filter(is_changed).cloned().collect();
        let stays = |one: &Present| present.iter().any(|other| other.id == one.id);
        let left: Vec<Present> = known.iter().filter(|one| !stays(one)).cloned().collect();
        self.present = present;
        if joined.is_empty() && left.is_empty() && changed.is_empty() {
            return Vec::new();
        }
        vec![Happened::Roster { joined, left, changed }]
    }
}

/// Who ended a call, by Graph's table of ends (documented on the page of deleting a call).
fn who(code: i32, subcode: i32) -> EndedBy {
    match (code, subcode) {
        (_, 7015) | (200, 7000 | 10_550) => EndedBy::Bot,
        // For want of people, of a host, or of time: Teams ends it.
        (200, 5010 | 5012..=5014 | 5020 | 5030 | 5855) => EndedBy::Service,
        (0 | 200 | 486 | 487 | 603, _) => EndedBy::Person,
        _ => EndedBy::Service,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

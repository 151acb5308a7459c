//! Requests to Graph that are under way: joined to their end by client context, never made twice where that would be heard.

use prost::{Enumeration, Message};

use super::life::{CallRecord, Happened, State};

/// What a request asks for, as far as its repetition matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
pub enum Kind {
    /// Answer, reject, redirect, hang up, keep alive, get, mute, unmute, subscribe to tones, cancel, recording status,
    /// reading and removing participants, hold music: asking twice does what asking once does.
    Repeatable = 0,
    /// A new call. Asking twice rings twice.
    Create = 1,
    /// Prompts, recordings, tones, invitations, transfers, the large gallery: asking twice is heard or seen twice.
    Once = 2,
}

/// A request of which no end is known.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Pending {
    /// Its client context.
    #[prost(string, tag = "1")]
    pub context: String,
    /// What it asks for.
    #[prost(enumeration = "Kind", tag = "2")]
    pub kind: i32,
    /// When it is given up, in milliseconds since 1970.
    #[prost(fixed64, tag = "3")]
    pub until_ms: u64,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Graph says so.
    Completed,
    /// Graph took it and says that it failed: code and sub-code.
    Failed(i32, i32),
    /// Graph did not take it: HTTP status.
    Refused(u16),
    /// No answer and no notification in time, or the call ended first.
    Unknown,
}

/// What Graph answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, or failed: no notification follows.
    Ended(Outcome),
    /// Begun: a notification tells the end.
    Running,
    /// Graph may have taken it, or the process that asked has died.
    Doubt,
}

/// What is to be done with a request after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is over, or unknown.
    Over,
    /// A notification or its time ends it.
    Waits,
    /// Ask again.
    Again,
}

impl CallRecord {
    /// A request is committed: it may leave now. One that is known already is not noted twice.
    pub fn ask(&mut self, context: &str, kind: Kind, until_ms: u64) {
        if self.state() == State::Terminated || self.pending.iter().any(|pending| pending.context == context) {
            return;
        }
        self.pending.push(Pending {
            context: context.to_owned(),
            kind: kind as i32,
            until_ms,
        });
    }

    /// What Graph answered to a request, or that nobody knows.
    pub fn answered(&mut self, context: &str, answer: Answer) -> (Verdict, Vec<Happened>) {
        let Some(place) = self.pending.iter().position(|pending| pending.context == context) else {
            return (Verdict::Over, Vec::new());
        };
        match answer {
            Answer::Ended(outcome) => {
                self.pending.remove(place);
                let context = context.to_owned();
                (Verdict::Over, vec![Happened::OperationEnded(context, outcome)])
            }
            Answer::Running => (Verdict::Waits, Vec::new()),
            Answer::Doubt => {
                let is_repeatable = self.pending.get(place).is_some_and(|it| it.kind() == Kind::Repeatable);
                let verdict = if is_repeatable { Verdict::Again } else { Verdict::Waits };
                (verdict, Vec::new())
            }
        }
    }

    /// Requests whose time is over. A create among them is in doubt, and the call with it.
    pub fn give_up(&mut self, now_ms: u64) -> Vec<Happened> {
        let over = self.pending.extract_if(.., |pending| pending.until_ms <= now_ms);
        over.map(|pending| {
            if pending.kind() == Kind::Create {
                Happened::InDoubt
            } else {
                Happened::OperationEnded(pending.context, Outcome::Unknown)
            }
        })
        .collect()
    }

    /// When the next request is given up, in milliseconds since 1970.
    pub fn next_give_up_ms(&self) -> Option<u64> {
        self.pending.iter().map(|pending| pending.until_ms).min()
    }
}

//! What the store holds of one conversation, and what it must never turn into.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use trunkline_store::contract::{Commit, Header, Loaded, Parked, Wake};
use trunkline_worker::record::{Accepted, Record};

use super::Verdict;
use crate::bot::numbers_of;
use crate::broken::Invariant;
use crate::chat::number_in;

/// One conversation as it is stored, and what the record says, read once at each write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) record: Option<Bytes>,
    pub(crate) inbox: BTreeMap<String, Bytes>,
    pub(crate) answers: BTreeMap<String, Bytes>,
    pub(crate) wake: Option<u64>,
    pub(crate) parked: Option<u64>,
    /// Commits that took effect.
    pub(crate) writes: u64,
    /// What the bot remembers.
    pub(crate) applied: Vec<u64>,
    /// What is to be sent.
    pub(crate) replies: Vec<u64>,
    /// Timers that are set.
    pub(crate) timers: Vec<u64>,
}

impl fmt::Display for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (applied, replies, timers) = (&self.applied, &self.replies, &self.timers);
        let inbox: Vec<&String> = self.inbox.keys().collect();
        let version = self.header().version;
        write!(
            formatter,
            "version {version} applied {applied:?} to send {replies:?} timers {timers:?} inbox {inbox:?} due {:?}",
            self.wake
        )
    }
}

impl Stored {
    pub(crate) fn header(&self) -> Header {
        let header = self.record.as_deref().and_then(Header::of_record);
        header.unwrap_or(Header::ABSENT)
    }

    /// Everything in a commit that was judged worthy.
    pub(crate) fn write(&mut self, commit: &Commit) {
        self.writes += 1;
        if let Some(record) = &commit.record {
            self.record = Some(record.clone());
            self.read();
        }
        for field in &commit.done {
            self.inbox.remove(field);
        }
        self.inbox.extend(commit.accept.iter().cloned());
        match commit.wake {
            Wake::Keep => {}
            Wake::Never => self.wake = None,
            Wake::At(at) => self.wake = Some(at),
        }
        match commit.parked {
            Parked::Keep => {}
            Parked::Nothing => self.parked = None,
            Parked::Since(at) => self.parked = Some(at),
        }
        self.answers.extend(commit.answer.iter().cloned());
    }

    fn read(&mut self) {
        let Some(stored) = &self.record else { return };
        let (_, record) = Record::read(stored, None).unwrap();
        self.applied = numbers_of(record.state.as_ref().map(|state| &state.bytes));
        let number = |body: &Bytes| serde_json::from_slice::<u64>(body).unwrap();
        self.replies = record.outbox.iter().map(|entry| number(&entry.body)).collect();
        let timers = record.timers.iter();
        self.timers = timers.filter_map(|timer| timer.name.parse().ok()).collect();
    }

    pub(crate) fn load(&self) -> Loaded {
        let inbox = self.inbox.iter();
        Loaded {
            record: self.record.clone(),
            inbox: inbox.map(|(field, bytes)| (field.clone(), bytes.clone())).collect(),
        }
    }

    /// The inbox without steps and notes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Accepted> {
        let entries = self.inbox.iter().filter(|(field, _)| field.parse::<u64>().is_ok());
        entries.map(|(_, bytes)| Accepted::read(bytes).unwrap())
    }

    /// What was given up and is kept for an operator.
    pub(crate) fn parked_numbers(&self) -> impl Iterator<Item = u64> {
        let parked = self.entries().filter(|entry| entry.is_parked);
        parked.filter_map(|entry| number_in(&entry))
    }

    /// The number that a field of the inbox is about, if it is an entry.
    pub(crate) fn number_of(field: &str, entry: &Bytes) -> Option<u64> {
        field.parse::<u64>().ok()?;
        number_in(&Accepted::read(entry).unwrap())
    }

    /// Everything that is done or promised: state, inbox, timers and replies.
    pub(crate) fn promised(&self) -> impl Iterator<Item = u64> {
        let entries = self.entries().filter_map(|entry| number_in(&entry));
        let record = self.applied.iter().chain(&self.timers).chain(&self.replies);
        record.copied().chain(entries)
    }

    /// I2 and I3: what no commit may make of what was there.
    pub(crate) fn differs_wrongly(&self, before: &Self) -> Verdict {
        let (old, new) = (&before.applied, &self.applied);
        if !new.starts_with(old) {
            let what = format!("a commit took something out of the state: {old:?} became {new:?}");
            return Some((Invariant::I2, what));
        }
        let twice = new
            .iter()
            .enumerate()
            .find(|(place, number)| new[..*place].contains(number));
        twice.map(|(_, number)| (Invariant::I3, format!("{number} is applied twice: {new:?}")))
    }
}

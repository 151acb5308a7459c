//! A store in memory with the contract's two comparisons. It can fail over to one of its earlier states.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, Loaded, Parked, Token, Wake};

use super::bot::numbers_of;
use crate::record::{Accepted, Record};

/// Earlier states that a failover may bring back.
const REMEMBERED: usize = 6;

/// One conversation's part of a store.
#[derive(Clone, Default)]
pub(crate) struct SimulatedStore {
    pub(crate) fence: Option<Token>,
    pub(crate) record: Option<Bytes>,
    pub(crate) inbox: BTreeMap<String, Bytes>,
    pub(crate) answers: BTreeMap<String, Bytes>,
    pub(crate) wake: Option<u64>,
    pub(crate) parked: Option<u64>,
    /// Writes that took effect.
    pub(crate) writes: u64,
}

impl SimulatedStore {
    pub(crate) fn commit(&mut self, commit: &Commit) -> Committed {
        if self.fence != Some(commit.token) {
            return Committed::Fenced;
        }
        let header = self
            .record
            .as_ref()
            .and_then(|record| Header::of_record(record))
            .unwrap_or(Header::ABSENT);
        if header != commit.expected {
            let is_this = commit
                .record
                .as_ref()
                .is_some_and(|record| Header::of_record(record) == Some(header));
            return if is_this {
                Committed::Written
            } else {
                Committed::Conflict(header)
            };
        }
        self.writes += 1;
        if let Some(record) = &commit.record {
            self.record = Some(record.clone());
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
        Committed::Written
    }

    pub(crate) fn load(&self) -> Loaded {
        Loaded {
            record: self.record.clone(),
            inbox: self
                .inbox
                .iter()
                .map(|(field, bytes)| (field.clone(), bytes.clone()))
                .collect(),
        }
    }

    pub(super) fn record(&self) -> Option<Record> {
        let stored = self.record.as_ref()?;
        Some(Record::read(stored, None).unwrap().1)
    }

    /// What the bot remembers.
    pub(super) fn applied(&self) -> Vec<u64> {
        let state = self.record().and_then(|record| record.state);
        numbers_of(state.as_ref().map(|state| &state.bytes))
    }

    /// The inbox without steps and notes.
    pub(super) fn entries(&self) -> impl Iterator<Item = Accepted> {
        let entries = self.inbox.iter().filter(|(field, _)| field.parse::<u64>().is_ok());
        entries.map(|(_, bytes)| Accepted::read(bytes).unwrap())
    }

    /// Everything that is done or promised: state and inbox, and timers that are set.
    fn promised(&self) -> BTreeSet<u64> {
        let timers = self.record().map(|record| record.timers).unwrap_or_default();
        self.applied()
            .into_iter()
            .chain(self.entries().filter_map(|entry| number_in(&entry)))
            .chain(timers.iter().filter_map(|timer| timer.name.parse().ok()))
            .collect()
    }
}

/// The number of the activity or timer that an entry is about.
pub(super) fn number_in(entry: &Accepted) -> Option<u64> {
    match entry.repeat_key {
        Some(key) => Some(key - 1),
        None => entry.work.as_ref()?.name.parse().ok(),
    }
}

/// The store with its replica that lags behind.
#[derive(Default)]
pub(crate) struct Replicated {
    pub(crate) primary: SimulatedStore,
    earlier: VecDeque<SimulatedStore>,
    /// What was promised and then lost.
    pub(crate) lost: BTreeSet<u64>,
    /// Replies that a commit asked for, ever.
    pub(crate) asked_for: BTreeSet<u64>,
}

impl Replicated {
    /// Commits, and checks what no commit may do.
    pub(crate) fn commit(&mut self, commit: &Commit, seed: u64) -> Committed {
        let before = self.primary.clone();
        let committed = self.primary.commit(commit);
        if self.primary.writes == before.writes {
            return committed;
        }
        let (old, new) = (before.applied(), self.primary.applied());
        assert!(
            new.starts_with(&old),
            "seed {seed}: a commit took something out of the state: {old:?} became {new:?}"
        );
        let once: BTreeSet<u64> = new.iter().copied().collect();
        assert_eq!(
            once.len(),
            new.len(),
            "seed {seed}: something was applied twice: {new:?}"
        );
        let outbox = self.primary.record().map(|record| record.outbox).unwrap_or_default();
        let numbers = outbox
            .iter()
            .map(|entry| serde_json::from_slice::<u64>(&entry.body).unwrap());
        self.asked_for.extend(numbers);
        self.remember(before);
        committed
    }

    /// A claim is a write like any other.
    pub(crate) fn claim(&mut self, token: Token) {
        let before = self.primary.clone();
        self.primary.fence = Some(token);
        self.remember(before);
    }

    fn remember(&mut self, state: SimulatedStore) {
        if self.earlier.len() == REMEMBERED {
            self.earlier.pop_front();
        }
        self.earlier.push_back(state);
    }

    /// The replica takes over. It lacks as many writes, if there were as many.
    pub(crate) fn fail_over(&mut self, lacking: usize) {
        let before = self.primary.promised();
        for _ in 0..lacking {
            if let Some(earlier) = self.earlier.pop_back() {
                let writes = self.primary.writes;
                self.primary = SimulatedStore { writes, ..earlier };
            }
        }
        let after = self.primary.promised();
        self.lost.extend(before.difference(&after));
    }
}

/// What a client sees when no answer comes.
pub(crate) fn no_answer() -> StoreError {
    StoreError::Unavailable {
        doing: "committing",
        reason: "simulated".to_owned(),
    }
}

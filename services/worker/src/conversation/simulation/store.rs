//! A store in memory with the contract's two comparisons, which loses answers and applies commits late.

use std::collections::BTreeMap;

use bytes::Bytes;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, Loaded, Parked, Token, Wake};

/// One conversation's part of a store.
#[derive(Default)]
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
}

/// What a client sees when no answer comes.
pub(crate) fn no_answer() -> StoreError {
    StoreError::Unavailable {
        doing: "committing",
        reason: "simulated".to_owned(),
    }
}

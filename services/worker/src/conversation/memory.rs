//! What an actor knows of its stored record.

use bytes::Bytes;
use trunkline_bot::logic::KeptStep;
use trunkline_store::contract::{Header, Loaded};
use trunkline_store::key::Triple;

use super::item::Item;
use super::runs::RunNote;
use super::settings::ConversationSettings;
use crate::record::{Accepted, Record, RecordError};

/// How long kept steps of an invoke are kept for a repeat of it.
pub(super) const INVOKE_STEPS_MS: u64 = 600_000;

/// The record in memory: equal to the stored one, or ahead of it by what is not yet settled.
#[derive(Debug)]
pub(super) struct Memory {
    pub header: Header,
    pub record: Record,
    /// Kept steps of turns that have not committed.
    pub steps: Vec<StoredStep>,
    /// Next free place in the inbox. Begins at the time of the load, so that no place is given twice: an acceptance leaves
    /// the header as it is, and a late copy of an earlier one must not take the place of another's.
    pub next_inbox: u64,
    pub inbox_entries: usize,
    pub inbox_bytes: usize,
    /// Notes of runs that were begun and did not end here.
    pub notes: Vec<RunNote>,
    /// The turn that is to be noted with the next commit.
    pub note_wanted: Option<u64>,
    /// Work that was given up, by its place in the inbox: kept for the operator, and because a repeat of it is not a new
    /// activity.
    pub parked: Vec<(u64, Accepted)>,
    /// Whether the next commit says anew what is parked.
    pub parked_changed: bool,
    /// Since when the record in memory is ahead of the stored one.
    pub dirty_since: Option<u64>,
    /// Fields of the inbox that nothing needs any more.
    pub obsolete: Vec<String>,
}

/// A step in the inbox.
#[derive(Debug)]
pub(super) struct StoredStep {
    pub turn_key: u64,
    /// Empty for the mark that an invoke leaves with its first step.
    pub name: String,
    pub result: Bytes,
}

impl StoredStep {
    /// Name of its field in the inbox.
    pub(super) fn field(&self) -> String {
        field_of_step(self.turn_key, &self.name)
    }
}

/// The field of a kept step.
pub(super) fn field_of_step(turn_key: u64, name: &str) -> String {
    format!("s:{turn_key:016x}:{name}")
}

/// Since when an entry is parked; 0 where an older build parked it.
pub(super) fn parked_ms(entry: &Accepted) -> u64 {
    entry
        .parking
        .as_ref()
        .map_or(entry.accepted_ms, |parking| parking.since_ms)
}

/// What a load found.
pub(super) struct Found {
    pub triple: Triple,
    pub memory: Memory,
    /// What is to be run of the inbox, in order.
    pub accepted: Vec<(u64, Accepted)>,
}

impl Memory {
    /// Reads what the store holds, at this time of its clock. `None`: there is neither a record nor an inbox, and nobody said whose it would be.
    pub(super) fn read(loaded: Loaded, triple: Option<&Triple>, wall_ms: u64) -> Result<Option<Found>, RecordError> {
        let mut accepted = Vec::new();
        let mut steps = Vec::new();
        let mut notes = Vec::new();
        let mut inbox_bytes = 0;
        for (field, bytes) in loaded.inbox {
            if let Some(step) = field.strip_prefix("s:") {
                if let Some((key, name)) = step.split_once(':')
                    && let Ok(turn_key) = u64::from_str_radix(key, 16)
                {
                    let name = name.to_owned();
                    steps.push(StoredStep {
                        turn_key,
                        name,
                        result: bytes,
                    });
                }
            } else if let Some(note) = field.strip_prefix(RunNote::PREFIX) {
                notes.extend(RunNote::read(note, bytes));
            } else if let Ok(sequence) = field.parse::<u64>() {
                inbox_bytes += bytes.len();
                accepted.push((sequence, Accepted::read(&bytes)?));
            }
        }
        accepted.sort_by_key(|(sequence, _)| *sequence);

        let stored = loaded
            .record
            .as_ref()
            .map(|record| Record::read(record, triple))
            .transpose()?;
        let names = match (&stored, accepted.first()) {
            (Some((_, record)), _) => record.names.as_ref(),
            (None, Some((_, first))) => first.names.as_ref(),
            (None, None) => None,
        };
        let known = match triple {
            Some(triple) => triple.clone(),
            None => match names {
                Some(names) => names
                    .to_triple()
                    .ok_or_else(|| RecordError::Unreadable("unknown kind of actor".to_owned()))?,
                None => return Ok(None),
            },
        };
        let (header, record) = stored.unwrap_or_else(|| (Header::ABSENT, Record::new(&known)));
        let next_inbox = accepted.last().map_or(0, |(sequence, _)| sequence + 1);
        let inbox_entries = accepted.len();
        let (parked, accepted) = accepted.into_iter().partition(|(_, entry)| entry.is_parked);
        let memory = Self {
            header,
            record,
            steps,
            next_inbox: next_inbox.max(wall_ms << 10),
            inbox_entries,
            inbox_bytes,
            notes,
            note_wanted: None,
            parked,
            parked_changed: false,
            dirty_since: None,
            obsolete: Vec::new(),
        };
        Ok(Some(Found {
            triple: known,
            memory,
            accepted,
        }))
    }

    /// Whether the inbox takes one more.
    pub(super) fn has_room(&self, item: &Item, settings: &ConversationSettings) -> bool {
        self.inbox_entries < settings.inbox_entries && self.inbox_bytes + item.work.body_bytes() <= settings.inbox_bytes
    }

    /// Whether the activity of this key was given up.
    pub(super) fn is_parked(&self, key: u64) -> bool {
        self.parked.iter().any(|(_, entry)| entry.repeat_key == Some(key))
    }

    /// Whether the activity of this key was applied or given up.
    pub(super) fn is_known(&self, key: u64) -> bool {
        let ring = self.record.ring.as_ref();
        self.is_parked(key) || ring.is_some_and(|ring| ring.status_of(key).is_some())
    }

    /// Since when something has been parked.
    pub(super) fn parked_since(&self) -> Option<u64> {
        self.parked.iter().map(|(_, entry)| parked_ms(entry)).min()
    }

    /// Kept steps of a turn, without the mark.
    pub(super) fn steps_of(&self, turn_key: u64) -> Vec<KeptStep> {
        self.steps
            .iter()
            .filter(|step| step.turn_key == turn_key && !step.name.is_empty())
            .map(|step| KeptStep {
                name: step.name.clone(),
                result: step.result.clone(),
            })
            .collect()
    }

    /// When an invoke of this key first kept a step.
    pub(super) fn mark_of(&self, turn_key: u64) -> Option<u64> {
        self.steps
            .iter()
            .find(|step| step.turn_key == turn_key && step.name.is_empty())
            .and_then(|step| Some(u64::from_be_bytes(step.result.as_ref().try_into().ok()?)))
    }

    /// Removes the steps of a turn and returns their fields.
    pub(super) fn take_steps(&mut self, turn_key: u64) -> Vec<String> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        let mut fields = Vec::new();
        self.steps.retain(|step| {
            let is_of_turn = step.turn_key == turn_key;
            if is_of_turn {
                fields.push(step.field());
            }
            !is_of_turn
        });
        fields
    }

    /// Removes the mark of a turn whose steps stay as long as its entry in the inbox, and returns its field.
    pub(super) fn take_mark(&mut self, turn_key: u64) -> Option<String> {
        let is_mark = |step: &StoredStep| step.turn_key == turn_key && step.name.is_empty();
        let place = self.steps.iter().position(is_mark)?;
        Some(self.steps.swap_remove(place).field())
    }

    /// When the steps of some invoke are to be swept.
    pub(super) fn next_sweep_ms(&self) -> Option<u64> {
        self.steps
            .iter()
            .filter(|step| step.name.is_empty())
            .filter_map(|step| Some(u64::from_be_bytes(step.result.as_ref().try_into().ok()?)))
            .min()
            .map(|began| began + INVOKE_STEPS_MS)
    }

    /// Marks the steps of invokes that nobody repeated in time as obsolete.
    pub(super) fn sweep_steps(&mut self, wall_ms: u64, running: Option<u64>) {
        let old: Vec<u64> = self
            .steps
            .iter()
            .filter(|step| step.name.is_empty() && Some(step.turn_key) != running)
            .filter(|step| {
                <[u8; 8]>::try_from(step.result.as_ref())
                    .is_ok_and(|began| u64::from_be_bytes(began) + INVOKE_STEPS_MS <= wall_ms)
            })
            .map(|step| step.turn_key)
            .collect();
        for turn_key in old {
            let fields = self.take_steps(turn_key);
            self.obsolete.extend(fields);
        }
    }
}

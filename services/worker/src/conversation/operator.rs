//! What an operator may ask of a conversation: how it stands, and what becomes of parked work.
//!
//! Replaying and dropping are commits of the owner like any other: done once, whatever dies. A replayed entry keeps its place
//! in the inbox, so it runs before everything that came after it and has not begun; several that are replayed run in the
//! order in which they came, not in that of the commands.

use trunkline_store::contract::Loaded;
use trunkline_store::key::ShardId;

use super::event::{Action, Note, Now};
use super::inspection::{Inspection, ParkedEntry};
use super::item::Item;
use super::memory::parked_ms;
use super::{Conclusion, Conversation, effects};
use crate::call::CallRecord;
use crate::record::{Accepted, Names, Record, RecordError};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// How the conversation stands.
    Inspect,
    /// Run this parked entry again, with all its attempts.
    Replay(u64),
    /// Remove this parked entry for good.
    DropParked(u64),
    /// End the call.
    HangUp,
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Response {
    /// How it stands.
    Inspected(Box<Inspection>),
    /// Written.
    Done,
    /// No parked entry has that place.
    NotParked,
    /// Nothing is stored of this conversation.
    Unknown,
    /// The conversation leaves this worker: ask its next owner.
    Moved,
    /// It cannot be read or written now, and why.
    Unavailable(String),
}

/// The parked work in what the store holds of a conversation: for listing it without taking the conversation into memory,
/// and without being its owner. `key` is the conversation's.
///
/// # Errors
/// An entry that this build cannot read.
pub fn parked_in(key: [u8; 16], loaded: Loaded) -> Result<Vec<ParkedEntry>, RecordError> {
    let mut found = Vec::new();
    for (field, bytes) in loaded.inbox {
        let Ok(sequence) = field.parse::<u64>() else { continue };
        let accepted = Accepted::read(&bytes)?;
        if accepted.is_parked {
            found.push(ParkedEntry::of(key, sequence, &accepted));
        }
    }
    found.sort_by_key(|entry| entry.sequence);
    Ok(found)
}

/// A call that is not over, as it is stored.
#[derive(Clone, Debug)]
pub struct CallUnderWay {
    /// Its shard.
    pub shard: ShardId,
    /// Its bot, and its key as the conversation.
    pub names: Names,
    /// What is remembered of it.
    pub call: Box<CallRecord>,
}

/// The call in what the store holds of an actor, if it has one that is not over.
///
/// # Errors
/// A record that this build cannot read.
pub fn call_in(shard: ShardId, loaded: &Loaded) -> Result<Option<CallUnderWay>, RecordError> {
    let Some(stored) = &loaded.record else { return Ok(None) };
    let (_, record) = Record::read(stored, None)?;
    let found = record.names.zip(record.call).filter(|(_, call)| !call.is_over());
    Ok(found.map(|(names, call)| CallUnderWay { shard, names, call }))
}

impl Conversation {
    pub(super) fn asked(&mut self, question: u64, request: Request, out: &mut Vec<Action>) {
        if self.phase == super::Phase::Serving && request == Request::HangUp {
            self.hang_up_asked(question);
            self.loading.is_wanted |= self.memory.is_none();
        } else if self.phase == super::Phase::Serving {
            self.asked.push((question, request));
        } else {
            let response = Response::Moved;
            out.push(Action::Answer { question, response });
        }
    }

    /// Tells everybody who asked the same.
    pub(super) fn answer_all(&mut self, response: &Response, out: &mut Vec<Action>) {
        out.extend(self.asked.drain(..).map(|(question, _)| Action::Answer {
            question,
            response: response.clone(),
        }));
    }

    /// Answers what needs no commit.
    pub(super) fn answer_inspections(&mut self, now: Now, out: &mut Vec<Action>) {
        let wanted: Vec<u64> = self
            .asked
            .extract_if(.., |(_, request)| *request == Request::Inspect)
            .map(|(question, _)| question)
            .collect();
        for question in wanted {
            let response = match self.inspect(now) {
                Some(inspection) => Response::Inspected(Box::new(inspection)),
                None => Response::Unknown,
            };
            out.push(Action::Answer { question, response });
        }
    }

    /// Builds the commit of the next command, if one waits.
    pub(super) fn operate(&mut self, now: Now, out: &mut Vec<Action>) {
        while self.in_flight.is_none() && !self.asked.is_empty() {
            let (question, request) = self.asked.remove(0);
            let (Request::Replay(sequence) | Request::DropParked(sequence)) = request else {
                continue;
            };
            let Some(memory) = self.memory.as_mut() else { return };
            let Some(place) = memory.parked.iter().position(|(parked, _)| *parked == sequence) else {
                let response = self.response_without_entry(request, sequence);
                out.push(Action::Answer { question, response });
                continue;
            };
            let (_, entry) = memory.parked.remove(place);
            memory.parked_changed = true;
            self.operating = Some((question, request));
            if matches!(request, Request::Replay(_)) {
                self.replay(sequence, entry, now, out);
            } else {
                self.drop_parked(sequence, &entry, now, out);
            }
        }
    }

    /// A command whose commit was written, though nobody heard so, finds its entry in the queue.
    fn response_without_entry(&self, request: Request, sequence: u64) -> Response {
        let running = self.running.as_ref().map(|running| &running.item);
        let is_queued = self
            .queue
            .iter()
            .chain(running)
            .any(|item| item.inbox == Some(sequence));
        if is_queued && matches!(request, Request::Replay(_)) {
            Response::Done
        } else {
            Response::NotParked
        }
    }

    fn replay(&mut self, sequence: u64, entry: Accepted, now: Now, out: &mut Vec<Action>) {
        let id = self.next_number();
        let mut item = Box::new(Item::from_accepted(id, sequence, entry, now));
        item.parking = None;
        item.attempts = 0;
        item.not_before_ms = 0;
        // Whoever replays it has judged what it did to other processes.
        item.deaths = 0;
        if let (Some(identity), Some(activity)) = (&self.identity, item.work.activity()) {
            item.route = identity.bot.route_of(activity);
        }
        let reference = effects::reference(self.key.0, item.turn_key);
        out.push(Action::Note(Note::Replayed { reference }));
        let note = self.memory.as_mut().and_then(|memory| memory.take_note_of(&item));
        self.concluding = Some((item, Conclusion::Replayed));
        // With the record, so that no late copy of an earlier commit can put the entry back as it was.
        self.write_record(note.into_iter().collect(), None, now, out);
    }

    /// A replayed entry is durable as work again: it goes where its place in the inbox is.
    pub(super) fn take_back(&mut self, item: Box<Item>) {
        let is_behind = |other: &Item| other.inbox.is_none_or(|place| Some(place) > item.inbox);
        let place = self.queue.iter().position(|other| is_behind(other));
        let place = place.unwrap_or(self.queue.len());
        self.queue.insert(place, item);
    }

    fn drop_parked(&mut self, sequence: u64, entry: &Accepted, now: Now, out: &mut Vec<Action>) {
        let reference = effects::reference(self.key.0, entry.turn_key);
        out.push(Action::Note(Note::ParkedDropped { reference }));
        let Some(memory) = self.memory.as_mut() else { return };
        let mut done = memory.take_steps(entry.turn_key);
        done.extend(memory.take_note(entry.turn_key));
        done.push(sequence.to_string());
        memory.inbox_bytes = memory
            .inbox_bytes
            .saturating_sub(entry.work.as_ref().map_or(0, |work| work.body.len()));
        if let Some(key) = entry.repeat_key {
            // A repeat of it is no new activity, still.
            memory
                .record
                .ring
                .get_or_insert_default()
                .remember(key, 202, now.wall_ms);
        }
        self.write_record(done, None, now, out);
    }

    /// An item was parked for good.
    pub(super) fn has_parked(&mut self, item: &Item) {
        let Some(names) = self.identity.as_ref().map(|identity| (&identity.triple).into()) else {
            return;
        };
        if let (Some(memory), Some(sequence)) = (self.memory.as_mut(), item.inbox) {
            let entry = item.to_accepted(names);
            let place = memory.parked.partition_point(|(parked, _)| *parked < sequence);
            memory.parked.insert(place, (sequence, entry));
        }
    }
}

impl ParkedEntry {
    pub(super) fn of(key: [u8; 16], sequence: u64, entry: &Accepted) -> Self {
        let names = entry.names.clone().unwrap_or_default();
        Self {
            bot: names.bot,
            tenant: names.tenant,
            conversation: names.conversation,
            sequence,
            reference: effects::reference(key, entry.turn_key),
            since_ms: parked_ms(entry),
            accepted_ms: entry.accepted_ms,
            attempts: entry.attempts,
            deaths: entry.deaths,
            bytes: entry.work.as_ref().map_or(0, |work| work.body.len()),
            reason: entry.parking.clone().unwrap_or_default().reason,
        }
    }
}

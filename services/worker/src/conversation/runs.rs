//! Notes of runs, and what follows from them: an activity that kills its process must not go from node to node.
//!
//! A turn that may have been running when another process died is noted in the inbox before it runs: an entry that an
//! earlier owner of the shard left behind, a delivery that was outstanding at a worker that died, and a timer that was due
//! before this process had the shard. The note says who ran it and when, and leaves with the entry's own commit. So a note
//! of somebody else is one of a process that died, or lost its shard, in the midst of that turn. What was begun once like
//! that runs alone in its process; what was begun twice is parked. Everything else costs nothing.

use std::collections::BTreeSet;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use trunkline_store::contract::Incarnation;

use super::event::{ArrivalKind, Now};
use super::item::Item;
use super::memory::Memory;
use super::{Conversation, Gates};

/// Runs that ended with their process before the work is parked.
pub(super) const DEATHS: u32 = 2;
/// How long a run that ended with its process counts.
const COUNTS_MS: u64 = 600_000;
/// Bytes of one run in a note.
const RUN_BYTES: usize = 16;

/// A run that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    holder: Incarnation,
    at_ms: u64,
}

/// The runs of one turn.
#[derive(Clone, Debug)]
pub(super) struct RunNote {
    pub turn_key: u64,
    runs: Vec<Begun>,
}

impl RunNote {
    /// The prefix of its field in the inbox.
    pub(super) const PREFIX: &'static str = "r:";

    /// Reads a field of the inbox, its prefix taken off.
    pub(super) fn read(field: &str, mut value: Bytes) -> Option<Self> {
        let turn_key = u64::from_str_radix(field, 16).ok()?;
        let mut runs = Vec::with_capacity(value.len() / RUN_BYTES);
        while value.len() >= RUN_BYTES {
            let holder = Incarnation(value.get_u64());
            let at_ms = value.get_u64();
            runs.push(Begun { holder, at_ms });
        }
        Some(Self { turn_key, runs })
    }

    /// Name of its field in the inbox.
    pub(super) fn field(&self) -> String {
        field_of_note(self.turn_key)
    }

    /// What stands in it.
    pub(super) fn value(&self) -> Bytes {
        let mut value = BytesMut::with_capacity(self.runs.len() * RUN_BYTES);
        for run in &self.runs {
            value.put_u64(run.holder.0);
            value.put_u64(run.at_ms);
        }
        value.freeze()
    }
}

fn field_of_note(turn_key: u64) -> String {
    format!("{}{turn_key:016x}", RunNote::PREFIX)
}

impl Memory {
    fn note_of(&self, turn_key: u64) -> Option<&RunNote> {
        self.notes.iter().find(|note| note.turn_key == turn_key)
    }

    /// The note of a turn with one run more, which is begun now.
    pub(super) fn note_with(&self, turn_key: u64, holder: Incarnation, now: Now) -> RunNote {
        let known = self
            .note_of(turn_key)
            .map(|note| note.runs.as_slice())
            .unwrap_or_default();
        let mut runs: Vec<Begun> = known
            .iter()
            .filter(|run| run.at_ms + COUNTS_MS > now.wall_ms && run.holder != holder)
            .copied()
            .collect();
        runs.push(Begun {
            holder,
            at_ms: now.wall_ms,
        });
        RunNote { turn_key, runs }
    }

    /// Takes over a note that was written.
    pub(super) fn noted(&mut self, note: RunNote) {
        self.notes.retain(|known| known.turn_key != note.turn_key);
        self.notes.push(note);
    }

    /// Removes the note that an item may have and returns its field: a late copy of the commit that wrote it may have put it
    /// back unseen.
    pub(super) fn take_note_of(&mut self, item: &Item) -> Option<String> {
        let known = self.take_note(item.turn_key);
        let may_be_noted = item.is_found || item.deaths > 0;
        known.or_else(|| may_be_noted.then(|| field_of_note(item.turn_key)))
    }

    /// Removes notes and steps of turns that are done, put back by a late copy of a commit: nothing else of theirs is here.
    /// Steps with a mark are swept by their time.
    pub(super) fn forget_all_but(&mut self, pending: &[u64]) {
        let keys: BTreeSet<u64> = self.steps.iter().map(|step| step.turn_key).collect();
        for key in keys {
            if !pending.contains(&key) && self.mark_of(key).is_none() {
                let steps = self.take_steps(key);
                self.obsolete.extend(steps);
            }
        }
        let obsolete = &mut self.obsolete;
        self.notes.retain(|note| {
            let is_pending = pending.contains(&note.turn_key);
            if !is_pending {
                obsolete.push(note.field());
            }
            is_pending
        });
    }

    /// Removes the note of a turn and returns its field.
    pub(super) fn take_note(&mut self, turn_key: u64) -> Option<String> {
        let place = self.notes.iter().position(|note| note.turn_key == turn_key)?;
        Some(self.notes.swap_remove(place).field())
    }

    /// The fields of notes of turns that have not begun here, for an owner that leaves: it did not die of them.
    pub(super) fn take_own_notes(&mut self, holder: Incarnation, running: Option<u64>) -> Vec<String> {
        let mut fields = Vec::new();
        self.notes.retain(|note| {
            let is_kept = Some(note.turn_key) == running || note.runs.iter().all(|run| run.holder != holder);
            if !is_kept {
                fields.push(note.field());
            }
            is_kept
        });
        fields
    }
}

/// What is to be done with work whose turn has come.
pub(super) enum Admission {
    /// It runs.
    Runs,
    /// Its note is written first.
    NotesFirst,
    /// It waits: at a gate, or for its note.
    Waits,
    /// It has taken down so many processes that it is not run again.
    Poisons(u32),
}

impl Conversation {
    /// Runs of this work that ended with their process.
    pub(super) fn deaths_of(&self, item: &Item, now: Now) -> u32 {
        let note = self.memory.as_ref().and_then(|memory| memory.note_of(item.turn_key));
        let holder = self.holding.token.holder;
        let noted = note.map_or(0, |note| {
            note.runs
                .iter()
                .filter(|run| run.holder != holder && run.at_ms + COUNTS_MS > now.wall_ms)
                .count()
        });
        item.deaths + u32::try_from(noted).unwrap_or(u32::MAX)
    }

    /// Whether work may run now.
    pub(super) fn admit(&mut self, item: &Item, now: Now) -> Admission {
        let deaths = self.deaths_of(item, now);
        if deaths >= DEATHS {
            return Admission::Poisons(deaths);
        }
        let Gates { background, alone } = &self.holding.gates;
        let gate = if deaths > 0 && item.kind == ArrivalKind::Message {
            Some(alone)
        } else if item.is_shed || item.is_found || item.timer.is_some() {
            Some(background)
        } else {
            None
        };
        match gate {
            None => self.pass = None,
            Some(gate) if self.pass.as_ref().is_some_and(|pass| pass.is_of(gate)) => {}
            Some(gate) => {
                if self.waiting.ask_at > now.steady_ms {
                    return Admission::Waits;
                }
                let gate = gate.clone();
                self.pass = gate.enter();
                if self.pass.is_none() {
                    let random = self.next_random();
                    self.waiting.missed(now.steady_ms, random);
                    return Admission::Waits;
                }
                self.waiting = super::gate::Waiting::default();
            }
        }
        self.note_first(item)
    }

    fn note_first(&mut self, item: &Item) -> Admission {
        let holder = self.holding.token.holder;
        let Some(memory) = self.memory.as_mut() else {
            return Admission::Waits;
        };
        let is_noted = memory
            .note_of(item.turn_key)
            .is_some_and(|note| note.runs.iter().any(|run| run.holder == holder));
        let is_careful = item.kind == ArrivalKind::Message && (item.is_found || item.deaths > 0);
        if !is_careful || is_noted {
            return Admission::Runs;
        }
        let is_under_way = self
            .in_flight
            .as_ref()
            .and_then(|in_flight| in_flight.note.as_ref())
            .is_some_and(|note| note.turn_key == item.turn_key);
        if is_under_way || memory.note_wanted == Some(item.turn_key) {
            return Admission::Waits;
        }
        memory.note_wanted = Some(item.turn_key);
        Admission::NotesFirst
    }
}

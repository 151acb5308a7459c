//! Removes records, answers and ended calls whose life has ended. Readers never see them; this only frees the room.

use redb::{Error, ReadableTable};

use super::calls;
use super::tables::{Spot, Tables, front};

const HOUR_MS: u64 = 3_600_000;

/// Most entries removed in one go, so that a sweep never holds up the writes behind it for long.
const ENTRIES: usize = 256;

/// The hour in which a life ends; `None` for one that never does.
pub(super) fn hour_of(ends_ms: u64) -> Option<u64> {
    (ends_ms != 0).then_some(ends_ms / HOUR_MS)
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Swept {
    /// Entries removed.
    pub(super) removed: usize,
    /// More may be waiting.
    pub(super) more: bool,
}

/// Removes what has ended by `now_ms`: answers and ended calls at once, records within the hour.
pub(super) fn sweep(tables: &mut Tables<'_>, now_ms: u64) -> Result<Swept, Error> {
    let answers = sweep_answers(tables, now_ms)?;
    let records = sweep_records(tables, now_ms)?;
    let calls = calls::sweep(tables, now_ms, ENTRIES)?;
    Ok(Swept {
        removed: answers + records + calls,
        more: answers == ENTRIES || records == ENTRIES || calls == ENTRIES,
    })
}

fn sweep_answers(tables: &mut Tables<'_>, now_ms: u64) -> Result<usize, Error> {
    let mut ended: Vec<(u64, Spot, String)> = Vec::new();
    for entry in tables.answer_ends.iter()?.take(ENTRIES) {
        let (key, ()) = entry.map(|(key, value)| (key, value.value()))?;
        let (ends_ms, spot, name) = key.value();
        if ends_ms > now_ms {
            break;
        }
        ended.push((ends_ms, *spot, name.to_owned()));
    }
    for (ends_ms, spot, name) in &ended {
        tables.answers.remove((spot, name.as_str()))?;
        tables.answer_ends.remove((*ends_ms, spot, name.as_str()))?;
    }
    Ok(ended.len())
}

fn sweep_records(tables: &mut Tables<'_>, now_ms: u64) -> Result<usize, Error> {
    let this_hour = now_ms / HOUR_MS;
    let mut ended: Vec<(u64, Spot)> = Vec::new();
    for entry in tables.record_ends.iter()?.take(ENTRIES) {
        let (key, _) = entry?;
        let (hour, spot) = key.value();
        // Every life that ends in a past hour has ended.
        if hour >= this_hour {
            break;
        }
        ended.push((hour, *spot));
    }
    for (hour, spot) in &ended {
        let has_ended = match tables.records.get(spot)? {
            Some(value) => front(value.value()).is_some_and(|front| hour_of(front.ends_ms) == Some(*hour)),
            None => false,
        };
        if has_ended {
            tables.records.remove(spot)?;
        }
        tables.record_ends.remove((*hour, spot))?;
    }
    Ok(ended.len())
}

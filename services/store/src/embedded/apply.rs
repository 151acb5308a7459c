//! One request against the tables: the scripts `claim`, `release`, `commit` and `write_map`, validating first and writing last.

use bytes::Bytes;
use redb::{Error, ReadableTable};

use super::sweep::hour_of;
use super::tables::{Spot, Tables, front, put_record, spot, wake_spot};
use crate::contract::{
    ANSWER_LIFE_MS, Claim, Claimed, Commit, Committed, Header, Incarnation, MapVersion, MapWrite, Parked, Released,
    Token, Wake,
};
use crate::key::{Key, ShardId};
use crate::rules::{Comparison, Fence, Judged, Membership};

/// What a request came to and whether the tables changed: an unchanged transaction needs no flush.
pub(super) struct Applied<V> {
    /// The answer.
    pub(super) verdict: V,
    /// Whether anything was written.
    pub(super) wrote: bool,
}

impl<V> Applied<V> {
    pub(super) fn unchanged(verdict: V) -> Self {
        Self { verdict, wrote: false }
    }

    pub(super) fn written(verdict: V) -> Self {
        Self { verdict, wrote: true }
    }
}

/// Judges a claim and stores the new fence.
pub(super) fn claim(
    tables: &mut Tables<'_>,
    shard: ShardId,
    claim: Claim,
    now_ms: u64,
) -> Result<Applied<Claimed>, Error> {
    let claimed = read_fence(tables, shard)?.claim(claim, now_ms);
    let Claimed::Ours(token) = claimed else {
        return Ok(Applied::unchanged(claimed));
    };
    write_fence(tables, shard, token.into())?;
    Ok(Applied::written(claimed))
}

/// Frees a shard that `token` owns.
pub(super) fn release(tables: &mut Tables<'_>, shard: ShardId, token: Token) -> Result<Applied<Released>, Error> {
    let fence = read_fence(tables, shard)?;
    let released = fence.release(token);
    if released != Released::Free {
        return Ok(Applied::unchanged(released));
    }
    write_fence(tables, shard, fence.freed())?;
    Ok(Applied::written(released))
}

/// Frees every shard, for a store that is opened: whoever held one has ended.
pub(super) fn free_all(tables: &mut Tables<'_>) -> Result<(), Error> {
    let mut held = Vec::new();
    for entry in tables.fences.iter()? {
        let (shard, fence) = entry?;
        let (epoch, holder, map) = fence.value();
        if holder.is_some() {
            held.push((ShardId(shard.value()), Fence { epoch, holder, map }));
        }
    }
    for (shard, fence) in held {
        write_fence(tables, shard, fence.freed())?;
    }
    Ok(())
}

/// A wish to replace the shard map.
pub(super) struct NewMap {
    pub(super) me: Incarnation,
    pub(super) expected: MapVersion,
    pub(super) version: MapVersion,
    pub(super) blob: Bytes,
}

/// Replaces the map if the caller leads and has read the stored one.
pub(super) fn write_map(
    tables: &mut Tables<'_>,
    membership: &mut Membership,
    new: &NewMap,
    now_ms: u64,
) -> Result<Applied<MapWrite>, Error> {
    let applied_before = tables
        .map
        .get(())?
        .is_some_and(|stored| stored.value() == (new.version.0, new.blob.as_ref()));
    if applied_before {
        return Ok(Applied::unchanged(MapWrite::Written));
    }
    let outcome = membership.advance(new.me, new.expected, new.version, now_ms);
    if outcome != MapWrite::Written {
        return Ok(Applied::unchanged(outcome));
    }
    tables.map.insert((), (new.version.0, new.blob.as_ref()))?;
    Ok(Applied::written(outcome))
}

/// Writes a conversation if the fence and the header are what the caller says.
pub(super) fn commit(tables: &mut Tables<'_>, commit: &Commit, now_ms: u64) -> Result<Applied<Committed>, Error> {
    let fence = read_fence(tables, commit.shard)?;
    let spot = spot(commit.shard, commit.key);
    let (stored, old_ends_ms) = read_front(tables, &spot, now_ms)?;
    if let Judged::Refuse(committed) = Comparison::from(commit).judge(fence, stored) {
        return Ok(Applied::unchanged(committed));
    }
    if let Some(record) = &commit.record {
        let ends_ms = commit
            .retain_ms
            .map_or(0, |retain| now_ms.saturating_add(retain.max(1)));
        put_record(&mut tables.records, &spot, ends_ms, record)?;
        index_end(tables, &spot, old_ends_ms, ends_ms)?;
    }
    for field in &commit.done {
        tables.inbox.remove((&spot, field.as_str()))?;
    }
    for (field, value) in &commit.accept {
        tables.inbox.insert((&spot, field.as_str()), value.as_ref())?;
    }
    match commit.wake {
        Wake::Keep => {}
        Wake::Never => set_wake(tables, commit.shard, commit.key, None)?,
        Wake::At(at_ms) => set_wake(tables, commit.shard, commit.key, Some(at_ms))?,
    }
    match commit.parked {
        Parked::Keep => {}
        Parked::Nothing => drop(tables.parked.remove(&spot)?),
        Parked::Since(at_ms) => drop(tables.parked.insert(&spot, at_ms)?),
    }
    if let Some((name, answer)) = &commit.answer {
        put_answer(tables, &spot, name, answer, now_ms.saturating_add(ANSWER_LIFE_MS))?;
    }
    Ok(Applied::written(Committed::Written))
}

fn read_fence(tables: &Tables<'_>, shard: ShardId) -> Result<Fence, Error> {
    let stored = tables.fences.get(shard.0)?;
    Ok(stored.map_or_else(Fence::default, |stored| {
        let (epoch, holder, map) = stored.value();
        Fence { epoch, holder, map }
    }))
}

fn write_fence(tables: &mut Tables<'_>, shard: ShardId, fence: Fence) -> Result<(), Error> {
    tables.fences.insert(shard.0, (fence.epoch, fence.holder, fence.map))?;
    Ok(())
}

/// The header that stands at `spot` and when that value ends. A record whose life has ended is absent, but its index entry
/// still stands until it is swept or replaced.
fn read_front(tables: &Tables<'_>, spot: &Spot, now_ms: u64) -> Result<(Header, u64), Error> {
    let Some(value) = tables.records.get(spot)? else {
        return Ok((Header::ABSENT, 0));
    };
    let front =
        front(value.value()).ok_or_else(|| Error::Corrupted("a record is shorter than its header".to_owned()))?;
    let ended = front.ends_ms != 0 && front.ends_ms <= now_ms;
    Ok((if ended { Header::ABSENT } else { front.header }, front.ends_ms))
}

/// Moves a record in the index of ends. By the hour, so that a busy conversation does not touch the index at every turn.
fn index_end(tables: &mut Tables<'_>, spot: &Spot, old_ends_ms: u64, ends_ms: u64) -> Result<(), Error> {
    let (old_hour, hour) = (hour_of(old_ends_ms), hour_of(ends_ms));
    if old_hour == hour {
        return Ok(());
    }
    if let Some(old_hour) = old_hour {
        tables.record_ends.remove((old_hour, spot))?;
    }
    if let Some(hour) = hour {
        tables.record_ends.insert((hour, spot), ())?;
    }
    Ok(())
}

fn set_wake(tables: &mut Tables<'_>, shard: ShardId, key: Key, at_ms: Option<u64>) -> Result<(), Error> {
    let spot = spot(shard, key);
    let old = match at_ms {
        Some(at_ms) => tables.wakes.insert(&spot, at_ms)?,
        None => tables.wakes.remove(&spot)?,
    }
    .map(|old| old.value());
    if old == at_ms {
        return Ok(());
    }
    if let Some(old) = old {
        tables.wake_order.remove(&wake_spot(shard, old, key))?;
    }
    if let Some(at_ms) = at_ms {
        tables.wake_order.insert(&wake_spot(shard, at_ms, key), ())?;
    }
    Ok(())
}

fn put_answer(tables: &mut Tables<'_>, spot: &Spot, name: &str, answer: &[u8], ends_ms: u64) -> Result<(), Error> {
    let old_ends_ms = tables
        .answers
        .insert((spot, name), (ends_ms, answer))?
        .map(|old| old.value().0);
    if let Some(old_ends_ms) = old_ends_ms {
        tables.answer_ends.remove((old_ends_ms, spot, name))?;
    }
    tables.answer_ends.insert((ends_ms, spot, name), ())?;
    Ok(())
}

//! The tables of the file and the format of what stands in them.
//!
//! A changed table or value is a new [`FORMAT`]; a file of an unknown one is refused at opening. A further table is not: it is
//! made at opening where it is missing, and a version that does not know it leaves it alone.

use redb::{Error, ReadableTable, Table, TableDefinition, WriteTransaction};

use crate::contract::{Header, Identity};
use crate::key::{Key, ShardId};

/// Format of the file that this version reads and writes.
pub(super) const FORMAT: u64 = 1;

/// Shard (4 bytes, big endian) and key: where a conversation stands in every table.
pub(super) type Spot = [u8; 20];

/// The spot of a conversation.
pub(super) fn spot(shard: ShardId, key: Key) -> Spot {
    let mut spot = [0; 20];
    spot[..4].copy_from_slice(&shard.0.to_be_bytes());
    spot[4..].copy_from_slice(&key.0);
    spot
}

/// Shard, time in ms, key: the order in which a shard's conversations need attention.
pub(super) type WakeSpot = [u8; 28];

/// The entry of a conversation in the wake index.
pub(super) fn wake_spot(shard: ShardId, at_ms: u64, key: Key) -> WakeSpot {
    let mut spot = [0; 28];
    spot[..4].copy_from_slice(&shard.0.to_be_bytes());
    spot[4..12].copy_from_slice(&at_ms.to_be_bytes());
    spot[12..].copy_from_slice(&key.0);
    spot
}

/// Reads an entry of the wake index.
pub(super) fn of_wake_spot(spot: &WakeSpot) -> (Key, u64) {
    let mut at = [0; 8];
    at.copy_from_slice(&spot[4..12]);
    let mut key = [0; 16];
    key.copy_from_slice(&spot[12..]);
    (Key(key), u64::from_be_bytes(at))
}

/// The key of a conversation by its spot.
pub(super) fn key_of(spot: &Spot) -> Key {
    let mut key = [0; 16];
    key.copy_from_slice(&spot[4..]);
    Key(key)
}

/// Name of a number of the store's own -> the number. Its type never changes: it is read before the format is known.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// The shard map with its version. Files of earlier versions of this format may lack the table: it is made at opening.
pub(super) const MAP: TableDefinition<'_, (), (u64, &[u8])> = TableDefinition::new("map");
/// Shard -> epoch, holder, map.
pub(super) const FENCES: TableDefinition<'_, u32, (u64, Option<u64>, u64)> = TableDefinition::new("fences");
/// Spot -> end of life in ms (8 bytes, big endian, 0 for never), then the record.
pub(super) const RECORDS: TableDefinition<'_, &Spot, &[u8]> = TableDefinition::new("records");
/// Hour of the end of life, spot: finds the records that [`super::sweep`] removes.
pub(super) const RECORD_ENDS: TableDefinition<'_, (u64, &Spot), ()> = TableDefinition::new("record_ends");
/// Spot, field -> value.
pub(super) const INBOX: TableDefinition<'_, (&Spot, &str), &[u8]> = TableDefinition::new("inbox");
/// Spot, name -> end of life in ms, answer.
pub(super) const ANSWERS: TableDefinition<'_, (&Spot, &str), (u64, &[u8])> = TableDefinition::new("answers");
/// End of life in ms, spot, name: finds the answers that [`super::sweep`] removes.
pub(super) const ANSWER_ENDS: TableDefinition<'_, (u64, &Spot, &str), ()> = TableDefinition::new("answer_ends");
/// Spot -> when it needs attention.
pub(super) const WAKES: TableDefinition<'_, &Spot, u64> = TableDefinition::new("wakes");
/// The wake index by time.
pub(super) const WAKE_ORDER: TableDefinition<'_, &WakeSpot, ()> = TableDefinition::new("wake_order");
/// Spot -> since when something has been parked there.
pub(super) const PARKED: TableDefinition<'_, &Spot, u64> = TableDefinition::new("parked");

/// Tenant, call -> end of the lease in ms.
pub(super) const CALL_LEASES: TableDefinition<'_, (&str, &[u8; 16]), u64> = TableDefinition::new("call_leases");
/// Month, tenant, bot -> calls.
pub(super) const CALL_COUNTS: TableDefinition<'_, (u32, &str, &str), u64> = TableDefinition::new("call_counts");
/// When the call ended, call, tenant -> end of the entry's life in ms, entry.
pub(super) const CALLS_ENDED: TableDefinition<'_, EndedPlace, (u64, &[u8])> = TableDefinition::new("calls_ended");

/// When a call ended, its key, its tenant.
pub(super) type EndedPlace = (u64, &'static [u8; 16], &'static str);

/// All tables that a write may touch, open in one transaction.
pub(super) struct Tables<'t> {
    pub(super) map: Table<'t, (), (u64, &'static [u8])>,
    pub(super) fences: Table<'t, u32, (u64, Option<u64>, u64)>,
    pub(super) records: Table<'t, &'static Spot, &'static [u8]>,
    pub(super) record_ends: Table<'t, (u64, &'static Spot), ()>,
    pub(super) inbox: Table<'t, (&'static Spot, &'static str), &'static [u8]>,
    pub(super) answers: Table<'t, (&'static Spot, &'static str), (u64, &'static [u8])>,
    pub(super) answer_ends: Table<'t, (u64, &'static Spot, &'static str), ()>,
    pub(super) wakes: Table<'t, &'static Spot, u64>,
    pub(super) wake_order: Table<'t, &'static WakeSpot, ()>,
    pub(super) parked: Table<'t, &'static Spot, u64>,
    pub(super) call_leases: Table<'t, (&'static str, &'static [u8; 16]), u64>,
    pub(super) call_counts: Table<'t, (u32, &'static str, &'static str), u64>,
    pub(super) calls_ended: Table<'t, EndedPlace, (u64, &'static [u8])>,
}

impl<'t> Tables<'t> {
    /// Opens the tables, creating those that are missing.
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            map: transaction.open_table(MAP)?,
            fences: transaction.open_table(FENCES)?,
            records: transaction.open_table(RECORDS)?,
            record_ends: transaction.open_table(RECORD_ENDS)?,
            inbox: transaction.open_table(INBOX)?,
            answers: transaction.open_table(ANSWERS)?,
            answer_ends: transaction.open_table(ANSWER_ENDS)?,
            wakes: transaction.open_table(WAKES)?,
            wake_order: transaction.open_table(WAKE_ORDER)?,
            parked: transaction.open_table(PARKED)?,
            call_leases: transaction.open_table(CALL_LEASES)?,
            call_counts: transaction.open_table(CALL_COUNTS)?,
            calls_ended: transaction.open_table(CALLS_ENDED)?,
        })
    }
}

/// What a stored record says before its body.
pub(super) struct RecordFront {
    /// End of life in ms, 0 for never.
    pub(super) ends_ms: u64,
    /// Who wrote it.
    pub(super) header: Header,
}

/// Bytes that stand before the record.
const ENDS_BYTES: usize = 8;

/// Reads the front of a stored value; `None` when it is not one of ours.
pub(super) fn front(value: &[u8]) -> Option<RecordFront> {
    let (ends, record) = value.split_first_chunk::<ENDS_BYTES>()?;
    Some(RecordFront {
        ends_ms: u64::from_be_bytes(*ends),
        header: Header::of_record(record)?,
    })
}

/// The record in a stored value, unless its life has ended.
pub(super) fn living_record(value: &[u8], now_ms: u64) -> Option<&[u8]> {
    let (ends, record) = value.split_first_chunk::<ENDS_BYTES>()?;
    let ends_ms = u64::from_be_bytes(*ends);
    (ends_ms == 0 || ends_ms > now_ms).then_some(record)
}

/// Writes a record with its end of life, without building the value beforehand.
pub(super) fn put_record(
    records: &mut Table<'_, &'static Spot, &'static [u8]>,
    spot: &Spot,
    ends_ms: u64,
    record: &[u8],
) -> Result<(), Error> {
    let mut value = records.insert_reserve(spot, ENDS_BYTES + record.len())?;
    let (ends, body) = value.as_mut().split_at_mut(ENDS_BYTES);
    ends.copy_from_slice(&ends_ms.to_be_bytes());
    body.copy_from_slice(record);
    Ok(())
}

/// What [`META`] says.
pub(super) enum Meta {
    /// The file is new.
    Empty,
    /// It is of a format that this version does not know.
    Unknown(u64),
    /// It is ours.
    Known(Identity),
}

/// Reads who the store is.
pub(super) fn read_meta(meta: &impl ReadableTable<&'static str, u64>) -> Result<Meta, Error> {
    let number = |name: &str| meta.get(name).map(|value| value.map(|value| value.value()));
    let Some(format) = number("format")? else {
        return Ok(Meta::Empty);
    };
    if format != FORMAT {
        return Ok(Meta::Unknown(format));
    }
    match (number("cluster")?, number("shards")?.map(u32::try_from)) {
        (Some(cluster), Some(Ok(shards))) => Ok(Meta::Known(Identity { cluster, shards })),
        _ => Err(Error::Corrupted("the store's own numbers are incomplete".to_owned())),
    }
}

/// Writes who a new store is.
pub(super) fn write_meta(meta: &mut Table<'_, &'static str, u64>, identity: Identity) -> Result<(), Error> {
    meta.insert("format", FORMAT)?;
    meta.insert("cluster", identity.cluster)?;
    meta.insert("shards", u64::from(identity.shards))?;
    Ok(())
}

//! What both engines refuse alike: writes over the contract's limits and a store of another shape.

use crate::contract::{
    ANSWER_BYTES, BEAT_BYTES, Beat, CALL_NAME_BYTES, CallLease, Commit, ENDED_BYTES, EndedCall, Header, Identity,
    MAP_BYTES, MEDIA_ENTRY_BYTES, MEDIA_NAME_BYTES, MediaEntry, RECORD_BYTES, StoreError,
};
use crate::key::{MAX_SHARDS, ShardId};

/// Refuses a commit that no engine may write.
pub(crate) fn check(commit: &Commit) -> Result<(), StoreError> {
    if let Some(record) = &commit.record {
        within("the record", record.len(), RECORD_BYTES)?;
        if record.len() < Header::BYTES {
            return Err(StoreError::Corrupt {
                doing: "checking a commit",
                reason: format!(
                    "the record has {} bytes, its header alone has {}",
                    record.len(),
                    Header::BYTES
                ),
            });
        }
    }
    for (_, value) in &commit.accept {
        within("an inbox entry", value.len(), RECORD_BYTES)?;
    }
    if let Some((_, answer)) = &commit.answer {
        within("the recorded answer", answer.len(), ANSWER_BYTES)?;
    }
    Ok(())
}

/// Refuses a beat that no engine may take.
pub(crate) fn beat(beat: &Beat) -> Result<(), StoreError> {
    within("the payload of a beat", beat.payload.len(), BEAT_BYTES)
}

/// Refuses a map that no engine may write.
pub(crate) fn map(blob: &[u8]) -> Result<(), StoreError> {
    within("the map", blob.len(), MAP_BYTES)
}

/// Refuses a lease that no engine may take.
pub(crate) fn lease(lease: &CallLease) -> Result<(), StoreError> {
    tenant(&lease.tenant)?;
    within("the name of the bot", lease.bot.len(), CALL_NAME_BYTES)
}

/// Refuses an ended call that no engine may keep.
pub(crate) fn ended(ended: &EndedCall) -> Result<(), StoreError> {
    tenant(&ended.tenant)?;
    within("the entry of an ended call", ended.entry.len(), ENDED_BYTES)
}

/// Refuses a tenant's id that is none.
pub(crate) fn tenant(tenant: &str) -> Result<(), StoreError> {
    within("the id of the tenant", tenant.len(), CALL_NAME_BYTES)
}

/// Refuses an announcement that no engine may take.
pub(crate) fn media(host: &MediaEntry) -> Result<(), StoreError> {
    within("the name of the media host", host.name.len(), MEDIA_NAME_BYTES)?;
    within("the entry of a media host", host.entry.len(), MEDIA_ENTRY_BYTES)
}

fn within(what: &'static str, bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit {
        return Err(StoreError::TooLarge { what, bytes, limit });
    }
    Ok(())
}

/// Refuses a store that was created with another number of shards: its keys would not be found.
pub(crate) fn same_shards(identity: Identity, configured: u32) -> Result<(), StoreError> {
    if identity.shards == configured {
        return Ok(());
    }
    Err(StoreError::Unfit {
        problem: format!("the store has {} shards, {configured} are configured", identity.shards),
        remedy: format!(
            "set the number of shards to {}: it is fixed when a store is created",
            identity.shards
        ),
    })
}

/// Refuses a number of shards that no store can have.
pub(crate) fn shards(configured: u32) -> Result<(), StoreError> {
    if (1..=MAX_SHARDS).contains(&configured) {
        return Ok(());
    }
    Err(StoreError::Unfit {
        problem: format!("{configured} shards are configured"),
        remedy: format!("set the number of shards to between 1 and {MAX_SHARDS}"),
    })
}

/// Refuses a shard that the store does not have.
#[cfg(feature = "embedded")]
pub(crate) fn shard(shard: ShardId, identity: Identity) -> Result<(), StoreError> {
    if shard.0 < identity.shards {
        return Ok(());
    }
    Err(no_such_shard(shard, identity))
}

/// A shard beyond the store's number of them: it was computed with another number.
pub(crate) fn no_such_shard(shard: ShardId, identity: Identity) -> StoreError {
    StoreError::Unfit {
        problem: format!("shard {shard} does not exist, the store has {}", identity.shards),
        remedy: "use one number of shards in all processes".to_owned(),
    }
}

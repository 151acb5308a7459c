//! Makes the store when there is none, and reads who it is when there is one.
//!
//! A new store gets an identity and a fence for every shard. Fences are never deleted, so a missing one says that its server
//! lost what it held: that is how the loss of one primary of a cluster is seen.

use rand::RngExt as _;
use redis::aio::MultiplexedConnection;

use super::config::RedisConfig;
use super::connect::{CONNECTING, Connector};
use super::failure::failed;
use super::fitness::{check_clock, our_clock_ms};
use super::tags::{META, Tags};
use crate::contract::{Identity, StoreError};
use crate::key::ShardId;
use crate::limits;

/// Fences made in one round trip.
const FENCES: usize = 1_024;
/// The fence of a shard that nobody has claimed yet.
const UNCLAIMED: &str = "0:-:0";

/// A primary and the shards that it holds.
pub(super) struct Ground {
    pub(super) connector: Connector,
    pub(super) shards: Vec<ShardId>,
    /// Whether it holds the store's own keys.
    pub(super) holds_meta: bool,
}

/// Checks every primary, its clock, too, and makes the store when there is none.
pub(super) async fn found(grounds: &[Ground], tags: &Tags, config: &RedisConfig) -> Result<Identity, StoreError> {
    let (shards, wait_replicas) = (config.shards, config.wait_replicas);
    let mut connections = Vec::new();
    for ground in grounds {
        let (mut connection, keeping) = ground.connector.fit_connection().await?;
        if !keeping.append_only {
            tracing::warn!("Redis keeps no append-only file: a restart of it loses what was acknowledged");
        }
        if keeping.replicas < wait_replicas {
            tracing::warn!(
                connected = keeping.replicas,
                wait_replicas,
                "Redis has fewer replicas than wait_replicas: until they are there, no turn is acknowledged"
            );
        }
        let (seconds, _): (u64, u64) = redis::cmd("TIME")
            .query_async(&mut connection)
            .await
            .map_err(failed(CONNECTING))?;
        check_clock(seconds * 1_000, our_clock_ms())?;
        connections.push((ground, connection));
    }
    let Some((_, holder)) = connections.iter().find(|(ground, _)| ground.holds_meta) else {
        return Err(StoreError::Unavailable {
            doing: CONNECTING,
            reason: format!("no primary serves the slot of {META}"),
        });
    };
    let mut holder = holder.clone();
    let (identity, has_fences) = create_or_read(&mut holder, shards).await?;
    limits::same_shards(identity, shards)?;
    if !has_fences {
        for (ground, connection) in &mut connections {
            make_fences(connection, tags, &ground.shards).await?;
        }
        redis::cmd("HSET")
            .arg(META)
            .arg("fences")
            .arg(1)
            .exec_async(&mut holder)
            .await
            .map_err(failed(CONNECTING))?;
    }
    Ok(identity)
}

/// Makes the store in one transaction: of several processes that start at once, one names it and all read that name.
async fn create_or_read(connection: &mut MultiplexedConnection, shards: u32) -> Result<(Identity, bool), StoreError> {
    let cluster: u64 = rand::rng().random();
    let ((cluster, shards, fences),): ((Option<String>, Option<String>, Option<String>),) = redis::pipe()
        .atomic()
        .hset_nx(META, "cluster", format!("{cluster:016x}"))
        .ignore()
        .hset_nx(META, "shards", shards)
        .ignore()
        .cmd("HMGET")
        .arg(META)
        .arg("cluster")
        .arg("shards")
        .arg("fences")
        .query_async(connection)
        .await
        .map_err(failed(CONNECTING))?;
    let identity = read_identity((cluster, shards))?.ok_or_else(|| StoreError::Corrupt {
        doing: CONNECTING,
        reason: "the store has no identity although it was just written".to_owned(),
    })?;
    Ok((identity, fences.is_some()))
}

async fn make_fences(
    connection: &mut MultiplexedConnection,
    tags: &Tags,
    shards: &[ShardId],
) -> Result<(), StoreError> {
    for shards in shards.chunks(FENCES) {
        let mut commands = redis::pipe();
        for names in shards.iter().filter_map(|shard| tags.names(*shard)) {
            commands.cmd("SET").arg(names.fence()).arg(UNCLAIMED).arg("NX").ignore();
        }
        commands.exec_async(connection).await.map_err(failed(CONNECTING))?;
    }
    Ok(())
}

/// Reads the fields `cluster` and `shards` of [`META`]; `None` when the store is not there.
pub(super) fn read_identity(found: (Option<String>, Option<String>)) -> Result<Option<Identity>, StoreError> {
    let (cluster, shards) = match found {
        (None, None) => return Ok(None),
        (cluster, shards) => (cluster.unwrap_or_default(), shards.unwrap_or_default()),
    };
    match (u64::from_str_radix(&cluster, 16), shards.parse()) {
        (Ok(cluster), Ok(shards)) => Ok(Some(Identity { cluster, shards })),
        _ => Err(StoreError::Corrupt {
            doing: CONNECTING,
            reason: format!("{META} says cluster `{cluster}`, shards `{shards}`"),
        }),
    }
}

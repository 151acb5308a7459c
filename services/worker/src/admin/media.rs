//! The media hosts, as they say of themselves in the store.

use prost::Message as _;
use tonic::Status;
use trunkline_proto::admin::{MediaHost, MediaHostsReply};
use trunkline_proto::media::Host;
use trunkline_store::contract::MediaEntry;

use crate::shell::context::WorkerParts;

/// Every host that lives, by name.
///
/// # Errors
/// `UNAVAILABLE` when the store does not answer.
pub(super) async fn hosts(worker: &WorkerParts) -> Result<MediaHostsReply, Status> {
    let hosts = worker.store.media().media_hosts().await;
    let hosts = hosts.map_err(|error| Status::unavailable(error.to_string()))?;
    Ok(MediaHostsReply {
        hosts: hosts.into_iter().map(shown).collect(),
    })
}

/// A host of a newer version may say what this one cannot read: its name is shown all the same.
fn shown(MediaEntry { name, entry }: MediaEntry) -> MediaHost {
    let says = Host::decode(entry).unwrap_or_default();
    MediaHost {
        name,
        incarnation: format!("{:016x}", says.incarnation),
        address: says.address,
        whip: says.whip,
        zone: says.zone,
        legs: says.legs,
        limit: says.limit,
        draining: says.draining,
        lag_ms: says.lag_ms,
        build: says.build,
        codec_used: says.codec_used,
        codec_limit: says.codec_limit,
    }
}

//! Worker to worker (`peer.proto`): an actor here tells one whose shard another worker owns, and the other way round.

mod client;
mod metrics;
mod service;
mod wire;

pub(crate) use client::Peers;
pub(crate) use metrics::PeerMetrics;
pub(crate) use service::{PeerService, only_workers};

//! The contracts between the processes of Trunkline, as generated from the `.proto` files beside this crate.
//!
//! Knows messages and nothing else: no role, no socket, no rule. `admin` is what operators ask,
//! `cluster` what the processes of a cluster keep and tell of themselves, `media` what workers ask of media hosts, `peer` what
//! workers tell each other, `routing` the stream between ingress and worker.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::pedantic,
    reason = "generated code"
)]

/// Operators to a worker (`admin.proto`).
pub mod admin {
    tonic::include_proto!("trunkline.admin.v1");
}

/// The shard map (`cluster.proto`).
pub mod cluster {
    tonic::include_proto!("trunkline.cluster.v1");
}

/// Worker to media host (`media.proto`).
pub mod media {
    tonic::include_proto!("trunkline.media.v1");

    /// The version of the contract that this build speaks.
    pub const PROTOCOL: u32 = 1;
}

/// Worker to worker (`peer.proto`).
pub mod peer {
    tonic::include_proto!("trunkline.peer.v1");
}

/// Ingress to worker (`routing.proto`).
pub mod routing {
    tonic::include_proto!("trunkline.routing.v1");

    /// Newest version of the stream that this build speaks.
    pub const PROTOCOL: u32 = 2;
    /// All versions that it speaks.
    pub const PROTOCOLS: std::ops::RangeInclusive<u32> = 1..=PROTOCOL;
    /// First version that carries notifications of calls.
    pub const CALLS_SINCE: u32 = 2;
    /// Frames are filled up to this many bytes; one larger delivery travels in a frame of its own.
    pub const FRAME_BYTES: usize = 64 * 1024;
    /// A frame above this is refused by both sides.
    pub const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;
    /// HTTP/2 window of one stream.
    pub const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
    /// HTTP/2 window of one connection.
    pub const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
}

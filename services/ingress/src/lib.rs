//! The HTTPS edge: takes activities from Teams, knows who sent them, and sends each to the worker that owns its conversation.
//!
//! This crate knows HTTP, TLS, tokens and shards. It must not know bots or state: it reads of a body only its
//! [envelope](trunkline_teams::envelope) and forwards it byte for byte.
//!
//! The way of a request: `http` bounds it, has its sender verified and finds its shard; [`exchange`], a value without I/O,
//! decides which worker gets it, in which order, and when again; `stream` moves the frames; `http` maps what came back. One
//! thread does all of this for its connections, and shares nothing that is locked with the others.

mod config;
mod error;
pub mod exchange;
mod http;
mod metrics;
mod readiness;
mod server;
mod stream;

pub use config::{CallsEndpoint, Clock, IngressConfig, Limits, StopTimes, Transport};
pub use error::IngressError;
pub use readiness::{NotReady, Readiness};
pub use server::Ingress;

/// The documentation page of what the ingress itself refuses: each with its number, cause and remedy.
pub const REFUSALS_PAGE: &str = include_str!("../docs/refusals.md");

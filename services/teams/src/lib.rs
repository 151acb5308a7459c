//! The wire of Microsoft Teams as types and pure functions, and the clients of its services.
//!
//! This crate knows what passes between Teams, a bot's endpoint and the Connector, byte by byte, and nothing of the cluster,
//! the store or HTTP servers. A body that arrives is looked at by [`envelope`] (borrowed, cheap, what an ingress needs) and
//! read once by [`activity`] for the bot; what the bot answers is checked against [`limits`] and goes out by `connector`. What
//! Graph tells of calls is split and read by [`calls`]; what a bot asks of them is a value of [`graph`], which its `Client` does.
//!
//! The feature `clients` (on by default) brings `identity`, `token`, `connector` and `graph`'s client. A bot's crate does
//! without: it needs types, and its author should not wait for a TLS library to build.
//!
//! What Microsoft documents of all this, what was observed and what is inferred stands in `docs/wire.md`, `docs/refusals.md`
//! and, for calls, `docs/calls.md` of this crate.

pub mod activity;
pub mod attachment;
pub mod calls;
pub mod channel_data;
#[cfg(feature = "clients")]
pub mod cloud;
#[cfg(feature = "clients")]
pub mod connector;
pub mod entity;
pub mod envelope;
pub mod graph;
#[cfg(feature = "clients")]
pub mod identity;
pub mod invoke;
pub mod limits;
#[cfg(feature = "clients")]
mod outgoing;
#[cfg(feature = "clients")]
pub mod retry;
#[cfg(feature = "clients")]
pub mod service_url;
#[cfg(feature = "clients")]
pub mod token;

mod wire;

//! Durable state: one contract, two engines, one contract suite.
//!
//! This crate knows shards, fences, records as opaque bytes behind a 16-byte header, the inbox, the wake index, recorded
//! answers, the beats, leader and map of a cluster, and which media hosts live. It must not know Teams, bots or actors. The way of the data: a
//! [`key::Triple`] names a conversation, its [`key::ShardId`] and [`key::Key`] find it, [`contract::Store`] reads and
//! writes it.
//!
//! The engines are features (`embedded`, `redis`), so that a role that only needs the keys pays for neither.

pub mod contract;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod key;
#[cfg(any(feature = "embedded", feature = "redis"))]
mod limits;
#[cfg(feature = "redis")]
pub mod redis;
pub mod rules;

pub use contract::{SharedStore, Store, StoreError};
pub use key::{Key, ShardId, Triple, locate_call, locate_conversation};

//! Threads, actors, futures and timers around the pure cores. Nothing here decides what a conversation does.

pub(crate) mod actor;
pub mod agenda;
mod calls;
pub(crate) mod context;
pub(crate) mod courier;
pub(crate) mod directory;
mod graph;
pub(crate) mod media;
pub(crate) mod notes;
pub(crate) mod operator;
pub(crate) mod ownership;
pub(crate) mod pace;
pub(crate) mod pool;
pub(crate) mod port;
pub mod shard_table;
pub(crate) mod spans;
pub(crate) mod streaming;
pub(crate) mod tell;
pub(crate) mod turn;
pub(crate) mod watchdog;

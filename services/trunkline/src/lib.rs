//! Hosts Microsoft Teams bots: the roles of Trunkline as one binary, and the same commands for a binary of the author's own.
//!
//! This crate knows every role, the configuration and the command line; nothing depends on it. The way of a start: the
//! [`command`] line says what to do, [`configuration`] reads file, environment and flags into typed sections, [`host()`] gathers
//! the bots, and the roles get plain configuration structs of their own.

pub mod command;
pub mod configuration;
mod host;
mod house;
pub mod roles;
pub mod telemetry;

pub use host::host;
pub use house::House;

/// For the stock binary and for an author's alike: turns make many short-lived small values on threads that never rest, where
/// glibc's allocator took a quarter of a worker's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

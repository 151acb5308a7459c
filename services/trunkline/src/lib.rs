//! Hosts Microsoft Teams bots: the roles of Trunkline as one binary, and the same commands for a binary of the author's own.
//!
//! This crate knows every role, the configuration and the command line; nothing depends on it. The way of a start: the
//! [`command`] line says what to do, [`configuration`] reads file, environment and flags into typed sections, [`host()`] gathers
//! the bots, and the roles get plain configuration structs of their own.

pub mod command;
pub mod configuration;
mod host;
pub mod roles;
pub mod telemetry;

pub use host::{House, host};

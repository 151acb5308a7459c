//! The built binary as processes, in front of a simulated Teams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod deployment;
mod dev;
mod example;
mod support;
mod traces;

//! Calls as operators and callers meet them: real processes on a Redis, a simulated Graph that rings, and workers that are killed
//! in the middle of a call.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its world fails"
)]
#![allow(clippy::print_stdout, reason = "what is measured is printed")]

mod campaign;
mod commands;
mod kills;
mod meeting;
mod outgoing;
#[path = "../support/promtool.rs"]
mod promtool;
mod script;
mod sound;
mod world;

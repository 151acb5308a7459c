//! The connection between two processes, over real sockets and by real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its world fails"
)]

mod authority;
mod files;
mod refusals;
mod reload;
mod world;

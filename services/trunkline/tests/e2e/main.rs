//! The whole product as its users meet it: the built binary as processes, killed and started again; a real browser at its
//! pages; Microsoft's own local tool at its endpoint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its world fails"
)]
#![allow(clippy::print_stdout, reason = "what is allowed, but counted, is printed")]

mod browser;
mod chat_page;
mod dev;
mod example;
mod kill;
mod media;
mod namespaces;
#[path = "../support/promtool.rs"]
mod promtool;
mod sound;
mod steps;
mod telephone;
mod tls;
mod traces;
mod world;

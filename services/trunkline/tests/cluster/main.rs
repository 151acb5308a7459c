//! The cluster as its operators meet it: real processes, in network namespaces of their own where this machine allows it, with
//! faults and a crowd that judges. What a state holds must be what was acknowledged; how fast it recovers is measured by
//! `cargo bench -p trunkline --bench cluster`, not here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where its world fails"
)]
#![allow(clippy::print_stdout, reason = "what is allowed, but counted, is printed")]

mod deaths;
mod failover;
mod links;
mod mixed;
mod moves;
mod operator;
mod overload;
mod poison;
mod store;
mod timers;
mod world;

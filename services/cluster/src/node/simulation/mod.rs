//! Several nodes under one seeded scheduler, with a store that fails over, forgets, steps its clock and answers late, and with
//! processes that crash, pause and return. A seed that fails is printed: `TRUNKLINE_SEED=n` runs it alone and
//! tells all that happened, `TRUNKLINE_SEEDS=n` runs more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests"
)]

mod everything;
mod faults;
mod network;
mod promises;
mod store;
mod versions;
mod worker;
mod world;

/// The seeds of a test: one by `TRUNKLINE_SEED`, more by `TRUNKLINE_SEEDS`.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("TRUNKLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRUNKLINE_SEEDS").unwrap_or(usual),
    }
}

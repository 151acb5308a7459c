//! The stock binary: every role, every command, and the example bots.

use std::process::ExitCode;

use trunkline_example_bots::{assistant, booking, echo, poll};

fn main() -> ExitCode {
    trunkline::host(|house| {
        house
            .offer(echo::bot())
            .offer(booking::bot())
            .offer(poll::bot())
            .offer(assistant::bot());
        Ok(())
    })
}

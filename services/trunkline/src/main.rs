//! The stock binary: every role, every command, and the example bots.

use std::process::ExitCode;

fn main() -> ExitCode {
    trunkline::host(|_house| Ok(()))
}

//! A binary of one's own: a bot with settings, and all commands of the stock binary.
//!
//! `cargo run -p trunkline --example own_bot -- dev` talks; `... -- config check` checks its settings.

use std::process::ExitCode;

use trunkline_bot::prelude::*;

/// `[bots.greeter.settings]`.
#[derive(Deserialize)]
#[serde(default)]
struct Settings {
    /// What people are greeted with.
    greeting: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            greeting: "Hello".to_owned(),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Guest {
    visits: u32,
}

impl State for Guest {}

async fn greet(turn: &mut Turn<Settings>, guest: &mut Guest, _: Message) -> Result {
    guest.visits += 1;
    let greeting = &turn.app.greeting;
    turn.reply(plain(&format!("{greeting}! Visit number {}.", guest.visits)));
    Ok(())
}

fn main() -> ExitCode {
    trunkline::host(|house| {
        let settings: Settings = house.settings("greeter")?;
        house.bot(Bot::with("greeter", settings).on(message(), greet));
        Ok(())
    })
}

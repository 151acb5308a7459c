//! A bot that asks to be called back: it says each message back three seconds later, and `tick` every second after it heard
//! `every second`.
//!
//! A timer is part of the turn that sets it: committed with its state, carried over when the conversation's node changes, and
//! brought once, after a crash as well. A recurring one that was missed, since no node was there, comes once, and then again
//! at its rhythm.
//!
//! `cargo run -p trunkline --example reminder -- dev` talks.

use std::process::ExitCode;
use std::time::Duration;

use trunkline_bot::prelude::*;

/// How long a message is kept before it is said back.
const AFTER: Duration = Duration::from_secs(3);
/// How often it ticks.
const PERIOD: Duration = Duration::from_secs(1);

/// What a conversation remembers: how often it was called back.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Calls {
    count: u64,
}

impl State for Calls {}

/// Something to say later.
#[derive(Serialize, Deserialize)]
struct Reminder {
    what: String,
}

impl Signal for Reminder {
    const NAME: &'static str = "reminder";

    /// Each text has a timer of its own; the same text once more puts its timer off.
    fn key(&self) -> String {
        self.what.clone()
    }
}

/// Time to tick.
#[derive(Serialize, Deserialize)]
struct Tick {}

impl Signal for Tick {
    const NAME: &'static str = "tick";
}

async fn listen(turn: &mut Turn, _: &mut Calls, message: Message) -> Result {
    match message.text() {
        "every second" => turn.call_me_every(PERIOD, Tick {}),
        what => turn.call_me_in(AFTER, Reminder { what: what.to_owned() }),
    }
}

async fn remind(turn: &mut Turn, calls: &mut Calls, reminder: Reminder) -> Result {
    say(turn, calls, &reminder.what);
    Ok(())
}

async fn tick(turn: &mut Turn, calls: &mut Calls, _: Tick) -> Result {
    say(turn, calls, "tick");
    Ok(())
}

fn say(turn: &mut Turn, calls: &mut Calls, what: &str) {
    calls.count += 1;
    turn.reply(plain(&format!("{}. {what}", calls.count)));
}

fn main() -> ExitCode {
    trunkline::host(|house| {
        let bot = Bot::new("reminder")
            .on(message(), listen)
            .on(signal::<Reminder>(), remind)
            .on(signal::<Tick>(), tick);
        house.bot(bot);
        Ok(())
    })
}

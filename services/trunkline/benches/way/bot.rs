//! The bots that are measured where the stock echo bot does not fit, hosted by the benchmark's own binary as an author's binary
//! hosts bots: the processes are this program, started with a role as its first argument.

use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use trunkline_bot::prelude::*;

use crate::sink::DUE;

/// Name of the bot that counts and says back what it hears, as echo does, and leaves no timer.
pub(crate) const COUNTER: &str = "counter";
/// Name of the bot that rings when it was told to, and says nothing before.
pub(crate) const ALARM: &str = "alarm";

/// Whether this process was started to be a role, by [`host`].
pub(crate) fn is_a_role() -> bool {
    std::env::args()
        .nth(1)
        .is_some_and(|word| ["ingress", "worker"].contains(&word.as_str()))
}

/// Is the role that the command line names.
pub(crate) fn host() -> ExitCode {
    trunkline::host(|house| {
        house
            .offer(Bot::new(COUNTER).on(message(), count))
            .offer(Bot::new(ALARM).on(message(), set).on(signal::<Alarm>(), ring));
        Ok(())
    })
}

/// What a conversation remembers.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

/// Due at this time, in milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
struct Alarm {
    at: u64,
}

impl Signal for Alarm {
    const NAME: &'static str = "alarm";
}

async fn count(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. {}", heard.count, message.text())));
    Ok(())
}

/// A message is the time at which the alarm rings.
async fn set(turn: &mut Turn, _: &mut Heard, message: Message) -> Result {
    let at: u64 = message.text().parse()?;
    turn.call_me_at(UNIX_EPOCH + Duration::from_millis(at), Alarm { at })
}

async fn ring(turn: &mut Turn, heard: &mut Heard, alarm: Alarm) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{DUE}{}", alarm.at)));
    Ok(())
}

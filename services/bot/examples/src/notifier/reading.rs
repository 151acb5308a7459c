//! The half of the notifier that leads one call.

use trunkline_bot::prelude::*;

use super::{Cancel, Outcome, Read, Report, Settings};

/// What one call remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Who asked for it.
    pub asked: Option<Read>,
    /// How often the message began.
    pub readings: u8,
    /// What is known of the call by now.
    pub outcome: Option<Outcome>,
}

impl State for Reading {}

/// How often the message is read to somebody who confirms nothing.
const READINGS: u8 = 2;

/// The half in the call.
pub fn call_bot(settings: Settings) -> CallBot<Reading, Settings> {
    CallBot::calling("notifier", settings)
        .on(calls::signal::<Read>(), asked)
        .on(calls::connected(), read)
        .on(calls::gathered(), pressed)
        .on(calls::in_doubt(), in_doubt)
        .on(calls::signal::<Cancel>(), cancel)
        .ended(ended)
}

async fn asked(_: &mut Call<Settings>, reading: &mut Reading, read: Read) -> Result<Then> {
    reading.asked = Some(read);
    Ok(Then::Stay)
}

async fn read(call: &mut Call<Settings>, reading: &mut Reading, _: Connected) -> Result<Then> {
    reading.outcome = Some(Outcome::Heard);
    read_out(call, reading);
    Ok(Then::Stay)
}

fn read_out(call: &mut Call<Settings>, reading: &mut Reading) {
    reading.readings += 1;
    call.gather(Digits::up_to(1).without_stop_key().after(prompt(call, "message")));
}

async fn pressed(call: &mut Call<Settings>, reading: &mut Reading, gathered: Gathered) -> Result<Then> {
    if gathered.keys == "1" {
        reading.outcome = Some(Outcome::Acknowledged);
        return Ok(Then::HangUpAfter(call.play(prompt(call, "thanks"))));
    }
    if reading.readings == READINGS {
        return Ok(Then::HangUp);
    }
    read_out(call, reading);
    Ok(Then::Stay)
}

async fn in_doubt(_: &mut Call<Settings>, reading: &mut Reading, _: InDoubt) -> Result<Then> {
    reading.outcome = Some(Outcome::Unknown);
    Ok(Then::Stay)
}

async fn cancel(_: &mut Call<Settings>, _: &mut Reading, _: Cancel) -> Result<Then> {
    Ok(Then::HangUp)
}

async fn ended(turn: &mut Turn<Settings>, reading: &mut Reading, _: Ended) -> Result {
    let Some(Read { chat, round, place }) = reading.asked.take() else {
        return Ok(());
    };
    let outcome = reading.outcome.unwrap_or(Outcome::NotReached);
    turn.signal(&chat, Report { round, place, outcome })
}

fn prompt(call: &Call<Settings>, name: &str) -> Prompt {
    Prompt::at(format!("{}/{name}.wav", call.app.prompts.trim_end_matches('/')))
}

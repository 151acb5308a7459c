//! Echo: counts what it hears, says it back, and says good night after an hour of silence.

use std::time::Duration;

use trunkline_bot::prelude::*;

/// What a conversation with echo remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// How many messages were heard.
    pub heard: u64,
}

impl State for Echo {}

/// The timer that goes off after an hour of silence.
#[derive(Debug, Serialize, Deserialize)]
struct GoodNight;

impl Signal for GoodNight {
    const NAME: &'static str = "good-night";
}

/// The bot.
pub fn bot() -> Bot<Echo> {
    Bot::new("echo")
        .on(message(), echo)
        .on(signal::<GoodNight>(), good_night)
}

async fn echo(turn: &mut Turn, echo: &mut Echo, message: Message) -> Result {
    echo.heard += 1;
    turn.reply(plain(&format!("{}. {}", echo.heard, message.text())));
    // Every message puts it off: a timer of the same name is replaced.
    turn.call_me_in(Duration::from_secs(3600), GoodNight)
}

async fn good_night(turn: &mut Turn, _: &mut Echo, _: GoodNight) -> Result {
    turn.reply("Good night.");
    Ok(())
}

//! A bot that can kill its process, to see that one message does not take a cluster down node by node: it counts and says back
//! what it hears, aborts when it hears `abort`, and fails when it hears `fail`.

use std::process::ExitCode;

use trunkline_bot::prelude::*;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Heard {
    messages: u64,
}

impl State for Heard {}

fn main() -> ExitCode {
    trunkline::host(|house| {
        house.bot(Bot::new("fragile").on(message(), echo));
        Ok(())
    })
}

async fn echo(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    if message.text() == "abort" {
        std::process::abort();
    }
    if message.text() == "fail" {
        return Err(std::io::Error::other("asked to fail").into());
    }
    heard.messages += 1;
    turn.reply(plain(&format!("{}. {}", heard.messages, message.text())));
    Ok(())
}

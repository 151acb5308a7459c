//! What a calling bot may rely on, shown with the kit.

#![allow(clippy::unwrap_used)]

mod beginning;
mod bridging;
mod going_on;
mod keys;
mod people;
mod prompts;
mod recording;
mod reopening;

use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    lines: Vec<String>,
    prompt: Option<Op<Voice>>,
    recording: Option<Op<Recording>>,
}

impl State for Notes {}

async fn take(_: &mut Ringing, notes: &mut Notes, invitation: Invitation) -> Result<Decision> {
    notes.lines.push(invitation.caller_name().to_owned());
    Ok(Decision::answer())
}

async fn greet(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
    notes.prompt = Some(call.play(at("hello")));
    Ok(Then::Stay)
}

async fn over(_: &mut Turn, notes: &mut Notes, ended: Ended) -> Result {
    notes.lines.push(format!("ended by {:?}", ended.by));
    Ok(())
}

async fn note_prompt(_: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
    let is_mine = notes.prompt.as_ref() == Some(&ended.prompt);
    notes.lines.push(format!("{is_mine} {:?}", ended.done));
    Ok(Then::Stay)
}

fn bot() -> CallBot<Notes> {
    CallBot::answering("notes", (), take).ended(over)
}

fn at(name: &str) -> Prompt {
    Prompt::at(format!("https://bot.example/{name}.wav"))
}

fn lines<S: State>(phone: &Phone<S>, of: impl Fn(S) -> Vec<String>) -> Vec<String> {
    of(phone.state())
}

fn notes(phone: &Phone<Notes>) -> Vec<String> {
    lines(phone, |notes| notes.lines)
}

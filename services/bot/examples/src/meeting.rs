//! Meeting: a chat command with a join link makes the bot join that meeting; it greets, and tells the chat who is there.
//!
//! Two bots of one name: [`bot`] in the chat takes the commands, [`call_bot`] is in the meeting. They tell each other by signals.
//! The prompt is a WAV file below one address: `hello.wav`.

mod visit;

use trunkline_bot::prelude::*;

pub use visit::{Visit, call_bot};

/// What the bot is told by its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Below this address lies the prompt; Graph fetches it.
    pub prompts: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prompts: "http://localhost:3980/meeting".to_owned(),
        }
    }
}

/// What the chat remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// The meeting that the bot is in, or on its way to.
    pub call: Option<CallKey>,
}

impl State for Desk {}

/// The first that the call hears: whom it tells who is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The chat that asked.
    pub chat: Address,
}

impl Signal for Join {
    const NAME: &'static str = "join-meeting";
}

/// The chat asks who is there.
#[derive(Debug, Serialize, Deserialize)]
pub struct WhoIsThere;

impl Signal for WhoIsThere {
    const NAME: &'static str = "who-is-there";
}

/// The chat wants the bot to leave.
#[derive(Debug, Serialize, Deserialize)]
pub struct Leave;

impl Signal for Leave {
    const NAME: &'static str = "leave-meeting";
}

/// The bot is not in the meeting any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// Which call.
    pub call: String,
    /// Why it could not stay, where Graph tells a failure: code and sub-code.
    pub failure: Option<(i64, i64)>,
}

impl Signal for Over {
    const NAME: &'static str = "meeting-over";
}

/// The half in the chat.
pub fn bot() -> Bot<Desk> {
    Bot::new("meeting")
        .on(command("join"), join)
        .on(command("who"), who)
        .on(command("leave"), leave)
        .on(signal::<Over>(), over)
        .on(message(), help)
}

async fn help(turn: &mut Turn, _: &mut Desk, _: Message) -> Result {
    turn.reply("Say **join** and a meeting's link (or its id and passcode), then **who** or **leave**.");
    Ok(())
}

async fn join(turn: &mut Turn, desk: &mut Desk, message: Message) -> Result {
    if desk.call.is_some() {
        return Err(tell("I am in a meeting already. Say **leave** first."));
    }
    let meeting = outgoing(message.text())?;
    let chat = turn.here();
    desk.call = Some(turn.start_call(meeting, Join { chat })?);
    turn.reply("I am on my way.");
    Ok(())
}

/// A link, or the id that people type with or without its passcode: `241 837 296 011 sesame`.
fn outgoing(text: &str) -> Result<Outgoing> {
    if text.contains("://") {
        // Its errors say what people can do.
        return Outgoing::join_url(text).map_err(|error| tell(plain(&format!("I cannot join that: {error}."))));
    }
    let ends = text.find(|sign: char| sign.is_alphabetic()).unwrap_or(text.len());
    let (id, passcode) = text.split_at(ends);
    let is_id = id.chars().any(|sign| sign.is_ascii_digit());
    is_id
        .then_some(())
        .or_tell("Give me the link of a meeting, or its id and passcode.")?;
    let passcode = Some(passcode.trim().to_owned()).filter(|passcode| !passcode.is_empty());
    Ok(Outgoing::join_by_id(id, passcode))
}

async fn who(turn: &mut Turn, desk: &mut Desk, _: Message) -> Result {
    let call = desk.call.as_ref().or_tell("I am in no meeting.")?;
    let call = turn.here().call(call);
    turn.signal(&call, WhoIsThere)
}

async fn leave(turn: &mut Turn, desk: &mut Desk, _: Message) -> Result {
    let call = desk.call.as_ref().or_tell("I am in no meeting.")?;
    let call = turn.here().call(call);
    turn.signal(&call, Leave)
}

async fn over(turn: &mut Turn, desk: &mut Desk, over: Over) -> Result {
    if desk.call.as_ref().is_none_or(|call| call.as_str() != over.call) {
        return Ok(());
    }
    desk.call = None;
    turn.reply(match over.failure {
        Some((code, subcode)) => format!("I could not stay in the meeting ({code}/{subcode})."),
        None => "I have left the meeting.".to_owned(),
    });
    Ok(())
}

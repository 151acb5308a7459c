//! A calling bot with one of everything, by keys: 1 hands the caller on to a person, 2 records a message, 3 plays the news, 0 says
//! good-bye. In a chat, "call" makes it call that person: both halves have one name, and one registration. Each thing is asked of
//! Graph once, whatever dies: the tests of calls kill its worker in each of them. With `own_media` a media host carries the sound.
//!
//! `cargo run -p trunkline --example hotline -- dev` talks; call it from the page.

use std::process::ExitCode;
use std::time::Duration;

use trunkline_bot::event::MediaLost;
use trunkline_bot::prelude::*;

/// `[bots.hotline.settings]`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Below this address lie the prompts: greeting, news, nobody, thanks, goodbye.
    prompts: String,
    /// Who gets the calls of key 1, and is called from the chat; without, nobody is there.
    person: Option<Callee>,
    /// Whether a media host of Trunkline's own carries the sound, in place of Graph.
    own_media: bool,
    /// Whether a call whose media host is lost goes on at another one; without, the bot hangs up.
    reopens: bool,
    /// How long the bot looks at a ringing call, in milliseconds.
    think_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prompts: "http://localhost:3980/hotline".to_owned(),
            person: None,
            own_media: false,
            reopens: false,
            think_ms: 0,
        }
    }
}

/// What a call remembers.
#[derive(Default, Serialize, Deserialize)]
struct Talk {
    /// The message that is being recorded.
    message: Option<Op<Recording>>,
}

impl State for Talk {}

fn prompt(settings: &Settings, name: &str) -> Prompt {
    Prompt::at(format!("{}/{name}.wav", settings.prompts))
}

async fn meet(ringing: &mut Ringing<Settings>, _: &mut Talk, _: Invitation) -> Result<Decision> {
    tokio::time::sleep(Duration::from_millis(ringing.app.think_ms)).await;
    let media = if ringing.app.own_media {
        Media::hosted()
    } else {
        Media::audio()
    };
    Ok(Decision::Answer(media))
}

async fn greet(call: &mut Call<Settings>, _: &mut Talk, _: Connected) -> Result<Then> {
    call.play(prompt(call.app, "greeting"));
    Ok(Then::Stay)
}

async fn pressed(call: &mut Call<Settings>, talk: &mut Talk, Tone(key): Tone) -> Result<Then> {
    Ok(match (key, &call.app.person) {
        ('1', Some(person)) => Then::Transfer(person.clone()),
        ('1', None) => say_goodbye(call, "nobody"),
        ('2', _) => {
            let message = Record::at_most(Duration::from_secs(30)).silence(Duration::from_secs(1));
            talk.message = Some(call.record(message));
            Then::Stay
        }
        ('3', _) => {
            call.play(prompt(call.app, "news"));
            Then::Stay
        }
        ('0', _) => say_goodbye(call, "goodbye"),
        _ => Then::Stay,
    })
}

async fn thank(call: &mut Call<Settings>, talk: &mut Talk, recorded: Recorded) -> Result<Then> {
    let is_message = talk.message.take() == Some(recorded.recording);
    Ok(if is_message {
        say_goodbye(call, "thanks")
    } else {
        Then::Stay
    })
}

async fn nobody_there(call: &mut Call<Settings>, _: &mut Talk, _: TransferFailed) -> Result<Then> {
    Ok(say_goodbye(call, "nobody"))
}

async fn sound_is_lost(call: &mut Call<Settings>, _: &mut Talk, _: MediaLost) -> Result<Then> {
    if !call.app.reopens {
        return Ok(Then::HangUp);
    }
    call.reopen();
    call.play(prompt(call.app, "greeting"));
    Ok(Then::Stay)
}

fn say_goodbye(call: &mut Call<Settings>, name: &str) -> Then {
    Then::HangUpAfter(call.play(prompt(call.app, name)))
}

/// What a chat remembers.
#[derive(Default, Serialize, Deserialize)]
struct Desk {
    /// Calls that it began.
    calls: u32,
}

impl State for Desk {}

/// The first that a call hears which the bot began.
#[derive(Serialize, Deserialize)]
struct Hello;

impl Signal for Hello {
    const NAME: &'static str = "hello";
}

async fn call_person(turn: &mut Turn<Settings>, desk: &mut Desk, _: Message) -> Result {
    let person = turn.app.person.as_ref().or_tell("Nobody is there.")?;
    turn.start_call(Outgoing::to_user(person.id()), Hello)?;
    desk.calls += 1;
    turn.reply(plain(&format!("Call {} begins.", desk.calls)));
    Ok(())
}

fn main() -> ExitCode {
    trunkline::host(|house| {
        let settings: Settings = house.settings("hotline")?;
        let desk = Bot::with("hotline", settings.clone()).on(command("call"), call_person);
        let hotline = CallBot::answering("hotline", settings, meet)
            .on(calls::connected(), greet)
            .on(calls::tone(), pressed)
            .on(calls::recorded(), thank)
            .on(calls::transfer_failed(), nobody_there)
            .on(calls::media_lost(), sound_is_lost);
        house.bot(desk).call_bot(hotline);
        Ok(())
    })
}

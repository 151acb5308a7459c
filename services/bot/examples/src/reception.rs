//! Reception: a menu by keys, a transfer that may fail, a message that is recorded and announced in a chat, a good-bye.
//!
//! The prompts are WAV files below one address: `welcome.wav`, `menu.wav` ("press 1 for a person, 2 to leave a message, star to
//! hang up"), `nobody.wav` ("nobody is there"), `message.wav` ("speak after the beep, end with the hash key"), `goodbye.wav`.

mod mails;

use std::path::PathBuf;
use std::time::Duration;

use trunkline_bot::event::RecordingEnd;
use trunkline_bot::prelude::*;

pub use mails::{Folder, Kept, MailError, VoiceMails};

/// What the reception is told by its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Below this address lie the prompts; Graph fetches them, or a media host knows them by what follows `/prompts/`.
    pub prompts: String,
    /// Whether a media host of Trunkline's own carries the sound, in place of Graph.
    pub own_media: bool,
    /// Who gets the calls of key 1; without, callers are asked to leave a message.
    pub person: Option<Callee>,
    /// Where messages are announced.
    pub mailbox: Option<Address>,
    /// Folder that keeps the messages.
    pub voice_mails: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prompts: "http://localhost:3980/reception".to_owned(),
            own_media: false,
            person: None,
            mailbox: None,
            voice_mails: "voice-mails".into(),
        }
    }
}

/// What one call remembers.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Reception {
    /// Nothing was asked yet.
    #[default]
    Ringing,
    /// The caller hears the menu.
    Menu {
        /// How often nobody pressed a key that means something.
        missed: u8,
    },
    /// The caller is handed on.
    Transferring,
    /// The caller leaves a message.
    VoiceMail {
        /// The recording that runs.
        recording: Op<Recording>,
    },
    /// The good-bye plays.
    Leaving,
}

impl State for Reception {}

/// How often the menu is played to a caller who presses nothing.
const MENUS: u8 = 3;
/// Longest message.
const MESSAGE: Duration = Duration::from_secs(60);

/// What the reception works with.
pub struct App {
    settings: Settings,
    mails: Box<dyn VoiceMails>,
}

impl App {
    fn prompt(&self, name: &str) -> Prompt {
        Prompt::at(format!("{}/{name}.wav", self.settings.prompts.trim_end_matches('/')))
    }
}

/// The bot, with messages in a folder.
pub fn bot(settings: Settings) -> CallBot<Reception, App> {
    let folder = Folder::new(&settings.voice_mails);
    with_mails(settings, Box::new(folder))
}

/// The bot, with messages kept by somebody else.
pub fn with_mails(settings: Settings, mails: Box<dyn VoiceMails>) -> CallBot<Reception, App> {
    let late = Decision::Answer(media(&settings));
    CallBot::answering("reception", App { settings, mails }, take)
        .if_late(late)
        .on(calls::connected(), greet)
        .on(calls::gathered(), chosen)
        .on(calls::transfer_failed(), nobody_there)
        .on(calls::recorded(), keep)
}

fn media(settings: &Settings) -> Media {
    if settings.own_media {
        Media::hosted()
    } else {
        Media::audio()
    }
}

async fn take(ringing: &mut Ringing<App>, _: &mut Reception, _: Invitation) -> Result<Decision> {
    // Graph loads the first prompts while the call is set up.
    let first = ["welcome", "menu"].map(|name| ringing.app.prompt(name));
    Ok(Decision::Answer(media(&ringing.app.settings).prefetch(first)))
}

async fn greet(call: &mut Call<App>, reception: &mut Reception, _: Connected) -> Result<Then> {
    call.play(call.app.prompt("welcome"));
    Ok(menu(call, reception, 0))
}

fn menu(call: &mut Call<App>, reception: &mut Reception, missed: u8) -> Then {
    *reception = Reception::Menu { missed };
    call.gather(Digits::up_to(1).without_stop_key().after(call.app.prompt("menu")));
    Then::Stay
}

async fn chosen(call: &mut Call<App>, reception: &mut Reception, gathered: Gathered) -> Result<Then> {
    let Reception::Menu { missed } = reception else {
        return Ok(Then::Stay);
    };
    let missed = *missed + 1;
    Ok(match (gathered.keys.as_str(), &call.app.settings.person) {
        ("1", Some(person)) => {
            *reception = Reception::Transferring;
            Then::Transfer(person.clone())
        }
        ("1", None) => take_message(call, reception, "nobody"),
        ("2", _) => take_message(call, reception, "message"),
        ("*", _) => goodbye(call, reception),
        _ if missed < MENUS => menu(call, reception, missed),
        _ => goodbye(call, reception),
    })
}

async fn nobody_there(call: &mut Call<App>, reception: &mut Reception, _: TransferFailed) -> Result<Then> {
    Ok(take_message(call, reception, "nobody"))
}

fn take_message(call: &mut Call<App>, reception: &mut Reception, prompt: &str) -> Then {
    if prompt != "message" {
        call.play(call.app.prompt(prompt));
    }
    let record = Record::at_most(MESSAGE)
        .after(call.app.prompt("message"))
        .silence(Duration::from_secs(4))
        .stop_keys("#");
    let recording = call.record(record);
    *reception = Reception::VoiceMail { recording };
    Then::Stay
}

async fn keep(call: &mut Call<App>, reception: &mut Reception, recorded: Recorded) -> Result<Then> {
    let is_awaited = matches!(reception, Reception::VoiceMail { recording } if *recording == recorded.recording);
    if let Some(clip) = recorded.clip.filter(|_| is_awaited) {
        // Now or never: Graph keeps the clip only until shortly after the call.
        let fetch = async |key: StepKey| Ok(call.app.mails.keep(&clip, key.as_str()).await?);
        let kept = call.once("keep the message", fetch).await?;
        if let Some(mailbox) = &call.app.settings.mailbox {
            let caller = caller_name(call);
            call.send(mailbox, plain(&format!("A message of {caller}: {kept}")));
        }
    } else if recorded.end == RecordingEnd::NothingSaid {
        return Ok(menu(call, reception, MENUS - 1));
    }
    Ok(goodbye(call, reception))
}

fn goodbye(call: &mut Call<App>, reception: &mut Reception) -> Then {
    *reception = Reception::Leaving;
    Then::HangUpAfter(call.play(call.app.prompt("goodbye")))
}

fn caller_name(call: &Call<App>) -> String {
    let caller = call.caller().and_then(calls::IdentitySet::any);
    let name = caller.and_then(|caller| caller.display_name.as_deref().or(caller.id.as_deref()));
    name.unwrap_or("somebody").to_owned()
}

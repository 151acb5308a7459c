//! Calls with real sound in `dev`, and in the chat page of a real browser: what people hear and say.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use trunkline_caller::{Caller, CallerSettings, recorded, tone_file};
use trunkline_fleet::process::Process;
use trunkline_fleet::wait::{PATIENCE, wait_for};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Record, Relay};

use crate::browser::run_script;
use crate::world::echo::EchoBot;
use crate::world::house::Dev;
use crate::world::media::MediaWorld;
use crate::world::page::ChatPage;

/// What people say in a browser: it stands in the script as well.
const VOICE: u16 = 700;
/// Prompts of the reception and what they sound like.
const PROMPTS: [(&str, u16); 3] = [("welcome", 450), ("menu", 1_400), ("goodbye", 950)];
const ALMOST_ALL: Duration = Duration::from_millis(900);

/// `dev`, whose reception has media of its own and prompts of so many seconds that can be told apart; and the address of its page.
fn dev(directory: &Path, seconds: u64) -> (Process, String) {
    let prompts = directory.join("prompts/reception");
    std::fs::create_dir_all(&prompts).unwrap();
    for (name, hz) in PROMPTS {
        let file = tone_file(hz, Duration::from_secs(seconds));
        std::fs::write(prompts.join(format!("{name}.wav")), file).unwrap();
    }
    let settings = "[bots.reception.settings]\nown_media = true\nprompts = \"http://127.0.0.1:9/prompts/reception\"\n";
    std::fs::write(directory.join("trunkline.toml"), settings).unwrap();
    let dev = Dev::of_all_bots(directory);
    let recipe = dev.recipe.environment(
        "TRUNKLINE_DEV__PROMPTS",
        directory.join("prompts").display().to_string(),
    );
    (recipe.start(), dev.page)
}

fn say(directory: &Path) {
    std::fs::write(directory.join("voice.wav"), tone_file(VOICE, Duration::from_secs(10))).unwrap();
}

#[test]
fn a_caller_hears_the_reception_of_dev_and_its_keys_are_obeyed() {
    let directory = tempfile::tempdir().unwrap();
    let (_process, page) = dev(directory.path(), 1);
    let page = ChatPage::at(&page);
    let call = page.call(&json!({ "do": "ring", "person": 0, "bot": page.bot("reception") }));
    let invitation = wait_for("the line", || page.line(&call));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let caller = Caller::connect(&invitation, &CallerSettings::default()).await.unwrap();
        for (name, hz) in &PROMPTS[..2] {
            let heard = caller.hears(name, PATIENCE, |heard| heard.tone(*hz, 0) >= ALMOST_ALL);
            heard.await.unwrap();
        }
        caller.press("*").unwrap();
        let (name, hz) = PROMPTS[2];
        let heard = caller.hears(name, PATIENCE, |heard| heard.tone(hz, 0) >= ALMOST_ALL);
        heard.await.unwrap();
        assert_eq!(caller.heard(|heard| heard.tones(0)), PROMPTS.map(|(_, hz)| hz));
        tokio::time::timeout(PATIENCE, caller.ended())
            .await
            .expect("the bot hangs up");
    });
    let over = wait_for("the end", || {
        Some(page.get(&format!("/api/calls/{call}"))).filter(|call| call["state"] == "terminated")
    });
    assert_eq!(over["prompts"], json!([]), "Graph played nothing");
}

#[test]
fn a_person_calls_the_reception_of_dev_with_a_microphone_and_without() {
    let directory = tempfile::tempdir().unwrap();
    say(directory.path());
    // Long enough for a browser to be looked at while they play.
    let (_process, page) = dev(directory.path(), 4);
    for scenario in ["menu", "refused"] {
        run_script("chat.mjs", &[&page, scenario, &directory.path().display().to_string()]);
    }
}

#[test]
fn a_person_s_voice_reaches_the_media_host_comes_back_and_is_what_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    say(directory.path());
    let world = MediaWorld::new(directory.path());
    let bot = EchoBot::start();
    let recordings = directory.path().join("kept");
    let media = world.media.clone();
    let media = media
        .environment("TRUNKLINE_MEDIA__ORIGINS", bot.page.trim_end_matches('/'))
        .environment("TRUNKLINE_MEDIA__RECORDINGS", recordings.display().to_string());
    let _media = media.start();

    let page = bot.page.clone();
    let pictures = directory.path().display().to_string();
    let browser = std::thread::spawn(move || run_script("chat.mjs", &[&page, "microphone", &pictures]));
    let (leg, mut worker) = bot.answers(&bot.rings(), &world);
    let record = What::Record(Record {
        name: "tenant/call".to_owned(),
        received: true,
        sent: false,
        ..Record::default()
    });
    while !matches!(worker.hears(&leg), Told::Connected(_)) {}
    for command in [record, What::Relay(Relay { echo: true })] {
        let (_, ack) = worker.does(&leg, command);
        assert!(matches!(ack, Ack::Accepted(_)), "{ack:?}");
    }
    browser.join().expect("the script ends well");

    // Pages of the file come as they fill, the last one with the end of the leg. The script hears the voice come back for a second
    // and a half before it mutes it.
    wait_for("a second of the voice in the recording", || {
        let file = std::fs::read(recordings.join("tenant/call-received.opus")).ok()?;
        let sounds = recorded(&file).ok()?;
        let said = sounds.iter().filter(|sound| sound.has(VOICE)).count();
        (said > 50).then_some(())
    });
}

#[test]
fn a_person_s_call_goes_on_in_the_browser_after_its_media_host_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    say(directory.path());
    let world = MediaWorld::new(directory.path());
    let bot = EchoBot::start();
    let media = world.media.clone();
    let media = media.environment("TRUNKLINE_MEDIA__ORIGINS", bot.page.trim_end_matches('/'));
    let first = media.clone().start();

    let page = bot.page.clone();
    let pictures = directory.path().display().to_string();
    let browser = std::thread::spawn(move || run_script("chat.mjs", &[&page, "moved", &pictures]));
    let call = bot.rings();
    let echoes = || {
        let (leg, mut worker) = bot.answers(&call, &world);
        while !matches!(worker.hears(&leg), Told::Connected(_)) {}
        let (_, ack) = worker.does(&leg, What::Relay(Relay { echo: true }));
        assert!(matches!(ack, Ack::Accepted(_)), "{ack:?}");
        worker
    };
    let _worker = echoes();
    // The script takes it when it hears the own voice.
    let heard = directory.path().join("sound-before.png");
    wait_for("the voice comes back", || heard.exists().then_some(()));
    first.kill();
    let second = media.start();
    let _worker = echoes();
    browser.join().expect("the script ends well");
    let log = second.log();
    assert!(!log.contains("rtc_dtls"), "whoever calls writes into the log:\n{log}");
}

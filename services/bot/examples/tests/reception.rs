//! Reception, in the test kit.

use std::sync::{Arc, Mutex};

use trunkline_bot::assert_transcript;
use trunkline_bot::event::Clip;
use trunkline_bot::logic::EndedBy;
use trunkline_bot::test::{self, Crash, Phone};
use trunkline_example_bots::reception::{self, Kept, Reception, Settings, VoiceMails};

/// Messages that are noted and not fetched: tests have no network.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<String>>>);

impl VoiceMails for Noted {
    fn keep<'a>(&'a self, clip: &'a Clip, _: &'a str) -> Kept<'a> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(clip.location().to_owned());
        Box::pin(std::future::ready(Ok(format!("kept/{}", clip.location()))))
    }
}

impl Noted {
    fn kept(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

fn settings() -> Settings {
    let settings = serde_json::json!({
        "prompts": "https://bot.example/prompts/",
        "person": { "user": "user-heidi" },
        "mailbox": {
            "kind": "channel", "tenant": "t", "serviceUrl": "https://smba.trafficmanager.net/test/",
            "channel": "19:desk@thread.tacv2",
        },
    });
    serde_json::from_value(settings).unwrap_or_else(|error| panic!("{error}"))
}

fn phone() -> (Phone<Reception>, Noted) {
    let noted = Noted::default();
    (
        Phone::with(reception::with_mails(settings(), Box::new(noted.clone()))),
        noted,
    )
}

#[test]
fn a_caller_is_handed_on_to_a_person() {
    let (mut phone, _) = phone();
    phone.rings().listens().keys("1");
    assert_eq!(phone.heard(), ["welcome.wav", "menu.wav"]);
    assert_eq!(phone.state(), Reception::Transferring);
    phone.transfer_succeeds();
    assert_eq!(phone.end().map(|end| end.by), Some(EndedBy::Bot));
}

#[test]
fn a_caller_whom_nobody_takes_leaves_a_message_that_is_announced() {
    let (mut phone, noted) = phone();
    phone
        .rings()
        .keys("1")
        .transfer_fails()
        .listens()
        .crashes(Crash::BeforeCommit)
        .speaks(Some("clip7"));
    assert_eq!(noted.kept(), ["clip7"], "fetched once, although the turn ran again");
    assert_eq!(phone.written(), ["A message of Ada: kept/clip7"]);
    phone.listens();
    assert_eq!(phone.heard(), ["nobody.wav", "goodbye.wav"]);
    assert_transcript!(phone, "reception.md");
}

#[test]
fn the_hash_key_ends_a_message() {
    let (mut phone, noted) = phone();
    phone.rings().keys("2").keys("#");
    assert_eq!(noted.kept().len(), 1);
    assert_eq!(phone.state(), Reception::Leaving);
}

#[test]
fn a_caller_who_presses_nothing_hears_the_menu_three_times() {
    let (mut phone, _) = phone();
    phone.rings();
    for _ in 0..4 {
        phone.listens().after(std::time::Duration::from_secs(10));
        if phone.end().is_some() {
            break;
        }
    }
    let menus = phone.heard().iter().filter(|prompt| *prompt == "menu.wav").count();
    assert_eq!(menus, 3);
    assert_eq!(phone.heard().last().map(String::as_str), Some("goodbye.wav"));
    assert!(phone.end().is_some());
}

#[test]
fn star_says_good_bye_and_silence_after_the_beep_brings_the_menu_once_more() {
    let (mut phone, noted) = phone();
    phone.rings().keys("*").listens();
    assert!(phone.end().is_some());
    phone.rings().keys("2").speaks(None);
    assert!(matches!(phone.state(), Reception::Menu { .. }));
    phone.keys("7").listens();
    assert_eq!(phone.heard(), ["goodbye.wav"]);
    assert!(noted.kept().is_empty());
}

#[test]
fn whoever_hangs_up_while_speaking_leaves_no_message() {
    let (mut phone, noted) = phone();
    phone.rings().keys("2").hangs_up();
    assert!(noted.kept().is_empty());
    assert!(phone.failure().is_none());
}

#[test]
fn the_state_of_the_first_release_can_be_read() {
    let stored = test::reads::<Reception>("state/reception-v1.json");
    assert!(matches!(stored, Reception::VoiceMail { recording } if recording.key() == "o1"));
}

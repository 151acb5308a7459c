//! What goes on over crashes, failures and newer versions, and what does not outlive its call.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use trunkline_bot::Error;
use trunkline_bot::event::TroubleKind;
use trunkline_bot::prelude::*;
use trunkline_bot::test::{Crash, Phone};

use crate::{Notes, at, bot, greet, notes, over};

#[test]
fn a_crash_does_not_run_a_step_again() {
    static FETCHED: AtomicU32 = AtomicU32::new(0);
    async fn fetch(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        let number = call
            .once("fetch", async |_| Ok(FETCHED.fetch_add(1, Ordering::Relaxed)))
            .await?;
        notes.lines.push(number.to_string());
        Ok(Then::HangUpAfter(call.play(at("bye"))))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), fetch));
    phone.crashes(Crash::BeforeCommit).rings();
    phone.crashes(Crash::AfterCommit).listens().repeats();
    assert_eq!(FETCHED.load(Ordering::Relaxed), 1);
    assert_eq!(phone.heard(), ["bye.wav"]);
}

#[test]
#[should_panic(expected = "ran twice and the state differs")]
fn a_look_at_the_clock_is_noticed() {
    async fn clock(_: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        notes.lines.push(format!("{:?}", SystemTime::now()));
        Ok(Then::Stay)
    }
    Phone::with(bot().on(calls::connected(), clock)).rings();
}

#[test]
fn whoever_hangs_up_is_faster_than_the_bot() {
    async fn again(call: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
        notes.lines.push(format!("{:?}", ended.done));
        notes.prompt = Some(call.play(at("hello")));
        Ok(Then::Transfer(Callee::user("user-grace")))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), greet).on(calls::prompt_ended(), again));
    phone.rings().hangs_up();
    assert_eq!(notes(&phone)[1..], ["Err(Unknown)", "ended by Person"]);
    assert!(phone.effects().is_empty(), "{:?}", phone.effects());
}

#[test]
fn timers_of_a_call_die_with_it() {
    #[derive(Serialize, Deserialize)]
    struct Remind;
    impl Signal for Remind {
        const NAME: &'static str = "remind";
    }
    async fn connected(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.call_me_every(Duration::from_secs(10), Remind)?;
        Ok(Then::Stay)
    }
    async fn remind(_: &mut Call, notes: &mut Notes, _: Remind) -> Result<Then> {
        notes.lines.push("reminded".to_owned());
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), connected)
            .on(calls::signal::<Remind>(), remind),
    );
    phone
        .rings()
        .after(Duration::from_secs(25))
        .hangs_up()
        .after(Duration::from_secs(60));
    assert_eq!(notes(&phone), ["Ada", "reminded", "reminded", "ended by Person"]);
}

#[test]
fn what_was_given_up_is_the_bots_to_handle() {
    async fn broken(_: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        Err(Error::fault("the menu is gone"))
    }
    async fn sorry(call: &mut Call, _: &mut Notes, _: trunkline_bot::logic::Failure) -> Result<Then> {
        Ok(Then::HangUpAfter(call.play(at("sorry"))))
    }
    let mut phone = Phone::with(bot().on(calls::connected(), broken).on_failed(sorry));
    phone.rings().listens();
    assert_eq!(phone.heard(), ["sorry.wav"]);
    let mut phone = Phone::with(bot().on(calls::connected(), broken));
    phone.rings();
    assert!(phone.end().is_none(), "without a handler the call goes on");
}

#[test]
fn a_newer_bot_goes_on_with_the_call() {
    #[derive(Default, Serialize, Deserialize)]
    struct Newer {
        count: usize,
    }
    impl State for Newer {
        const VERSION: u32 = 2;
        fn upgrade(_: u32, stored: serde_json::Value) -> Result<Self> {
            let count = stored["lines"].as_array().map_or(0, Vec::len);
            Ok(Self { count })
        }
    }
    async fn never(_: &mut Ringing, _: &mut Newer, _: Invitation) -> Result<Decision> {
        Ok(Decision::Reject(RejectReason::Busy))
    }
    async fn key(_: &mut Call, newer: &mut Newer, _: Tone) -> Result<Then> {
        newer.count += 1;
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(bot().on(calls::connected(), greet));
    phone.rings();
    let mut phone = phone.newer(CallBot::answering("notes", (), never).on(calls::tone(), key));
    phone.keys("1");
    assert_eq!(phone.state().count, 2);
}

#[test]
fn a_bot_is_told_when_somebody_speaks_and_falls_silent() {
    async fn meet(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Ok(Decision::Answer(Media::hosted()))
    }
    async fn heard(_: &mut Call, notes: &mut Notes, speech: trunkline_bot::event::Speech) -> Result<Then> {
        notes.lines.push(format!("speaks: {}", speech.speaks));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(CallBot::answering("hosted", (), meet).on(calls::speech(), heard));
    phone.rings().speech(true).speech(false);
    assert_eq!(notes(&phone), ["speaks: true", "speaks: false"]);
}

#[test]
fn a_bot_is_told_what_is_wrong_with_the_sound_and_when_it_is_well_again() {
    async fn meet(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Ok(Decision::Answer(Media::hosted()))
    }
    async fn troubled(_: &mut Call, notes: &mut Notes, trouble: trunkline_bot::event::Trouble) -> Result<Then> {
        notes
            .lines
            .push(format!("{:?}, over: {}", trouble.kind, trouble.is_over));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(CallBot::answering("hosted", (), meet).on(calls::trouble(), troubled));
    phone
        .rings()
        .trouble(TroubleKind::NothingComes, false)
        .trouble(TroubleKind::NothingComes, true)
        .trouble(TroubleKind::Losses, false);
    let told = [
        "NothingComes, over: false",
        "NothingComes, over: true",
        "Losses, over: false",
    ];
    assert_eq!(notes(&phone), told);
}

#[test]
fn a_bot_is_warned_before_its_media_host_ends_and_hands_the_caller_on() {
    async fn meet(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Ok(Decision::Answer(Media::hosted()))
    }
    async fn ends(_: &mut Call, notes: &mut Notes, ends: trunkline_bot::event::MediaEnds) -> Result<Then> {
        notes.lines.push(format!("{:?}", ends.within));
        Ok(Then::Transfer(Callee::user("user-help")))
    }
    let mut phone = Phone::with(CallBot::answering("hosted", (), meet).on(calls::media_ends(), ends));
    phone.rings().media_ends(Duration::from_secs(60)).transfer_succeeds();
    assert_eq!(notes(&phone), ["60s"]);
}

#[test]
fn a_bot_whose_media_host_is_gone_hands_the_caller_on_or_hangs_up() {
    async fn meet(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Ok(Decision::Answer(Media::hosted()))
    }
    async fn lost(_: &mut Call, notes: &mut Notes, lost: trunkline_bot::event::MediaLost) -> Result<Then> {
        notes.lines.push(lost.reason);
        Ok(Then::Transfer(Callee::user("user-help")))
    }
    let bot = || {
        CallBot::answering("hosted", (), meet)
            .on(calls::connected(), greet)
            .ended(over)
    };
    let mut phone = Phone::with(bot());
    phone.rings().loses_media();
    assert_eq!(notes(&phone), ["ended by Bot"]);
    let mut phone = Phone::with(bot().on(calls::media_lost(), lost));
    phone.rings().loses_media();
    assert_eq!(notes(&phone), ["the media host is gone"]);
    assert!(
        phone.transcript().ends_with("bot transfers to user-help\n"),
        "{}",
        phone.transcript()
    );
}

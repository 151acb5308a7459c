//! What a bot plays, and what it records.

use std::time::Duration;

use trunkline_bot::logic::EndedBy;
use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

use crate::{Notes, at, bot, greet, note_prompt, notes};

#[test]
fn a_call_is_met_led_and_ended() {
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), greet)
            .on(calls::prompt_ended(), note_prompt),
    );
    phone.rings_from("Grace").listens();
    assert_eq!(phone.heard(), ["hello.wav"]);
    phone.hangs_up();
    assert_eq!(notes(&phone), ["Grace", "true Ok(())", "ended by Person"]);
    assert_eq!(
        phone.transcript(),
        "Grace calls\nbot answers\nbot plays hello.wav\n(heard: hello.wav)\n(hangs up)\n"
    );
    phone.rings();
    assert_eq!(
        notes(&phone),
        ["Ada"],
        "the next call remembers nothing of the one before"
    );
}

#[test]
fn prompts_take_their_time_one_after_the_other() {
    async fn greet_at_length(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        call.play([at("hello"), at("menu")]);
        notes.prompt = Some(call.play(at("music")));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(
        bot()
            .on(calls::connected(), greet_at_length)
            .on(calls::prompt_ended(), note_prompt),
    );
    phone.rings().after(Duration::from_secs(5));
    assert!(phone.heard().is_empty());
    phone.after(Duration::from_secs(1));
    assert_eq!(phone.heard(), ["hello.wav", "menu.wav"]);
    phone.after(Duration::from_secs(3));
    assert_eq!(phone.heard().len(), 3);
    assert_eq!(notes(&phone)[1..], ["false Ok(())", "true Ok(())"]);
}

#[test]
fn what_is_stopped_ends_as_cancelled() {
    async fn stop(call: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        call.stop_media();
        Ok(Then::Stay)
    }
    let with = bot()
        .on(calls::connected(), greet)
        .on(calls::prompt_ended(), note_prompt);
    let mut phone = Phone::with(with.on(calls::tone(), stop));
    phone.rings().keys("1").listens();
    assert!(phone.heard().is_empty());
    assert_eq!(notes(&phone)[1..], ["true Err(Cancelled)"]);
}

async fn record(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
    notes.recording = Some(call.record(Record::at_most(Duration::from_secs(60)).stop_keys("#")));
    Ok(Then::Stay)
}

async fn keep(call: &mut Call, notes: &mut Notes, recorded: Recorded) -> Result<Then> {
    assert_eq!(Some(&recorded.recording), notes.recording.as_ref());
    let clip = recorded.clip.map(|clip| clip.location().to_owned());
    notes.lines.push(format!("{clip:?} {:?}", recorded.end));
    Ok(Then::HangUpAfter(call.play(at("bye"))))
}

/// How a recording went, with what the other side does.
fn recorded(does: impl FnOnce(&mut Phone<Notes>)) -> String {
    async fn key(_: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        Ok(Then::Stay)
    }
    let bot = bot().on(calls::connected(), record).on(calls::recorded(), keep);
    let mut phone = Phone::with(bot.on(calls::tone(), key));
    phone.rings();
    does(&mut phone);
    phone.listens();
    assert_eq!(phone.end().unwrap().by, EndedBy::Bot);
    notes(&phone)[1].clone()
}

#[test]
fn a_recording_ends_by_silence_by_a_key_or_with_nothing() {
    let spoken = recorded(|phone| {
        phone.speaks(Some("clip7"));
    });
    assert_eq!(spoken, r#"Some("clip7") Silence"#);
    let stopped = recorded(|phone| {
        phone.keys("5#");
    });
    assert_eq!(stopped, r#"Some("stopped") StopKey"#);
    let silent = recorded(|phone| {
        phone.speaks(None);
    });
    assert_eq!(silent, "None NothingSaid");
    let waited = recorded(|phone| {
        phone.after(Duration::from_secs(5));
    });
    assert_eq!(waited, "None NothingSaid");
}

//! A call whose media host is lost goes on at another one.

use trunkline_bot::calls::Reopening;
use trunkline_bot::event::{MediaLost, OperationEnded};
use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

#[derive(Default, Serialize, Deserialize)]
struct Talk {
    reopening: Option<Op<Reopening>>,
    lines: Vec<String>,
}

impl State for Talk {}

async fn hosted(_: &mut Ringing, _: &mut Talk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn lost(call: &mut Call, talk: &mut Talk, _: MediaLost) -> Result<Then> {
    talk.reopening = Some(call.reopen());
    call.play(Prompt::at("https://bot.example/again.wav"));
    Ok(Then::Stay)
}

async fn reopens(call: &mut Call, _: &mut Talk, _: Tone) -> Result<Then> {
    call.reopen();
    Ok(Then::Stay)
}

async fn done(_: &mut Call, talk: &mut Talk, ended: OperationEnded) -> Result<Then> {
    let is_it = talk.reopening.as_ref().is_some_and(|reopening| ended.is(reopening));
    talk.lines
        .push(format!("{} ({is_it}): {}", ended.operation, ended.done.is_ok()));
    Ok(Then::Stay)
}

fn bot() -> CallBot<Talk> {
    CallBot::answering("desk", (), hosted)
        .on(calls::media_lost(), lost)
        .on(calls::tone(), reopens)
}

#[test]
fn a_bot_finds_another_media_host_and_plays_on() {
    let mut phone = Phone::with(bot().on(calls::operation_ended(), done));
    phone.rings().loses_media();
    let expected = "bot finds another media host\nbot plays again.wav\n";
    assert!(phone.transcript().ends_with(expected), "{}", phone.transcript());
    phone.listens();
    assert_eq!(phone.state().lines, ["reopen (true): true", "playPrompt (false): true"]);
    phone.loses_media();
    assert_eq!(phone.state().lines.len(), 3, "{:?}", phone.state().lines);
}

#[test]
fn a_bot_that_listens_decides_when_no_host_has_room_and_another_hangs_up() {
    let mut phone = Phone::with(bot().on(calls::operation_ended(), done));
    phone.no_other_media_host().rings().loses_media();
    assert_eq!(
        phone.state().lines,
        ["reopen (true): false", "playPrompt (false): false"]
    );
    let mut phone = Phone::with(bot());
    phone.no_other_media_host().rings().loses_media();
    let expected = "TRUNKLINE_NO_MEDIA_HOST)\nbot hangs up\n";
    assert!(phone.transcript().contains(expected), "{}", phone.transcript());
}

#[test]
fn a_call_that_has_its_sound_is_not_reopened_and_not_hung_up() {
    let mut phone = Phone::with(bot());
    phone.rings().keys("1");
    let expected = "(no other media host: 409 TRUNKLINE_MEDIA_THERE)\n";
    assert!(phone.transcript().ends_with(expected), "{}", phone.transcript());
}

//! Bots that hear and speak themselves.

use std::time::Duration;

use trunkline_bot::prelude::*;
use trunkline_caller::Sound as Says;

use super::support::{SHARDS, until, until_it_is};
use super::world::{PATIENCE, World};

#[derive(Default, Serialize, Deserialize)]
struct Talk {}

impl State for Talk {}

/// The caller fell silent after having been loud.
#[derive(Serialize, Deserialize)]
struct Done;

impl Signal for Done {
    const NAME: &'static str = "done";
}

async fn meet(_: &mut Ringing, _: &mut Talk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn done(_: &mut Call, _: &mut Talk, _: Done) -> Result<Then> {
    Ok(Then::HangUp)
}

/// Says back what it hears; half a second of silence after a second of sound ends the call.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::ignored_unit_patterns,
    reason = "the app of a bot without one"
)]
async fn parrot(mut sound: trunkline_bot::Sound, _: &'static ()) {
    let speaker = sound.speaker();
    let (mut loud, mut silent) = (0, 0);
    while let Some(frame) = sound.next().await {
        if frame.level < 40 {
            (loud, silent) = (loud + 1, 0);
        } else {
            silent += 1;
        }
        if !speaker.say(&frame.samples).await {
            return;
        }
        if loud > 50 && silent == 25 {
            // The call may be over already.
            let _ = speaker.tell(Done).await;
        }
    }
}

fn bot() -> std::sync::Arc<dyn trunkline_bot::logic::Logic> {
    CallBot::answering("test", (), meet)
        .on(calls::signal::<Done>(), done)
        .listens(parrot)
        .build()
        .unwrap()
}

#[actix::test]
async fn a_bot_hears_its_caller_says_it_back_and_tells_its_call_also_after_its_worker_is_killed() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let first = world.worker_of("a", bot()).await;
    let caller = world.caller(&first).await;
    caller.say(Says::Tone(700));
    caller
        .hears("its own tone", PATIENCE, |heard| {
            heard.tone(700, 0) >= Duration::from_millis(600)
        })
        .await
        .unwrap();

    let place = caller.heard(trunkline_caller::Heard::count);
    first.kill().await;
    let second = world.worker_of("b", bot()).await;
    until("the next worker serves everything", || {
        second.serving() == SHARDS as usize
    })
    .await;
    caller.say(Says::Tone(1_200));
    caller
        .hears("another tone, by the next worker", PATIENCE, |heard| {
            heard.tone(1_200, place) >= Duration::from_millis(1_500)
        })
        .await
        .unwrap();
    caller.say(Says::Silence);
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
}

/// Hears a second of sound, says it back, which nobody hears, and hangs up.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::ignored_unit_patterns,
    reason = "the app of a bot without one"
)]
async fn listener(mut sound: trunkline_bot::Sound, _: &'static ()) {
    let speaker = sound.speaker();
    let mut loud = 0;
    while let Some(frame) = sound.next().await {
        if frame.level < 40 {
            loud += 1;
            speaker.say(&frame.samples).await;
        }
        if loud == 50 {
            // The call may be over already.
            let _ = speaker.tell(Done).await;
        }
    }
}

#[actix::test]
async fn a_bot_that_says_nothing_is_charged_for_hearing_alone() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let bot = CallBot::answering("test", (), meet)
        .on(calls::signal::<Done>(), done)
        .listens(listener)
        .hears_only();
    let worker = world.worker_of("a", bot.build().unwrap()).await;
    let caller = world.caller(&worker).await;
    until_it_is("the host says what hearing Opus costs", async || {
        world.codecs_used().await == 40
    })
    .await;
    caller.say(Says::Tone(700));
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
    let heard = caller.heard(|heard| heard.tone(700, 0));
    assert_eq!(heard, Duration::ZERO, "what it said all the same was heard");
}

//! The reference caller, on a WebRTC that we did not write, against a whole host.

use std::time::Duration;

use tokio::time::timeout;
use trunkline_caller::{Caller, CallerSettings, Codec, Invitation, Sound};
use trunkline_media::codecs::Purpose;
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Close, Open, Play, Relay, SendTones};

use crate::support::PATIENCE;
use crate::world::{Worker, World, run, wav};

/// What the prompt of [`wav`] sounds like: a sawtooth of 64 samples at 16 kHz.
const PROMPT_HZ: u16 = 250;

/// What may be missing of a sound: a host that the machine stops for more than three packets goes on with the next, rather than
/// with a burst.
const BUSY_MS: u32 = 300;

/// A leg with the reference caller at its other end.
async fn call(world: &World, worker: &mut Worker) -> (String, Caller) {
    call_in(world, worker, Codec::Opus, Open::default()).await
}

/// The same in a codec, of a leg that is opened so.
pub(crate) async fn call_in(world: &World, worker: &mut Worker, codec: Codec, open: Open) -> (String, Caller) {
    call_as(world, worker, open, |settings| CallerSettings { codec, ..settings }).await
}

/// The same of a caller with settings of its own.
async fn call_as(
    world: &World,
    worker: &mut Worker,
    open: Open,
    with: impl FnOnce(CallerSettings) -> CallerSettings,
) -> (String, Caller) {
    let (leg, opened) = worker.opens(open).await;
    worker.attach(&leg, 0).await;
    let invitation = Invitation {
        whip: format!("{}{}", world.https, opened.path).parse().unwrap(),
        token: opened.token,
    };
    let settings = with(CallerSettings {
        root: Some(world.root.clone()),
        ..CallerSettings::default()
    });
    let caller = Caller::connect(&invitation, &settings).await.unwrap();
    worker.event(&leg, |told| matches!(told, Told::Connected(_))).await;
    (leg, caller)
}

#[test]
fn the_reference_caller_hears_itself_in_both_modes() {
    run(async {
        for ports in [Ports::Single(0), Ports::Range(21_100..=21_109)] {
            let world = World::start_with(ThreadConfig::loopback(ports)).await;
            let mut worker = world.worker().await;
            let (leg, caller) = call(&world, &mut worker).await;
            worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
            for hz in [700, 1_200] {
                let place = caller.heard(trunkline_caller::Heard::count);
                caller.say(Sound::Tone(hz));
                let half = |heard: &trunkline_caller::Heard| heard.tone(hz, place) >= Duration::from_millis(500);
                caller
                    .hears("half a second of the own voice", PATIENCE, half)
                    .await
                    .unwrap();
            }
            let missing = caller.heard(|heard| heard.missing_ms(0));
            assert!(missing <= BUSY_MS, "{missing} ms of the echo are missing");
            caller.close().await.unwrap();
            let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
            assert_eq!(ended, Told::Ended("peer_closed".to_owned()));
        }
    });
}

#[test]
fn prompts_and_keys_go_both_ways_and_a_caller_hangs_up() {
    run(async {
        let world = World::start(10).await;
        std::fs::write(world.directory.path().join("prompts/hello.wav"), wav()).unwrap();
        let mut worker = world.worker().await;
        let (leg, caller) = call(&world, &mut worker).await;

        let prompts = vec!["hello.wav".to_owned()];
        let play = What::Play(Play {
            prompts,
            ..Play::default()
        });
        worker.accepts(&leg, play).await;
        let all = |heard: &trunkline_caller::Heard| heard.tone(PROMPT_HZ, 0) >= Duration::from_millis(900);
        caller.hears("the prompt", PATIENCE, all).await.unwrap();
        let missing = caller.heard(|heard| heard.missing_ms(0));
        assert!(missing <= BUSY_MS, "{missing} ms of the prompt are missing");

        caller.press("4*").unwrap();
        for key in ["4", "*"] {
            let Told::Tone(tone) = worker.event(&leg, |told| matches!(told, Told::Tone(_))).await else {
                panic!()
            };
            assert_eq!(tone.key, key);
        }
        worker
            .accepts(&leg, What::SendTones(SendTones { keys: "9#".to_owned() }))
            .await;
        caller
            .hears("the keys of the bot", PATIENCE, |heard| heard.keys() == "9#")
            .await
            .unwrap();

        assert_eq!(caller.hang_up().await.unwrap(), 200);
        let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        assert_eq!(ended, Told::Ended("peer_hung_up".to_owned()));
    });
}

#[test]
fn a_caller_learns_that_its_leg_was_closed() {
    run(async {
        let world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, caller) = call(&world, &mut worker).await;
        worker.accepts(&leg, What::Close(Close {})).await;
        timeout(PATIENCE, caller.ended()).await.expect("the caller learns it");
        assert!(caller.has_ended());
        let later = caller.hears("anything", PATIENCE, |heard| heard.tone(PROMPT_HZ, 0) > Duration::ZERO);
        assert!(later.await.unwrap_err().to_string().contains("ended"));
    });
}

#[test]
fn a_wrong_token_lets_nobody_in() {
    run(async {
        let world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, opened) = worker.open().await;
        worker.attach(&leg, 0).await;
        let invitation = Invitation {
            whip: format!("{}{}", world.https, opened.path).parse().unwrap(),
            token: "another".to_owned(),
        };
        let settings = CallerSettings {
            root: Some(world.root.clone()),
            ..CallerSettings::default()
        };
        let refused = Caller::connect(&invitation, &settings).await.err().unwrap();
        assert!(refused.to_string().contains("401"), "{refused}");
    });
}

#[test]
fn a_caller_that_tells_levels_is_heard_to_speak_without_a_codec_thread() {
    run(async {
        let world = World::start(10).await;
        let mut worker = world.worker().await;
        for (levels, price) in [(true, 0), (false, Purpose::Speech.price())] {
            let open = Open {
                speech: true,
                ..Open::default()
            };
            let with = |settings: CallerSettings| CallerSettings { levels, ..settings };
            let (leg, caller) = call_as(&world, &mut worker, open, with).await;
            assert_eq!(world.host.codecs().used(), price);
            for (sound, speaks) in [(Sound::Tone(700), true), (Sound::Silence, false)] {
                caller.say(sound);
                let Told::Speech(speech) = worker.event(&leg, |told| matches!(told, Told::Speech(_))).await else {
                    panic!()
                };
                assert_eq!(speech.speaks, speaks);
            }
            assert_eq!(caller.hang_up().await.unwrap(), 200);
            worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        }
    });
}

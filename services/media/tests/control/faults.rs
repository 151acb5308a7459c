//! What goes wrong at a caller or on its way, against a whole host: what the caller notices, how the host takes it, and that
//! nothing is left and no other call is disturbed.

mod setups;
mod stage;

use std::time::Duration;

use trunkline_caller::{Faults, Heard, Sound, Stop};
use trunkline_media::control::Alarm;
use trunkline_proto::media::Play;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;

use self::stage::{SHORT, Stage, hears_itself};
use crate::support::PATIENCE;
use crate::world::{run, wav};

/// What faulty callers say.
const VOICE_HZ: u16 = 900;

#[test]
fn a_caller_behind_a_nat_that_rebinds_is_followed_though_it_never_nominates_again() {
    run(async {
        let mut stage = Stage::start(21_200..=21_209, SHORT).await;
        let rebinds = Faults {
            rebinds: Some(Duration::from_secs(2)),
            ..Faults::default()
        };
        let (leg, caller) = stage.call(rebinds).await;
        caller.say(Sound::Tone(VOICE_HZ));
        let mut addresses = Vec::new();
        for _ in 0..2 {
            let moved = stage.worker.event(&leg, |told| matches!(told, Told::Moved(_))).await;
            let Told::Moved(address) = moved else { panic!() };
            addresses.push(address);
            let place = caller.heard(Heard::count);
            hears_itself(&caller, VOICE_HZ, place).await;
        }
        addresses.dedup();
        assert_eq!(addresses.len(), 2, "{addresses:?}");
        assert!(stage.figures(&leg).await.address_changes >= 2);
        let missing = caller.heard(|heard| heard.missing_ms(0));
        assert!(missing > 0, "what was on its way to the old port is lost");

        assert_eq!(caller.hang_up().await.unwrap(), 200);
        assert_eq!(stage.end_of(&leg).await, "peer_hung_up");
        drop(caller);
        stage.is_as_before().await;
    });
}

#[test]
fn a_caller_that_vanishes_is_unstable_and_then_nothing_of_it_is_left() {
    run(async {
        let mut stage = Stage::start(21_210..=21_219, SHORT).await;
        let vanishes = Faults {
            vanishes: Some(Duration::from_secs(1)),
            ..Faults::default()
        };
        let (leg, caller) = stage.call(vanishes).await;
        caller.say(Sound::Tone(VOICE_HZ));
        hears_itself(&caller, VOICE_HZ, 0).await;
        // One that is dropped says no word either.
        let (other, dropped) = stage.call(Faults::default()).await;
        drop(dropped);
        for leg in [&leg, &other] {
            stage.worker.event(leg, |told| matches!(told, Told::Unstable(_))).await;
            assert_eq!(stage.end_of(leg).await, "consent_expired");
        }
        // It hears nothing of that, and finds out by itself.
        tokio::time::timeout(PATIENCE, caller.ended()).await.unwrap();
        let place = caller.heard(Heard::count);
        let later = caller.hears("anything", PATIENCE, |heard| heard.count() > place).await;
        assert!(later.unwrap_err().to_string().contains("ended"));
        drop(caller);
        stage.is_as_before().await;
    });
}

#[test]
fn over_a_network_that_loses_doubles_and_swaps_each_key_is_heard_once_and_in_order() {
    run(async {
        let mut stage = Stage::start(21_220..=21_229, SHORT).await;
        let weather = Faults {
            lost: 0.1,
            doubled: 0.05,
            overtaken: 0.1,
            ..Faults::default()
        };
        let (leg, caller) = stage.call(weather).await;
        caller.say(Sound::Tone(VOICE_HZ));
        caller.press("12345").unwrap();
        for key in ["1", "2", "3", "4", "5"] {
            let told = stage.worker.event(&leg, |told| matches!(told, Told::Tone(_))).await;
            let Told::Tone(tone) = told else { panic!() };
            assert_eq!(tone.key, key);
        }
        let place = caller.heard(Heard::count);
        hears_itself(&caller, VOICE_HZ, place).await;
        let missing = caller.heard(|heard| heard.missing_ms(0));
        assert!(missing > 0, "a fifth of the voice is lost on its way there and back");
        let figures = stage.figures(&leg).await;
        assert!(figures.lost_packets > 0 && figures.late_packets > 0, "{figures:?}");

        assert_eq!(caller.hang_up().await.unwrap(), 200);
        assert_eq!(stage.end_of(&leg).await, "peer_hung_up");
        drop(caller);
        stage.is_as_before().await;
    });
}

#[test]
fn a_caller_that_never_sends_a_packet_is_played_to_and_its_silence_is_told() {
    run(async {
        let mut stage = Stage::start(21_230..=21_239, SHORT).await;
        std::fs::write(stage.world.directory.path().join("prompts/hello.wav"), wav()).unwrap();
        let silent = Faults {
            stops: Some(Stop::BeforeSound),
            ..Faults::default()
        };
        let (leg, caller) = stage.call(silent).await;
        caller.say(Sound::Tone(VOICE_HZ));
        caller.press("1").unwrap();
        let play = Play {
            prompts: vec!["hello.wav".to_owned()],
            ..Play::default()
        };
        stage.worker.accepts(&leg, What::Play(play)).await;
        let prompt = |heard: &Heard| heard.tone(250, 0) >= Duration::from_millis(800);
        caller.hears("the prompt", PATIENCE, prompt).await.unwrap();
        let told = stage.worker.event(&leg, |told| matches!(told, Told::Alarm(_))).await;
        let Told::Alarm(alarm) = told else { panic!() };
        assert_eq!((alarm.kind.as_str(), alarm.over), (Alarm::NoAudioIn.name(), false));
        assert_eq!(stage.figures(&leg).await.received_packets, 0);
        assert!(!caller.has_ended());

        assert_eq!(caller.hang_up().await.unwrap(), 200);
        assert_eq!(stage.end_of(&leg).await, "peer_hung_up");
        drop(caller);
        stage.is_as_before().await;
    });
}

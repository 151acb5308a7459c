//! Keys that a caller presses as sound: told as those that come as events, and never twice.

use std::f64::consts::TAU;

use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Close, Listen, Open, Tone};

use crate::support::caller::PCMU;
use crate::support::{Line, until};
use crate::world::{Worker, World, run};

/// A tenth of a second of a key, or of silence, as packets of mu-law.
fn tenth(hertz: Option<(f64, f64)>) -> Vec<Vec<u8>> {
    let sample = |at: u32| {
        let wave = |hz: f64| (TAU * hz * f64::from(at) / 8_000.0).sin();
        let sample = hertz.map_or(0.0, |(low, high)| 6_000.0 * (wave(low) + wave(high)));
        mu_law(sample)
    };
    let samples: Vec<u8> = (0..800).map(sample).collect();
    samples.chunks(160).map(<[u8]>::to_vec).collect()
}

/// ITU-T G.711, by its formula rather than by the host's table.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 127")]
fn mu_law(sample: f64) -> u8 {
    let compressed = (255.0 * sample.abs() / 32_768.0).ln_1p() / 256f64.ln();
    let magnitude = (compressed * 127.0).round() as u8;
    if sample < 0.0 { !(magnitude | 0x80) } else { !magnitude }
}

/// The number of `telephone-event/8000` in a caller's offer.
const TONES_AT_8_KHZ: u8 = 126;

const FOUR: (f64, f64) = (770.0, 1_209.0);
const HASH: (f64, f64) = (941.0, 1_477.0);

/// Says packets, all at once: a machine that is busy elsewhere makes no gap between them. An event goes out with each, if there is
/// one.
fn say(caller: &mut Line, packets: Vec<Vec<u8>>, event: Option<(u32, u8)>) {
    for (number, packet) in (1u16..).zip(packets) {
        let packet = caller.caller.audio(PCMU, &packet);
        caller.send(&packet);
        if let Some((timestamp, key)) = event {
            let [high, low] = (number * 160).to_be_bytes();
            let is_end = if number == 5 { 0x80 } else { 0 };
            let packet = [key, is_end + 10, high, low];
            let packet = caller.caller.packet(TONES_AT_8_KHZ, number == 1, timestamp, &packet);
            caller.send(&packet);
        }
    }
}

async fn tone(worker: &mut Worker, leg: &str) -> Tone {
    match worker.event(leg, |told| matches!(told, Told::Tone(_))).await {
        Told::Tone(tone) => tone,
        other => panic!("{other:?}"),
    }
}

fn telephone() -> Open {
    Open {
        codecs: vec!["PCMU".to_owned()],
        ..Open::default()
    }
}

#[test]
fn keys_of_a_caller_without_events_are_heard_in_its_sound() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call_without(&mut worker, telephone(), "telephone-event").await;
        assert!(world.host.codecs().used() > 0, "it is charged");
        let pressed = [None, Some(FOUR), None, Some(FOUR), None, Some(HASH), None];
        say(&mut caller, pressed.into_iter().flat_map(tenth).collect(), None);
        for (key, sequence) in [("4", 1), ("4", 2), ("#", 3)] {
            let started = worker.event(&leg, |told| matches!(told, Told::ToneStarted(_))).await;
            assert_eq!(started, Told::ToneStarted(key.to_owned()));
            let tone = tone(&mut worker, &leg).await;
            assert_eq!((tone.key.as_str(), tone.sequence, tone.end_seen), (key, sequence, true));
            assert!((60..=110).contains(&tone.duration_ms), "{tone:?}");
        }
        worker.accepts(&leg, What::Close(Close {})).await;
        until(async || match world.host.codecs().used() {
            0 => Ok(()),
            used => Err(format!("{used} of its room is not free")),
        })
        .await;
    });
}

#[test]
fn a_key_that_comes_as_event_and_as_sound_is_told_once() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call_of(&mut worker, telephone()).await;
        assert_eq!(world.host.codecs().used(), 0, "events are enough");
        let listen = Listen {
            in_band: true,
            ..Listen::default()
        };
        // Asked for twice it is done once.
        worker.accepts(&leg, What::Listen(listen)).await;
        let used = world.host.codecs().used();
        worker.accepts(&leg, What::Listen(listen)).await;
        assert_eq!((used > 0, world.host.codecs().used()), (true, used));

        say(&mut caller, tenth(None), None);
        say(&mut caller, tenth(Some(FOUR)), Some((5_000, 4)));
        say(&mut caller, tenth(None), None);
        // A gateway further away knows no events.
        say(&mut caller, tenth(Some(HASH)), None);
        say(&mut caller, tenth(None), None);
        for (key, sequence) in [("4", 1), ("#", 2)] {
            let tone = tone(&mut worker, &leg).await;
            assert_eq!((tone.key.as_str(), tone.sequence), (key, sequence));
        }
    });
}

//! Two legs that hear each other: on one media thread and on two, in one codec and in two.

use std::time::{Duration, Instant};

use trunkline_caller::{Caller, Codec, Heard, Sound, tone_file};
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::refused::Reason;
use trunkline_proto::media::{Bridge, Close, Open, Play, Relay};

use crate::reference::call_in;
use crate::support::PATIENCE;
use crate::world::{Worker, World, run};

const PROMPT_HZ: u16 = 450;

fn bridge(other: &str) -> What {
    What::Bridge(Bridge {
        other: other.to_owned(),
    })
}

/// A leg that is opened near another one, on the same of two threads.
fn near(leg: &str) -> Open {
    Open {
        near: leg.to_owned(),
        ..Open::default()
    }
}

async fn told_the_end(worker: &mut Worker, leg: &str) {
    worker.event(leg, |told| matches!(told, Told::BridgeEnded(_))).await;
}

#[test]
fn packets_cross_the_bridge_as_they_are_on_one_thread_and_on_two() {
    run(async {
        for ports in [Ports::Single(0), Ports::Range(21_040..=21_059)] {
            for is_near in [true, false] {
                let mut world = World::start_with(ThreadConfig::loopback(ports.clone())).await;
                let mut worker = world.worker().await;
                let (one, mut first, _) = world.call(&mut worker).await;
                let open = if is_near { near(&one) } else { Open::default() };
                let (other, mut second, _) = world.call_of(&mut worker, open).await;
                worker.accepts(&one, bridge(&other)).await;
                for count in 0..5u8 {
                    first.say(&[1, count]);
                    assert_eq!(second.hear().payload, [1, count]);
                    second.say(&[2, count]);
                    assert_eq!(first.hear().payload, [2, count]);
                }
                assert_eq!(world.host.codecs().used(), 0);

                // Another use of a leg ends its bridge at both ends; a bridge may begin again.
                worker.accepts(&other, What::Relay(Relay { echo: true })).await;
                told_the_end(&mut worker, &one).await;
                second.say(b"to itself");
                assert_eq!(second.hear().payload, b"to itself");
                worker.accepts(&other, bridge(&one)).await;
                first.say(b"again");
                assert_eq!(second.hear().payload, b"again");

                worker.accepts(&one, What::Close(Close {})).await;
                told_the_end(&mut worker, &other).await;
                let elsewhere = "0123456789abcdef.elsewhere".to_owned();
                for (leg, why) in [(&one, "gone"), (&other, "itself"), (&elsewhere, "another media host")] {
                    let (_, ack) = worker.does(&other, bridge(leg)).await;
                    assert!(
                        matches!(&ack, Ack::Refused(refused) if refused.detail.contains(why)),
                        "{ack:?}"
                    );
                }
            }
        }
    });
}

async fn hears(caller: &Caller, hz: u16, place: u64) {
    let half = |heard: &Heard| heard.tone(hz, place) >= Duration::from_millis(500);
    let what = format!("half a second of {hz} Hz");
    caller.hears(&what, PATIENCE, half).await.unwrap();
}

#[test]
fn callers_of_two_codecs_hear_each_other() {
    run(async {
        for is_near in [true, false] {
            let world = World::start(10).await;
            let prompt = world.directory.path().join("prompts/hello.wav");
            std::fs::write(prompt, tone_file(PROMPT_HZ, Duration::from_secs(1))).unwrap();
            let mut worker = world.worker().await;
            let (one, in_opus) = call_in(&world, &mut worker, Codec::Opus, Open::default()).await;
            let open = if is_near { near(&one) } else { Open::default() };
            let (other, in_pcmu) = call_in(&world, &mut worker, Codec::Pcmu, open).await;
            worker.accepts(&one, bridge(&other)).await;
            assert!(world.host.codecs().used() > 0, "both ways are charged");
            in_opus.say(Sound::Tone(700));
            in_pcmu.say(Sound::Tone(1_200));
            hears(&in_opus, 1_200, 0).await;
            hears(&in_pcmu, 700, 0).await;

            in_opus.press("7").unwrap();
            in_pcmu.press("#").unwrap();
            for (caller, key) in [(&in_pcmu, "7"), (&in_opus, "#")] {
                caller
                    .hears("the key", PATIENCE, |heard| heard.keys() == key)
                    .await
                    .unwrap();
            }

            // A prompt takes the place of the other's voice, which is there again afterwards.
            let prompts = vec!["hello.wav".to_owned()];
            let play = What::Play(Play {
                prompts,
                ..Play::default()
            });
            worker.accepts(&other, play).await;
            hears(&in_pcmu, PROMPT_HZ, 0).await;
            worker.event(&other, |told| matches!(told, Told::Finished(_))).await;
            let mixed = in_pcmu.heard(|heard| {
                let both = |frame: &&trunkline_caller::Frame| frame.sound.has(PROMPT_HZ) && frame.sound.has(700);
                heard.since(0).filter(both).count()
            });
            // A frame at each end of the prompt may have a part of both.
            assert!(mixed <= 2, "{mixed} frames have both");
            let place = in_pcmu.heard(Heard::count);
            hears(&in_pcmu, 700, place).await;

            assert_eq!(in_opus.hang_up().await.unwrap(), 200);
            told_the_end(&mut worker, &other).await;
            let until = Instant::now() + PATIENCE;
            while world.host.codecs().used() > 0 {
                assert!(Instant::now() < until, "the room of the bridge is free");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
}

#[test]
fn a_bridge_between_codecs_without_room_is_refused_and_one_of_one_codec_needs_none() {
    run(async {
        let world = World::start(1_000).await;
        let mut worker = world.worker().await;
        let (one, _opus) = call_in(&world, &mut worker, Codec::Opus, Open::default()).await;
        let (other, _pcmu) = call_in(&world, &mut worker, Codec::Pcmu, Open::default()).await;
        let (third, _also_opus) = call_in(&world, &mut worker, Codec::Opus, Open::default()).await;
        let live = Open {
            live: true,
            ..Open::default()
        };
        while let Ok((leg, _)) = worker.tries_to_open(live.clone()).await {
            worker.attach(&leg, 0).await;
        }
        let (_, ack) = worker.does(&one, bridge(&other)).await;
        let Ack::Refused(refused) = ack else { panic!("{ack:?}") };
        assert_eq!(
            (refused.reason(), refused.detail.as_str()),
            (Reason::NoCodecs, "no room for codecs")
        );
        worker.accepts(&one, bridge(&third)).await;
    });
}

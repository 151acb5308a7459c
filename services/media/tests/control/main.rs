//! A whole host: a worker over gRPC, a peer over HTTPS, audio over UDP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bridges;
mod faults;
mod keys;
mod loading;
mod owners;
mod peers;
mod recordings;
mod reference;
mod sound;
#[path = "../support/mod.rs"]
mod support;
mod watched;
mod world;

use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Close, Play, Record, Relay, SendTones, Statistics, StopRecording};

use support::caller::TONES;
use world::{World, run, wav};

#[test]
fn a_worker_opens_a_leg_its_peer_calls_and_everything_a_bot_can_do_is_done() {
    run(async {
        let mut world = World::start(10).await;
        std::fs::write(world.directory.path().join("prompts/hello.wav"), wav()).unwrap();
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut worker).await;

        let record = Record {
            name: "tenant/call".to_owned(),
            received: true,
            sent: true,
            mixed: false,
            confirmed_by: String::new(),
        };
        let recording = worker.accepts(&leg, What::Record(record)).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
        for count in 0..5u8 {
            caller.say(&[0x78, count]);
            assert_eq!(caller.hear().payload, [0x78, count]);
        }
        let play = Play {
            prompts: vec!["hello.wav".to_owned()],
            repeat: false,
            stops_at_tone: false,
        };
        let operation = worker.accepts(&leg, What::Play(play.clone())).await;
        assert!(caller.hear().marker);
        let finished = worker.event(&leg, |told| matches!(told, Told::Finished(_))).await;
        let Told::Finished(finished) = finished else { panic!() };
        assert_eq!(
            (finished.operation, finished.reason.as_str(), finished.packets),
            (operation, "played", 50)
        );

        // A key, its end thrice.
        for is_end in [0u8, 0x80, 0x80, 0x80] {
            let packet = caller
                .caller
                .packet(TONES, false, 90_000, &[5, is_end + 10, 0x12, 0xC0]);
            caller.send(&packet);
        }
        let Told::Tone(tone) = worker.event(&leg, |told| matches!(told, Told::Tone(_))).await else {
            panic!()
        };
        assert_eq!((tone.key.as_str(), tone.duration_ms), ("5", 100));
        worker
            .accepts(&leg, What::SendTones(SendTones { keys: "1#".to_owned() }))
            .await;
        while caller.hear().payload_type != TONES {}

        let (_, ack) = worker.does(&leg, What::Statistics(Statistics {})).await;
        let Ack::Figures(figures) = ack else { panic!("{ack:?}") };
        assert!(
            figures.received_packets >= 9 && figures.sent_packets >= 55,
            "{figures:?}"
        );

        worker
            .accepts(&leg, What::StopRecording(StopRecording { of: recording }))
            .await;
        for _ in 0..2 {
            let ended = worker.event(&leg, |told| matches!(told, Told::RecordingEnded(_))).await;
            let Told::RecordingEnded(ended) = ended else { panic!() };
            assert_eq!((ended.operation, ended.error.as_str()), (recording, ""));
            let file = format!("recordings/tenant/call-{}.opus.sealed", ended.direction);
            assert!(world.directory.path().join(file).exists());
        }

        // What cannot be done is refused with its reason, and an operation that was done is not done again.
        let missing = Play {
            prompts: vec!["missing.wav".to_owned()],
            ..play.clone()
        };
        let (_, ack) = worker.does(&leg, What::Play(missing)).await;
        assert!(
            matches!(&ack, Ack::Refused(refused) if refused.detail.contains("missing.wav")),
            "{ack:?}"
        );
        assert!(matches!(
            worker.send(&leg, operation, What::Play(play)).await.1,
            Ack::Accepted(_)
        ));

        worker.accepts(&leg, What::Close(Close {})).await;
        let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        assert_eq!(ended, Told::Ended("closed".to_owned()));
        assert!(
            matches!(worker.does(&leg, What::Close(Close {})).await.1, Ack::Refused(refused) if refused.reason == 1)
        );
        assert_eq!(world.host.legs(), 0);
    });
}

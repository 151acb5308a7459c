//! Answers and calls that are recorded: told, fetched, and never before they may be.

use std::time::Duration;

use trunkline_caller::{Sound, tone_file};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Close, Listen, Open, Play, Record, RecordAnswer, StopRecording};

use crate::reference::call_in;
use crate::support::caller::TONES;
use crate::world::{World, run, speech};

#[test]
fn an_answer_is_recorded_told_and_fetched_by_whoever_has_its_token() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let open = Open {
            speech: true,
            ..Open::default()
        };
        let (leg, mut caller, _) = world.call_of(&mut worker, open).await;
        let answer = RecordAnswer {
            beep: true,
            first_silence_ms: 20_000,
            silence_ms: 20_000,
            longest_ms: 60_000,
            stop_keys: "#".to_owned(),
            ..RecordAnswer::default()
        };
        let operation = worker.accepts(&leg, What::RecordAnswer(answer)).await;
        // The beep: a fifth of a second.
        for _ in 0..10 {
            caller.hear();
        }
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for packet in speech() {
            clock.tick().await;
            caller.say(&packet);
        }
        // The sender tells no level: a codec thread hears it.
        let speech = worker.event(&leg, |told| matches!(told, Told::Speech(_))).await;
        assert!(matches!(speech, Told::Speech(speech) if speech.speaks));
        worker.accepts(&leg, What::Listen(Listen::default())).await;
        let packet = caller.caller.packet(TONES, true, 990_000, &[11, 10, 0x12, 0xC0]);
        caller.send(&packet);
        let told = worker.event(&leg, |told| matches!(told, Told::Answered(_))).await;
        let Told::Answered(answered) = told else { panic!() };
        assert_eq!((answered.operation, answered.reason.as_str()), (operation, "stop_key"));
        assert_eq!(answered.sha256.len(), 64);

        let fetch = |token: &str| {
            let request = world.client.get(format!("{}{}", world.https, answered.location));
            request.bearer_auth(token).send()
        };
        assert_eq!(fetch("guess").await.unwrap().status(), 401);
        let clip = fetch(&answered.token).await.unwrap();
        assert_eq!(
            (clip.status().as_u16(), &clip.headers()["content-type"]),
            (200, &"audio/wav".parse().unwrap())
        );
        let wav = clip.bytes().await.unwrap();
        let samples: Vec<i16> = wav[44..]
            .chunks(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        // 16 kHz; a second that was said, as it was said: packets that a busy machine was late with are no part of it.
        assert!(
            wav.starts_with(b"RIFF") && samples.len() > 8_000,
            "{} samples",
            samples.len()
        );
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 3_000).count();
        assert!(loud * 2 > samples.len(), "{loud} of {} samples are loud", samples.len());
    });
}

#[test]
fn nothing_of_a_call_that_a_policy_records_is_kept_before_that_is_confirmed() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let open = Open {
            compliance: true,
            ..Open::default()
        };
        let (leg, _caller, _) = world.call_of(&mut worker, open).await;
        let mut record = Record {
            name: "tenant/call".to_owned(),
            received: true,
            sent: true,
            mixed: false,
            confirmed_by: String::new(),
        };
        let (_, early) = worker.does(&leg, What::Record(record.clone())).await;
        assert!(
            matches!(&early, Ack::Refused(refused) if refused.detail.contains("confirmed")),
            "{early:?}"
        );
        let (_, answer) = worker.does(&leg, What::RecordAnswer(RecordAnswer::default())).await;
        assert!(matches!(answer, Ack::Refused(_)), "{answer:?}");
        assert!(!world.directory.path().join("recordings/tenant").exists());
        record.confirmed_by = "operation-1".to_owned();
        let of = worker.accepts(&leg, What::Record(record)).await;
        worker.accepts(&leg, What::StopRecording(StopRecording { of })).await;
        // Of either direction, in any order.
        for _ in 0..2 {
            worker.event(&leg, |told| matches!(told, Told::RecordingEnded(_))).await;
        }
        let recordings = world.directory.path().join("recordings/tenant");
        let manifest = std::fs::read_to_string(recordings.join("call-received.opus.sealed.json"));
        assert!(
            manifest.is_ok_and(|text| text.contains("\"operation-1\"")),
            "who confirmed it stands there"
        );
    });
}

#[test]
fn the_files_of_a_recording_are_told_before_the_end_of_the_leg_that_ends_it() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, _caller, _) = world.call_of(&mut worker, Open::default()).await;
        let record = Record {
            name: "tenant/call/leg-1".to_owned(),
            received: true,
            sent: true,
            mixed: false,
            confirmed_by: String::new(),
        };
        let of = worker.accepts(&leg, What::Record(record)).await;
        worker.accepts(&leg, What::Close(Close {})).await;
        let mut told = Vec::new();
        while told.len() < 2 {
            let event = worker
                .event(&leg, |told| matches!(told, Told::RecordingEnded(_) | Told::Ended(_)))
                .await;
            let Told::RecordingEnded(ended) = event else {
                panic!("the leg has ended first")
            };
            assert_eq!((ended.operation, ended.error.as_str(), ended.parts), (of, "", 1));
            told.push(ended.file);
        }
        told.sort();
        let expected = ["received", "sent"].map(|direction| format!("tenant/call/leg-1-{direction}.opus.sealed"));
        assert_eq!(told, expected);
        for file in told {
            let recordings = world.directory.path().join("recordings");
            assert!(recordings.join(&file).exists() && recordings.join(format!("{file}.json")).exists());
        }
        worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
    });
}

#[test]
fn what_both_say_is_in_one_file_and_without_room_for_codecs_it_is_refused() {
    run(async {
        let world = World::start(1_000).await;
        let prompt = world.directory.path().join("prompts/hello.wav");
        std::fs::write(prompt, tone_file(1_200, Duration::from_secs(2))).unwrap();
        let mut worker = world.worker().await;
        let (leg, caller) = call_in(&world, &mut worker, trunkline_caller::Codec::Pcmu, Open::default()).await;
        let record = |name: &str| {
            What::Record(Record {
                name: name.to_owned(),
                mixed: true,
                ..Record::default()
            })
        };
        let of = worker.accepts(&leg, record("tenant/call")).await;
        assert!(world.host.codecs().used() > 0, "it is charged");
        caller.say(Sound::Tone(700));
        let play = Play {
            prompts: vec!["hello.wav".to_owned()],
            ..Play::default()
        };
        worker.accepts(&leg, What::Play(play)).await;
        worker.event(&leg, |told| matches!(told, Told::Finished(_))).await;
        worker.accepts(&leg, What::StopRecording(StopRecording { of })).await;
        let ended = worker.event(&leg, |told| matches!(told, Told::RecordingEnded(_))).await;
        let Told::RecordingEnded(ended) = ended else { panic!() };
        assert_eq!((ended.direction.as_str(), ended.error.as_str()), ("mixed", ""));
        let sealed = world.directory.path().join("recordings").join(&ended.file);
        let keys = trunkline_media::record::Keys::new(world.directory.path().join("keys")).unwrap();
        let opened = trunkline_media::record::unseal(&std::fs::read(sealed).unwrap(), &keys).unwrap();
        let spectra = trunkline_caller::recorded(&opened.bytes).unwrap();
        let both = spectra.iter().filter(|part| part.has(700) && part.has(1_200)).count();
        assert!(both >= 50, "{both} of {} parts have both voices", spectra.len());

        let live = Open {
            live: true,
            ..Open::default()
        };
        while let Ok((leg, _)) = worker.tries_to_open(live.clone()).await {
            worker.attach(&leg, 0).await;
        }
        let (_, ack) = worker.does(&leg, record("tenant/other")).await;
        assert!(
            matches!(&ack, Ack::Refused(refused) if refused.detail == "no room for codecs"),
            "{ack:?}"
        );
        assert!(
            !world
                .directory
                .path()
                .join("recordings/tenant/other-mixed.opus.sealed")
                .exists()
        );
    });
}

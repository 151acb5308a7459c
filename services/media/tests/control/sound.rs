//! The sound of a leg at a worker's end, as frames of 20 ms, both ways.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::refused::Reason;
use trunkline_proto::media::sound_to_host::Message as SoundMessage;
use trunkline_proto::media::{Close, FollowLeg, Open, SoundToHost, SoundToWorker, Statistics};

use crate::support::caller::OPUS;
use crate::support::{PATIENCE, until};
use crate::world::{World, run, speech};

/// The sound of a leg at a worker's end.
pub(crate) struct Sound {
    say: mpsc::Sender<SoundToHost>,
    heard: tonic::Streaming<SoundToWorker>,
}

impl Sound {
    pub(crate) async fn of(world: &World, leg: &str, epoch: u64) -> Result<Self, tonic::Status> {
        let mut client = MediaClient::connect(world.grpc.clone()).await.unwrap();
        let (say, stream) = mpsc::channel(4);
        let follow = FollowLeg {
            leg: leg.to_owned(),
            epoch,
        };
        let first = SoundToHost {
            message: Some(SoundMessage::Follow(follow)),
        };
        say.send(first).await.unwrap();
        let heard = client.sound(ReceiverStream::new(stream)).await?.into_inner();
        Ok(Self { say, heard })
    }

    async fn next(&mut self) -> Option<SoundToWorker> {
        let next = tokio::time::timeout(PATIENCE, self.heard.next()).await;
        next.expect("something comes, or the end").map(Result::unwrap)
    }
}

#[test]
fn a_worker_hears_a_leg_as_frames_and_speaks_on_it() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        worker.epoch = 3;
        let (leg, mut caller, _) = world.call(&mut worker).await;
        let fenced = Sound::of(&world, &leg, 2).await.err().unwrap();
        assert_eq!(fenced.code(), tonic::Code::FailedPrecondition);
        let none = Sound::of(&world, "nowhere", 3).await.err().unwrap();
        assert_eq!(none.code(), tonic::Code::NotFound);
        let mut sound = Sound::of(&world, &leg, 3).await.unwrap();

        for packet in speech().into_iter().take(10) {
            caller.say(&packet);
        }
        let mut loud = 0;
        for number in 0..10 {
            let frame = sound.next().await.unwrap();
            assert_eq!((frame.number, frame.pcm.len(), frame.concealed), (number, 640, false));
            loud += u32::from(frame.level < 30);
        }
        assert!(loud >= 8, "{loud} of 10 frames are loud");

        // What the worker says comes as packets of 20 ms, the first with a marker.
        let frame: Vec<u8> = (0..320i16)
            .flat_map(|index| (if index / 20 % 2 == 0 { 8_000i16 } else { -8_000 }).to_le_bytes())
            .collect();
        for _ in 0..20 {
            let say = SoundToHost {
                message: Some(SoundMessage::Say(frame.clone().into())),
            };
            sound.say.send(say).await.unwrap();
        }
        let packets: Vec<_> = (0..20).map(|_| caller.hear()).collect();
        assert!(packets[0].marker && packets.iter().all(|packet| packet.payload_type == OPUS));
        let mut decoder = ropus::Decoder::new(16_000, ropus::Channels::Mono).unwrap();
        let mut samples = vec![0; 1_920];
        let mut energy = 0.0;
        for packet in &packets {
            let count = decoder
                .decode(&packet.payload, &mut samples, ropus::DecodeMode::Normal)
                .unwrap();
            assert_eq!(count, 320);
            energy += samples[..count]
                .iter()
                .map(|sample| f64::from(*sample).powi(2))
                .sum::<f64>();
        }
        assert!((energy / 6_400.0).sqrt() > 4_000.0, "it is as loud as it was said");

        // The sound ends with the leg.
        worker.accepts(&leg, What::Close(Close {})).await;
        while sound.next().await.is_some() {}
    });
}

#[test]
fn a_host_takes_on_no_more_codec_work_than_it_can_do() {
    run(async {
        let mut world = World::start(1_000).await;
        let mut worker = world.worker().await;
        let live = Open {
            live: true,
            ..Open::default()
        };
        let (kept, mut caller, _) = world.call_of(&mut worker, live.clone()).await;
        // Legs without a peer have their room, too.
        let mut opened = 0;
        let refused = loop {
            match worker.tries_to_open(live.clone()).await {
                // Nobody's leg would end.
                Ok((leg, _)) => worker.attach(&leg, 0).await,
                Err(refused) => break refused,
            }
            opened += 1;
        };
        assert_eq!(refused.reason(), Reason::NoCodecs, "{refused:?}");
        assert_eq!(refused.detail, "no room for codecs");
        assert!((20..500).contains(&opened), "{opened} legs");
        let codecs = world.host.codecs();
        assert!(codecs.used() <= codecs.limit());

        // A leg without codecs is taken; its sound is not to be had until there is room.
        let (plain, _second, _) = world.call(&mut worker).await;
        let none = Sound::of(&world, &plain, 1).await.err().unwrap();
        assert_eq!(
            (none.code(), none.message()),
            (tonic::Code::ResourceExhausted, "no room for codecs")
        );
        // Whoever has room is heard, also by the next owner.
        for _ in 0..2 {
            let mut sound = Sound::of(&world, &kept, 1).await.unwrap();
            for packet in speech().into_iter().take(10) {
                caller.say(&packet);
            }
            assert!(sound.next().await.is_some());
        }
        worker.accepts(&kept, What::Close(Close {})).await;
        until(async || {
            let heard = Sound::of(&world, &plain, 1).await;
            heard
                .map(drop)
                .map_err(|refusal| format!("the room of a leg that ended is not free: {refusal:?}"))
        })
        .await;
    });
}

#[test]
fn a_continuous_leg_sends_silence_from_its_beginning_on() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let open = Open {
            codecs: vec!["PCMA".to_owned()],
            continuous: true,
            ..Open::default()
        };
        let (_leg, mut caller, _) = world.call_of(&mut worker, open).await;
        let packets: Vec<_> = (0..10).map(|_| caller.hear()).collect();
        assert!(packets.iter().all(|packet| packet.payload == [0xD5; 160]));
    });
}

#[test]
fn a_leg_on_which_nothing_is_said_is_charged_for_hearing_alone() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let open = |hears_only| Open {
            live: true,
            hears_only,
            ..Open::default()
        };
        let (both, _) = worker.opens(open(false)).await;
        worker.attach(&both, 0).await;
        let of_both = world.host.codecs().used();
        let (leg, mut caller, _) = world.call_of(&mut worker, open(true)).await;
        let of_one = world.host.codecs().used() - of_both;
        assert_eq!((of_both, of_one), (100, 40), "as prices stand in docs/media.md");

        let mut sound = Sound::of(&world, &leg, 1).await.unwrap();
        // What is said all the same is not heard, and ends nothing.
        let say = SoundToHost {
            message: Some(SoundMessage::Say(vec![0x30; 640].into())),
        };
        sound.say.send(say).await.unwrap();
        // As fast as it is heard: what was said would long be sent when it is over.
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for packet in speech().into_iter().take(20) {
            clock.tick().await;
            caller.say(&packet);
        }
        for _ in 0..20 {
            assert!(sound.next().await.is_some());
        }
        assert_eq!(world.host.codecs().used(), of_both + of_one);
        let Ack::Figures(figures) = worker.does(&leg, What::Statistics(Statistics {})).await.1 else {
            panic!()
        };
        assert_eq!(figures.sent_packets, 0);
    });
}

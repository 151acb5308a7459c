//! A whole host: a worker over gRPC, a peer over HTTPS, audio over UDP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "control/reference.rs"]
mod reference;
mod support;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use rtc_srtp::protection_profile::ProtectionProfile;
use support::caller::{Caller, CallerIdentity, Heard, OPUS, TONES};
use support::{Line, PATIENCE, bound};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use trunkline_media::control::{Host, HostConfig, MediaService};
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_media::whip::{Settings, serve};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::media_server::MediaServer;
use trunkline_proto::media::sound_to_host::Message as SoundMessage;
use trunkline_proto::media::to_host::Message as ToHostMessage;
use trunkline_proto::media::to_worker::Message as ToWorkerMessage;
use trunkline_proto::media::{
    Attach, Bridge, Close, Command, Event, FollowLeg, Hello, Listen, Open, Opened, Play, Record, RecordAnswer, Relay,
    SendTones, SoundToHost, SoundToWorker, Statistics, StopRecording, ToHost, ToWorker,
};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A host with both of its servers, and directories of its own.
struct World {
    host: Arc<Host>,
    https: String,
    grpc: String,
    client: Client,
    /// The certificate by which the host is trusted.
    root: reqwest::Certificate,
    directory: tempfile::TempDir,
    callers: u32,
}

impl World {
    async fn start(legs: u32) -> Self {
        let mut thread = ThreadConfig::loopback(Ports::Single(0));
        thread.legs = legs;
        Self::start_with(thread).await
    }

    async fn start_with(thread: ThreadConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = HostConfig {
            thread,
            threads: 2,
            prompts: directory.path().join("prompts"),
            stand_in: None,
            recordings: directory.path().join("recordings"),
            retention: None,
            keys: Some(directory.path().join("keys")),
            command: None,
            orphaned_after: Duration::from_secs(2),
        };
        std::fs::create_dir(&config.prompts).unwrap();
        std::fs::create_dir(directory.path().join("keys")).unwrap();
        std::fs::write(directory.path().join("keys/one.key"), "1f".repeat(32)).unwrap();
        let host = Host::start(config).unwrap();

        let grpc = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let grpc_address = format!("http://{}", grpc.local_addr().unwrap());
        let service = MediaServer::new(MediaService::new(host.clone()));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(grpc)));

        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let https = TcpListener::bind("127.0.0.1:0").unwrap();
        let https_address = format!("https://localhost:{}", https.local_addr().unwrap().port());
        let settings = Settings {
            origins: vec!["https://page.example".to_owned()],
        };
        actix_web::rt::spawn(serve(host.clone(), https, Some(tls), settings).unwrap());
        let root = reqwest::Certificate::from_der(certified.cert.der()).unwrap();
        let client = Client::builder().tls_certs_only([root.clone()]).build().unwrap();
        Self {
            host,
            https: https_address,
            grpc: grpc_address,
            client,
            root,
            directory,
            callers: 0,
        }
    }

    async fn worker(&self) -> Worker {
        let mut client = MediaClient::connect(self.grpc.clone()).await.unwrap();
        let (commands, stream) = mpsc::channel(64);
        let hello = Hello {
            protocol: 1,
            worker: "worker".to_owned(),
        };
        let hello = ToHost {
            message: Some(ToHostMessage::Hello(hello)),
        };
        commands.send(hello).await.unwrap();
        let incoming = client.legs(ReceiverStream::new(stream)).await.unwrap().into_inner();
        let mut worker = Worker {
            commands,
            incoming,
            events: Vec::new(),
            operation: 0,
            epoch: 1,
        };
        assert!(matches!(worker.next().await, ToWorkerMessage::Welcome(_)));
        worker
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller::new(&CallerIdentity::new(ProtectionProfile::AeadAes128Gcm), self.callers)
    }

    /// Posts, and comes again as it is told to: a busy machine makes a host late, and a fast one a caller too quick.
    async fn post(&self, path: &str, token: &str, kind: &str, body: String) -> reqwest::Response {
        let until = Instant::now() + PATIENCE;
        loop {
            let request = self
                .client
                .post(format!("{}{path}", self.https))
                .header("content-type", kind);
            let answer = request.bearer_auth(token).body(body.clone()).send().await.unwrap();
            if ![429, 503].contains(&answer.status().as_u16()) {
                return answer;
            }
            assert!(Instant::now() < until, "the host has time");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn patch(&self, location: &str, token: &str, condition: Option<&str>, body: String) -> reqwest::Response {
        let request = self
            .client
            .patch(format!("{}{location}", self.https))
            .header("content-type", FRAGMENT);
        let request = condition
            .into_iter()
            .fold(request, |request, tag| request.header("if-match", tag));
        request.bearer_auth(token).body(body).send().await.unwrap()
    }

    /// Opens a leg, posts its offer, and brings the call up.
    async fn call(&mut self, worker: &mut Worker) -> (String, Line, Session) {
        self.call_of(worker, Open::default()).await
    }

    /// The same for a leg that is opened so.
    async fn call_of(&mut self, worker: &mut Worker, open: Open) -> (String, Line, Session) {
        let (leg, opened) = worker.opens(open).await;
        worker.attach(&leg, 0).await;
        let mut caller = self.caller();
        let answer = self.post(&opened.path, &opened.token, SDP, caller.offer()).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let session = Session {
            location: header("location"),
            tag: header("etag"),
            token: opened.token,
        };
        let host = caller.answered(&answer.text().await.unwrap())[0];
        let mut caller = Line {
            caller,
            socket: bound(),
            host,
        };
        caller.connect();
        worker.event(&leg, |told| matches!(told, Told::Connected(_))).await;
        (leg, caller, session)
    }
}

struct Session {
    location: String,
    tag: String,
    token: String,
}

/// A worker at its end of the stream.
struct Worker {
    commands: mpsc::Sender<ToHost>,
    incoming: tonic::Streaming<ToWorker>,
    events: Vec<Event>,
    operation: u64,
    epoch: u64,
}

impl Worker {
    async fn next(&mut self) -> ToWorkerMessage {
        let next = tokio::time::timeout(PATIENCE, self.incoming.next())
            .await
            .expect("something comes");
        next.expect("the stream goes on").unwrap().message.unwrap()
    }

    async fn send(&mut self, leg: &str, operation: u64, what: What) -> (String, Ack) {
        let command = Command {
            operation,
            epoch: self.epoch,
            leg: leg.to_owned(),
            what: Some(what),
        };
        let message = ToHost {
            message: Some(ToHostMessage::Command(command)),
        };
        self.commands.send(message).await.unwrap();
        loop {
            match self.next().await {
                ToWorkerMessage::Acknowledgement(ack) if ack.operation == operation => {
                    return (ack.leg, ack.what.unwrap());
                }
                ToWorkerMessage::Event(event) => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// A new operation; gives its number and what came of it.
    async fn does(&mut self, leg: &str, what: What) -> (u64, Ack) {
        self.operation += 1;
        let operation = self.operation;
        (operation, self.send(leg, operation, what).await.1)
    }

    async fn accepts(&mut self, leg: &str, what: What) -> u64 {
        let (operation, ack) = self.does(leg, what).await;
        assert!(matches!(ack, Ack::Accepted(_)), "{ack:?}");
        operation
    }

    async fn open(&mut self) -> (String, Opened) {
        self.opens(Open::default()).await
    }

    async fn opens(&mut self, open: Open) -> (String, Opened) {
        self.operation += 1;
        let operation = self.operation;
        match self.send("", operation, What::Open(open)).await {
            (leg, Ack::Opened(opened)) => (leg, opened),
            other => panic!("not opened: {other:?}"),
        }
    }

    async fn attach(&mut self, leg: &str, last_event: u64) {
        let (_, ack) = self.does(leg, What::Attach(Attach { last_event })).await;
        assert!(matches!(ack, Ack::Attached(_)), "{ack:?}");
    }

    /// Waits for an event; those before it are kept.
    async fn event(&mut self, leg: &str, is_wanted: impl Fn(&Told) -> bool) -> Told {
        loop {
            let index = self
                .events
                .iter()
                .position(|event| event.leg == leg && event.what.as_ref().is_some_and(&is_wanted));
            if let Some(index) = index {
                return self.events.remove(index).what.unwrap();
            }
            if let ToWorkerMessage::Event(event) = self.next().await {
                self.events.push(event);
            }
        }
    }
}

/// A second of a sawtooth, 16 kHz, as a WAV file.
fn wav() -> Vec<u8> {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\x7d\0\0".to_vec();
    file.extend((0..16_000u32).flat_map(|index| i16::try_from(index % 64 * 100).unwrap().to_le_bytes()));
    file
}

/// Tests over HTTPS need actix' runtime, which has one thread; the callers' sockets block it for moments only.
fn run(test: impl Future<Output = ()>) {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    };
    actix_web::rt::System::with_tokio_rt(runtime).block_on(test);
}

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

/// Packets of 20 ms of a loud tone.
fn speech() -> Vec<Vec<u8>> {
    let builder = ropus::Encoder::builder(48_000, ropus::Channels::Mono, ropus::Application::Voip);
    let mut encoder = builder.build().unwrap();
    let mut packet = [0; 1_000];
    let frame: Vec<i16> = (0..960)
        .map(|index| if index / 40 % 2 == 0 { 9_000 } else { -9_000 })
        .collect();
    let mut encode = |_| {
        let length = encoder.encode(&frame, &mut packet).unwrap();
        packet[..length].to_vec()
    };
    (0..50).map(&mut encode).collect()
}

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
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        for packet in speech() {
            clock.tick().await;
            caller.say(&packet);
        }
        // The sender tells no level: a codec thread hears it.
        let speech = worker.event(&leg, |told| matches!(told, Told::Speech(_))).await;
        assert!(matches!(speech, Told::Speech(speech) if speech.speaks));
        worker.accepts(&leg, What::Listen(Listen { speech: false })).await;
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

/// The sound of a leg at a worker's end.
struct Sound {
    say: mpsc::Sender<SoundToHost>,
    heard: tonic::Streaming<SoundToWorker>,
}

impl Sound {
    async fn of(world: &World, leg: &str, epoch: u64) -> Result<Self, tonic::Status> {
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
        worker.event(&leg, |told| matches!(told, Told::RecordingEnded(_))).await;
        let recordings = world.directory.path().join("recordings/tenant");
        let manifest = std::fs::read_to_string(recordings.join("call-received.opus.sealed.json"));
        assert!(
            manifest.is_ok_and(|text| text.contains("\"operation-1\"")),
            "who confirmed it stands there"
        );
    });
}

#[test]
fn a_new_owner_takes_over_and_the_old_one_is_fenced() {
    run(async {
        let mut world = World::start(10).await;
        let mut old = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut old).await;
        old.accepts(&leg, What::Relay(Relay { echo: true })).await;

        let mut new = world.worker().await;
        new.epoch = 2;
        // It hears what it missed: from the beginning of the leg on.
        new.attach(&leg, 0).await;
        new.event(&leg, |told| matches!(told, Told::Connected(_))).await;
        let (_, ack) = old.does(&leg, What::Close(Close {})).await;
        assert_eq!(ack, Ack::Fenced(2));
        // Audio did not notice.
        caller.say(b"x");
        assert_eq!(caller.hear().payload, b"x");

        // On its thread: there are two.
        let near = Open {
            near: leg.clone(),
            ..Open::default()
        };
        let (other, mut second, _) = world.call_of(&mut new, near).await;
        new.accepts(&leg, What::Bridge(Bridge { other: other.clone() })).await;
        caller.say(b"over the bridge");
        assert_eq!(second.hear().payload, b"over the bridge");
        let (apart, _third, _) = world.call(&mut new).await;
        let (_, ack) = new.does(&leg, What::Bridge(Bridge { other: apart })).await;
        assert!(
            matches!(&ack, Ack::Refused(refused) if refused.detail.contains("near")),
            "{ack:?}"
        );
        new.accepts(&other, What::Close(Close {})).await;
        new.event(&leg, |told| matches!(told, Told::BridgeEnded(_))).await;
    });
}

#[test]
fn a_leg_whose_worker_dies_goes_on_and_ends_only_if_nobody_comes() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut worker).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
        drop(worker);
        // Audio does not notice, and a worker that comes in time keeps the leg.
        for _ in 0..2 {
            caller.say(b"x");
            assert_eq!(caller.hear().payload, b"x");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let mut next = world.worker().await;
        next.epoch = 2;
        next.attach(&leg, 0).await;
        drop(next);

        let until = Instant::now() + PATIENCE;
        while caller.receive() != Some(Heard::Closed) {
            assert!(Instant::now() < until, "the farewell comes");
            tokio::task::yield_now().await;
        }
        while world.host.legs() > 0 {
            assert!(Instant::now() < until, "the leg is forgotten");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

#[test]
fn the_peer_restarts_and_hangs_up_over_https() {
    run(async {
        let mut world = World::start(10).await;
        let mut worker = world.worker().await;
        let (leg, mut caller, session) = world.call(&mut worker).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;

        let fragment = caller.caller.restart();
        let (location, token) = (session.location.as_str(), session.token.as_str());
        assert_eq!(world.patch(location, token, None, fragment.clone()).await.status(), 428);
        assert_eq!(
            world
                .patch(location, token, Some("\"9\""), fragment.clone())
                .await
                .status(),
            412
        );
        assert_eq!(
            world
                .patch(location, "wrong", Some("*"), fragment.clone())
                .await
                .status(),
            401
        );
        assert_eq!(
            world
                .patch(location, token, Some(&session.tag), fragment.clone())
                .await
                .status(),
            204
        );
        let restarted = world.patch(location, token, Some("*"), fragment).await;
        assert_eq!(restarted.status(), 200);
        assert_ne!(restarted.headers()["etag"].to_str().unwrap(), session.tag);
        caller.caller.answered(&restarted.text().await.unwrap());
        caller.rebind();
        caller.nominate();
        caller.say(b"after");
        assert_eq!(caller.hear().payload, b"after");

        let delete = || world.client.delete(format!("{}{location}", world.https));
        assert_eq!(delete().bearer_auth("wrong").send().await.unwrap().status(), 401);
        assert_eq!(delete().bearer_auth(token).send().await.unwrap().status(), 200);
        let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        assert_eq!(ended, Told::Ended("peer_hung_up".to_owned()));
        let until = Instant::now() + PATIENCE;
        while caller.receive() != Some(Heard::Closed) {
            assert!(Instant::now() < until, "the farewell comes");
        }
        while world.host.legs() > 0 {
            assert!(Instant::now() < until, "the leg is forgotten");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(delete().bearer_auth(token).send().await.unwrap().status(), 404);
    });
}

#[test]
fn strangers_and_broken_offers_are_refused_by_status() {
    run(async {
        let mut world = World::start(1).await;
        let mut worker = world.worker().await;
        let (_, opened) = worker.open().await;
        let (path, token) = (opened.path.as_str(), opened.token.as_str());
        let offer = world.caller().offer();
        let passive = offer.replace("a=setup:actpass", "a=setup:passive");

        assert_eq!(world.post(path, "wrong", SDP, offer.clone()).await.status(), 401);
        assert_eq!(
            world.post("/legs/unknown", token, SDP, offer.clone()).await.status(),
            401
        );
        assert_eq!(world.post(path, token, "text/plain", offer.clone()).await.status(), 415);
        assert_eq!(world.post(path, token, SDP, "x".repeat(40_000)).await.status(), 413);
        assert_eq!(world.post(path, token, SDP, "hello".to_owned()).await.status(), 400);
        let refused = world.post(path, token, SDP, passive).await;
        assert_eq!(refused.status(), 422);
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
        assert_eq!(problem["line"], 14);

        let answer = world.post(path, token, SDP, offer.clone()).await;
        assert_eq!(answer.status(), 201);
        assert_eq!(world.post(path, token, SDP, offer).await.status(), 409);
        let get = world.client.get(format!("{}{path}", world.https)).send().await.unwrap();
        // The eleventh request of a second may come first on a fast machine.
        assert!([405, 429].contains(&get.status().as_u16()));
        assert!(
            matches!(worker.does("", What::Open(Open::default())).await.1, Ack::Refused(refused) if refused.reason == 2)
        );

        // Whoever asks too often is told to come again.
        let until = Instant::now() + PATIENCE;
        loop {
            let preflight = world
                .client
                .request(reqwest::Method::OPTIONS, format!("{}{path}", world.https));
            let answer = preflight.header("origin", "https://page.example").send().await.unwrap();
            if answer.status() == 429 {
                assert_eq!(answer.headers()["retry-after"], "1");
                break;
            }
            assert_eq!(answer.headers()["accept-post"], SDP);
            assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
            assert!(Instant::now() < until, "the rate is limited");
        }
    });
}

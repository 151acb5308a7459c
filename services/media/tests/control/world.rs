//! A host with both of its servers, a worker at its end of the stream, and what tests say and play.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use rtc_srtp::protection_profile::ProtectionProfile;
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
use trunkline_proto::media::to_host::Message as ToHostMessage;
use trunkline_proto::media::to_worker::Message as ToWorkerMessage;
use trunkline_proto::media::{Acknowledgement, Attach, Command, Event, Hello, Open, Opened, Refused, ToHost, ToWorker};

use crate::support::caller::{Caller, CallerIdentity, Heard};
use crate::support::{Line, PATIENCE, bound};

pub(crate) const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// A host with both of its servers, and directories of its own.
pub(crate) struct World {
    pub(crate) host: Arc<Host>,
    pub(crate) https: String,
    pub(crate) grpc: String,
    pub(crate) client: Client,
    /// The certificate by which the host is trusted.
    pub(crate) root: reqwest::Certificate,
    pub(crate) directory: tempfile::TempDir,
    callers: u32,
}

impl World {
    pub(crate) async fn start(legs: u32) -> Self {
        let mut thread = ThreadConfig::loopback(Ports::Single(0));
        thread.legs = legs;
        Self::start_with(thread).await
    }

    pub(crate) async fn start_with(thread: ThreadConfig) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = HostConfig {
            thread,
            threads: 2,
            codec_threads: 1,
            prompts: directory.path().join("prompts"),
            stand_in: None,
            recordings: directory.path().join("recordings"),
            retention: None,
            keys: Some(directory.path().join("keys")),
            hand_on: None,
            mixes: false,
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
        // As in the product: without it an event waits for the acknowledgement of what was sent before, 40 ms.
        let connections = TcpListenerStream::new(grpc).map(|connection| {
            let connection = connection?;
            connection.set_nodelay(true)?;
            Ok::<_, std::io::Error>(connection)
        });
        tokio::spawn(server.serve_with_incoming(connections));

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

    pub(crate) async fn worker(&self) -> Worker {
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
            acknowledged: Vec::new(),
            operation: 0,
            epoch: 1,
        };
        assert!(matches!(worker.next().await, ToWorkerMessage::Welcome(_)));
        worker
    }

    pub(crate) fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller::new(&CallerIdentity::new(ProtectionProfile::AeadAes128Gcm), self.callers)
    }

    /// Posts, and comes again as it is told to: a busy machine makes a host late, and a fast one a caller too quick.
    pub(crate) async fn post(&self, path: &str, token: &str, kind: &str, body: String) -> reqwest::Response {
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

    pub(crate) async fn patch(
        &self,
        location: &str,
        token: &str,
        condition: Option<&str>,
        body: String,
    ) -> reqwest::Response {
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
    pub(crate) async fn call(&mut self, worker: &mut Worker) -> (String, Line, Session) {
        self.call_of(worker, Open::default()).await
    }

    /// The same for a leg that is opened so.
    pub(crate) async fn call_of(&mut self, worker: &mut Worker, open: Open) -> (String, Line, Session) {
        self.call_without(worker, open, "no such line").await
    }

    /// The same of a caller whose offer lacks the lines that have this in them.
    pub(crate) async fn call_without(
        &mut self,
        worker: &mut Worker,
        open: Open,
        lacks: &str,
    ) -> (String, Line, Session) {
        let (leg, opened) = worker.opens(open).await;
        worker.attach(&leg, 0).await;
        let mut caller = self.caller();
        let offer = caller.offer();
        let offer: String = offer
            .split_inclusive('\n')
            .filter(|line| !line.contains(lacks))
            .collect();
        let answer = self.post(&opened.path, &opened.token, SDP, offer).await;
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
            host_checks: false,
        };
        caller.connect();
        worker.event(&leg, |told| matches!(told, Told::Connected(_))).await;
        (leg, caller, session)
    }

    /// Waits until a caller is told goodbye, and the host holds no leg any more.
    pub(crate) async fn is_left_by(&self, caller: &mut Line) {
        let until = Instant::now() + PATIENCE;
        while caller.receive() != Some(Heard::Closed) {
            assert!(Instant::now() < until, "the farewell comes");
            tokio::task::yield_now().await;
        }
        while self.host.legs() > 0 {
            assert!(Instant::now() < until, "the leg is forgotten");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) struct Session {
    pub(crate) location: String,
    pub(crate) tag: String,
    pub(crate) token: String,
}

/// A worker at its end of the stream.
pub(crate) struct Worker {
    commands: mpsc::Sender<ToHost>,
    incoming: tonic::Streaming<ToWorker>,
    events: Vec<Event>,
    /// What came of commands that nobody waited for yet.
    acknowledged: Vec<Acknowledgement>,
    operation: u64,
    pub(crate) epoch: u64,
}

impl Worker {
    pub(crate) async fn next(&mut self) -> ToWorkerMessage {
        let next = tokio::time::timeout(PATIENCE, self.incoming.next())
            .await
            .expect("something comes");
        next.expect("the stream goes on").unwrap().message.unwrap()
    }

    pub(crate) async fn send(&mut self, leg: &str, operation: u64, what: What) -> (String, Ack) {
        self.tell_again(leg, operation, what).await;
        self.acknowledged(operation).await
    }

    /// Tells a command without waiting for what comes of it.
    pub(crate) async fn tell_again(&mut self, leg: &str, operation: u64, what: What) {
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
    }

    /// The same for a new operation; gives its number.
    pub(crate) async fn tell(&mut self, leg: &str, what: What) -> u64 {
        self.operation += 1;
        self.tell_again(leg, self.operation, what).await;
        self.operation
    }

    /// Waits for what came of a command.
    pub(crate) async fn acknowledged(&mut self, operation: u64) -> (String, Ack) {
        loop {
            let is_it = |ack: &Acknowledgement| ack.operation == operation;
            if let Some(index) = self.acknowledged.iter().position(is_it) {
                let ack = self.acknowledged.remove(index);
                return (ack.leg, ack.what.unwrap());
            }
            self.hear().await;
        }
    }

    /// Whether a command was answered before what was heard last.
    pub(crate) fn is_acknowledged(&self, operation: u64) -> bool {
        self.acknowledged.iter().any(|ack| ack.operation == operation)
    }

    async fn hear(&mut self) {
        match self.next().await {
            ToWorkerMessage::Acknowledgement(ack) => self.acknowledged.push(ack),
            ToWorkerMessage::Event(event) => self.events.push(event),
            other @ ToWorkerMessage::Welcome(_) => panic!("unexpected {other:?}"),
        }
    }

    /// A new operation; gives its number and what came of it.
    pub(crate) async fn does(&mut self, leg: &str, what: What) -> (u64, Ack) {
        self.operation += 1;
        let operation = self.operation;
        (operation, self.send(leg, operation, what).await.1)
    }

    pub(crate) async fn accepts(&mut self, leg: &str, what: What) -> u64 {
        let (operation, ack) = self.does(leg, what).await;
        assert!(matches!(ack, Ack::Accepted(_)), "{ack:?}");
        operation
    }

    pub(crate) async fn open(&mut self) -> (String, Opened) {
        self.opens(Open::default()).await
    }

    pub(crate) async fn opens(&mut self, open: Open) -> (String, Opened) {
        self.tries_to_open(open).await.expect("the host has room")
    }

    pub(crate) async fn tries_to_open(&mut self, open: Open) -> Result<(String, Opened), Refused> {
        self.operation += 1;
        let operation = self.operation;
        match self.send("", operation, What::Open(open)).await {
            (leg, Ack::Opened(opened)) => Ok((leg, opened)),
            (_, Ack::Refused(refused)) => Err(refused),
            other => panic!("not opened: {other:?}"),
        }
    }

    pub(crate) async fn attach(&mut self, leg: &str, last_event: u64) {
        let (_, ack) = self.does(leg, What::Attach(Attach { last_event })).await;
        assert!(matches!(ack, Ack::Attached(_)), "{ack:?}");
    }

    /// Waits for an event; those before it are kept.
    pub(crate) async fn event(&mut self, leg: &str, is_wanted: impl Fn(&Told) -> bool) -> Told {
        loop {
            let index = self
                .events
                .iter()
                .position(|event| event.leg == leg && event.what.as_ref().is_some_and(&is_wanted));
            if let Some(index) = index {
                return self.events.remove(index).what.unwrap();
            }
            self.hear().await;
        }
    }
}

/// A second of a sawtooth, 16 kHz, as a WAV file.
pub(crate) fn wav() -> Vec<u8> {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\0\x7d\0\0".to_vec();
    file.extend((0..16_000u32).flat_map(|index| i16::try_from(index % 64 * 100).unwrap().to_le_bytes()));
    file
}

/// Tests over HTTPS need actix' runtime, which has one thread; the callers' sockets block it for moments only.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    };
    actix_web::rt::System::with_tokio_rt(runtime).block_on(test);
}

/// Packets of 20 ms of a loud tone.
pub(crate) fn speech() -> Vec<Vec<u8>> {
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

//! A call by a second WebRTC stack: aiortc, in Python. `.ci/test` installs it, with versions that are known to work, into
//! `target/aiortc`; another one is named by `AIORTC=/path/to/python`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use trunkline_media::control::{Host, HostConfig, MediaService};
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_media::whip::{Settings, serve};
use trunkline_proto::media as wire;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::media_server::MediaServer;
use trunkline_proto::media::{to_host, to_worker};

const PATIENCE: Duration = Duration::from_secs(60);

/// The commands of a leg, and what comes back.
struct Worker {
    commands: mpsc::Sender<wire::ToHost>,
    incoming: tonic::Streaming<wire::ToWorker>,
    operation: u64,
}

impl Worker {
    async fn connect(host: &Arc<Host>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = MediaServer::new(MediaService::new(host.clone()));
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        let (commands, stream) = mpsc::channel(16);
        let hello = wire::Hello {
            protocol: wire::PROTOCOL,
            worker: "test".to_owned(),
        };
        let message = Some(to_host::Message::Hello(hello));
        commands.send(wire::ToHost { message }).await.unwrap();
        let mut client = MediaClient::connect(address).await.unwrap();
        let incoming = client.legs(ReceiverStream::new(stream)).await.unwrap().into_inner();
        Self {
            commands,
            incoming,
            operation: 0,
        }
    }

    async fn next(&mut self) -> to_worker::Message {
        let next = tokio::time::timeout(PATIENCE, self.incoming.next()).await;
        next.expect("the host says something")
            .unwrap()
            .unwrap()
            .message
            .unwrap()
    }

    async fn does(&mut self, leg: &str, what: What) -> wire::Acknowledgement {
        self.operation += 1;
        let command = wire::Command {
            operation: self.operation,
            epoch: 1,
            leg: leg.to_owned(),
            what: Some(what),
        };
        let message = Some(to_host::Message::Command(command));
        self.commands.send(wire::ToHost { message }).await.unwrap();
        loop {
            if let to_worker::Message::Acknowledgement(acknowledgement) = self.next().await {
                return acknowledgement;
            }
        }
    }

    async fn hears(&mut self, is_wanted: impl Fn(&Told) -> bool) {
        loop {
            if let to_worker::Message::Event(event) = self.next().await
                && event.what.as_ref().is_some_and(&is_wanted)
            {
                return;
            }
        }
    }
}

fn python() -> PathBuf {
    let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/aiortc/bin/python");
    let python = std::env::var_os("AIORTC").map_or(installed, PathBuf::from);
    assert!(python.is_file(), "there is no aiortc: .ci/test installs it");
    python
}

async fn call() {
    let directory = tempfile::tempdir().unwrap();
    let config = HostConfig {
        thread: ThreadConfig::loopback(Ports::Single(0)),
        threads: 1,
        codec_threads: 1,
        prompts: directory.path().to_owned(),
        stand_in: None,
        recordings: directory.path().join("recordings"),
        retention: None,
        keys: None,
        hand_on: None,
        mixes: false,
        orphaned_after: PATIENCE,
    };
    let host = Host::start(config).unwrap();
    let peers = TcpListener::bind("127.0.0.1:0").unwrap();
    let whip = format!("http://{}", peers.local_addr().unwrap());
    actix_web::rt::spawn(serve(host.clone(), peers, None, Settings::default()).unwrap());
    let mut worker = Worker::connect(&host).await;
    let opened = worker.does("", What::Open(wire::Open::default())).await;
    let leg = opened.leg;
    let Some(wire::acknowledgement::What::Opened(opened)) = opened.what else {
        panic!("{:?}", opened.what)
    };
    worker.does(&leg, What::Attach(wire::Attach::default())).await;
    let address = format!("{whip}{}", opened.path);
    let caller = tokio::task::spawn_blocking(move || {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/aiortc/call.py");
        Command::new(python())
            .arg(script)
            .args([&address, &opened.token, "440", "2"])
            .output()
    });
    worker.hears(|told| matches!(told, Told::Connected(_))).await;
    worker.does(&leg, What::Relay(wire::Relay { echo: true })).await;
    worker
        .hears(|told| matches!(told, Told::Ended(reason) if reason == "peer_hung_up"))
        .await;
    let output = caller.await.unwrap().expect("Python starts");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(said, "100 frames of 440 Hz came back\n", "{complained}");
}

#[test]
fn a_stack_in_python_calls_hears_its_own_tone_and_hangs_up() {
    actix_web::rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    })
    .block_on(call());
}

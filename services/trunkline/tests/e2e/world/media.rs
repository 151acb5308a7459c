//! A media host as a process beside a worker, and a worker's end of its stream.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::blocking::Response;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use trunkline_cluster::channel::Connector;
use trunkline_fleet::process::{Process, Recipe, free_port};
use trunkline_fleet::recorder::Recorder;
use trunkline_fleet::wait::PATIENCE;
use trunkline_fleet::web;
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::to_host::Message as ToHostMessage;
use trunkline_proto::media::to_worker::Message as ToWorkerMessage;
use trunkline_proto::media::{Attach, Command as LegCommand, Event, Hello, Open, Opened, ToHost, ToWorker};

use super::house::{Cluster, stock};

/// A worker and the recipe of a media host, on a Redis that runs.
pub(crate) struct MediaWorld {
    /// Not started.
    pub(crate) media: Recipe,
    cluster: Cluster,
    control: u16,
    peers: u16,
    admin: u16,
    _worker: Process,
    _recorder: Recorder,
}

impl MediaWorld {
    /// Starts the worker.
    pub(crate) fn new(directory: &Path) -> Self {
        let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
        let cluster = Cluster::new(directory, stock(), "echo", connector);
        let (control, peers, admin) = (free_port(), free_port(), free_port());
        let media = Recipe::new(directory, "media", stock())
            .arguments(["media", "--config", &cluster.configuration])
            .environment("TRUNKLINE_CLUSTER__NAME", "media-1")
            .environment("TRUNKLINE_MEDIA__LISTEN", format!("127.0.0.1:{control}"))
            .environment("TRUNKLINE_MEDIA__WHIP_LISTEN", format!("127.0.0.1:{peers}"))
            .environment("TRUNKLINE_MEDIA__PLAIN_HTTP", "true")
            .environment("TRUNKLINE_MEDIA__ZONE", "here")
            .environment("TRUNKLINE_MEDIA__UDP_LISTEN", "127.0.0.1")
            .environment("TRUNKLINE_MEDIA__UDP_PORTS", "20000-20099")
            .environment("TRUNKLINE_MEDIA__LEGS", "50")
            .environment("TRUNKLINE_ADMIN__LISTEN", format!("127.0.0.1:{admin}"))
            .ready_at(format!("http://127.0.0.1:{admin}/readyz"));
        Self {
            media,
            _worker: cluster.worker.start(),
            cluster,
            control,
            peers,
            admin,
            _recorder: recorder,
        }
    }

    /// What `trunkline media list` says.
    pub(crate) fn hosts(&self) -> Vec<Value> {
        let output = Command::new(stock())
            .args([
                "media",
                "list",
                "--output",
                "json",
                "--config",
                &self.cluster.configuration,
            ])
            .args(["--worker", &self.cluster.worker_address])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["hosts"].as_array().unwrap().clone()
    }

    /// Status and body of a page of the admin port.
    pub(crate) fn admin(&self, page: &str) -> (u16, String) {
        web::get(&format!("http://127.0.0.1:{}/{page}", self.admin)).expect("the admin port answers")
    }

    /// Where workers connect.
    pub(crate) fn control(&self) -> String {
        format!("127.0.0.1:{}", self.control)
    }

    /// Where peers post their offers.
    pub(crate) fn peers(&self) -> String {
        format!("http://127.0.0.1:{}", self.peers)
    }

    /// Posts an offer as a peer.
    pub(crate) fn post(&self, opened: &Opened) -> Response {
        let request = web::client()
            .post(format!("{}{}", self.peers(), opened.path))
            .bearer_auth(&opened.token)
            .header("content-type", "application/sdp");
        request.body(OFFER).send().unwrap()
    }

    /// Makes certificates of the cluster's roles. Gives their directory.
    pub(crate) fn certificates(directory: &Path) -> PathBuf {
        let out = directory.join("tls");
        let mut command = Command::new(stock());
        let made = command
            .args(["dev", "certificate", "--out"])
            .arg(&out)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        out
    }
}

/// What a peer may post; it sends nothing after it, so that its leg lives for 30 s.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=fingerprint:sha-256 \
    FA:B2:02:5E:7D:A3:50:8E:CE:2D:98:AC:A9:AB:69:BF:F4:C3:1F:19:77:67:0F:B0:9A:A8:37:E4:59:48:6E:FF\r\n\
    a=setup:actpass\r\na=rtpmap:111 opus/48000/2\r\n";

/// A worker's end of its stream to a media host.
pub(crate) struct WorkerEnd {
    runtime: Runtime,
    commands: mpsc::Sender<ToHost>,
    incoming: tonic::Streaming<ToWorker>,
    events: Vec<Event>,
    operation: u64,
}

impl WorkerEnd {
    /// Connects, and is welcomed.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn connect(address: &str, connector: impl FnOnce() -> Connector) -> Result<Self, String> {
        // A thread of its own: the host looks whether the stream is alive while the test looks elsewhere.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (commands, stream) = mpsc::channel(16);
        let hello = ToHostMessage::Hello(Hello {
            protocol: 1,
            worker: "worker-1".to_owned(),
        });
        commands.try_send(ToHost { message: Some(hello) }).unwrap();
        let incoming = runtime.block_on(async {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
            let channel = endpoint.connect_with_connector(connector()).await;
            let channel = channel.map_err(|error| format!("{error:?}"))?;
            let legs = MediaClient::new(channel).legs(ReceiverStream::new(stream)).await;
            legs.map(tonic::Response::into_inner)
                .map_err(|error| format!("{error:?}"))
        })?;
        let mut worker = Self {
            runtime,
            commands,
            incoming,
            events: Vec::new(),
            operation: 0,
        };
        match worker.next() {
            Some(ToWorkerMessage::Welcome(_)) => Ok(worker),
            other => Err(format!("no welcome but {other:?}")),
        }
    }

    /// The next message; `None` when the stream has ended.
    fn next(&mut self) -> Option<ToWorkerMessage> {
        let next = async { tokio::time::timeout(PATIENCE, self.incoming.next()).await };
        match self.runtime.block_on(next).expect("something comes")? {
            Ok(message) => message.message,
            Err(_) => None,
        }
    }

    /// Carries a command out. Gives the leg and what came of it.
    pub(crate) fn does(&mut self, leg: &str, what: What) -> (String, Ack) {
        self.operation += 1;
        let command = LegCommand {
            operation: self.operation,
            epoch: 1,
            leg: leg.to_owned(),
            what: Some(what),
        };
        let message = ToHostMessage::Command(command);
        self.commands.try_send(ToHost { message: Some(message) }).unwrap();
        loop {
            match self.next().expect("the stream goes on") {
                ToWorkerMessage::Acknowledgement(ack) => return (ack.leg, ack.what.unwrap()),
                ToWorkerMessage::Event(event) => self.events.push(event),
                ToWorkerMessage::Welcome(_) => panic!("welcomed twice"),
            }
        }
    }

    /// Asks for a leg.
    pub(crate) fn asks_for_a_leg(&mut self) -> (String, Ack) {
        self.does("", What::Open(Open::default()))
    }

    /// Opens a leg and attaches to it.
    pub(crate) fn opens(&mut self) -> (String, Opened) {
        let (leg, Ack::Opened(opened)) = self.asks_for_a_leg() else {
            panic!("no leg was opened")
        };
        self.attaches(&leg);
        (leg, opened)
    }

    /// Attaches to a leg, and is told all that happened to it.
    pub(crate) fn attaches(&mut self, leg: &str) {
        let (_, attached) = self.does(leg, What::Attach(Attach { last_event: 0 }));
        assert!(matches!(attached, Ack::Attached(_)), "{attached:?}");
    }

    /// Waits for an event of a leg.
    pub(crate) fn hears(&mut self, leg: &str) -> trunkline_proto::media::event::What {
        loop {
            let is_answer = |event: &Event| matches!(event.what, Some(trunkline_proto::media::event::What::Offered(_)));
            self.events.retain(|event| !is_answer(event));
            if let Some(place) = self.events.iter().position(|event| event.leg == leg) {
                return self.events.remove(place).what.unwrap();
            }
            match self.next().expect("the stream goes on") {
                ToWorkerMessage::Event(event) => self.events.push(event),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    /// Whether the stream ends, within the patience of a test.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.next().is_none()
    }
}

/// No longer than an announcement lives, and what a busy machine needs beside.
pub(crate) const FORGOTTEN_WITHIN: Duration = Duration::from_secs(3 + 5);

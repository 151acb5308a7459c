//! One stream to one worker, from its connection to its end.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::rc::Weak;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tonic::client::Grpc;
use tonic::codec::Codec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;
use trunkline_cluster::channel::Connector;
use trunkline_proto::routing::{CONNECTION_WINDOW, Hello, MESSAGE_LIMIT, STREAM_WINDOW, ToIngress, ToWorker};

use super::Streams;
use super::frame::{Frame, FrameEncoder};
use super::queue::Frames;
use crate::exchange::{Loss, Mismatch, Outgoing, WorkerIndex};
use crate::metrics::StreamMetrics;

const PATH: &str = "/trunkline.routing.v1.Routing/Exchange";
/// HTTP/2 keep-alive, interval and answer (design: "Between ingress and worker").
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// For the connection with its handshake; the exchange bounds the time to the welcome.
const CONNECT: Duration = Duration::from_secs(1);

/// The settings of every connection to a worker: windows that a frame never fills. The scheme says nothing: the connector
/// decides about TLS.
pub(crate) fn endpoint(address: &str) -> Result<Endpoint, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint
        .connect_timeout(CONNECT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true))
}

/// The sending half of a stream; dropping it ends the stream at once.
#[derive(Debug)]
pub(super) struct Link {
    sender: UnboundedSender<Outgoing>,
    task: JoinHandle<()>,
}

impl Link {
    pub(super) fn new(sender: UnboundedSender<Outgoing>, task: JoinHandle<()>) -> Self {
        Self { sender, task }
    }

    pub(super) fn send(&self, outgoing: Outgoing) {
        // A stream that has just ended reports its end itself, and the exchange sends again.
        let _ = self.sender.send(outgoing);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a stream needs to begin.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) worker: WorkerIndex,
    pub(super) generation: u64,
    pub(super) address: Arc<str>,
    pub(super) connector: Connector,
    pub(super) hello: Hello,
    pub(super) map_version: u64,
    pub(super) queue: UnboundedReceiver<Outgoing>,
    pub(super) metrics: Arc<StreamMetrics>,
}

/// Opens a stream, gives every frame to the exchange, and at last the stream's end.
pub(super) async fn run(streams: Weak<Streams>, beginning: Beginning) {
    let (worker, generation) = (beginning.worker, beginning.generation);
    let ended = exchange_frames(&streams, beginning).await;
    if let Some(streams) = streams.upgrade() {
        let loss = ended.as_ref().map_or_else(EndedBy::loss, |()| Loss::Ended);
        streams.note_end(worker, ended.as_ref().err());
        streams.event(|exchange, now| exchange.lost(now, worker, generation, loss));
    }
}

async fn exchange_frames(streams: &Weak<Streams>, beginning: Beginning) -> Result<(), EndedBy> {
    let Beginning {
        worker,
        generation,
        address,
        connector,
        hello,
        map_version,
        queue,
        metrics,
    } = beginning;
    let channel = endpoint(&address)?.connect_with_connector(connector).await?;
    let mut client = Grpc::new(channel).max_decoding_message_size(MESSAGE_LIMIT);
    client.ready().await?;
    let frames = Frames::new(hello, map_version, queue, metrics.clone());
    let path = PathAndQuery::from_static(PATH);
    let mut incoming = client
        .streaming(Request::new(frames), path, FrameCodec)
        .await?
        .into_inner();
    let mut connected = None;
    while let Some(frame) = incoming.message().await? {
        let Some(streams) = streams.upgrade() else {
            return Ok(());
        };
        metrics.frame_received();
        streams.event(|exchange, now| exchange.frame(now, worker, generation, frame))?;
        if connected.is_none() {
            connected = Some(metrics.connected());
            streams.note_welcome(worker);
        }
    }
    Ok(())
}

/// Frames of our own encoding out, generated messages in.
#[derive(Debug, Default)]
struct FrameCodec;

impl Codec for FrameCodec {
    type Encode = Frame;
    type Decode = ToIngress;
    type Encoder = FrameEncoder;
    type Decoder = <ProstCodec<ToWorker, ToIngress> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        FrameEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<ToWorker, ToIngress>::default().decoder()
    }
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndedBy {
    #[error("no connection")]
    Connection(#[from] tonic::transport::Error),
    #[error("the worker ended the stream")]
    Status(#[from] Status),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl EndedBy {
    /// What this says of the process at the other end.
    fn loss(&self) -> Loss {
        for source in self.sources() {
            let http2 = source.downcast_ref::<h2::Error>();
            if http2.is_some_and(|error| error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)) {
                return Loss::Ended;
            }
            let io = source.downcast_ref::<io::Error>().or(http2.and_then(h2::Error::get_io));
            match io.map(io::Error::kind) {
                Some(ErrorKind::ConnectionRefused) => return Loss::Refused,
                // The system closes the connections of a process that dies: with a reset, or, seen by HTTP/2, with an end
                // in the middle of a stream.
                Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof) => {
                    return Loss::Reset;
                }
                _ => {}
            }
        }
        Loss::Failed
    }

    fn sources(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let whole: &(dyn Error + 'static) = self;
        std::iter::successors(Some(whole), |error: &&(dyn Error + 'static)| (*error).source())
    }

    /// The error with its causes, for one line of the log.
    pub(super) fn explained(&self) -> String {
        let mut texts: Vec<String> = self.sources().map(ToString::to_string).collect();
        // A wrapper that says what it wraps says it once.
        texts.dedup();
        texts.join(": ")
    }
}

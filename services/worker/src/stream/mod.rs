//! The worker's end of `routing.proto`: frames come in and are split by arbiter; outcomes leave, as many as are ready, in
//! one frame.

mod credits;
mod outgoing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use trunkline_cluster::channel::{Peer, Role};
use trunkline_proto::routing::routing_server::Routing;
use trunkline_proto::routing::{Deliver, Hello, PROTOCOL, ToIngress, ToWorker, Welcome};
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::{Key, ShardId};

pub(crate) use self::credits::{Pressure, SLOW_COMMIT};
use self::outgoing::Outcomes;
pub(crate) use self::outgoing::{Outgoing, OutgoingSender};
use crate::conversation::Ticket;
use crate::shell::context::WorkerParts;
use crate::shell::directory::{Batch, Cancelled, StreamClosed, StreamOpened};

/// Deliveries of a stream that can still be cancelled: more are not outstanding at once.
const CANCELLABLE: usize = 16_384;

/// The service that ingresses connect to.
pub(crate) struct RoutingService {
    worker: Arc<WorkerParts>,
    name: String,
    incarnation: Incarnation,
    credits: u32,
    next_stream: AtomicU64,
    closing: CancellationToken,
}

impl RoutingService {
    pub(crate) fn new(
        worker: Arc<WorkerParts>,
        name: String,
        incarnation: Incarnation,
        credits: u32,
        closing: CancellationToken,
    ) -> Self {
        Self {
            worker,
            name,
            incarnation,
            credits,
            // 0 is the process itself.
            next_stream: AtomicU64::new(1),
            closing,
        }
    }

    fn welcome(&self) -> ToIngress {
        ToIngress {
            welcome: Some(Welcome {
                protocol: PROTOCOL,
                worker: self.name.clone(),
                incarnation: self.incarnation.0,
                shards: self.worker.store.identity().shards,
                serves: self.worker.shards.serves(),
            }),
            ..ToIngress::default()
        }
    }
}

#[tonic::async_trait]
impl Routing for RoutingService {
    type ExchangeStream = Outcomes;

    async fn exchange(&self, request: Request<Streaming<ToWorker>>) -> Result<Response<Outcomes>, Status> {
        let peer = request.extensions().get::<Peer>();
        if !peer.is_some_and(|peer| peer.may_act_as(Role::Ingress)) {
            return Err(Status::permission_denied("only an ingress delivers activities"));
        }
        let (outgoing, queue) = mpsc::unbounded_channel();
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let sheds = Arc::new(AtomicU32::new(0));
        let incoming = Incoming {
            sheds: sheds.clone(),
            worker: self.worker.clone(),
            stream,
            outgoing,
            closing: self.closing.clone(),
            outstanding: VecDeque::new(),
        };
        tokio::spawn(incoming.run(request.into_inner(), self.welcome()));
        let outcomes = Outcomes::new(queue, self.worker.clone(), self.credits, sheds, self.closing.clone());
        Ok(Response::new(outcomes))
    }
}

/// The incoming half of one stream.
struct Incoming {
    /// Deliveries that were shed, for the account of the stream.
    sheds: Arc<AtomicU32>,
    worker: Arc<WorkerParts>,
    stream: u64,
    outgoing: OutgoingSender,
    closing: CancellationToken,
    /// Where to find what may be cancelled; sequences rise.
    outstanding: VecDeque<(u64, ShardId, Key)>,
}

impl Incoming {
    async fn run(mut self, mut frames: Streaming<ToWorker>, welcome: ToIngress) {
        let hello = match frames.message().await {
            Ok(Some(ToWorker { hello: Some(hello), .. })) => hello,
            Ok(_) => {
                self.end(Status::failed_precondition(
                    "the first frame of a stream must hold a hello",
                ));
                return;
            }
            Err(_) => return,
        };
        if hello.protocol != PROTOCOL {
            let text = format!("protocol {} is not spoken here, only {PROTOCOL}", hello.protocol);
            self.end(Status::failed_precondition(text));
            return;
        }
        self.open(&hello);
        let _ = self.outgoing.send(Outgoing::Frame(welcome));
        let why = loop {
            let frame = tokio::select! {
                biased;
                // Nobody reads on: only then does the connection close.
                () = self.closing.cancelled() => break None,
                frame = frames.message() => frame,
            };
            match frame {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => break None,
                Err(status) => break Some(status),
            }
        };
        tracing::info!(
            ingress = hello.ingress,
            thread = hello.thread,
            stream = self.stream,
            status = why.map(|status| status.to_string()),
            "the stream of an ingress has ended"
        );
        self.close();
    }

    fn end(&self, status: Status) {
        let _ = self.outgoing.send(Outgoing::End(status));
    }

    fn open(&self, hello: &Hello) {
        tracing::info!(
            ingress = hello.ingress,
            thread = hello.thread,
            stream = self.stream,
            "an ingress has opened a stream"
        );
        self.worker.metrics.streams.inc();
        for directory in self.worker.directories.get().into_iter().flatten() {
            let outcomes = self.outgoing.clone();
            directory.do_send(StreamOpened {
                stream: self.stream,
                outcomes,
            });
        }
    }

    fn close(&self) {
        self.worker.metrics.streams.dec();
        for directory in self.worker.directories.get().into_iter().flatten() {
            directory.do_send(StreamClosed(self.stream));
        }
    }

    /// Splits a frame: one message a thread, however many deliveries.
    fn take(&mut self, frame: ToWorker) {
        self.worker.metrics.frames.inc();
        self.worker.metrics.deliveries.inc_by(frame.deliver.len() as u64);
        if frame.ping {
            let _ = self.outgoing.send(Outgoing::Frame(ToIngress::default()));
        }
        let Some(directories) = self.worker.directories.get() else {
            return;
        };
        let map = MapVersion(frame.map_version);
        for deliver in &frame.deliver {
            if deliver.shed {
                self.sheds.fetch_add(1, Ordering::Relaxed);
            }
            if let Some(key) = Key::from_bytes(&deliver.key) {
                self.outstanding.push_back((deliver.seq, ShardId(deliver.shard), key));
            }
        }
        while self.outstanding.len() > CANCELLABLE {
            self.outstanding.pop_front();
        }
        if let [directory] = directories.as_slice() {
            if !frame.deliver.is_empty() {
                directory.do_send(Batch {
                    stream: self.stream,
                    map,
                    deliver: frame.deliver,
                });
            }
        } else {
            let mut parts: Vec<Vec<Deliver>> = directories.iter().map(|_| Vec::new()).collect();
            for deliver in frame.deliver {
                if let Some(part) = parts.get_mut(deliver.shard as usize % directories.len()) {
                    part.push(deliver);
                }
            }
            for (directory, deliver) in directories.iter().zip(parts) {
                if !deliver.is_empty() {
                    directory.do_send(Batch {
                        stream: self.stream,
                        map,
                        deliver,
                    });
                }
            }
        }
        for seq in frame.cancel {
            self.cancel(seq);
        }
    }

    fn cancel(&self, seq: u64) {
        let Ok(place) = self.outstanding.binary_search_by_key(&seq, |(seq, _, _)| *seq) else {
            return;
        };
        let Some((_, shard, key)) = self.outstanding.get(place) else {
            return;
        };
        if let Some(directory) = self.worker.directory_of(*shard) {
            let stream = self.stream;
            directory.do_send(Cancelled {
                shard: *shard,
                key: *key,
                ticket: Ticket { stream, seq },
            });
        }
    }
}

//! The worker's end of `routing.proto`: frames come in and are split by arbiter; outcomes leave, as many as are ready, in
//! one frame.

pub mod announcement;
pub mod credits;
mod ingresses;
mod outgoing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use trunkline_cluster::channel::{Peer, Role};
use trunkline_proto::routing::routing_server::Routing;
use trunkline_proto::routing::{Deliver, Hello, PROTOCOLS, ToIngress, ToWorker, Welcome};
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::{Key, ShardId};

pub(crate) use self::announcement::Announcement;
pub(crate) use self::credits::{Pressure, SLOW_COMMIT};
pub(crate) use self::ingresses::Ingresses;
use self::outgoing::{Heard, Outcomes};
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
    credits: u32,
    next_stream: AtomicU64,
    closing: CancellationToken,
}

impl RoutingService {
    pub(crate) fn new(worker: Arc<WorkerParts>, name: String, credits: u32, closing: CancellationToken) -> Self {
        Self {
            worker,
            name,
            credits,
            // 0 is the process itself.
            next_stream: AtomicU64::new(1),
            closing,
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
        let heard = Arc::new(Heard::default());
        let incoming = Incoming {
            announced: self.worker.announced.subscribe(),
            heard: heard.clone(),
            worker: self.worker.clone(),
            name: self.name.clone(),
            stream,
            outgoing,
            closing: self.closing.clone(),
            outstanding: VecDeque::new(),
        };
        tokio::spawn(incoming.run(request.into_inner()));
        let outcomes = Outcomes::new(queue, self.worker.clone(), self.credits, heard, self.closing.clone());
        Ok(Response::new(outcomes))
    }
}

/// The incoming half of one stream.
struct Incoming {
    worker: Arc<WorkerParts>,
    name: String,
    announced: watch::Receiver<Announcement>,
    heard: Arc<Heard>,
    stream: u64,
    outgoing: OutgoingSender,
    closing: CancellationToken,
    /// Where to find what may be cancelled; sequences rise.
    outstanding: VecDeque<(u64, ShardId, Key)>,
}

impl Incoming {
    async fn run(mut self, mut frames: Streaming<ToWorker>) {
        let (hello, version) = match frames.message().await {
            Ok(Some(ToWorker {
                hello: Some(hello),
                map_version,
                ..
            })) => (hello, map_version),
            Ok(_) => {
                self.end(Status::failed_precondition(
                    "the first frame of a stream must hold a hello",
                ));
                return;
            }
            Err(_) => return,
        };
        let Some(protocol) = common_protocol(&hello) else {
            let (from, to) = (PROTOCOLS.start(), PROTOCOLS.end());
            let text = format!("protocol {} is not spoken here, only {from} to {to}", hello.protocol);
            self.end(Status::failed_precondition(text));
            return;
        };
        self.heard.names(version);
        self.open(&hello);
        let incarnation = self.announced.borrow_and_update().incarnation;
        let _ = self.outgoing.send(Outgoing::Frame(self.welcome(protocol, incarnation)));
        let why = loop {
            let frame = tokio::select! {
                biased;
                // Nobody reads on: only then does the connection close.
                () = self.closing.cancelled() => break None,
                changed = self.announced.changed() => {
                    if changed.is_err() || self.announced.borrow_and_update().incarnation != incarnation {
                        self.end(Status::unavailable("this worker has become another member of the cluster"));
                        break None;
                    }
                    let _ = self.outgoing.send(Outgoing::Routes);
                    continue;
                }
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

    fn welcome(&self, protocol: u32, incarnation: Incarnation) -> ToIngress {
        ToIngress {
            welcome: Some(Welcome {
                protocol,
                worker: self.name.clone(),
                incarnation: incarnation.0,
                shards: self.worker.store.identity().shards,
            }),
            ..ToIngress::default()
        }
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
        self.worker.ingresses.opened(self.stream, hello, &self.outgoing);
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
        self.worker.ingresses.closed(self.stream);
        for directory in self.worker.directories.get().into_iter().flatten() {
            directory.do_send(StreamClosed(self.stream));
        }
    }

    /// Splits a frame: one message a thread, however many deliveries.
    fn take(&mut self, frame: ToWorker) {
        self.worker.metrics.frames.inc();
        self.worker.metrics.deliveries.inc_by(frame.deliver.len() as u64);
        self.hear_of_the_cluster(&frame);
        if frame.ping {
            let _ = self.outgoing.send(Outgoing::Frame(ToIngress::default()));
        }
        let Some(directories) = self.worker.directories.get() else {
            return;
        };
        let map = MapVersion(frame.map_version);
        for deliver in &frame.deliver {
            if deliver.shed {
                self.heard.shed.fetch_add(1, Ordering::Relaxed);
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

    /// What an ingress says of maps and of other workers.
    fn hear_of_the_cluster(&self, frame: &ToWorker) {
        let ours = self.announced.borrow().version;
        let before = self.heard.names(frame.map_version);
        if frame.map_version > ours.max(before) {
            self.worker.membership.saw_map(MapVersion(frame.map_version));
        }
        for suspect in &frame.suspect {
            self.worker.membership.suspect(Incarnation(*suspect));
        }
        let is_empty = frame.deliver.is_empty() && frame.cancel.is_empty() && frame.suspect.is_empty() && !frame.ping;
        if is_empty && frame.map_version < ours {
            self.heard.asked();
            let _ = self.outgoing.send(Outgoing::Routes);
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

/// The newest protocol that both sides speak.
fn common_protocol(hello: &Hello) -> Option<u32> {
    // An ingress that names no oldest protocol speaks one only.
    let oldest = if hello.oldest == 0 {
        hello.protocol
    } else {
        hello.oldest
    };
    let newest = hello.protocol.min(*PROTOCOLS.end());
    (newest >= oldest.max(*PROTOCOLS.start())).then_some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(oldest: u32, newest: u32) -> Hello {
        Hello {
            protocol: newest,
            oldest,
            ..Hello::default()
        }
    }

    #[test]
    fn the_newest_common_protocol_is_spoken_and_without_one_nobody_guesses() {
        let (first, last) = (*PROTOCOLS.start(), *PROTOCOLS.end());
        assert_eq!(common_protocol(&hello(0, last)), Some(last));
        assert_eq!(
            common_protocol(&hello(last, last + 1)),
            Some(last),
            "the next version, which knows ours"
        );
        assert_eq!(common_protocol(&hello(0, last + 1)), None);
        assert_eq!(common_protocol(&hello(last + 1, last + 2)), None);
        assert_eq!(common_protocol(&hello(0, first - 1)), None);
    }
}

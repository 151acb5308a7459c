//! The streams of one ingress thread: moves frames between the exchange and the sockets, and decides nothing.
//!
//! Everything of a thread stays on that thread: the exchange is a plain value behind an `Rc`, and no lock is shared.

mod frame;
mod link;
mod queue;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use trunkline_cluster::channel::Connector;
use trunkline_proto::routing::{Hello, PROTOCOL, PROTOCOLS};

use crate::exchange::{Action, Answer, Exchange, Request, RequestId, TICK, WorkerIndex};
use crate::metrics::StreamMetrics;
use crate::readiness::Readiness;
pub(crate) use frame::Head;
pub(crate) use link::endpoint;
use link::{Beginning, EndedBy, Link};

/// What the streams of all threads have in common.
#[derive(Clone, Debug)]
pub(crate) struct StreamSettings {
    /// Label of this node, for the logs of the workers.
    pub(crate) node: String,
    /// Random identity of this process run.
    pub(crate) incarnation: u64,
    pub(crate) shards: u32,
    /// `host:port` of the workers that are asked for routes.
    pub(crate) seeds: Vec<String>,
    pub(crate) connector: Connector,
}

/// One ingress thread's way to the workers.
#[derive(Debug)]
pub(crate) struct Streams {
    exchange: RefCell<Exchange<oneshot::Sender<Answer>>>,
    lines: RefCell<Vec<Line>>,
    settings: StreamSettings,
    thread: u32,
    metrics: Arc<StreamMetrics>,
    readiness: Readiness,
    /// For the tasks, which must not keep the thread's streams alive.
    own: Weak<Self>,
}

/// A place for a connection, with or without a stream.
#[derive(Debug, Default)]
struct Line {
    link: Option<Link>,
    /// Where it leads, or led last.
    address: Arc<str>,
    /// Its trouble was told; until it is over the log stays quiet.
    is_troubled: bool,
}

impl Streams {
    /// Starts the streams of thread number `thread`; they end with the last reference.
    pub(crate) fn start(
        settings: StreamSettings,
        thread: u32,
        metrics: Arc<StreamMetrics>,
        readiness: Readiness,
    ) -> Rc<Self> {
        let exchange = Exchange::new(Instant::now(), settings.shards, &settings.seeds, rand::random());
        let streams = Rc::new_cyclic(|own| Self {
            exchange: RefCell::new(exchange),
            lines: RefCell::default(),
            settings,
            thread,
            metrics,
            readiness,
            own: own.clone(),
        });
        actix_rt::spawn(keep_time(Rc::downgrade(&streams)));
        streams
    }

    /// Shards of the cluster.
    pub(crate) fn shards(&self) -> u32 {
        self.settings.shards
    }

    /// Sends a request to the worker that serves its shard and waits for its end.
    ///
    /// Dropping the future tells the worker that the caller has gone.
    /// It is sent, or waits for its turn, when this returns: several keep their order, however their answers are waited for.
    pub(crate) fn forward(&self, request: Request) -> impl Future<Output = Answer> + use<'_> {
        let (waiter, answer) = oneshot::channel();
        let id = self.event(|exchange, now| exchange.submit(now, request, waiter));
        let call = Call {
            streams: self,
            id: Some(id),
        };
        async move {
            // The whole of it: a copied field would leave the guard behind.
            let mut call = call;
            let answered = answer.await;
            call.id = None;
            // The exchange answers every waiter; one that is dropped unanswered says that this thread is going down.
            answered.unwrap_or(Answer::Expired)
        }
    }

    /// Gives the exchange an event and does what it says.
    fn event<T>(&self, happen: impl FnOnce(&mut Exchange<oneshot::Sender<Answer>>, Instant) -> T) -> T {
        let mut exchange = self.exchange.borrow_mut();
        let result = happen(&mut exchange, Instant::now());
        while let Some(action) = exchange.next_action() {
            self.perform(action);
        }
        self.metrics.count(exchange.take_tally(), exchange.map_version());
        result
    }

    fn perform(&self, action: Action<oneshot::Sender<Answer>>) {
        match action {
            Action::Connect {
                worker,
                generation,
                address,
                map_version,
            } => self.connect(worker, generation, address, map_version),
            Action::Close { worker } => {
                if let Some(line) = self.lines.borrow_mut().get_mut(worker.place()) {
                    line.link = None;
                }
            }
            Action::Send { worker, outgoing } => {
                if let Some(link) = self
                    .lines
                    .borrow()
                    .get(worker.place())
                    .and_then(|line| line.link.as_ref())
                {
                    link.send(outgoing);
                }
            }
            Action::Drain(is_wanted) => self.readiness.drain(is_wanted),
            Action::Answer { waiter, answer } => {
                // The caller may have gone in this very moment.
                let _ = waiter.send(answer);
            }
        }
    }

    fn connect(&self, worker: WorkerIndex, generation: u64, address: Arc<str>, map_version: u64) {
        // Bounded by the worker's credits and by the requests in flight, which this process counts.
        let (sender, queue) = mpsc::unbounded_channel();
        let beginning = Beginning {
            worker,
            generation,
            address: address.clone(),
            connector: self.settings.connector.clone(),
            hello: Hello {
                protocol: PROTOCOL,
                oldest: *PROTOCOLS.start(),
                ingress: self.settings.node.clone(),
                thread: self.thread,
                incarnation: self.settings.incarnation,
            },
            map_version,
            queue,
            metrics: self.metrics.clone(),
        };
        let task = actix_rt::spawn(link::run(self.own.clone(), beginning));
        let mut lines = self.lines.borrow_mut();
        if lines.len() <= worker.place() {
            lines.resize_with(worker.place() + 1, Line::default);
        }
        let line = &mut lines[worker.place()];
        line.is_troubled &= line.address == address;
        line.address = address;
        line.link = Some(Link::new(sender, task));
    }

    fn note_welcome(&self, worker: WorkerIndex) {
        let thread = self.thread;
        if let Some(line) = self.lines.borrow_mut().get_mut(worker.place()) {
            line.is_troubled = false;
            tracing::info!(worker = %line.address, thread, "stream to a worker is open");
        }
    }

    /// The first end of a stream is told, and every mismatch; failed attempts after it are for debugging.
    fn note_end(&self, worker: WorkerIndex, ended_by: Option<&EndedBy>) {
        let mut lines = self.lines.borrow_mut();
        let Some(line) = lines.get_mut(worker.place()) else {
            return;
        };
        let (address, thread) = (&line.address, self.thread);
        let reason = ended_by.map_or_else(|| "the worker closed it".to_owned(), EndedBy::explained);
        if std::mem::replace(&mut line.is_troubled, true) {
            tracing::debug!(worker = %address, thread, %reason, "no stream to a worker yet");
        } else if matches!(ended_by, Some(EndedBy::Mismatch(_))) {
            tracing::error!(worker = %address, thread, %reason, "worker does not fit this ingress");
        } else {
            tracing::warn!(worker = %address, thread, %reason, "no stream to a worker, trying again");
        }
    }
}

/// A request that somebody waits for.
struct Call<'a> {
    streams: &'a Streams,
    /// Until it is answered.
    id: Option<RequestId>,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.streams.event(|exchange, now| exchange.cancel(now, id));
        }
    }
}

/// Lets time pass for the exchange as long as somebody holds it.
async fn keep_time(streams: Weak<Streams>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(streams) = streams.upgrade() else {
            return;
        };
        streams.event(Exchange::tick);
    }
}

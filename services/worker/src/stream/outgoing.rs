//! The outgoing half of a stream: whatever is ready leaves in one frame.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use trunkline_proto::routing::{FRAME_BYTES, Outcome, ToIngress};

use super::announcement::Announcement;
use super::credits::Account;
use crate::shell::context::WorkerParts;

/// What goes out on a stream.
pub(crate) enum Outgoing {
    Outcome(Outcome),
    /// A frame of its own: the welcome, or the answer to a ping.
    Frame(ToIngress),
    /// There may be routes that the ingress does not know; those go with every frame.
    Routes,
    /// The last: the stream was refused.
    End(Status),
}

/// The way to a stream from any thread. Its queue is bounded by the credits that the stream was given.
pub(crate) type OutgoingSender = mpsc::UnboundedSender<Outgoing>;

/// What the incoming half of a stream has heard, for the outgoing half.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Version of the map that the ingress routes by.
    named: AtomicU64,
    /// Version of the routes that it was sent last.
    sent: AtomicU64,
    /// Deliveries that were shed since the last frame.
    pub(super) shed: AtomicU32,
}

impl Heard {
    /// The ingress routes by this version. Returns the one before.
    pub(super) fn names(&self, version: u64) -> u64 {
        self.named.swap(version, Ordering::Relaxed)
    }

    /// It asks for the routes, whatever it was sent.
    pub(super) fn asked(&self) {
        self.sent.store(0, Ordering::Relaxed);
    }

    /// Whether routes of this version go to it now; counted as sent.
    fn needs(&self, version: u64) -> bool {
        let known = self
            .named
            .load(Ordering::Relaxed)
            .max(self.sent.load(Ordering::Relaxed));
        if version > known {
            self.sent.store(version, Ordering::Relaxed);
        }
        version > known
    }
}

/// Outcomes taken from the queue at once.
const AT_ONCE: usize = 1_024;

/// The frames of a stream.
pub(crate) struct Outcomes {
    queue: mpsc::UnboundedReceiver<Outgoing>,
    ready: VecDeque<Outgoing>,
    taken: Vec<Outgoing>,
    worker: Arc<WorkerParts>,
    account: Account,
    announced: watch::Receiver<Announcement>,
    heard: Arc<Heard>,
    closing: BoxFuture<'static, ()>,
    is_over: bool,
}

impl Outcomes {
    pub(super) fn new(
        queue: mpsc::UnboundedReceiver<Outgoing>,
        worker: Arc<WorkerParts>,
        credits: u32,
        heard: Arc<Heard>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            queue,
            ready: VecDeque::new(),
            taken: Vec::with_capacity(AT_ONCE),
            announced: worker.announced.subscribe(),
            heard,
            worker,
            account: Account::new(credits),
            closing: closing.cancelled_owned().boxed(),
            is_over: false,
        }
    }

    /// One frame of what is ready.
    fn frame(&mut self) -> Result<ToIngress, Status> {
        let mut frame = ToIngress::default();
        let mut bytes = 0;
        while let Some(next) = self.ready.pop_front() {
            match next {
                Outgoing::Outcome(outcome) => {
                    bytes += outcome.encoded_len();
                    frame.outcome.push(outcome);
                    if bytes >= FRAME_BYTES {
                        break;
                    }
                }
                Outgoing::Frame(own) if frame.outcome.is_empty() && frame.welcome.is_none() => {
                    frame = own;
                    if frame.welcome.is_some() {
                        break;
                    }
                }
                // A frame is on its way: that answers a ping as well.
                Outgoing::Frame(_) | Outgoing::Routes => {}
                Outgoing::End(status) => {
                    self.is_over = true;
                    return Err(status);
                }
            }
        }
        self.account.shed(self.heard.shed.swap(0, Ordering::Relaxed));
        frame.shed_window = self.account.shed_window(&self.worker.pressure);
        let announced = self.announced.borrow();
        frame.map_version = announced.version;
        // Before the outcomes of the same frame: what is handed back finds its next owner.
        if self.heard.needs(announced.version) {
            frame.routes = Some(announced.routes.as_ref().clone());
        }
        drop(announced);
        frame.credits = self.account.give(frame.outcome.len(), &self.worker.pressure);
        self.worker.metrics.outcomes.inc_by(frame.outcome.len() as u64);
        Ok(frame)
    }
}

impl Stream for Outcomes {
    type Item = Result<ToIngress, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let outcomes = &mut *self;
        if outcomes.is_over {
            return Poll::Ready(None);
        }
        if outcomes.ready.is_empty() {
            match outcomes.queue.poll_recv_many(context, &mut outcomes.taken, AT_ONCE) {
                Poll::Ready(0) => return Poll::Ready(None),
                Poll::Ready(_) => outcomes.ready.extend(outcomes.taken.drain(..)),
                Poll::Pending => {
                    if outcomes.closing.poll_unpin(context).is_ready() {
                        outcomes.is_over = true;
                        return Poll::Ready(None);
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Some(outcomes.frame()))
    }
}

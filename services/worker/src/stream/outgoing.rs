//! The outgoing half of a stream: whatever is ready leaves in one frame.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, Stream};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use trunkline_proto::routing::{FRAME_BYTES, Outcome, ToIngress};

use super::credits::Account;
use crate::shell::context::WorkerParts;

/// What goes out on a stream.
pub(crate) enum Outgoing {
    Outcome(Outcome),
    /// A frame of its own: the welcome, or the answer to a ping.
    Frame(ToIngress),
    /// The last: the stream was refused.
    End(Status),
}

/// The way to a stream from any thread. Its queue is bounded by the credits that the stream was given.
pub(crate) type OutgoingSender = mpsc::UnboundedSender<Outgoing>;

/// Outcomes taken from the queue at once.
const AT_ONCE: usize = 1_024;

/// The frames of a stream.
pub(crate) struct Outcomes {
    queue: mpsc::UnboundedReceiver<Outgoing>,
    ready: VecDeque<Outgoing>,
    taken: Vec<Outgoing>,
    worker: Arc<WorkerParts>,
    account: Account,
    /// Shed deliveries that arrived since the last frame.
    sheds: Arc<AtomicU32>,
    closing: BoxFuture<'static, ()>,
    is_over: bool,
}

impl Outcomes {
    pub(super) fn new(
        queue: mpsc::UnboundedReceiver<Outgoing>,
        worker: Arc<WorkerParts>,
        credits: u32,
        sheds: Arc<AtomicU32>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            queue,
            ready: VecDeque::new(),
            taken: Vec::with_capacity(AT_ONCE),
            worker,
            account: Account::new(credits),
            sheds,
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
                Outgoing::Frame(_) => {}
                Outgoing::End(status) => {
                    self.is_over = true;
                    return Err(status);
                }
            }
        }
        self.account.shed(self.sheds.swap(0, Ordering::Relaxed));
        frame.shed_window = self.account.shed_window(&self.worker.pressure);
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

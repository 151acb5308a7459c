//! The sending side of a stream: joins what is ready into frames.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::mpsc::UnboundedReceiver;
use trunkline_proto::routing::Hello;

use super::frame::Frame;
use crate::exchange::Outgoing;
use crate::metrics::StreamMetrics;

/// Yields a frame as soon as the connection takes one, filled with what is ready then: no timer delays an activity, and
/// none is a frame of its own under load.
#[derive(Debug)]
pub(super) struct Frames {
    hello: Option<Hello>,
    /// What every frame names.
    map_version: u64,
    queue: UnboundedReceiver<Outgoing>,
    /// What did not fit into the last frame.
    held: Option<Outgoing>,
    metrics: Arc<StreamMetrics>,
}

impl Frames {
    pub(super) fn new(
        hello: Hello,
        map_version: u64,
        queue: UnboundedReceiver<Outgoing>,
        metrics: Arc<StreamMetrics>,
    ) -> Self {
        Self {
            hello: Some(hello),
            map_version,
            queue,
            held: None,
            metrics,
        }
    }
}

impl Stream for Frames {
    type Item = Frame;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = self.get_mut();
        if let Some(hello) = this.hello.take() {
            return Poll::Ready(Some(Frame::hello(hello, this.map_version)));
        }
        let first = match this.held.take() {
            Some(held) => held,
            None => match this.queue.poll_recv(context) {
                Poll::Ready(Some(first)) => first,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            },
        };
        let mut frame = Frame::new(this.map_version);
        let mut next = Some(first);
        while let Some(outgoing) = next {
            if let Some(rest) = frame.add(outgoing) {
                this.held = Some(rest);
                break;
            }
            next = this.queue.try_recv().ok();
        }
        this.map_version = frame.map_version;
        this.metrics.frame_sent(frame.deliver.len());
        Poll::Ready(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::Bytes;
    use futures_util::StreamExt as _;
    use prometheus_client::registry::Registry;
    use tokio::sync::mpsc;

    use crate::exchange::Delivery;

    fn delivery(seq: u64, bytes: usize) -> Outgoing {
        Outgoing::Deliver(Delivery {
            seq,
            remaining_ms: 13_000,
            head: Bytes::new(),
            activity: Bytes::from(vec![0; bytes]),
            is_shed: false,
            deaths: 0,
            age_ms: 0,
        })
    }

    fn sequences(frame: &Frame) -> Vec<u64> {
        frame.deliver.iter().map(|delivery| delivery.seq).collect()
    }

    #[tokio::test]
    async fn what_is_ready_shares_a_frame_and_a_large_one_goes_alone() {
        let (sender, queue) = mpsc::unbounded_channel();
        let metrics = Arc::new(StreamMetrics::register(&mut Registry::default()));
        let mut frames = Frames::new(Hello::default(), 0, queue, metrics);
        assert!(
            frames.next().await.unwrap().hello.is_some(),
            "the first frame is the hello"
        );
        for seq in 1..=3 {
            sender.send(delivery(seq, 1_000)).unwrap();
        }
        sender.send(delivery(4, 200_000)).unwrap();
        sender.send(delivery(5, 1_000)).unwrap();
        assert_eq!(sequences(&frames.next().await.unwrap()), [1, 2, 3]);
        assert_eq!(sequences(&frames.next().await.unwrap()), [4]);
        assert_eq!(sequences(&frames.next().await.unwrap()), [5]);
        drop(sender);
        assert!(frames.next().await.is_none());
    }
}

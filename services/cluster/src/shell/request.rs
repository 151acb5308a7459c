//! What the node asks of the store and of other nodes, each with its deadline.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::time::timeout;
use trunkline_store::contract::{Beat, Incarnation};
use trunkline_store::{SharedStore, StoreError};

use super::metrics::ClusterMetrics;
use crate::node::times::{BEAT_ANSWER, LEADER_LEASE, PROBE_ANSWER, STORE_ANSWER};
use crate::node::{Action, Event, Trouble};

/// Carries out an action; what comes of it is the event.
pub(super) fn perform(
    store: SharedStore,
    action: Action,
    metrics: ClusterMetrics,
) -> BoxFuture<'static, Option<Event>> {
    match action {
        Action::Beat {
            me,
            sent,
            payload,
            seen_map,
        } => async move {
            let beat = Beat { me, payload, seen_map };
            let began = Instant::now();
            let answer = within(BEAT_ANSWER, store.beat(beat)).await;
            metrics.beaten(began.elapsed(), answer.is_ok());
            Some(Event::Beaten { me, sent, answer })
        }
        .boxed(),
        Action::ReadNodes { asked } => async move {
            let answer = within(STORE_ANSWER, store.nodes()).await;
            Some(Event::NodesRead { asked, answer })
        }
        .boxed(),
        Action::ReadMap { asked } => async move {
            let answer = within(STORE_ANSWER, store.map()).await;
            Some(Event::MapRead { asked, answer })
        }
        .boxed(),
        Action::Lead { me, sent } => async move {
            let answer = within(BEAT_ANSWER, store.lead(me, LEADER_LEASE)).await;
            Some(Event::Led { me, sent, answer })
        }
        .boxed(),
        Action::WriteMap { me, expected, map } => async move {
            let write = store.write_map(me, expected, map.version(), map.encode().into());
            let answer = within(STORE_ANSWER, write).await;
            Some(Event::MapWritten { map, answer })
        }
        .boxed(),
        action => perform_small(store, action),
    }
}

fn perform_small(store: SharedStore, action: Action) -> BoxFuture<'static, Option<Event>> {
    match action {
        Action::Claim { shard, claim } => async move {
            let me = claim.me;
            let answer = within(STORE_ANSWER, store.claim(shard, claim)).await;
            Some(Event::Claimed { me, shard, answer })
        }
        .boxed(),
        Action::Release { shard, token } => async move {
            let answer = within(STORE_ANSWER, store.release(shard, token)).await;
            Some(Event::Released { shard, token, answer })
        }
        .boxed(),
        Action::Probe { node, address } => probe(node, address).boxed(),
        Action::Forget(dead) => async move {
            // The next look finds them again.
            let _ = within(STORE_ANSWER, store.forget(dead)).await;
            None
        }
        .boxed(),
        Action::Leave(me) => async move {
            // The others find out by its silence.
            let _ = within(STORE_ANSWER, store.leave(me)).await;
            None
        }
        .boxed(),
        // The caller has carried out all others.
        _ => async { None }.boxed(),
    }
}

async fn within<T>(limit_ms: u64, request: impl Future<Output = Result<T, StoreError>>) -> Result<T, Trouble> {
    match timeout(Duration::from_millis(limit_ms), request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error @ StoreError::Unfit { .. })) => Err(Trouble::Lost(error.to_string())),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the store did not do what the cluster asked");
            Err(Trouble::Away)
        }
        Err(_) => Err(Trouble::Away),
    }
}

/// Only a refusal proves that nobody listens; silence may be the network's.
async fn probe(node: Incarnation, address: String) -> Option<Event> {
    let connected = timeout(Duration::from_millis(PROBE_ANSWER), TcpStream::connect(&address)).await;
    let refused = matches!(&connected, Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused);
    if refused {
        tracing::info!(address, "a node refuses connections");
    }
    Some(Event::Probed { node, refused })
}

//! How a worker leaves: its shards move to others first, then what is left ends, then it is gone.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use trunkline_cluster::{Cluster, Health, Standing, View};

use crate::shell::context::WorkerParts;
use crate::shell::ownership::{IsQuiet, QuiesceAll};

/// Longest time for what runs to end when nobody takes the shards, the commits and sends after it included.
const QUIESCE_WITHIN: Duration = Duration::from_secs(3);
/// Longest time for the releases and the farewell to the cluster.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// Drains for at most `drain_within`, lets what is left end, and leaves the cluster. The streams stay open meanwhile: what
/// comes for a shard that has moved is sent after it.
pub(crate) async fn leave(parts: &WorkerParts, drain_within: Duration) {
    let Some(cluster) = parts.membership.cluster() else {
        return;
    };
    drain(cluster, drain_within).await;
    quiesce(parts).await;
    if tokio::time::timeout(LEAVE_WITHIN, cluster.clone().leave())
        .await
        .is_err()
    {
        tracing::warn!("the cluster was not told that this worker leaves; it finds out within two seconds");
    }
}

/// Gives the shards to others, as long as there are any who can take them.
async fn drain(cluster: &Cluster, within: Duration) {
    let until = Instant::now() + within;
    let mut view = cluster.view();
    cluster.drain();
    let drained = cluster.drained();
    tokio::pin!(drained);
    loop {
        if !is_worth_while(&view.borrow_and_update()) {
            return;
        }
        tokio::select! {
            () = &mut drained => return,
            changed = view.changed() => if changed.is_err() { return },
            () = sleep_until(until) => {
                let shards = view.borrow().shards.len();
                tracing::warn!(shards, "not all shards have moved before the deadline (worker.drain_deadline)");
                return;
            }
        }
    }
}

/// Whether shards of this node can move: it is a member, and another lives that takes some.
fn is_worth_while(view: &View) -> bool {
    view.health == Health::Valid
        && view.nodes.iter().any(|node| {
            let takes_shards = matches!(
                node.standing,
                Standing::Active | Standing::Returning | Standing::Suspect
            );
            let has_weight = node.facts.as_ref().is_none_or(|facts| facts.weight > 0);
            node.incarnation != view.incarnation && takes_shards && has_weight
        })
}

/// Lets what runs end.
async fn quiesce(parts: &WorkerParts) {
    let directories = parts.directories.get().map(Vec::as_slice).unwrap_or_default();
    for directory in directories {
        directory.do_send(QuiesceAll);
    }
    let until = Instant::now() + QUIESCE_WITHIN;
    while Instant::now() < until {
        let mut is_quiet = true;
        for directory in directories {
            // A thread that is blocked does not answer, and is not waited for beyond the limit.
            let answer = tokio::time::timeout_at(until, directory.send(IsQuiet)).await;
            is_quiet &= matches!(answer, Ok(Ok(true) | Err(_)));
        }
        if is_quiet {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tracing::warn!(
        "the worker leaves although turns, commits or sends are under way; they are repeated by the next owner"
    );
}

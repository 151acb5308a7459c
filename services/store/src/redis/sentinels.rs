//! Where the primary is, as the sentinels say.
//!
//! They hear of a failover one after the other, up to seconds apart, and an old primary that was started again calls itself one
//! until it is told otherwise: whoever believed the first sentinel would write there, or take an empty server for the store.
//! So all are asked, and the one that knows the newest configuration is believed (Redis, "High availability with Redis
//! Sentinel", configuration epochs).

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::RedisError;
use tokio::time::{Instant, timeout_at};

use super::address::Node;
use super::connect::{CONNECTING, Dialler};
use super::failure::failed;
use crate::contract::StoreError;

/// How long the others are waited for after the first has answered: they are as near as that one, or not there.
const OTHERS: Duration = Duration::from_millis(200);

/// What one sentinel says of the primary.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    node: Node,
    /// Counts failovers: the higher one is the newer word.
    epoch: u64,
}

/// Where the primary is. What the sentinels say may be late by a moment all the same: whoever connects looks at the server's
/// role.
pub(super) async fn ask_sentinels(sentinels: &[Node], master: &str, dialler: &Dialler) -> Result<Node, StoreError> {
    let mut asked: FuturesUnordered<_> = sentinels
        .iter()
        .map(|sentinel| async move { (sentinel, ask(sentinel, master, dialler).await) })
        .collect();
    let mut answers = Vec::new();
    let mut last = StoreError::Unavailable {
        doing: CONNECTING,
        reason: "no sentinel is named".to_owned(),
    };
    // Each is bounded by its own time-outs.
    let mut until: Option<Instant> = None;
    loop {
        let next = match until {
            None => asked.next().await,
            Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
        };
        match next {
            None => break,
            Some((_, Ok(Some(said)))) => {
                answers.push(said);
                until.get_or_insert_with(|| Instant::now() + OTHERS);
            }
            Some((sentinel, Ok(None))) => {
                last = StoreError::Unfit {
                    problem: format!("the sentinel {sentinel} knows no master named `{master}`"),
                    remedy: "name the master as `sentinel monitor` does in the sentinels' configuration".to_owned(),
                }
            }
            Some((sentinel, Err(error))) => {
                tracing::debug!(%sentinel, %error, "a sentinel does not answer");
                if !matches!(last, StoreError::Unfit { .. }) {
                    last = failed(CONNECTING)(error);
                }
            }
        }
    }
    newest(answers).ok_or(last)
}

/// What one sentinel says; `None` when it knows no such primary. The address and the epoch are read at one moment.
async fn ask(sentinel: &Node, master: &str, dialler: &Dialler) -> Result<Option<Said>, RedisError> {
    let mut connection = dialler.dial(sentinel).await?;
    let mut where_is_it = redis::cmd("SENTINEL");
    where_is_it.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let Some((host, port)) = where_is_it
        .query_async::<Option<(String, u16)>>(&mut connection)
        .await?
    else {
        return Ok(None);
    };
    let mut since_when = redis::cmd("SENTINEL");
    since_when.arg("MASTER").arg(master);
    let fields: HashMap<String, String> = since_when.query_async(&mut connection).await?;
    let epoch = fields.get("config-epoch").and_then(|epoch| epoch.parse().ok());
    Ok(Some(Said {
        node: Node { host, port },
        epoch: epoch.unwrap_or_default(),
    }))
}

/// The newest word; of equal ones the first that came.
fn newest(answers: Vec<Said>) -> Option<Node> {
    let newest = answers
        .into_iter()
        .reduce(|newest, said| if said.epoch > newest.epoch { said } else { newest });
    newest.map(|said| said.node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(port: u16, epoch: u64) -> Said {
        let host = "127.0.0.1".to_owned();
        Said {
            node: Node { host, port },
            epoch,
        }
    }

    #[test]
    fn a_sentinel_that_has_not_heard_of_a_failover_is_overruled_by_one_that_has() {
        let port = |answers| newest(answers).map(|node| node.port);
        assert_eq!(port(vec![said(1, 7), said(2, 8), said(1, 7)]), Some(2));
        assert_eq!(port(vec![said(2, 8), said(1, 7)]), Some(2));
        assert_eq!(
            port(vec![said(3, 8), said(2, 8)]),
            Some(3),
            "one word, the first that came"
        );
        assert_eq!(port(Vec::new()), None);
    }
}

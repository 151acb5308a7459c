//! `trunkline parked ...`.

use std::fmt;
use std::str::FromStr;

use comfy_table::Table;
use serde_json::json;
use trunkline_proto::admin::{ListParkedRequest, Parked, SettleParkedRequest};

use super::connect::{Cluster, refused};
use super::table::{ago, table};
use crate::command::{Output, ParkedCommand, print};

/// Names one parked entry: `SHARD/KEY/SEQUENCE`, as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedId {
    shard: u32,
    key: String,
    sequence: u64,
}

impl fmt::Display for ParkedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.shard, self.key, self.sequence)
    }
}

impl FromStr for ParkedId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write it as `trunkline parked list` shows it: SHARD/KEY/SEQUENCE".to_owned();
        let mut parts = text.split('/');
        let (Some(shard), Some(key), Some(sequence), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            shard: shard.parse().map_err(|_| wrong())?,
            key: key.to_owned(),
            sequence: sequence.parse().map_err(|_| wrong())?,
        })
    }
}

impl ParkedId {
    fn of(parked: &Parked) -> Self {
        Self {
            shard: parked.shard,
            key: parked.key.clone(),
            sequence: parked.sequence,
        }
    }
}

pub(super) async fn run(cluster: &Cluster, command: &ParkedCommand) -> anyhow::Result<()> {
    match command {
        ParkedCommand::List { limit, asking } => list(cluster, *limit, asking.output).await,
        ParkedCommand::Replay { id, asking } => settle(cluster, id, true, asking.output).await,
        ParkedCommand::Drop { id, asking } => settle(cluster, id, false, asking.output).await,
    }
}

async fn list(cluster: &Cluster, limit: u32, output: Output) -> anyhow::Result<()> {
    let (_, status) = cluster.status().await?;
    let (mut found, mut is_all) = (Vec::new(), true);
    for node in &status.nodes {
        let mut worker = cluster.at(&node.address).await?;
        let answer = worker.list_parked(ListParkedRequest { limit }).await;
        let answer = answer.map_err(refused)?.into_inner();
        found.extend(answer.parked);
        is_all &= !answer.more;
    }
    found.sort_by_key(|parked| std::cmp::Reverse(parked.since_ms));
    is_all &= found.len() <= limit as usize;
    found.truncate(limit as usize);
    match output {
        Output::Json => print(&json!({ "parked": found, "more": !is_all }).to_string()),
        Output::Table if found.is_empty() => print("Nothing is parked."),
        Output::Table => {
            print(&shown(&found).to_string());
            if !is_all {
                print(&format!("There are more than {limit}; --limit shows more."));
            }
        }
    }
    Ok(())
}

/// Parked work as a table.
pub(super) fn shown(parked: &[Parked]) -> Table {
    let mut rows = table(
        [
            "PARKED",
            "REFERENCE",
            "SINCE",
            "BOT",
            "CONVERSATION",
            "ATTEMPTS",
            "DEATHS",
            "REASON",
        ],
        &[5, 6],
    );
    for entry in parked {
        rows.add_row([
            ParkedId::of(entry).to_string(),
            entry.reference.clone(),
            ago(entry.since_ms),
            entry.bot.clone(),
            entry.conversation.clone(),
            entry.attempts.to_string(),
            entry.deaths.to_string(),
            entry.reason.clone(),
        ]);
    }
    rows
}

async fn settle(cluster: &Cluster, id: &ParkedId, replay: bool, output: Output) -> anyhow::Result<()> {
    let request = SettleParkedRequest {
        shard: id.shard,
        key: id.key.clone(),
        sequence: id.sequence,
        replay,
    };
    cluster
        .ask_owner(async |worker| worker.settle_parked(request.clone()).await)
        .await?;
    let done = if replay { "runs again" } else { "is dropped" };
    print(&match output {
        Output::Table => format!("{id} {done}."),
        Output::Json => json!({ "id": id.to_string(), "state": done }).to_string(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_nothing_else_is() {
        let id = ParkedId {
            shard: 17,
            key: "AAECAwQFBgcICQoLDA0ODw".to_owned(),
            sequence: 3,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "17", "17/key", "17/key/3/4", "x/key/3", "17/key/-3"] {
            assert!(wrong.parse::<ParkedId>().is_err(), "{wrong}");
        }
    }
}

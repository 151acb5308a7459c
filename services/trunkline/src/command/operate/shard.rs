//! `trunkline shard ...`.

use anyhow::bail;
use serde_json::json;
use tonic::Code;
use trunkline_proto::admin::{MoveShardRequest, ShardsReply, ShardsRequest};

use super::connect::{Cluster, refused, unknown_node};
use super::table::table;
use crate::command::{Output, ShardCommand, print};

pub(super) async fn run(cluster: &Cluster, command: &ShardCommand) -> anyhow::Result<()> {
    match command {
        ShardCommand::List { node, asking } => list(cluster, node.as_deref(), asking.output).await,
        ShardCommand::Move { shard, to, asking } => move_shard(cluster, *shard, to, asking.output).await,
    }
}

async fn list(cluster: &Cluster, only: Option<&str>, output: Output) -> anyhow::Result<()> {
    let (mut worker, status) = cluster.status().await?;
    if let Some(name) = only
        && !status.nodes.iter().any(|node| node.name == name)
    {
        bail!(unknown_node(name, &status));
    }
    let shards = worker.shards(ShardsRequest {}).await.map_err(refused)?.into_inner();
    let owned: Vec<(&str, Vec<u32>)> = owned(&shards)
        .into_iter()
        .filter(|(name, _)| only.is_none_or(|only| only == *name))
        .collect();
    match output {
        Output::Json => {
            let nodes: Vec<_> = owned
                .iter()
                .map(|(name, shards)| json!({ "node": name, "shards": shards }))
                .collect();
            print(
                &json!({ "map_version": shards.map_version, "nodes": nodes, "standings": shards.standings })
                    .to_string(),
            );
        }
        Output::Table => {
            let mut rows = table(["NODE", "COUNT", "SHARDS"], &[1]);
            for (name, shards) in &owned {
                rows.add_row([(*name).to_owned(), shards.len().to_string(), ranges(shards)]);
            }
            print(&rows.to_string());
            if !shards.standings.is_empty() {
                let mut rows = table(["SHARD", "STANDING"], &[0]);
                for standing in &shards.standings {
                    rows.add_row([standing.shard.to_string(), standing.standing.clone()]);
                }
                print(&format!("\nNot settled at {}:\n{rows}", status.answered_by));
            }
        }
    }
    Ok(())
}

/// Asks the leader; another one's refusal names it.
async fn move_shard(cluster: &Cluster, shard: u32, to: &str, output: Output) -> anyhow::Result<()> {
    let (_, status) = cluster.status().await?;
    if status.leader.is_empty() {
        bail!("the cluster has no leader just now; ask again in a second");
    }
    let request = MoveShardRequest {
        shard,
        to: to.to_owned(),
    };
    let mut leader = cluster.node(&status.leader).await?;
    match leader.move_shard(request).await {
        Ok(_) => {
            print(&match output {
                Output::Table => format!("Shard {shard} moves to {to}."),
                Output::Json => json!({ "shard": shard, "to": to }).to_string(),
            });
            Ok(())
        }
        Err(error) if error.code() == Code::FailedPrecondition => {
            bail!("{}; the leader has just changed, ask again", error.message())
        }
        Err(error) => Err(refused(error)),
    }
}

/// The shards of each node, and last those of nobody.
fn owned(shards: &ShardsReply) -> Vec<(&str, Vec<u32>)> {
    let mut owned: Vec<(&str, Vec<u32>)> = shards.nodes.iter().map(|name| (name.as_str(), Vec::new())).collect();
    owned.push(("(nobody)", Vec::new()));
    let nobody = owned.len() - 1;
    for (shard, owner) in (0_u32..).zip(&shards.owners) {
        let place = (*owner as usize).checked_sub(1).unwrap_or(nobody);
        if let Some((_, of_node)) = owned.get_mut(place) {
            of_node.push(shard);
        }
    }
    if owned.last().is_some_and(|(_, shards)| shards.is_empty()) {
        owned.pop();
    }
    owned
}

/// Rising numbers as ranges: `0-2, 7`.
fn ranges(shards: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for shard in shards {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *shard => *last = *shard,
            _ => ranges.push((*shard, *shard)),
        }
    }
    let texts = ranges.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_listed_by_node_and_those_of_nobody_last() {
        let shards = ShardsReply {
            map_version: 3,
            nodes: vec!["a".to_owned(), "b".to_owned()],
            owners: vec![1, 1, 2, 0, 1],
            standings: Vec::new(),
        };
        let owned = owned(&shards);
        assert_eq!(owned, [("a", vec![0, 1, 4]), ("b", vec![2]), ("(nobody)", vec![3])]);
        assert_eq!(ranges(&owned[0].1), "0-1, 4");
    }
}

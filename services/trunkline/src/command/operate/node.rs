//! `trunkline node ...`.

use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use trunkline_proto::admin::{DrainRequest, Node};

use super::connect::{Cluster, Worker, refused, unknown_node};
use crate::command::{NodeCommand, Output, print};

/// How often the progress of a drain is asked for.
const EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(cluster: &Cluster, command: &NodeCommand) -> anyhow::Result<()> {
    match command {
        NodeCommand::Drain {
            name,
            wait,
            timeout,
            asking,
        } => {
            tell(cluster, name, true).await?;
            if *wait {
                return until_empty(cluster, name, Duration::from_secs(*timeout), asking.output).await;
            }
            say(name, "drains", asking.output);
        }
        NodeCommand::Undrain { name, asking } => {
            tell(cluster, name, false).await?;
            say(name, "takes work again", asking.output);
        }
    }
    Ok(())
}

fn say(name: &str, what: &str, output: Output) {
    print(&match output {
        Output::Table => format!("{name} {what}."),
        Output::Json => json!({ "node": name, "state": what }).to_string(),
    });
}

/// Tells a worker itself; an ingress by every worker, because each thread of it listens to all of them.
async fn tell(cluster: &Cluster, name: &str, drain: bool) -> anyhow::Result<()> {
    let (_, status) = cluster.status().await?;
    let request = DrainRequest {
        name: name.to_owned(),
        drain,
    };
    if let Some(node) = status.nodes.iter().find(|node| node.name == name) {
        let mut worker = cluster.at(&node.address).await?;
        worker.drain(request).await.map_err(refused)?;
        return Ok(());
    }
    let mut was_told = false;
    for node in &status.nodes {
        // A worker that is away, or that the ingress has no stream to, cannot tell it; another can.
        let Ok(mut worker) = cluster.at(&node.address).await else {
            continue;
        };
        was_told |= ask_to_tell(&mut worker, request.clone()).await?;
    }
    if !was_told {
        bail!(unknown_node(name, &status));
    }
    Ok(())
}

async fn ask_to_tell(worker: &mut Worker, request: DrainRequest) -> anyhow::Result<bool> {
    match worker.drain(request).await {
        Ok(_) => Ok(true),
        Err(error) if error.code() == tonic::Code::NotFound => Ok(false),
        Err(error) => Err(refused(error)),
    }
}

/// Follows a drain until the node has no shard left.
async fn until_empty(cluster: &Cluster, name: &str, limit: Duration, output: Output) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    let mut bar: Option<ProgressBar> = None;
    loop {
        let (_, status) = cluster.status().await?;
        let left = status
            .nodes
            .iter()
            .find(|node| node.name == name)
            .map_or(0, shards_left);
        let total = bar.as_ref().and_then(ProgressBar::length).unwrap_or(left);
        let bar = bar.get_or_insert_with(|| progress(name, left, output));
        bar.set_position(total.saturating_sub(left));
        if left == 0 {
            bar.finish_and_clear();
            say(name, "is drained", output);
            return Ok(());
        }
        if Instant::now() > deadline {
            bar.abandon();
            bail!(
                "{name} still has {left} shards after {} s; it goes on draining",
                limit.as_secs()
            );
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn shards_left(node: &Node) -> u64 {
    u64::from(node.owned.max(node.serving + node.quiescing))
}

fn progress(name: &str, total: u64, output: Output) -> ProgressBar {
    if output == Output::Json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} shards")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total)
        .with_style(style)
        .with_message(format!("{name} drains"))
}

//! `trunkline media list`.

use serde_json::json;
use trunkline_proto::admin::{MediaHost, MediaHostsRequest};

use super::connect::{Cluster, refused};
use super::table::{or_dash, table};
use crate::command::{MediaCommand, Output, print};

pub(super) async fn run(cluster: &Cluster, command: &MediaCommand) -> anyhow::Result<()> {
    let MediaCommand::List { asking } = command;
    let (mut worker, _) = cluster.status().await?;
    let answer = worker.media_hosts(MediaHostsRequest {}).await.map_err(refused)?;
    let hosts = answer.into_inner().hosts;
    match asking.output {
        Output::Json => print(&json!({ "hosts": hosts }).to_string()),
        Output::Table => print(&shown(&hosts)),
    }
    Ok(())
}

fn shown(hosts: &[MediaHost]) -> String {
    if hosts.is_empty() {
        return "No media host is announced: none runs, or none reaches the workers' store.".to_owned();
    }
    let mut rows = table(
        [
            "NAME", "STANDING", "LEGS", "OF", "LATE", "ZONE", "PEERS", "WORKERS", "BUILD",
        ],
        &[2, 3, 4],
    );
    for host in hosts {
        rows.add_row([
            host.name.clone(),
            if host.draining { "draining" } else { "active" }.to_owned(),
            host.legs.to_string(),
            host.limit.to_string(),
            format!("{} ms", host.lag_ms),
            or_dash(&host.zone).to_owned(),
            host.whip.clone(),
            host.address.clone(),
            host.build.clone(),
        ]);
    }
    rows.to_string()
}

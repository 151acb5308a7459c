//! `trunkline call list`.

use std::fmt::Write as _;

use futures_util::future::join_all;
use serde::Serialize;
use trunkline_proto::admin::{Call, ListCallsRequest};

use super::super::connect::{Cluster, refused};
use super::super::table::{ago, or_dash, table};
use super::talked;
use crate::command::{Output, print};

/// Which calls are wanted.
pub(super) struct Only<'a> {
    pub(super) bot: Option<&'a str>,
    pub(super) tenant: Option<&'a str>,
}

/// A call, and the worker that serves it.
#[derive(Serialize)]
pub(super) struct Listed {
    worker: String,
    #[serde(flatten)]
    pub(super) call: Call,
}

/// The calls of a cluster.
#[derive(Serialize)]
pub(super) struct Found {
    pub(super) calls: Vec<Listed>,
    more: bool,
    /// Workers that did not answer: their calls are missing.
    silent: Vec<String>,
}

pub(super) async fn run(cluster: &Cluster, only: &Only<'_>, limit: u32, output: Output) -> anyhow::Result<()> {
    // What is left out here must not count against the limit there.
    let is_filtered = only.bot.is_some() || only.tenant.is_some();
    let mut found = all(cluster, if is_filtered { u32::MAX } else { limit }).await?;
    found.calls.retain(|listed| {
        let (bot, tenant) = (listed.call.bot.as_str(), listed.call.tenant.as_str());
        only.bot.is_none_or(|only| only == bot) && only.tenant.is_none_or(|only| only.eq_ignore_ascii_case(tenant))
    });
    found.more |= found.calls.len() > limit as usize;
    found.calls.truncate(limit as usize);
    match output {
        Output::Json => print(&serde_json::to_string(&found)?),
        Output::Table => print(&shown(&found)),
    }
    Ok(())
}

/// The calls under way that the workers know, the oldest first; `limit` as in the question.
pub(super) async fn all(cluster: &Cluster, limit: u32) -> anyhow::Result<Found> {
    let (_, status) = cluster.status().await?;
    let asked = status.nodes.iter().map(async |node| {
        let mut worker = cluster.at(&node.address).await?;
        let answer = worker.list_calls(ListCallsRequest { limit }).await;
        anyhow::Ok(answer.map_err(refused)?.into_inner())
    });
    let answers = join_all(asked).await;
    let mut found = Found {
        calls: Vec::new(),
        more: false,
        silent: Vec::new(),
    };
    let mut problem = None;
    for (node, answer) in status.nodes.iter().zip(answers) {
        match answer {
            Ok(answer) => {
                found.more |= answer.more;
                let of_node = answer.calls.into_iter().map(|call| Listed {
                    worker: node.name.clone(),
                    call,
                });
                found.calls.extend(of_node);
            }
            Err(error) => {
                found.silent.push(node.name.clone());
                problem = Some(error);
            }
        }
    }
    if let Some(problem) = problem
        && found.silent.len() == status.nodes.len()
    {
        return Err(problem);
    }
    found.calls.sort_by_key(|listed| listed.call.began_ms);
    Ok(found)
}

fn shown(found: &Found) -> String {
    let mut text = if found.calls.is_empty() {
        "No call is under way.\n".to_owned()
    } else {
        let header = [
            "CALL",
            "BOT",
            "STATE",
            "BEGAN",
            "CONNECTED",
            "WAY",
            "PRESENT",
            "PENDING",
            "TENANT",
            "WORKER",
        ];
        let mut rows = table(header, &[6, 7]);
        for Listed { worker, call } in &found.calls {
            rows.add_row([
                call.key.clone(),
                call.bot.clone(),
                or_dash(&call.state).to_owned(),
                ago(call.began_ms),
                talked(call),
                way(call).to_owned(),
                call.present.to_string(),
                call.pending.to_string(),
                call.tenant.clone(),
                worker.clone(),
            ]);
        }
        format!("{rows}\n")
    };
    if found.more {
        text += "There are more; --limit shows more.\n";
    }
    if !found.silent.is_empty() {
        let silent = found.silent.join(", ");
        let _ = writeln!(text, "No answer from {silent}: their calls are missing here.");
    }
    text
}

/// Who began it, and whether it is to be recorded.
pub(super) fn way(call: &Call) -> &'static str {
    match (call.outgoing, call.recording) {
        (true, _) => "out",
        (false, true) => "in, recording",
        (false, false) => "in",
    }
}

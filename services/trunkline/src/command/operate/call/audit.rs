//! `trunkline call audit`.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use trunkline_proto::admin::{EndedCall, EndedCallsReply, EndedCallsRequest};

use super::super::connect::{Cluster, refused};
use super::super::table::{now_ms, span, table};
use super::{Named, at, result};
use crate::command::{Output, print};

/// How far back a call is looked for whose bot nobody has named.
const LOOKED_FOR: Duration = Duration::from_secs(48 * 3_600);
/// Of so many at most.
const LOOKED_AT: u32 = 100_000;

pub(super) async fn run(
    cluster: &Cluster,
    since: Duration,
    tenant: Option<&str>,
    limit: u32,
    output: Output,
) -> anyhow::Result<()> {
    let answer = ask(cluster, since, tenant, limit).await?;
    match output {
        Output::Json => {
            let calls = answer
                .calls
                .iter()
                .map(|ended| json!({ "ended_ms": ended.ended_ms, "tenant": ended.tenant, "record": record(ended) }));
            print(&json!({ "calls": calls.collect::<Vec<_>>(), "more": answer.more }).to_string());
        }
        Output::Table if answer.calls.is_empty() => print("No call ended in that time."),
        Output::Table => {
            print(&shown(&answer.calls));
            if answer.more {
                print(&format!("There are more than {limit}; --limit shows more."));
            }
        }
    }
    Ok(())
}

/// The calls of this key, or of this id of Graph, that ended lately.
pub(super) async fn find(cluster: &Cluster, call: &str) -> anyhow::Result<Vec<Named>> {
    let answer = ask(cluster, LOOKED_FOR, None, LOOKED_AT).await?;
    let of_record = |ended: &EndedCall| {
        let record = record(ended);
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let is_it = text("call") == call || text("id") == call;
        is_it.then(|| Named {
            bot: text("bot"),
            key: text("call"),
        })
    };
    Ok(answer.calls.iter().filter_map(of_record).collect())
}

/// Reads the log page by page: a worker gives no more than it can send at once.
async fn ask(cluster: &Cluster, since: Duration, tenant: Option<&str>, limit: u32) -> anyhow::Result<EndedCallsReply> {
    let (mut worker, _) = cluster.status().await?;
    let now_ms = now_ms();
    let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let mut wanted = EndedCallsRequest {
        from_ms: now_ms.saturating_sub(since_ms),
        // The clocks of workers may be ahead of this one.
        until_ms: now_ms.saturating_add(60_000),
        tenant: tenant.unwrap_or_default().to_owned(),
        limit,
    };
    let mut found = EndedCallsReply::default();
    let mut known = HashSet::new();
    loop {
        let page = worker.ended_calls(wanted.clone()).await.map_err(refused)?.into_inner();
        let Some(oldest) = page.calls.last().map(|ended| ended.ended_ms) else {
            break;
        };
        let before = found.calls.len();
        found
            .calls
            .extend(page.calls.into_iter().filter(|ended| known.insert(ended.key.clone())));
        found.more = page.more;
        let is_enough = found.calls.len() >= limit as usize;
        if !page.more || is_enough || found.calls.len() == before {
            break;
        }
        // Those of the same millisecond come again: they may not all have been on this page.
        wanted.until_ms = oldest + 1;
    }
    found.more |= found.calls.len() > limit as usize;
    found.calls.truncate(limit as usize);
    Ok(found)
}

/// What was kept of the call; what this build cannot read stays as it is.
fn record(ended: &EndedCall) -> Value {
    serde_json::from_str(&ended.entry).unwrap_or_else(|_| Value::String(ended.entry.clone()))
}

fn shown(calls: &[EndedCall]) -> String {
    let header = [
        "ENDED", "CALL", "BOT", "WAY", "RANG", "TALKED", "ENDED BY", "RESULT", "TENANT",
    ];
    let mut rows = table(header, &[]);
    for ended in calls {
        let record = record(ended);
        let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        let time = |name: &str| record[name].as_u64();
        let began = time("beganMs").unwrap_or(ended.ended_ms);
        let connected = time("connectedMs");
        let rang = connected.unwrap_or(ended.ended_ms).saturating_sub(began);
        let talked = connected.map_or_else(
            || "-".to_owned(),
            |connected| span(ended.ended_ms.saturating_sub(connected)),
        );
        let is_outgoing = record["isOutgoing"].as_bool().unwrap_or_default();
        let by_operator = record["byOperator"].as_bool().unwrap_or_default();
        rows.add_row([
            at(ended.ended_ms),
            text("call"),
            text("bot"),
            if is_outgoing { "out" } else { "in" }.to_owned(),
            span(rang),
            talked,
            if by_operator {
                "operator".to_owned()
            } else {
                text("endedBy")
            },
            result(record["result"]["code"].as_i64(), record["result"]["subcode"].as_i64()),
            ended.tenant.clone(),
        ]);
    }
    rows.to_string()
}

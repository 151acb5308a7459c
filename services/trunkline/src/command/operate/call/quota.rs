//! `trunkline call quota`.

use serde_json::json;
use trunkline_proto::admin::{CallUsage, CallUsageReply, CallUsageRequest};
use trunkline_store::contract::Month;

use super::super::connect::{Cluster, refused};
use super::super::table::table;
use crate::command::{Output, print};
use crate::configuration::schema::CallsSection;

pub(super) async fn run(
    cluster: &Cluster,
    month: Option<Month>,
    section: &CallsSection,
    output: Output,
) -> anyhow::Result<()> {
    let (mut worker, _) = cluster.status().await?;
    let request = CallUsageRequest {
        month: month.map(|month| month.to_string()).unwrap_or_default(),
    };
    let mut answer = worker.call_usage(request).await.map_err(refused)?.into_inner();
    answer.usage.sort_by_key(|usage| std::cmp::Reverse(usage.calls));
    let limits = json!({
        "quota": section.quota,
        "monthly": section.monthly,
        "simultaneous": section.simultaneous,
    });
    match output {
        Output::Json => print(&json!({ "month": answer.month, "usage": answer.usage, "limits": limits }).to_string()),
        Output::Table => print(&shown(&answer, section)),
    }
    Ok(())
}

fn shown(answer: &CallUsageReply, section: &CallsSection) -> String {
    if answer.usage.is_empty() {
        return format!("No call began in {}.", answer.month);
    }
    let mut rows = table(["TENANT", "BOT", "CALLS", "OF QUOTA", "TENANT NOW"], &[2, 3, 4]);
    for usage in &answer.usage {
        rows.add_row([
            usage.tenant.clone(),
            usage.bot.clone(),
            usage.calls.to_string(),
            share(usage, section.quota),
            usage.in_use.to_string(),
        ]);
    }
    let any = |limit: Option<u32>| limit.map_or_else(|| "any number".to_owned(), |limit| limit.to_string());
    format!(
        "{}: quota {} (calls.quota), at once in a tenant {} (calls.simultaneous), a month {} (calls.monthly).\n\n{rows}",
        answer.month,
        section.quota,
        any(section.simultaneous),
        any(section.monthly),
    )
}

/// In whole percent, rounded up: what is nearly full must not look better than it is.
fn share(usage: &CallUsage, quota: u32) -> String {
    match quota {
        0 => "-".to_owned(),
        quota => format!("{} %", (usage.calls * 100).div_ceil(u64::from(quota))),
    }
}

//! `trunkline call ...`.

mod audit;
mod list;
mod quota;
mod show;

use anyhow::bail;
use jiff::Timestamp;
use serde_json::json;
use trunkline_proto::admin::{Call, HangUpCallRequest};
use trunkline_teams::calls::{normal_id, results};

use super::connect::Cluster;
use super::table::{now_ms, span};
use crate::command::{CallCommand, Output, print};
use crate::configuration::Configuration;

pub(super) async fn run(cluster: &Cluster, command: &CallCommand, configuration: &Configuration) -> anyhow::Result<()> {
    match command {
        CallCommand::List {
            bot,
            tenant,
            limit,
            asking,
        } => {
            let only = list::Only {
                bot: bot.as_deref(),
                tenant: tenant.as_deref(),
            };
            list::run(cluster, &only, *limit, asking.output).await
        }
        CallCommand::Show { call, bot, asking } => {
            let call = find(cluster, call, bot.as_deref()).await?;
            show::run(cluster, &call, asking.output).await
        }
        CallCommand::HangUp { call, bot, asking } => {
            let call = find(cluster, call, bot.as_deref()).await?;
            hang_up(cluster, &call, asking.output).await
        }
        CallCommand::Audit {
            since,
            tenant,
            limit,
            asking,
        } => audit::run(cluster, *since, tenant.as_deref(), *limit, asking.output).await,
        CallCommand::Quota { month, asking } => quota::run(cluster, *month, &configuration.calls, asking.output).await,
    }
}

/// What names a call.
struct Named {
    bot: String,
    key: String,
}

/// The call that is meant: by its bot and key, else looked for among those under way, then among those that ended lately.
async fn find(cluster: &Cluster, call: &str, bot: Option<&str>) -> anyhow::Result<Named> {
    // Graph writes its ids in more than one way; our keys are of one only.
    let call = normal_id(call).unwrap_or_else(|| call.to_owned());
    if let Some(bot) = bot {
        return Ok(Named {
            bot: bot.to_owned(),
            key: call,
        });
    }
    let under_way = list::all(cluster, 0).await?.calls;
    let mut found: Vec<Named> = under_way
        .iter()
        .filter(|listed| listed.call.key == call || listed.call.id == call)
        .map(|listed| Named {
            bot: listed.call.bot.clone(),
            key: listed.call.key.clone(),
        })
        .collect();
    if found.is_empty() {
        found.extend(audit::find(cluster, &call).await?);
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!("no call {call} is under way or ended within two days; name its bot by --bot if it is another"),
        _ => {
            let bots: Vec<&str> = found.iter().map(|named| named.bot.as_str()).collect();
            bail!(
                "several bots have a call {call}: {}; name one by --bot",
                bots.join(", ")
            )
        }
    }
}

async fn hang_up(cluster: &Cluster, call: &Named, output: Output) -> anyhow::Result<()> {
    let request = HangUpCallRequest {
        bot: call.bot.clone(),
        key: call.key.clone(),
    };
    cluster
        .ask_owner(async |worker| worker.hang_up_call(request.clone()).await)
        .await?;
    print(&match output {
        Output::Table => format!("The call {} of {} ends.", call.key, call.bot),
        Output::Json => json!({ "call": call.key, "bot": call.bot, "state": "ends" }).to_string(),
    });
    Ok(())
}

/// A time as people and programs sort it; a dash for none.
fn at(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().filter(|at| *at > 0);
    match at.and_then(|at| Timestamp::from_millisecond(at).ok()) {
        Some(at) => format!("{at:.3}"),
        None => "-".to_owned(),
    }
}

/// Why a call ended, in Graph's numbers and in words: `408/8537, the keep-alive limit passed`; a dash where it told none.
fn result(code: Option<i64>, subcode: Option<i64>) -> String {
    let Some(code) = code else { return "-".to_owned() };
    let numbers = subcode.map_or_else(|| code.to_string(), |subcode| format!("{code}/{subcode}"));
    match results::explain(code, subcode.unwrap_or_default()) {
        Some(known) => format!("{numbers}, {}", known.what),
        None => numbers,
    }
}

/// How long a call lasted, or has lasted, from when it was connected.
fn talked(call: &Call) -> String {
    let until = if call.ended_ms > 0 { call.ended_ms } else { now_ms() };
    match call.connected_ms {
        0 => "-".to_owned(),
        connected => span(until.saturating_sub(connected)),
    }
}

#[cfg(test)]
mod tests {
    use super::{at, result};

    #[test]
    fn a_result_is_shown_with_its_meaning_where_it_is_known() {
        assert_eq!(result(Some(408), Some(8_537)), "408/8537, the keep-alive limit passed");
        assert_eq!(result(Some(999), Some(1)), "999/1");
        assert_eq!(result(None, None), "-");
    }

    #[test]
    fn times_are_those_of_utc() {
        assert_eq!(at(1_795_000_000_123), "2026-11-18T11:06:40.123Z");
        assert_eq!(at(0), "-");
    }
}

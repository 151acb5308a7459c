//! `trunkline call show`.

use std::fmt::Write as _;

use trunkline_proto::admin::{Call, CallMoment, ShowCallReply, ShowCallRequest};

use super::super::connect::Cluster;
use super::super::parked;
use super::super::table::{ago, or_dash, span, table};
use super::list::way;
use super::{Named, at, result, talked};
use crate::command::{Output, print};

pub(super) async fn run(cluster: &Cluster, call: &Named, output: Output) -> anyhow::Result<()> {
    let request = ShowCallRequest {
        bot: call.bot.clone(),
        key: call.key.clone(),
    };
    let found = cluster
        .ask_owner(async |worker| worker.show_call(request.clone()).await)
        .await?;
    print(&match output {
        Output::Json => serde_json::to_string(&found)?,
        Output::Table => shown(&found),
    });
    Ok(())
}

fn shown(found: &ShowCallReply) -> String {
    let call = found.call.clone().unwrap_or_default();
    let mut text = format!(
        "Call {} ({}) of {} in tenant {}.\nGraph's id {}, scenario {}.\n",
        call.key,
        way(&call),
        call.bot,
        call.tenant,
        or_dash(&call.id),
        or_dash(&call.scenario),
    );
    let _ = writeln!(
        text,
        "State {}, began {}, connected for {}.",
        or_dash(&call.state),
        at(call.began_ms),
        talked(&call)
    );
    let _ = writeln!(
        text,
        "Shard {}, served by {}. Version {}, state {} bytes, record {} bytes.",
        call.shard, found.owner, found.version, found.state_bytes, found.record_bytes
    );
    if call.ended_ms > 0 {
        let _ = writeln!(text, "{}", end(&call));
    }
    add_now(&mut text, found);
    add_rest(&mut text, found);
    add_timeline(&mut text, call.began_ms, &found.timeline);
    text
}

/// Who ended a call, and why.
fn end(call: &Call) -> String {
    let by = if call.by_operator {
        "an operator"
    } else {
        call.ended_by.as_str()
    };
    let mut text = format!("Ended {} by {}", at(call.ended_ms), or_dash(by));
    if call.code.is_some() {
        let _ = write!(text, ": {}", result(call.code, call.subcode));
    }
    if !call.message.is_empty() {
        let _ = write!(text, " ({})", call.message);
    }
    text
}

/// What is under way.
fn add_now(text: &mut String, found: &ShowCallReply) {
    if let Some(running) = &found.running {
        let _ = writeln!(
            text,
            "Running: {}, for {}, attempt {}.",
            running.kind,
            span(running.age_ms),
            running.attempt
        );
    }
    if !found.untold.is_empty() {
        let _ = writeln!(text, "The bot is to be told: {}.", found.untold.join(", "));
    }
    if found.decide_by_ms > 0 {
        let _ = writeln!(text, "Decided without the bot {}.", ago(found.decide_by_ms));
    }
    if found.keep_alive_ms > 0 {
        let _ = writeln!(text, "Kept alive {}.", ago(found.keep_alive_ms));
    }
}

/// What is not finished.
fn add_rest(text: &mut String, found: &ShowCallReply) {
    if !found.pending.is_empty() {
        let mut rows = table(["PENDING", "KEY", "GIVEN UP"], &[]);
        for pending in &found.pending {
            let until = match pending.until_ms {
                0 => "-".to_owned(),
                until => ago(until),
            };
            rows.add_row([pending.operation.clone(), pending.key.clone(), until]);
        }
        let _ = writeln!(text, "\n{rows}");
    }
    if !found.outbox.is_empty() {
        let mut rows = table(["OUTBOX", "KIND", "AGE", "TRIES"], &[0, 2, 3]);
        for entry in &found.outbox {
            rows.add_row([
                entry.sequence.to_string(),
                entry.kind.clone(),
                span(entry.age_ms),
                entry.tries.to_string(),
            ]);
        }
        let _ = writeln!(text, "\n{rows}");
    }
    if !found.timers.is_empty() {
        let mut rows = table(["TIMER", "KEY", "DUE"], &[]);
        for timer in &found.timers {
            rows.add_row([timer.name.clone(), or_dash(&timer.key).to_owned(), ago(timer.at_ms)]);
        }
        let _ = writeln!(text, "\n{rows}");
    }
    if !found.parked.is_empty() {
        let _ = writeln!(text, "\n{}", parked::shown(&found.parked));
    }
}

fn add_timeline(text: &mut String, began_ms: u64, timeline: &[CallMoment]) {
    let mut rows = table(["AFTER", "WHAT", ""], &[0]);
    for moment in timeline {
        rows.add_row([
            span(moment.at_ms.saturating_sub(began_ms)),
            moment.kind.clone(),
            moment.what.clone(),
        ]);
    }
    let _ = writeln!(text, "\n{rows}");
}

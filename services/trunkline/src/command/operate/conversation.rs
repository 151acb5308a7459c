//! `trunkline conversation ...`.

use std::fmt::Write as _;

use trunkline_proto::admin::{ShowConversationReply, ShowConversationRequest};

use super::connect::Cluster;
use super::parked;
use super::table::{ago, or_dash, span, table};
use crate::command::{ConversationCommand, Output, print};

pub(super) async fn run(cluster: &Cluster, command: &ConversationCommand) -> anyhow::Result<()> {
    let ConversationCommand::Show {
        id,
        bot,
        tenant,
        asking,
    } = command;
    let request = ShowConversationRequest {
        bot: bot.clone(),
        tenant: tenant.clone(),
        conversation: id.clone(),
    };
    let found = cluster
        .ask_owner(async |worker| worker.show_conversation(request.clone()).await)
        .await?;
    print(&match asking.output {
        Output::Json => serde_json::to_string(&found)?,
        Output::Table => shown(&found),
    });
    Ok(())
}

fn shown(found: &ShowConversationReply) -> String {
    let mut text = format!(
        "Shard {}, served by {}. Version {}, state {} bytes, record {} bytes, {} waiting.\n",
        found.shard, found.owner, found.version, found.state_bytes, found.record_bytes, found.queued
    );
    if let Some(running) = &found.running {
        let _ = writeln!(
            text,
            "Running: {} {}, for {}, attempt {}.",
            running.kind,
            or_dash(running.route.as_deref().unwrap_or_default()),
            span(running.age_ms),
            running.attempt
        );
    }
    if !found.inbox.is_empty() {
        let mut rows = table(["INBOX", "KIND", "AGE", "ATTEMPTS", "DEATHS", "NEXT"], &[0, 2, 3, 4]);
        for entry in &found.inbox {
            let next = if entry.is_running {
                "runs".to_owned()
            } else {
                format!("in {}", span(entry.next_in_ms))
            };
            rows.add_row([
                entry.sequence.to_string(),
                entry.kind.clone(),
                span(entry.age_ms),
                entry.attempts.to_string(),
                entry.deaths.to_string(),
                next,
            ]);
        }
        let _ = writeln!(text, "\n{rows}");
    }
    if !found.parked.is_empty() {
        let _ = writeln!(text, "\n{}", parked::shown(&found.parked));
    }
    if !found.timers.is_empty() {
        let mut rows = table(["TIMER", "KEY", "DUE", "EVERY"], &[]);
        for timer in &found.timers {
            let every = if timer.every_ms == 0 {
                "-".to_owned()
            } else {
                span(timer.every_ms)
            };
            rows.add_row([
                timer.name.clone(),
                or_dash(&timer.key).to_owned(),
                ago(timer.at_ms),
                every,
            ]);
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
    if !found.last_turns.is_empty() {
        let mut rows = table(["LAST TURNS", "ROUTE", "RESULT", "TOOK", "ENDED"], &[3]);
        for turn in &found.last_turns {
            rows.add_row([
                turn.kind.clone(),
                or_dash(turn.route.as_deref().unwrap_or_default()).to_owned(),
                turn.result.clone(),
                span(u64::from(turn.took_ms)),
                ago(u64::from(turn.ended_s) * 1_000),
            ]);
        }
        let _ = writeln!(text, "\n{rows}");
    }
    text
}

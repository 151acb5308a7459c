//! `trunkline status`.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use trunkline_proto::admin::{Ingress, StatusReply, UnreadShards};

use super::connect::Cluster;
use super::table::{ago, or_dash, span, table};
use crate::command::{Output, print};

/// Shards that a warning names.
const SHOWN: usize = 8;
/// How often `--watch` asks.
const EVERY: Duration = Duration::from_secs(1);
/// Clears the screen and goes to its corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

pub(super) async fn run(cluster: &Cluster, watch: bool, output: Output) -> anyhow::Result<()> {
    loop {
        let shown = match gather(cluster).await {
            Ok(status) => match output {
                Output::Table => shown(&status),
                Output::Json => serde_json::to_string(&status)?,
            },
            // A watch goes on: the cluster may be back at the next look.
            Err(error) if watch && output == Output::Table => format!("{error:#}"),
            Err(error) => return Err(error),
        };
        let clears = watch && output == Output::Table && std::io::stdout().is_terminal();
        print(&if clears { format!("{CLEAR}{shown}") } else { shown });
        if !watch {
            return Ok(());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What one worker says, and the ingresses that any worker knows.
async fn gather(cluster: &Cluster) -> anyhow::Result<StatusReply> {
    let (_, mut status) = cluster.status().await?;
    let others = status.nodes.iter().filter(|node| node.name != status.answered_by);
    let asked = others.map(|node| cluster.status_of(&node.address));
    // One that is away just now tells nothing of its ingresses; the rest still shows.
    let answers = futures_util::future::join_all(asked).await;
    let found = answers.into_iter().flatten().flat_map(|(_, answer)| answer.ingresses);
    status.ingresses = merged(status.ingresses.into_iter().chain(found).collect());
    Ok(status)
}

/// One entry for each name.
fn merged(mut ingresses: Vec<Ingress>) -> Vec<Ingress> {
    ingresses.sort_by(|one, other| one.name.cmp(&other.name));
    ingresses.dedup_by(|later, first| {
        let is_same = later.name == first.name;
        if is_same {
            first.streams += later.streams;
            first.draining |= later.draining;
        }
        is_same
    });
    ingresses
}

fn shown(status: &StatusReply) -> String {
    let mut text = format!(
        "Cluster {}, {} shards, map {}, leader {}, {} in motion. Answered by {} ({}).\n",
        status.cluster,
        status.shards,
        status.map_version,
        or_dash(&status.leader),
        status.moves_in_progress,
        status.answered_by,
        status.membership,
    );
    if let Some(store) = &status.store {
        let beat = store.beat_ms.map_or_else(|| "-".to_owned(), span);
        let since = store.up_since_ms.map_or_else(|| "-".to_owned(), ago);
        let state = match store.problem.as_str() {
            "" => "answers",
            problem => problem,
        };
        let _ = writeln!(text, "Store {state}: last beat {beat}, without a gap since {since}.");
    }
    for unread in &status.unread {
        let _ = writeln!(text, "{}", warning(unread));
    }
    let mut nodes = table(
        [
            "WORKER",
            "STANDING",
            "BEAT",
            "SHARDS",
            "SERVING",
            "WAITING",
            "LEAVING",
            "TURNS/S",
            "IN MEMORY",
            "QUEUED",
            "ZONE",
            "WEIGHT",
            "ADDRESS",
            "VERSION",
        ],
        &[2, 3, 4, 5, 6, 7, 8, 9, 11],
    );
    for node in &status.nodes {
        let mark = if node.name == status.leader { "*" } else { "" };
        nodes.add_row([
            format!("{}{mark}", node.name),
            node.standing.clone(),
            span(node.beat_age_ms),
            node.owned.to_string(),
            node.serving.to_string(),
            node.waiting.to_string(),
            node.quiescing.to_string(),
            format!("{:.0}", node.turns_per_second),
            node.conversations.to_string(),
            node.queued.to_string(),
            or_dash(&node.zone).to_owned(),
            node.weight.to_string(),
            node.address.clone(),
            node.build.clone(),
        ]);
    }
    let _ = writeln!(text, "\n{nodes}\n* leads");
    if !status.ingresses.is_empty() {
        let mut ingresses = table(["INGRESS", "STREAMS", "STATE", "PROTOCOL"], &[1, 3]);
        for ingress in &status.ingresses {
            ingresses.add_row([
                ingress.name.clone(),
                ingress.streams.to_string(),
                if ingress.draining { "draining" } else { "active" }.to_owned(),
                ingress.protocol.to_string(),
            ]);
        }
        let _ = writeln!(text, "\n{ingresses}");
    }
    text
}

/// What an operator must know of shards that their worker cannot read.
fn warning(unread: &UnreadShards) -> String {
    let UnreadShards {
        worker, reads, format, ..
    } = unread;
    let first: Vec<String> = unread.shards.iter().take(SHOWN).map(ToString::to_string).collect();
    let (first, all) = (first.join(", "), unread.shards.len());
    let more = if all > SHOWN { ", .." } else { "" };
    format!(
        "RECORDS_UNREAD: a newer version wrote records of format {format} in {all} shards of {worker} ({first}{more}), which \
         reads up to {reads}. Requests for those conversations are refused: start a worker of that version, it gets the shards."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_of_unread_shards_names_the_first_of_them_and_what_helps() {
        let mut unread = UnreadShards {
            worker: "worker-1".to_owned(),
            reads: 3,
            format: 4,
            shards: vec![2, 9],
        };
        let said = warning(&unread);
        assert!(
            said.contains("format 4 in 2 shards of worker-1 (2, 9), which reads up to 3."),
            "{said}"
        );
        assert!(said.contains("start a worker of that version"), "{said}");
        unread.shards = (0..100).collect();
        assert!(warning(&unread).contains("in 100 shards of worker-1 (0, 1, 2, 3, 4, 5, 6, 7, ..)"));
    }

    #[test]
    fn an_ingress_that_two_workers_know_is_shown_once_with_all_its_streams() {
        let known = |name: &str, streams: u32, draining: bool| Ingress {
            name: name.to_owned(),
            streams,
            draining,
            protocol: 1,
        };
        let found = merged(vec![known("b", 1, false), known("a", 2, false), known("b", 2, true)]);
        assert_eq!(found, [known("a", 2, false), known("b", 3, true)]);
    }
}

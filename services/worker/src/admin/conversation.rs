//! A conversation in the words of `admin.proto`.

use trunkline_proto::admin::{InboxEntry, OutboxEntry, Parked, PastTurn, RunningTurn, ShowConversationReply, Timer};
use trunkline_store::key::{Key, ShardId};

use crate::conversation::{Inspection, ParkedEntry};

/// How a conversation stands at its owner.
pub(super) fn shown(found: Inspection, key: Key, owner: String) -> ShowConversationReply {
    let shard = ShardId(found.shard);
    ShowConversationReply {
        shard: found.shard,
        owner,
        version: found.version,
        state_bytes: found.state_bytes as u64,
        record_bytes: found.record_bytes as u64,
        queued: u32::try_from(found.queue).unwrap_or(u32::MAX),
        running: found.running.map(|running| RunningTurn {
            kind: running.kind.label().to_owned(),
            route: running.route,
            age_ms: running.age_ms,
            attempt: running.attempt,
        }),
        inbox: found
            .inbox
            .into_iter()
            .map(|entry| InboxEntry {
                sequence: entry.sequence,
                kind: entry.kind.label().to_owned(),
                age_ms: entry.age_ms,
                attempts: entry.attempts,
                deaths: entry.deaths,
                next_in_ms: entry.next_in_ms,
                is_running: entry.is_running,
            })
            .collect(),
        parked: found
            .parked
            .into_iter()
            .map(|entry| parked_entry(shard, key, entry))
            .collect(),
        timers: found
            .timers
            .into_iter()
            .map(|timer| Timer {
                name: timer.name,
                key: timer.key,
                at_ms: timer.at_ms,
                every_ms: timer.every_ms,
            })
            .collect(),
        outbox: found
            .outbox
            .into_iter()
            .map(|entry| OutboxEntry {
                sequence: entry.sequence,
                kind: entry.kind.to_owned(),
                age_ms: entry.age_ms,
                tries: entry.tries,
            })
            .collect(),
        last_turns: found
            .last_turns
            .into_iter()
            .map(|turn| PastTurn {
                kind: turn.kind.label().to_owned(),
                route: turn.route,
                result: turn.result.label().to_owned(),
                took_ms: turn.took_ms,
                ended_s: turn.ended_s,
            })
            .collect(),
    }
}

/// Parked work, with what names it.
pub(super) fn parked_entry(shard: ShardId, key: Key, entry: ParkedEntry) -> Parked {
    Parked {
        shard: shard.0,
        key: key.text().as_str().to_owned(),
        sequence: entry.sequence,
        bot: entry.bot,
        tenant: entry.tenant,
        conversation: entry.conversation,
        reference: entry.reference,
        reason: entry.reason,
        attempts: entry.attempts,
        deaths: entry.deaths,
        since_ms: entry.since_ms,
        accepted_ms: entry.accepted_ms,
        bytes: entry.bytes as u64,
    }
}

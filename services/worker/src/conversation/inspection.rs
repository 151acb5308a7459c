//! How a conversation stands, for an operator who looks. Holds no text of users but the reasons of parked work.

use serde::Serialize;

use super::Conversation;
use super::event::{ArrivalKind, Now, TurnResult};
use super::history::TurnKind;
use super::item::Item;
use crate::call::CallRecord;

/// How a conversation stands at its owner.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Name of the bot.
    pub bot: String,
    /// Entra tenant id.
    pub tenant: String,
    /// Conversation id.
    pub conversation: String,
    /// Its shard.
    pub shard: u32,
    /// Version of the stored record; 0 for none.
    pub version: u64,
    /// Bytes of the bot's state.
    pub state_bytes: usize,
    /// Bytes of the whole record.
    pub record_bytes: usize,
    /// Activities that wait in memory, those of the inbox included.
    pub queue: usize,
    /// The turn that runs.
    pub running: Option<RunningTurn>,
    /// Entries of the inbox that are to run, in order.
    pub inbox: Vec<InboxEntry>,
    /// Entries that were given up.
    pub parked: Vec<ParkedEntry>,
    /// Timers, the earliest first.
    pub timers: Vec<TimerEntry>,
    /// What is to be sent, in order.
    pub outbox: Vec<OutboxEntry>,
    /// The last turns since the conversation came into memory, the newest last.
    pub last_turns: Vec<LastTurn>,
    /// What is remembered of the call, of the actor of one.
    #[serde(skip)]
    pub call: Option<Box<CallRecord>>,
}

/// The turn that runs.
#[derive(Clone, Debug, Serialize)]
pub struct RunningTurn {
    /// What it is about.
    pub kind: TurnKind,
    /// The route that it takes.
    pub route: Option<String>,
    /// How long it has run.
    pub age_ms: u64,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

/// Work that waits.
#[derive(Clone, Debug, Serialize)]
pub struct InboxEntry {
    /// Its place in the inbox.
    pub sequence: u64,
    /// What it is about.
    pub kind: TurnKind,
    /// How long ago it was made durable.
    pub age_ms: u64,
    /// Runs that failed.
    pub attempts: u32,
    /// Runs that ended with their process.
    pub deaths: u32,
    /// How long it waits for its next attempt.
    pub next_in_ms: u64,
    /// Whether it is the turn that runs.
    pub is_running: bool,
}

/// Work that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParkedEntry {
    /// Name of the bot.
    pub bot: String,
    /// Entra tenant id.
    pub tenant: String,
    /// Conversation id.
    pub conversation: String,
    /// Its place in the inbox: names it when it is replayed or dropped.
    pub sequence: u64,
    /// The code that the user saw, `TL-` and five characters.
    pub reference: String,
    /// Since when it is parked, in milliseconds since 1970.
    pub since_ms: u64,
    /// When it was made durable, in milliseconds since 1970.
    pub accepted_ms: u64,
    /// Runs that failed.
    pub attempts: u32,
    /// Workers that had died with it before it was made durable.
    pub deaths: u32,
    /// Bytes of the activity.
    pub bytes: usize,
    /// What failed, as the bot's code said it.
    pub reason: String,
}

/// A timer.
#[derive(Clone, Debug, Serialize)]
pub struct TimerEntry {
    /// Name of the signal that comes.
    pub name: String,
    /// Its key.
    pub key: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Again after each of these milliseconds; 0 for once.
    pub every_ms: u64,
}

/// Something that is to be sent.
#[derive(Clone, Debug, Serialize)]
pub struct OutboxEntry {
    /// Its number in the conversation.
    pub sequence: u64,
    /// What it does.
    pub kind: &'static str,
    /// How long ago its turn committed.
    pub age_ms: u64,
    /// How often it was tried by this process.
    pub tries: u32,
}

/// A turn that ended.
#[derive(Clone, Debug, Serialize)]
pub struct LastTurn {
    /// What it was about.
    pub kind: TurnKind,
    /// The route that it took.
    pub route: Option<String>,
    /// How it ended.
    pub result: TurnResult,
    /// How long it ran.
    pub took_ms: u32,
    /// When it ended, in seconds since 1970.
    pub ended_s: u32,
}

impl Conversation {
    /// How it stands; `None` while that is not known.
    pub(super) fn inspect(&self, now: Now) -> Option<Inspection> {
        let (identity, memory) = (self.identity.as_ref()?, self.memory.as_ref()?);
        let record = &memory.record;
        let route_name = |route: Option<usize>| {
            let route = identity.bot.description.routes.get(route?)?;
            Some(route.name.clone())
        };
        let since = |at_ms: u64| now.wall_ms.saturating_sub(if at_ms == 0 { now.wall_ms } else { at_ms });
        let mut timers: Vec<_> = record
            .timers
            .iter()
            .map(|timer| TimerEntry {
                name: timer.name.clone(),
                key: timer.key.clone(),
                at_ms: timer.at_ms,
                every_ms: timer.every_ms,
            })
            .collect();
        timers.sort_by_key(|timer| timer.at_ms);
        let of_item = |item: &Item, is_running: bool| {
            Some(InboxEntry {
                sequence: item.inbox?,
                kind: TurnKind::of_work(&item.work, ArrivalKind::Message),
                age_ms: since(item.accepted_ms),
                attempts: item.attempts,
                deaths: self.deaths_of(item, now),
                next_in_ms: item.not_before_ms.saturating_sub(now.wall_ms),
                is_running,
            })
        };
        let running = self.running.as_ref().map(|running| &running.item);
        Some(Inspection {
            bot: identity.triple.bot.clone(),
            tenant: identity.triple.tenant.clone(),
            conversation: identity.triple.conversation.clone(),
            shard: self.holding.shard.0,
            version: memory.header.version,
            state_bytes: record.state.as_ref().map_or(0, |state| state.bytes.len()),
            record_bytes: prost::Message::encoded_len(record),
            queue: self.queue.len(),
            running: self.running.as_ref().map(|running| RunningTurn {
                kind: TurnKind::of(&running.item),
                route: route_name(running.item.route),
                age_ms: now.steady_ms.saturating_sub(running.started_at),
                attempt: running.item.attempts + 1,
            }),
            inbox: running
                .and_then(|item| of_item(item, true))
                .into_iter()
                .chain(self.queue.iter().filter_map(|item| of_item(item, false)))
                .collect(),
            parked: memory
                .parked
                .iter()
                .map(|(sequence, entry)| ParkedEntry::of(self.key.0, *sequence, entry))
                .collect(),
            timers,
            outbox: record
                .outbox
                .iter()
                .map(|entry| OutboxEntry {
                    sequence: entry.sequence,
                    kind: entry.kind().name(),
                    age_ms: since(entry.queued_ms),
                    tries: self.outbox.tries_of(entry.sequence),
                })
                .collect(),
            last_turns: self
                .history
                .iter()
                .map(|turn| LastTurn {
                    kind: turn.kind,
                    route: route_name(turn.route.map(usize::from)),
                    result: turn.result,
                    took_ms: turn.took_ms,
                    ended_s: turn.ended_s,
                })
                .collect(),
            call: record.call.clone(),
        })
    }
}

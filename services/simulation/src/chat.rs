//! The conversations, their activities by number, and what each number means to callers, the bot and the checks.

use bytes::Bytes;
use serde_json::json;
use trunkline_store::key::{Key, ShardId, Triple};
use trunkline_worker::conversation::ArrivalKind;
use trunkline_worker::record::Accepted;

/// Shards of the cluster.
pub(crate) const SHARDS: u32 = 8;
/// Conversations: so many that some share a shard.
pub(crate) const CHATS: usize = 5;
/// Numbers of timers begin here.
pub(crate) const TIMERS: u64 = 1_000_000;

/// One conversation.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) triple: Triple,
    pub(crate) shard: ShardId,
    pub(crate) key: Key,
}

/// All of them.
pub(crate) fn chats() -> Vec<Chat> {
    let chat = |number: usize| {
        let triple = Triple::conversation("test", "tenant", format!("a:{number}"));
        let (shard, key) = (triple.shard(SHARDS), triple.key());
        Chat { triple, shard, key }
    };
    (0..CHATS).map(chat).collect()
}

/// Some activities are invokes: whoever sent one waits for the answer, which bears the number.
pub(crate) fn kind_of(number: u64) -> ArrivalKind {
    if number % 5 == 4 {
        ArrivalKind::Invoke
    } else {
        ArrivalKind::Message
    }
}

/// Some turns tell the user something and leave the state as it is.
pub(crate) fn is_told(number: u64) -> bool {
    number < TIMERS && number % 7 == 5 && kind_of(number) == ArrivalKind::Message
}

/// The timer that the turn of this activity sets.
pub(crate) fn timer_of(number: u64) -> Option<u64> {
    (number < TIMERS && number % 6 == 1 && !is_told(number)).then_some(number + TIMERS)
}

/// Some turns keep a step before they end.
pub(crate) fn keeps_step(number: u64) -> bool {
    number % 5 == 3
}

/// Recognises repeats.
pub(crate) fn repeat_key(number: u64) -> u64 {
    number + 1
}

/// The activity as Teams sends it.
pub(crate) fn body_of(number: u64) -> Bytes {
    let (kind, name) = match kind_of(number) {
        ArrivalKind::Message => ("message", None),
        ArrivalKind::Invoke => ("invoke", Some("task/submit")),
    };
    let body =
        json!({ "type": kind, "name": name, "id": number.to_string(), "text": "hi", "from": { "id": "29:ines" } });
    serde_json::to_vec(&body).unwrap().into()
}

/// The number of the activity or timer that an entry of an inbox is about.
pub(crate) fn number_in(entry: &Accepted) -> Option<u64> {
    let work = entry.work.as_ref()?;
    if let Some(key) = entry.repeat_key {
        return Some(key - 1);
    }
    work.name.parse().ok().or_else(|| {
        let body: serde_json::Value = serde_json::from_slice(&work.body).ok()?;
        body.get("id")?.as_str()?.parse().ok()
    })
}

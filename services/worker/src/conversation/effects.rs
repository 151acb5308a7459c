//! What a bot asked for, put into the record.

use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message as _;
use trunkline_bot::Address;
use trunkline_bot::logic::{Effect, InDoubt, MessageRef, Outcome, STATE_BYTES};
use trunkline_store::contract::ANSWER_BYTES;
use trunkline_store::key::{ActorKind, Triple};

use super::call::effects as of_calls;
use super::event::OpenStream;
use super::milliseconds;
use crate::record::{BODY_BYTES, Entry, EntryKind, Place, Record, Timer};

/// What protobuf adds to an effect at most, its short names and ids included.
const EFFECT_OVERHEAD: usize = 96;

/// What the entries of a turn share.
pub(super) struct Context<'a> {
    pub here: &'a Triple,
    pub streams: &'a [OpenStream],
    pub of_failure: bool,
    pub traceparent: &'a str,
    /// When the turn commits, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Refuses an outcome that would not fit a record, before anything is changed.
pub(super) fn check(record: &Record, outcome: &Outcome, hosts_calls: bool) -> Result<(), String> {
    if let Some(state) = &outcome.state
        && state.bytes.len() > STATE_BYTES
    {
        return Err(format!(
            "the state has {} bytes, the limit is {STATE_BYTES}",
            state.bytes.len()
        ));
    }
    if let Some(body) = outcome.answer.as_ref().and_then(|answer| answer.body.as_ref())
        && body.len() > ANSWER_BYTES
    {
        return Err(format!(
            "the answer has {} bytes, the limit is {ANSWER_BYTES}",
            body.len()
        ));
    }
    for effect in &outcome.effects {
        of_calls::check(record, effect, hosts_calls)?;
    }
    let state = outcome.state.as_ref().map_or(0, |state| state.bytes.len());
    let effects: usize = outcome.effects.iter().map(bytes_of).sum();
    // Without many effects a record cannot come near its limit, and its length need not be counted.
    if state + effects < BODY_BYTES / 8 && record.outbox.is_empty() && record.timers.len() < 64 {
        return Ok(());
    }
    let bytes = record.encoded_len() + state + effects;
    if bytes > BODY_BYTES {
        return Err(format!(
            "the turn asks for {} effects of {effects} bytes, with which the record has {bytes} bytes; the limit is {BODY_BYTES}",
            outcome.effects.len()
        ));
    }
    Ok(())
}

fn bytes_of(effect: &Effect) -> usize {
    let body = match effect {
        Effect::Send { activity, to, .. } => activity.len() + to.service_url().len() + 160,
        Effect::Update { activity, .. } => activity.len() + 160,
        Effect::Delete { .. } => 160,
        Effect::Signal {
            name, key, payload, to, ..
        } => name.len() + key.len() + payload.len() + to.service_url().len() + 160,
        Effect::ChangeUser {
            person, name, change, ..
        } => person.len() + name.len() + change.len(),
        Effect::SetTimer { name, key, payload, .. } => name.len() + key.len() + payload.len(),
        Effect::ForgetTimer { .. } => 0,
        Effect::Call { .. } | Effect::Hosted { .. } | Effect::StartCall { .. } => of_calls::bytes_of(effect),
    };
    body + EFFECT_OVERHEAD
}

/// Puts the effects of a turn into the record, in their order.
pub(super) fn apply(record: &mut Record, effects: Vec<Effect>, context: &Context<'_>) {
    record.outbox.reserve_exact(effects.len());
    for effect in effects {
        let mut entry = Entry {
            of_failure: context.of_failure,
            queued_ms: context.now_ms,
            ..Entry::default()
        };
        match effect {
            Effect::Send {
                sequence,
                to,
                activity,
                in_doubt,
                wants_id,
                stream,
                targeted,
            } => {
                entry.sequence = sequence;
                entry.set_kind(EntryKind::Send);
                entry.to = elsewhere(&to, context.here);
                entry.body = activity;
                entry.skip_in_doubt = in_doubt == InDoubt::Skip;
                entry.wants_id = wants_id;
                entry.targeted = targeted;
                conclude(&mut entry, stream.as_deref(), context.streams);
            }
            Effect::Update {
                sequence,
                message,
                activity,
            } => {
                entry.sequence = sequence;
                entry.set_kind(EntryKind::Update);
                entry.body = activity;
                refer(&mut entry, message);
            }
            Effect::Delete { sequence, message } => {
                entry.sequence = sequence;
                entry.set_kind(EntryKind::Delete);
                refer(&mut entry, message);
            }
            Effect::Signal {
                sequence,
                to,
                name,
                key,
                payload,
            } => {
                entry.sequence = sequence;
                entry.set_kind(EntryKind::Signal);
                entry.to = elsewhere(&to, context.here);
                entry.name = name;
                entry.key = key;
                entry.body = payload;
            }
            Effect::ChangeUser {
                sequence,
                person,
                name,
                change,
            } => {
                entry.sequence = sequence;
                entry.set_kind(EntryKind::ChangeUser);
                entry.name = name;
                entry.key = person;
                entry.body = change;
            }
            Effect::SetTimer {
                name,
                key,
                at,
                every,
                payload,
            } => {
                set_timer(
                    record,
                    Timer {
                        name,
                        key,
                        at_ms: since_1970(at),
                        every_ms: every.map_or(0, milliseconds),
                        payload,
                    },
                );
                continue;
            }
            effect @ (Effect::Call { .. } | Effect::Hosted { .. } | Effect::StartCall { .. }) => {
                if !of_calls::fill(record, &mut entry, effect) {
                    continue;
                }
            }
            Effect::ForgetTimer { name, key } => {
                forget_timers(record, &name, key.as_deref());
                continue;
            }
        }
        context.traceparent.clone_into(&mut entry.traceparent);
        record.next_sequence = record.next_sequence.max(entry.sequence + 1);
        record.outbox.push(entry);
    }
}

/// The final text of a stream that is open replaces its parts.
fn conclude(entry: &mut Entry, stream: Option<&str>, streams: &[OpenStream]) {
    let Some(open) = stream.and_then(|name| streams.iter().find(|open| open.name == name)) else {
        return;
    };
    entry.stream_id.clone_from(&open.id);
    entry.stream_began_ms = open.began_ms;
    entry.stream_next_ms = open.next_ms;
}

/// One timer of a name and key: a new one takes the place of the old one.
fn set_timer(record: &mut Record, timer: Timer) {
    if record.call.as_ref().is_some_and(|call| call.is_over()) {
        // Nobody is there who could be called back.
        return;
    }
    record
        .timers
        .retain(|other| other.name != timer.name || other.key != timer.key);
    record.timers.push(timer);
}

fn forget_timers(record: &mut Record, name: &str, key: Option<&str>) {
    let is_other = |timer: &Timer| timer.name != name || key.is_some_and(|key| timer.key != key);
    record.timers.retain(is_other);
}

/// A timer has come: it is gone, or set to its next time after now. What was missed comes once, not once a period.
pub(super) fn complete_timer(record: &mut Record, name: &str, key: &str, now_ms: u64) {
    let Some(place) = record
        .timers
        .iter()
        .position(|timer| timer.name == name && timer.key == key)
    else {
        return;
    };
    let Some(timer) = record.timers.get_mut(place) else {
        return;
    };
    if timer.every_ms == 0 {
        record.timers.remove(place);
        return;
    }
    let missed = now_ms.saturating_sub(timer.at_ms) / timer.every_ms;
    timer.at_ms += (missed + 1) * timer.every_ms;
}

/// The code that a user sees and an operator looks up: `TL-` and five characters without `I`, `L`, `O`, `U`.
pub(super) fn reference(key: [u8; 16], turn_key: u64) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut hash = xxhash_rust::xxh3::xxh3_64_with_seed(&key, turn_key);
    let mut reference = String::from("TL-");
    for _ in 0..5 {
        reference.push(char::from(ALPHABET[(hash % 32) as usize]));
        hash /= 32;
    }
    reference
}

fn elsewhere(to: &Address, here: &Triple) -> Option<Place> {
    let is_here = match to {
        Address::Conversation {
            tenant, conversation, ..
        } => here.kind == ActorKind::Conversation && *tenant == here.tenant && *conversation == here.conversation,
        Address::Call { call, .. } => here.kind == ActorKind::Call && *call == here.conversation,
        _ => false,
    };
    if is_here { None } else { Place::of(to) }
}

fn refer(entry: &mut Entry, message: MessageRef) {
    match message {
        MessageRef::Sent(sent) => entry.message_sequence = sent.0,
        MessageRef::Id(id) => entry.message_id = id,
    }
}

fn since_1970(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record_with(timer: Timer) -> Record {
        let mut record = Record::new(&Triple::conversation("b", "t", "c"));
        record.timers.push(timer);
        record
    }

    #[test]
    fn a_missed_recurring_timer_comes_once_and_then_at_its_next_time() {
        let mut record = record_with(Timer {
            name: "a".into(),
            at_ms: 100,
            every_ms: 10,
            ..Timer::default()
        });
        complete_timer(&mut record, "a", "", 137);
        assert_eq!(record.timers[0].at_ms, 140);
    }

    #[test]
    fn a_timer_that_comes_once_is_gone() {
        let mut record = record_with(Timer {
            name: "a".into(),
            at_ms: 100,
            ..Timer::default()
        });
        complete_timer(&mut record, "a", "", 137);
        assert!(record.timers.is_empty());
    }

    #[test]
    fn a_reference_is_short_and_always_the_same() {
        let first = reference([7; 16], 9);
        assert_eq!(first, reference([7; 16], 9));
        assert!(first.starts_with("TL-") && first.len() == 8, "{first}");
    }
}

//! What a bot asked for of calls, put into the record.

use bytes::Bytes;
use serde::Serialize;
use trunkline_bot::Address;
use trunkline_bot::logic::{Effect, HostedOperation};
use trunkline_teams::calls::{OWN_KEY, is_own_key};
use trunkline_teams::graph::Operation;

use crate::call::{CallRecord, is_decision};
use crate::record::{Entry, EntryKind, Place, PlaceKind, Record};

/// Longest key of an operation in characters: Graph's client context takes no more (documented).
const OPERATION_KEY: usize = 256;

/// Refuses what can never be done of a call.
pub(in super::super) fn check(record: &Record, effect: &Effect, hosts_calls: bool) -> Result<(), String> {
    match effect {
        Effect::Call { key, operation, .. } => {
            let Some(call) = record.call.as_deref() else {
                return Err("an operation on a call was asked for where no call is".to_owned());
            };
            if matches!(operation, Operation::Create(_)) {
                return Err("a call is begun by an effect of its own, not by an operation".to_owned());
            }
            check_key(call, key)
        }
        Effect::Hosted { key, operation, .. } => {
            let Some(call) = record.call.as_deref() else {
                return Err("a media host was asked for something where no call is".to_owned());
            };
            check_key(call, key)?;
            if matches!(operation, HostedOperation::RecordCall(_)) && call.is_of_policy() {
                return Err("a call that a policy records is recorded by the word on recording alone".to_owned());
            }
            Ok(())
        }
        Effect::StartCall { key, .. } => {
            if !hosts_calls {
                Err("the turn begins a call, and this bot is not set up for calls".to_owned())
            } else if !is_own_key(key) {
                // The ingress would refuse every notification of such a call, which would ring and never be told of.
                Err(format!(
                    "the key of a call that a bot begins is {OWN_KEY:?} and 25 to 63 of a-z and 0-9, not {key:?}"
                ))
            } else {
                Ok(())
            }
        }
        Effect::Send {
            to: Address::Call { .. },
            ..
        } => Err("a message cannot be sent to a call".to_owned()),
        _ => Ok(()),
    }
}

fn check_key(call: &CallRecord, key: &str) -> Result<(), String> {
    if key.is_empty() || key.chars().count() > OPERATION_KEY {
        return Err(format!("the key of an operation has 1 to {OPERATION_KEY} characters"));
    }
    if call.is_pending(key) {
        return Err(format!("the operation {key:?} is under way already"));
    }
    Ok(())
}

/// Whether one of the effects decides about an incoming call.
pub(in super::super) fn decide(effects: &[Effect]) -> bool {
    let decides = |effect: &Effect| matches!(effect, Effect::Call { operation, .. } if is_decision(operation));
    effects.iter().any(decides)
}

/// What protobuf makes of it, at most.
pub(in super::super) fn bytes_of(effect: &Effect) -> usize {
    match effect {
        Effect::Call { operation, .. } => json_of(operation).len() + 2 * OPERATION_KEY,
        Effect::Hosted { operation, .. } => json_of(operation).len() + 2 * OPERATION_KEY,
        Effect::StartCall { call, payload, .. } => json_of(call).len() + payload.len() + 320,
        _ => 0,
    }
}

/// Fills the entry of an operation, or of a call that begins. `false` when nothing is to be sent: the call is over.
pub(in super::super) fn fill(record: &mut Record, entry: &mut Entry, effect: Effect) -> bool {
    match effect {
        Effect::Call {
            sequence,
            key,
            operation,
            after,
            replaces,
        } => {
            record.next_sequence = record.next_sequence.max(sequence + 1);
            let Some(call) = record.call.as_deref_mut().filter(|call| !call.is_over()) else {
                return false;
            };
            call.ask(&key, &operation);
            entry.sequence = sequence;
            entry.set_kind(EntryKind::Call);
            operation.kind().name().clone_into(&mut entry.name);
            entry.key = key;
            entry.body = json_of(&operation);
            entry.after = after.unwrap_or_default();
            entry.replaces = replaces.unwrap_or_default();
        }
        Effect::Hosted {
            sequence,
            key,
            operation,
        } => {
            record.next_sequence = record.next_sequence.max(sequence + 1);
            let Some(call) = record.call.as_deref_mut().filter(|call| !call.is_over()) else {
                return false;
            };
            call.ask_host(&key, &operation);
            entry.sequence = sequence;
            entry.set_kind(EntryKind::Hosted);
            operation.name().clone_into(&mut entry.name);
            entry.key = key;
            entry.body = json_of(&operation);
        }
        Effect::StartCall {
            sequence,
            key,
            tenant,
            call,
            name,
            signal_key,
            payload,
        } => {
            entry.sequence = sequence;
            entry.set_kind(EntryKind::StartCall);
            entry.to = Some(Place {
                kind: PlaceKind::Call as i32,
                tenant,
                service_url: record.service_url.clone(),
                id: key,
            });
            entry.call = json_of(&call);
            entry.name = name;
            entry.key = signal_key;
            entry.body = payload;
        }
        _ => return false,
    }
    true
}

pub(super) fn json_of(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

//! Two runs of one turn must ask for and remember the same.

use bytes::Bytes;
use serde_json::Value;

use crate::logic::{Effect, End, Outcome};

/// Fails if the second run of a turn took another way than the first.
pub(super) fn assert_same(what: &str, first: &End, second: &End) {
    let same_kind = std::mem::discriminant(first) == std::mem::discriminant(second);
    let difference = match (first, second) {
        (End::Commit(one), End::Commit(other)) | (End::Tell(one), End::Tell(other)) => outcomes(one, other),
        _ if same_kind => None,
        _ => Some(("its end".to_owned(), format!("{first:?}"), format!("{second:?}"))),
    };
    if let Some((place, one, other)) = difference {
        panic!(
            "the turn {what} ran twice and {place} differs: what comes from outside the turn (a call, the clock, a random \
             number) belongs in turn.once, and a step must not change the state\n  first run:  {one}\n  second run: {other}"
        );
    }
}

type Difference = (String, String, String);

fn outcomes(one: &Outcome, other: &Outcome) -> Option<Difference> {
    let state = |outcome: &Outcome| outcome.state.as_ref().map(|state| json(&state.bytes));
    let answer = |outcome: &Outcome| outcome.answer.as_ref()?.body.as_ref().map(json);
    let states = values("the state", state(one), state(other));
    let answers = || values("the answer", answer(one), answer(other));
    states.or_else(answers).or_else(|| {
        if one.effects.len() != other.effects.len() {
            let names = |outcome: &Outcome| format!("{:?}", outcome.effects.iter().map(shown).collect::<Vec<_>>());
            return Some(("the number of effects".to_owned(), names(one), names(other)));
        }
        let mut pairs = one.effects.iter().zip(&other.effects).enumerate();
        pairs.find_map(|(place, (one, other))| {
            let (one, other) = (shown(one), shown(other));
            (one != other).then(|| (format!("effect {}", place + 1), one, other))
        })
    })
}

/// As values, not as bytes: the order of a map's members has no meaning.
fn values(what: &str, one: Option<Value>, other: Option<Value>) -> Option<Difference> {
    let text = |value: Option<Value>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
    (one != other).then(|| (what.to_owned(), text(one), text(other)))
}

fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Send {
            to,
            activity,
            in_doubt,
            wants_id,
            ..
        } => {
            format!(
                "send to {to:?} ({in_doubt:?}, wants id: {wants_id}): {}",
                json(activity)
            )
        }
        Effect::Update { message, activity, .. } => format!("update of {message:?}: {}", json(activity)),
        Effect::Signal {
            to, name, key, payload, ..
        } => format!("signal {name} {key:?} to {to:?}: {}", json(payload)),
        Effect::SetTimer {
            name,
            key,
            at,
            every,
            payload,
        } => {
            format!("timer {name} {key:?} at {at:?} every {every:?}: {}", json(payload))
        }
        other => format!("{other:?}"),
    }
}

fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

//! Routes for the buttons of cards.

use serde_json::Value;
use trunkline_teams::activity::Activity;

use super::{Listen, Refused, Shape, of_activity};
use crate::card::CardReply;
use crate::error::Error;
use crate::event::{Pressed, Submitted};
use crate::signal::Verb;

/// A button made by [`crate::Card::button`] (Action.Execute) was pressed. The answer goes back in the HTTP response.
pub fn verb<V: Verb>() -> Listen<Pressed<V>, CardReply> {
    execute::<V>(Shape::Verb(V::VERB), false)
}

/// A client asks for a card anew that was made with [`crate::Card::refresh`]: by itself, or because somebody chose so in the card's
/// menu. A button of the same verb has its [`verb`] route above.
pub fn refresh<V: Verb>() -> Listen<Pressed<V>, CardReply> {
    execute::<V>(Shape::Refresh(V::VERB), true)
}

fn execute<V: Verb>(shape: Shape, is_refresh: bool) -> Listen<Pressed<V>, CardReply> {
    of_activity(
        shape,
        move |activity| {
            is_card_action(activity)
                && activity.value.as_ref().is_some_and(|value| {
                    value["action"]["verb"] == V::VERB && (value["trigger"] != "automatic" || is_refresh)
                })
        },
        |mut activity| {
            let data = activity.value.as_mut().map(|value| value["action"]["data"].take());
            let data = data.unwrap_or_default();
            let action = read::<V>(&data)?;
            Ok(Pressed { action, data, activity })
        },
    )
}

/// Whether an activity is the press of an Action.Execute, or a refresh.
pub(crate) fn is_card_action(activity: &Activity) -> bool {
    activity.is("invoke") && activity.trimmed_name() == Some("adaptiveCard/action")
}

/// A button made by [`crate::Card::submit`] (Action.Submit), or another action that arrives as a message whose value has this
/// verb as its member `verb` (messageBack).
pub fn submit<V: Verb>() -> Listen<Submitted<V>> {
    of_activity(
        Shape::Submit(V::VERB),
        |activity| activity.is("message") && has_verb(activity, V::VERB),
        |mut activity| {
            let data = activity.value.take().map(unpacked).unwrap_or_default();
            let action = read::<V>(&data)?;
            Ok(Submitted { action, data, activity })
        },
    )
}

fn has_verb(activity: &Activity, verb: &str) -> bool {
    match &activity.value {
        Some(Value::String(packed)) if packed.contains(verb) => {
            serde_json::from_str::<Value>(packed).is_ok_and(|value| value["verb"] == verb)
        }
        Some(value) => value["verb"] == verb,
        None => false,
    }
}

/// The value of a messageBack is sometimes JSON inside a text.
pub(crate) fn unpacked(value: Value) -> Value {
    match &value {
        Value::String(packed) => serde_json::from_str(packed).unwrap_or(value),
        _ => value,
    }
}

/// Reads an action from what its button carried. A button without members carries nothing; its type may have none (which reads
/// from null) or defaults for all of them (which reads from an empty object).
fn read<V: Verb>(data: &Value) -> Result<V, Refused> {
    let empty = Value::Object(serde_json::Map::new());
    let carried = if data.is_null() { &empty } else { data };
    let error = match V::deserialize(carried) {
        Ok(action) => return Ok(action),
        Err(error) => error,
    };
    V::deserialize(&Value::Null).map_err(|_| {
        let why = format!("the members of the verb {} cannot be read: {error}", V::VERB);
        Refused::Unreadable(Error::lasting(why))
    })
}

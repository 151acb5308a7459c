//! Finds buttons in what a bot sent, for tests and load drivers that press by title.

use serde_json::{Map, Value};

use super::press::Press;

/// Finds the button with this title in the attachments or suggested actions of a message, and fills in `inputs` as the
/// values of an Adaptive Card's inputs.
pub(crate) fn find_button(
    attachments: &[Value],
    suggested: Option<&Value>,
    title: &str,
    inputs: &Map<String, Value>,
) -> Option<Press> {
    let in_cards = attachments.iter().find_map(|attachment| {
        let content = attachment.get("content")?;
        let kind = attachment.get("contentType").and_then(Value::as_str).unwrap_or("");
        if kind == "application/vnd.microsoft.card.adaptive" {
            adaptive(content, title, inputs)
        } else {
            let action = titled(content.get("buttons")?, title)?;
            Some(Press::CardAction { action: action.clone() })
        }
    });
    in_cards.or_else(|| {
        let action = titled(suggested?.get("actions")?, title)?;
        Some(Press::Suggested { action: action.clone() })
    })
}

fn titled<'a>(actions: &'a Value, title: &str) -> Option<&'a Value> {
    actions
        .as_array()?
        .iter()
        .find(|action| action.get("title").and_then(Value::as_str) == Some(title))
}

/// Actions stand anywhere in an Adaptive Card: in `actions`, in an `ActionSet`, behind `Action.ShowCard`, as `selectAction`.
fn adaptive(node: &Value, title: &str, inputs: &Map<String, Value>) -> Option<Press> {
    match node {
        Value::Array(items) => items.iter().find_map(|item| adaptive(item, title, inputs)),
        Value::Object(object) => {
            let member = |name: &str| object.get(name).and_then(Value::as_str);
            if member("title") == Some(title) {
                match member("type") {
                    Some("Action.Submit") => {
                        return Some(Press::Submit {
                            data: with_inputs(object.get("data"), inputs),
                        });
                    }
                    Some("Action.Execute") => {
                        return Some(Press::Execute {
                            verb: member("verb").map(str::to_owned),
                            id: member("id").map(str::to_owned),
                            title: Some(title.to_owned()),
                            data: with_inputs(object.get("data"), inputs),
                        });
                    }
                    _ => {}
                }
            }
            object.values().find_map(|value| adaptive(value, title, inputs))
        }
        _ => None,
    }
}

/// Inputs join the button's data; a button whose data is no object keeps it.
fn with_inputs(data: Option<&Value>, inputs: &Map<String, Value>) -> Value {
    match data {
        None | Some(Value::Null) => Value::Object(inputs.clone()),
        Some(Value::Object(data)) => {
            let mut data = data.clone();
            data.extend(inputs.clone());
            Value::Object(data)
        }
        Some(other) => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_button_is_found_wherever_it_stands_in_the_card() {
        let card = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": {
            "body": [{ "type": "Container", "items": [{ "type": "ActionSet", "actions": [
                { "type": "Action.Execute", "title": "Book", "verb": "book", "data": { "room": 7 } } ] }] }] } });
        let inputs = Map::from_iter([("day".to_owned(), json!("Monday"))]);
        let press = find_button(&[card], None, "Book", &inputs);
        let expected = Press::Execute {
            verb: Some("book".to_owned()),
            id: None,
            title: Some("Book".to_owned()),
            data: json!({ "room": 7, "day": "Monday" }),
        };
        assert_eq!(press, Some(expected));
    }

    #[test]
    fn a_suggested_action_is_found_by_its_title() {
        let suggested = json!({ "actions": [{ "type": "imBack", "title": "Yes", "value": "yes" }] });
        let press = find_button(&[], Some(&suggested), "Yes", &Map::new());
        assert_eq!(
            press,
            Some(Press::Suggested {
                action: suggested["actions"][0].clone()
            })
        );
        assert_eq!(find_button(&[], Some(&suggested), "No", &Map::new()), None);
    }
}

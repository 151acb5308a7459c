//! Routes for what people write.

use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use trunkline_teams::activity::Activity;

use super::{Listen, Refused, Shape, of_activity};
use crate::event::{Edited, Matched, Message};

fn is_message(activity: &Activity) -> bool {
    activity.is("message")
}

/// Every message that no route above took.
pub fn message() -> Listen<Message> {
    of_activity(Shape::Message, is_message, |activity| Ok(Message::new(activity)))
}

/// A message equal to this: the bot's mention apart, trimmed, without case.
pub fn text(expected: &str) -> Listen<Message> {
    let expected = expected.trim().to_lowercase();
    let shape = Shape::Text(expected.clone());
    of_activity(
        shape,
        move |activity| is_message(activity) && same_without_case(&activity.text_without_bot(), &expected),
        |activity| Ok(Message::new(activity)),
    )
}

/// A message that begins with this word; [`Message::text`] is the rest. A slash before the word is allowed.
pub fn command(word: &str) -> Listen<Message> {
    let word = word.trim().to_lowercase();
    let shape = Shape::Command(word.clone());
    let wanted = word.clone();
    of_activity(
        shape,
        move |activity| is_message(activity) && after_command(&activity.text_without_bot(), &wanted).is_some(),
        move |activity| {
            let rest = after_command(&activity.text_without_bot(), &word).map(str::to_owned);
            match rest {
                Some(rest) => Ok(Message::with_text(activity, rest)),
                None => Err(Refused::Other),
            }
        },
    )
}

/// A message that matches; the named groups become `T`. What does not become a `T` goes on to the routes below.
///
/// ```
/// # use trunkline_bot::{Regex, routes::pattern};
/// #[derive(serde::Deserialize)]
/// struct Order { number: u32 }
/// let route = pattern::<Order>(Regex::new(r"^order (?<number>\d+)$").unwrap());
/// ```
pub fn pattern<T: DeserializeOwned + 'static>(regex: Regex) -> Listen<Matched<T>> {
    let shape = Shape::Pattern(regex.as_str().to_owned());
    let looks = regex.clone();
    of_activity(
        shape,
        move |activity| is_message(activity) && found::<T>(&looks, &activity.text_without_bot()).is_some(),
        move |activity| {
            let found = found::<T>(&regex, &activity.text_without_bot());
            match found {
                Some(found) => Ok(Matched {
                    found,
                    message: Message::new(activity),
                }),
                None => Err(Refused::Other),
            }
        },
    )
}

/// A message was edited.
pub fn edited() -> Listen<Edited> {
    of_activity(
        Shape::Kind("edited"),
        |activity| activity.is("messageUpdate") && !activity.is_event("undeleteMessage"),
        |activity| {
            Ok(Edited {
                message: Message::new(activity),
            })
        },
    )
}

/// A deleted message was brought back.
pub fn undeleted() -> Listen<Edited> {
    of_activity(
        Shape::Kind("undeleted"),
        |activity| activity.is("messageUpdate") && activity.is_event("undeleteMessage"),
        |activity| {
            Ok(Edited {
                message: Message::new(activity),
            })
        },
    )
}

fn same_without_case(text: &str, lower: &str) -> bool {
    text.eq_ignore_ascii_case(lower) || (!text.is_ascii() && text.to_lowercase() == lower)
}

/// What follows the command; `None` if the text is not that command.
fn after_command<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    same_without_case(&text[..end], word).then(|| text[end..].trim())
}

/// A group is text; whether `T` wants a number there only `T` knows, so texts are offered first and JSON values second.
fn found<T: DeserializeOwned>(regex: &Regex, text: &str) -> Option<T> {
    let captures = regex.captures(text)?;
    let groups = |read: fn(&str) -> Value| -> Value {
        let names = regex.capture_names().flatten();
        let members = names.filter_map(|name| Some((name.to_owned(), read(captures.name(name)?.as_str()))));
        Value::Object(members.collect::<Map<_, _>>())
    };
    let of_texts = serde_json::from_value(groups(|text| Value::from(text))).ok();
    of_texts.or_else(|| serde_json::from_value(groups(json_or_text)).ok())
}

fn json_or_text(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::from(text),
    }
}

//! Reads the activity that a bot sends, and refuses what Teams refuses.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::world::chat::Content;

/// Citations that one message may carry.
const MOST_CITATIONS: usize = 20;

/// Reads a body that must be a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::BadSyntax("The body is not a JSON object"))
}

/// What the activity shows. Members that are null count as absent.
pub(crate) fn content(activity: &Map<String, Value>) -> Result<Content, Refusal> {
    let text = |member: &str| activity.get(member).and_then(Value::as_str).map(str::to_owned);
    let content = Content {
        text: text("text").unwrap_or_default(),
        text_format: text("textFormat"),
        attachments: list(activity, "attachments")?,
        attachment_layout: text("attachmentLayout"),
        entities: list(activity, "entities")?,
        suggested_actions: activity
            .get("suggestedActions")
            .filter(|value| !value.is_null())
            .cloned(),
    };
    check_entities(&content.entities)?;
    check_attachments(&content.attachments)?;
    Ok(content)
}

/// A message must show something.
pub(crate) fn message(activity: &Map<String, Value>) -> Result<Content, Refusal> {
    let content = content(activity)?;
    if content.text.is_empty() && content.attachments.is_empty() {
        let reason = "Activity must include non empty 'text' field or at least 1 attachment";
        return Err(Refusal::BadSyntax(reason));
    }
    Ok(content)
}

fn list(activity: &Map<String, Value>, member: &str) -> Result<Vec<Value>, Refusal> {
    match activity.get(member) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(_) => Err(Refusal::BadArgument(format!("{member} is not an array"))),
    }
}

fn check_entities(entities: &[Value]) -> Result<(), Refusal> {
    let mut roots = 0;
    for entity in entities {
        if entity.get("type").and_then(Value::as_str) == Some("https://schema.org/Message") {
            roots += 1;
            let citations = entity.get("citation").and_then(Value::as_array).map_or(0, Vec::len);
            if citations > MOST_CITATIONS {
                return Err(Refusal::BadArgument(format!(
                    "{citations} citations are more than {MOST_CITATIONS}"
                )));
            }
        }
    }
    if roots > 1 {
        Err(Refusal::BadArgument("more than one root message entity".to_owned()))
    } else {
        Ok(())
    }
}

fn check_attachments(attachments: &[Value]) -> Result<(), Refusal> {
    for attachment in attachments {
        if attachment.get("contentType").and_then(Value::as_str).is_none() {
            return Err(Refusal::MissingProperty("contentType is required in an attachment"));
        }
        // Recorded: an OAuth card with a null member is refused.
        let content = attachment.get("content");
        if content
            .and_then(|content| content.get("tokenExchangeResource"))
            .is_some_and(Value::is_null)
        {
            return Err(Refusal::BadArgument("tokenExchangeResource is null".to_owned()));
        }
    }
    Ok(())
}

//! What people see: the messages of the bot, and a transcript of everything.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::Value;

use crate::address::SentRef;
use crate::logic::MessageRef;

/// A message of the bot.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) sent: Option<SentRef>,
    pub(super) id: String,
    pub(super) activity: Value,
    pub(super) is_deleted: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    pub(super) messages: Vec<Shown>,
    transcript: String,
}

impl Screen {
    pub(super) fn line(&mut self, line: &str) {
        self.transcript.push_str(line);
        self.transcript.push('\n');
    }

    pub(super) fn transcript(&self) -> &str {
        &self.transcript
    }

    pub(super) fn find(&mut self, message: &MessageRef) -> &mut Shown {
        let found = self.messages.iter_mut().find(|shown| match message {
            MessageRef::Sent(sent) => shown.sent == Some(*sent),
            MessageRef::Id(id) => shown.id == *id,
        });
        found.unwrap_or_else(|| panic!("the bot updates or deletes {message:?}, which it has not sent here"))
    }

    /// The newest card on the screen that has an action of this kind and verb.
    pub(super) fn card_with(&self, kind: &str, verb: &str) -> Option<&Shown> {
        let has_it =
            |shown: &&Shown| !shown.is_deleted && actions(&shown.activity).any(|one| is_action(one, kind, verb));
        self.messages.iter().rev().find(has_it)
    }

    /// Verbs of the buttons on the screen, for messages of failure.
    pub(super) fn buttons(&self) -> Vec<String> {
        let on_screen = self.messages.iter().filter(|shown| !shown.is_deleted);
        let actions = on_screen.flat_map(|shown| actions(&shown.activity));
        actions
            .filter_map(|action| verb_of(action).map(str::to_owned))
            .collect()
    }
}

fn is_action(action: &Value, kind: &str, verb: &str) -> bool {
    action["type"] == kind && verb_of(action) == Some(verb)
}

pub(super) fn verb_of(action: &Value) -> Option<&str> {
    action["verb"].as_str().or_else(|| action["data"]["verb"].as_str())
}

/// Every action of every card of a message, wherever it stands.
fn actions(activity: &Value) -> impl Iterator<Item = &Value> {
    let mut open = vec![&activity["attachments"]];
    let mut found = Vec::new();
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if value["type"].as_str().is_some_and(|kind| kind.starts_with("Action.")) {
                    found.push(value);
                }
                open.extend(members.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    found.into_iter()
}

pub(super) fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("the bot sends what is not JSON: {error}"))
}

/// A message in one line.
pub(super) fn described(activity: &Value) -> String {
    let mut line = activity["text"].as_str().unwrap_or_default().replace('\n', " / ");
    for attachment in activity["attachments"].as_array().into_iter().flatten() {
        let separator = if line.is_empty() { "" } else { " " };
        if attachment["contentType"] == trunkline_teams::attachment::ADAPTIVE_CARD {
            let _ = write!(line, "{separator}{}", described_card(&attachment["content"]));
        } else {
            let name = attachment["name"]
                .as_str()
                .or_else(|| attachment["contentType"].as_str());
            let _ = write!(line, "{separator}[{}]", name.unwrap_or("attachment"));
        }
    }
    for action in activity["suggestedActions"]["actions"].as_array().into_iter().flatten() {
        let _ = write!(line, " ({})", action["title"].as_str().unwrap_or_default());
    }
    line
}

/// A card in one line: texts, facts, inputs, buttons.
pub(super) fn described_card(card: &Value) -> String {
    let mut parts = Vec::new();
    collect(card, &mut parts);
    format!("[{}]", parts.join(" | "))
}

fn collect(element: &Value, parts: &mut Vec<String>) {
    let text = |name: &str| element[name].as_str().unwrap_or_default();
    match text("type") {
        "TextBlock" => parts.push(text("text").to_owned()),
        "Image" => parts.push(format!("image: {}", text("altText"))),
        kind if kind.starts_with("Input.") => parts.push(format!("{}: ____", text("id"))),
        kind if kind.starts_with("Action.") => parts.push(format!("({})", text("title"))),
        _ => {}
    }
    for fact in element["facts"].as_array().into_iter().flatten() {
        let side = |name: &str| fact[name].as_str().unwrap_or_default().to_owned();
        parts.push(format!("{}: {}", side("title"), side("value")));
    }
    for name in ["body", "items", "columns", "actions"] {
        element[name]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|child| collect(child, parts));
    }
}

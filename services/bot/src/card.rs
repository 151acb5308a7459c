//! Adaptive Cards: typed for what most cards use, JSON for everything else.

mod column;
mod input;
mod reply;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use column::Column;
pub use input::CardInput;
pub use reply::CardReply;
pub(crate) use reply::{answer, fault, late_card};

use crate::address::Person;
use crate::draft::Text;
use crate::signal::Verb;

/// An Adaptive Card of schema 1.5, the newest that Teams shows everywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Card(Map<String, Value>);

impl Default for Card {
    /// A card without a title.
    fn default() -> Self {
        let mut members = Map::new();
        members.insert("type".into(), "AdaptiveCard".into());
        members.insert("version".into(), "1.5".into());
        members.insert("body".into(), Value::Array(Vec::new()));
        Self(members)
    }
}

impl Card {
    /// A card with a title.
    pub fn new(title: impl Into<Text>) -> Self {
        Self::default().block(title.into(), &[("size", "large"), ("weight", "bolder")])
    }

    /// Any card as JSON. What is no object becomes an empty card.
    pub fn raw(card: Value) -> Self {
        match card {
            Value::Object(members) => Self(members),
            _ => Self::default(),
        }
    }

    /// The card as JSON.
    pub fn json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A paragraph. Strings are markdown, [`crate::plain`] escapes, mentions are notified.
    #[must_use]
    pub fn text(self, text: impl Into<Text>) -> Self {
        self.block(text.into(), &[])
    }

    /// A heading inside the card.
    #[must_use]
    pub fn heading(self, text: impl Into<Text>) -> Self {
        self.block(text.into(), &[("weight", "bolder")])
    }

    /// A line of small print.
    #[must_use]
    pub fn note(self, text: impl Into<Text>) -> Self {
        self.block(text.into(), &[("size", "small"), ("isSubtle", "true")])
    }

    /// A name and its value; facts in a row stand in one table. What a person typed goes through [`crate::plain`].
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Text>) -> Self {
        let (value, _) = value.into().into_markdown();
        let fact = json!({ "title": name, "value": value });
        match self.last_facts() {
            Some(facts) => {
                facts.push(fact);
                self
            }
            None => self.item(json!({ "type": "FactSet", "facts": [fact] })),
        }
    }

    /// A picture by its https address, with a text for those who cannot see it.
    #[must_use]
    pub fn image(self, url: &str, description: &str) -> Self {
        self.item(json!({ "type": "Image", "url": url, "altText": description }))
    }

    /// Columns side by side.
    #[must_use]
    pub fn columns<const N: usize>(self, columns: [Column; N]) -> Self {
        let columns: Vec<Value> = columns.into_iter().map(Column::into_json).collect();
        self.item(json!({ "type": "ColumnSet", "columns": columns }))
    }

    /// Something to fill in; comes back under its id with the button that is pressed.
    #[must_use]
    pub fn input(self, input: CardInput) -> Self {
        self.item(input.into_json())
    }

    /// Any element as JSON.
    #[must_use]
    pub fn item(self, element: Value) -> Self {
        self.push("body", element)
    }

    /// A button that comes to [`crate::routes::verb`] and is answered in place.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn button<V: Verb>(self, title: &str, action: V) -> Self {
        let action = execute(Some(title), &action);
        self.action(action)
    }

    /// A button that comes to [`crate::routes::submit`] as a message.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn submit<V: Verb>(self, title: &str, action: V) -> Self {
        let action = json!({ "type": "Action.Submit", "title": title, "data": action_members(&action) });
        self.action(action)
    }

    /// A button that opens a page.
    #[must_use]
    pub fn open(self, title: &str, url: &str) -> Self {
        self.action(json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
    }

    /// Any action as JSON.
    #[must_use]
    pub fn action(self, action: Value) -> Self {
        self.push("actions", action)
    }

    /// The client asks for the card anew by this action when one of these people sees it: [`crate::routes::refresh`].
    /// At most 60 people; none means only from the card's menu.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn refresh<V: Verb>(mut self, action: V, people: &[&Person]) -> Self {
        let people: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
        self.0.insert(
            "refresh".into(),
            json!({ "action": execute(None, &action), "userIds": people }),
        );
        self
    }

    /// Lets the card take the whole width of the chat.
    #[must_use]
    pub fn full_width(mut self) -> Self {
        self.teams_member("width", "Full".into());
        self
    }

    fn block(mut self, text: Text, style: &[(&str, &str)]) -> Self {
        let (markdown, mentions) = text.into_markdown();
        for mention in mentions {
            let entity = json!({
                "type": "mention", "text": mention.text,
                "mentioned": { "id": mention.person.id, "name": mention.person.display_name() },
            });
            self.mention(entity);
        }
        self.item(text_block(&markdown, style))
    }

    fn mention(&mut self, entity: Value) {
        let mut entities = match self.0.get_mut("msteams").and_then(|teams| teams.get_mut("entities")) {
            Some(Value::Array(entities)) => std::mem::take(entities),
            _ => Vec::new(),
        };
        entities.push(entity);
        self.teams_member("entities", Value::Array(entities));
    }

    fn teams_member(&mut self, name: &str, value: Value) {
        let teams = self.0.entry("msteams").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(members) = teams {
            members.insert(name.to_owned(), value);
        }
    }

    /// Adds to a list of the card, which a raw card may have left out.
    fn push(mut self, list: &str, element: Value) -> Self {
        match self.0.entry(list).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(elements) => elements.push(element),
            other => *other = Value::Array(vec![element]),
        }
        self
    }

    fn last_facts(&mut self) -> Option<&mut Vec<Value>> {
        let last = self.0.get_mut("body")?.as_array_mut()?.last_mut()?;
        let facts = (last["type"] == "FactSet").then(|| &mut last["facts"])?;
        facts.as_array_mut()
    }
}

fn text_block(markdown: &str, style: &[(&str, &str)]) -> Value {
    let mut block = json!({ "type": "TextBlock", "text": markdown, "wrap": true });
    for (name, value) in style {
        block[*name] = if *value == "true" {
            Value::Bool(true)
        } else {
            json!(value)
        };
    }
    block
}

fn execute<V: Verb>(title: Option<&str>, action: &V) -> Value {
    let mut button = json!({ "type": "Action.Execute", "verb": V::VERB });
    if let Some(title) = title {
        button["title"] = json!(title);
    }
    let members = members(action);
    if !members.is_empty() {
        button["data"] = Value::Object(members);
    }
    button
}

/// The members of an action with its verb beside them: the wire form of a submit has no place for a verb.
fn action_members<V: Verb>(action: &V) -> Value {
    let mut members = members(action);
    members.insert("verb".into(), V::VERB.into());
    Value::Object(members)
}

/// A verb without members serialises as null; inputs need an object to come back in.
fn members<V: Verb>(action: &V) -> Map<String, Value> {
    match serde_json::to_value(action) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

//! What a person can fill in on a card.

use serde_json::{Map, Value, json};

/// Something to fill in. Its id is the name of the member in which it comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct CardInput(Map<String, Value>);

impl CardInput {
    /// A line of text.
    pub fn text(id: &str) -> Self {
        Self::of("Input.Text", id)
    }

    /// A number; comes back as text.
    pub fn number(id: &str) -> Self {
        Self::of("Input.Number", id)
    }

    /// A day; comes back as `YYYY-MM-DD`.
    pub fn date(id: &str) -> Self {
        Self::of("Input.Date", id)
    }

    /// A time of day; comes back as `HH:MM`.
    pub fn time(id: &str) -> Self {
        Self::of("Input.Time", id)
    }

    /// Yes or no; comes back as the text `true` or `false`.
    pub fn toggle(id: &str, title: &str) -> Self {
        Self::of("Input.Toggle", id).with("title", json!(title))
    }

    /// One of several: pairs of what is shown and what comes back.
    pub fn choice(id: &str, choices: &[(&str, &str)]) -> Self {
        let choices: Vec<Value> = choices
            .iter()
            .map(|(title, value)| json!({ "title": title, "value": value }))
            .collect();
        Self::of("Input.ChoiceSet", id).with("choices", Value::Array(choices))
    }

    /// Several of a [`CardInput::choice`]; they come back joined by commas.
    #[must_use]
    pub fn several(self) -> Self {
        self.with("isMultiSelect", json!(true))
    }

    /// Several lines of a [`CardInput::text`].
    #[must_use]
    pub fn multiline(self) -> Self {
        self.with("isMultiline", json!(true))
    }

    /// Shown above it.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        self.with("label", json!(label))
    }

    /// Shown while it is empty.
    #[must_use]
    pub fn placeholder(self, text: &str) -> Self {
        self.with("placeholder", json!(text))
    }

    /// What stands in it at first.
    #[must_use]
    pub fn value(self, value: &str) -> Self {
        self.with("value", json!(value))
    }

    /// The client does not send the card while it is empty and shows this text instead.
    #[must_use]
    pub fn required(self, otherwise: &str) -> Self {
        self.with("isRequired", json!(true))
            .with("errorMessage", json!(otherwise))
    }

    fn of(kind: &str, id: &str) -> Self {
        let mut members = Map::new();
        members.insert("type".into(), kind.into());
        members.insert("id".into(), id.into());
        Self(members)
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn into_json(self) -> Value {
        Value::Object(self.0)
    }
}

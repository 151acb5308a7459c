//! Columns of a card.

use serde_json::{Value, json};

use super::{Card, text_block};
use crate::draft::Text;

/// One column of [`Card::columns`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    width: &'static str,
    items: Vec<Value>,
}

impl Column {
    /// As wide as its content.
    pub fn auto() -> Self {
        Self {
            width: "auto",
            items: Vec::new(),
        }
    }

    /// As wide as there is room.
    pub fn stretch() -> Self {
        Self {
            width: "stretch",
            items: Vec::new(),
        }
    }

    /// A paragraph.
    #[must_use]
    pub fn text(self, text: impl Into<Text>) -> Self {
        let (markdown, _) = text.into().into_markdown();
        self.item(text_block(&markdown, &[]))
    }

    /// A picture by its https address, with a text for those who cannot see it.
    #[must_use]
    pub fn image(self, url: &str, description: &str) -> Self {
        self.item(json!({ "type": "Image", "url": url, "altText": description, "size": "small" }))
    }

    /// Any element as JSON.
    #[must_use]
    pub fn item(mut self, element: Value) -> Self {
        self.items.push(element);
        self
    }

    pub(super) fn into_json(self) -> Value {
        json!({ "type": "Column", "width": self.width, "items": self.items })
    }
}

impl From<Card> for Column {
    /// A column that holds what stands in a card.
    fn from(card: Card) -> Self {
        let items = match card.0.get("body") {
            Some(Value::Array(items)) => items.clone(),
            _ => Vec::new(),
        };
        Self {
            width: "stretch",
            items,
        }
    }
}

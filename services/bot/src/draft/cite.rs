//! Sources of a generated text.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A source, shown when a person hovers over `[1]` in the text. Teams platform, "Bot messages with AI-generated content".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Citation {
    name: String,
    excerpt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
}

impl Citation {
    /// A source by its title (at most 80 characters) and an excerpt (at most 160).
    pub fn new(name: impl Into<String>, excerpt: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            excerpt: excerpt.into(),
            url: None,
            keywords: Vec::new(),
        }
    }

    /// Where to read it.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A word shown with it; at most 3 of at most 28 characters.
    #[must_use]
    pub fn keyword(mut self, keyword: impl Into<String>) -> Self {
        self.keywords.push(keyword.into());
        self
    }

    /// The claim of schema.org that Teams reads; `position` counts from 1.
    pub(super) fn claim(&self, position: usize) -> Value {
        let mut appearance = json!({ "@type": "DigitalDocument", "name": self.name, "abstract": self.excerpt });
        if let Some(url) = &self.url {
            appearance["url"] = json!(url);
        }
        if !self.keywords.is_empty() {
            appearance["keywords"] = json!(self.keywords);
        }
        json!({ "@type": "Claim", "position": position, "appearance": appearance })
    }

    /// Which limit it breaks.
    pub(super) fn broken_limit(&self) -> Option<&'static str> {
        let characters = |text: &str| text.chars().count();
        if characters(&self.name) > 80 {
            Some("a citation's name has at most 80 characters")
        } else if characters(&self.excerpt) > 160 {
            Some("a citation's excerpt has at most 160 characters")
        } else if self.keywords.len() > 3 || self.keywords.iter().any(|word| characters(word) > 28) {
            Some("a citation has at most 3 keywords of 28 characters")
        } else {
            None
        }
    }
}

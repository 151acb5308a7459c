//! Text for people: markdown, plain pieces that markdown must not touch, mentions.

use serde::{Deserialize, Serialize};

use crate::address::Person;

/// Text with mentions. Strings are markdown; what a person typed or a system returned goes through [`plain`].
///
/// As long as every piece is plain the text is sent as plain text, unchanged. The first piece of markdown or the first mention
/// turns it into markdown and escapes what was plain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Text {
    body: String,
    is_markdown: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<Mention>,
}

/// Somebody named in a text, and the piece of text that names them: Teams ignores a mention whose text it does not find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mention {
    pub(crate) person: Person,
    pub(crate) text: String,
}

/// Text that is shown exactly as it is: markdown and markup in it have no effect.
pub fn plain(text: &str) -> Text {
    Text {
        body: text.to_owned(),
        ..Text::default()
    }
}

impl Text {
    pub(super) const EMPTY: Self = Self {
        body: String::new(),
        is_markdown: false,
        mentions: Vec::new(),
    };

    /// Adds text that is shown exactly as it is.
    #[must_use]
    pub fn plain(mut self, text: &str) -> Self {
        if self.is_markdown {
            escape_into(&mut self.body, text);
        } else {
            self.body.push_str(text);
        }
        self
    }

    /// Adds markdown.
    #[must_use]
    pub fn markdown(mut self, markdown: &str) -> Self {
        self.become_markdown();
        self.body.push_str(markdown);
        self
    }

    /// Adds a mention: Teams shows the name highlighted and notifies the person.
    #[must_use]
    pub fn mention(mut self, person: &Person) -> Self {
        self.become_markdown();
        let mut text = String::from("<at>");
        push_markup_escaped(&mut text, person.display_name());
        text.push_str("</at>");
        self.body.push_str(&text);
        self.mentions.push(Mention {
            person: person.clone(),
            text,
        });
        self
    }

    /// The text as it is sent.
    pub fn as_str(&self) -> &str {
        &self.body
    }

    /// Nothing to show.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(crate) fn mentions(&self) -> &[Mention] {
        &self.mentions
    }

    pub(crate) fn format(&self) -> &'static str {
        if self.is_markdown { "markdown" } else { "plain" }
    }

    /// The text for a place that reads markdown whatever we say, such as a card.
    pub(crate) fn into_markdown(mut self) -> (String, Vec<Mention>) {
        self.become_markdown();
        (self.body, self.mentions)
    }

    fn become_markdown(&mut self) {
        if !self.is_markdown {
            self.is_markdown = true;
            if !self.body.is_empty() {
                let plain = std::mem::take(&mut self.body);
                escape_into(&mut self.body, &plain);
            }
        }
    }
}

impl From<&str> for Text {
    fn from(markdown: &str) -> Self {
        Self::from(markdown.to_owned())
    }
}

impl From<String> for Text {
    fn from(markdown: String) -> Self {
        Self {
            body: markdown,
            is_markdown: true,
            mentions: Vec::new(),
        }
    }
}

impl From<&String> for Text {
    fn from(markdown: &String) -> Self {
        Self::from(markdown.clone())
    }
}

/// Escapes only what the markdown of Teams would read: text full of backslashes is shown with them by some clients.
fn escape_into(out: &mut String, text: &str) {
    let mut at_line_start = out.is_empty() || out.ends_with('\n');
    let mut only_digits_so_far = at_line_start;
    let mut had_digit = false;
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' => out.push('\\'),
            '#' | '+' | '-' | '>' if at_line_start => out.push('\\'),
            '.' | ')' if only_digits_so_far && had_digit => out.push('\\'),
            _ => {}
        }
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(character),
        }
        had_digit = character.is_ascii_digit();
        only_digits_so_far = character == '\n' || (only_digits_so_far && (had_digit || character == ' '));
        at_line_start = character == '\n' || (at_line_start && character == ' ');
    }
}

fn push_markup_escaped(out: &mut String, name: &str) {
    for character in name.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_alone_is_sent_unchanged() {
        let text = plain("1. *not bold* <b>");
        assert_eq!((text.as_str(), text.format()), ("1. *not bold* <b>", "plain"));
    }

    #[test]
    fn markdown_after_plain_text_escapes_the_plain_part() {
        let text = plain("2. a*b").markdown(" **bold**");
        assert_eq!((text.as_str(), text.format()), ("2\\. a\\*b **bold**", "markdown"));
    }

    #[test]
    fn a_mention_writes_the_text_and_the_entity_together() {
        let text = Text::default().plain("Hi ").mention(&Person::new("29:1", "Grady & Co"));
        assert_eq!(text.as_str(), "Hi <at>Grady &amp; Co</at>");
        assert_eq!(text.mentions()[0].text, "<at>Grady &amp; Co</at>");
    }

    proptest! {
        #[test]
        fn no_markup_of_a_plain_piece_survives_in_markdown(typed in "[a-z<&*_ \\n]{0,40}") {
            let (markdown, _) = plain(&typed).into_markdown();
            prop_assert!(!markdown.contains('<'));
            let undone = markdown.replace('\\', "").replace("&lt;", "<").replace("&amp;", "&");
            prop_assert_eq!(undone, typed);
        }
    }
}

//! What a route takes, as a value: enough to tell that one route leaves nothing for another.

use std::fmt;

/// What a route takes, conditions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every activity.
    Any,
    /// Every message.
    Message,
    /// Messages equal to this, in lower case.
    Text(String),
    /// Messages that begin with this word, in lower case.
    Command(String),
    /// Messages that match this pattern.
    Pattern(String),
    /// Submits of this verb, which are messages.
    Submit(&'static str),
    /// Buttons of this verb.
    Verb(&'static str),
    /// Refreshes by this verb.
    Refresh(&'static str),
    /// Another kind of activity; the name of its route.
    Kind(&'static str),
    /// Signals of this name.
    Signal(&'static str),
    /// Ids of sends.
    Sent,
    /// The end of one kind of operation on a call; the name of its route.
    Operation(&'static str),
    /// The end of any operation on a call.
    Operations,
    /// Keys that were gathered in a call.
    Gathered,
    /// Messages while a dialog is open; the dialog's type.
    Dialog(&'static str),
}

impl Shape {
    /// Whether nothing that `other` takes is left when this one took its part.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            // A second dialog may have a slot of its own: its type does not tell.
            (Self::Dialog(_), Self::Dialog(_)) | (Self::Any, Self::Signal(_) | Self::Sent | Self::Gathered) => false,
            (Self::Any, _)
            | (Self::Operations, Self::Operations | Self::Operation(_))
            | (
                Self::Message,
                Self::Message | Self::Text(_) | Self::Command(_) | Self::Pattern(_) | Self::Submit(_) | Self::Dialog(_),
            ) => true,
            // A refresh from the card's menu is told from a press by nothing.
            (Self::Refresh(mine), Self::Verb(verb)) => mine == verb,
            (Self::Command(word), Self::Text(text) | Self::Command(text)) => is_command(text, word),
            (mine, others) => mine == others,
        }
    }
}

/// Whether a text, in lower case, is this command.
fn is_command(text: &str, word: &str) -> bool {
    text.strip_prefix(word)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("any()"),
            Self::Message => out.write_str("message()"),
            Self::Text(text) => write!(out, "text({text:?})"),
            Self::Command(word) => write!(out, "command({word:?})"),
            Self::Pattern(pattern) => write!(out, "pattern({pattern:?})"),
            Self::Submit(verb) => write!(out, "submit({verb:?})"),
            Self::Verb(verb) => write!(out, "verb({verb:?})"),
            Self::Refresh(verb) => write!(out, "refresh({verb:?})"),
            Self::Kind(name) | Self::Operation(name) => write!(out, "{name}()"),
            Self::Signal(name) => write!(out, "signal({name:?})"),
            Self::Sent => out.write_str("sent()"),
            Self::Operations => out.write_str("operation_ended()"),
            Self::Gathered => out.write_str("gathered()"),
            Self::Dialog(name) => write!(out, "dialog {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Shape {
        Shape::Text(text.into())
    }

    #[test]
    fn message_leaves_nothing_for_words_submits_and_dialogs() {
        for below in [
            text("hi"),
            Shape::Command("book".into()),
            Shape::Submit("vote"),
            Shape::Dialog("Booking"),
        ] {
            assert!(Shape::Message.covers(&below), "{below}");
            assert!(!below.covers(&Shape::Message), "{below}");
        }
        assert!(!Shape::Message.covers(&Shape::Verb("vote")));
    }

    #[test]
    fn a_command_takes_the_texts_that_begin_with_it() {
        let book = Shape::Command("book".into());
        assert!(book.covers(&text("book a room")));
        assert!(!book.covers(&text("bookshop")));
    }

    #[test]
    fn a_refresh_takes_the_presses_of_its_verb_but_not_the_reverse() {
        assert!(Shape::Refresh("vote").covers(&Shape::Verb("vote")));
        assert!(!Shape::Verb("vote").covers(&Shape::Refresh("vote")));
    }

    #[test]
    fn any_takes_activities_but_no_signals() {
        assert!(Shape::Any.covers(&Shape::Kind("reaction")));
        assert!(!Shape::Any.covers(&Shape::Signal("good-night")));
    }
}

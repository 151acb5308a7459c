//! What people write.

use std::borrow::Cow;

use trunkline_teams::activity::Activity;
use trunkline_teams::attachment::Attachment;

use super::person_of;
use crate::address::{ActivityId, Person};

/// A message of a person.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Message {
    activity: Box<Activity>,
    /// The text where it is not that of the activity.
    text: Option<String>,
}

impl Message {
    pub(crate) fn new(activity: Box<Activity>) -> Self {
        let whole = activity.text.as_deref().unwrap_or_default();
        let text = match activity.text_without_bot() {
            Cow::Borrowed(text) if text.len() == whole.len() => None,
            other => Some(other.into_owned()),
        };
        Self { activity, text }
    }

    pub(crate) fn with_text(activity: Box<Activity>, text: String) -> Self {
        Self {
            activity,
            text: Some(text),
        }
    }

    /// What the person wrote: without the mention of the bot, trimmed; after a command, the rest of it. Empty for a message
    /// that is only a picture, a file or a card's submit.
    pub fn text(&self) -> &str {
        self.text
            .as_deref()
            .or(self.activity.text.as_deref())
            .unwrap_or_default()
    }

    /// Who wrote it.
    pub fn person(&self) -> Person {
        person_of(&self.activity)
    }

    /// Everybody mentioned in it, the bot apart.
    pub fn mentioned(&self) -> impl Iterator<Item = Person> {
        let bot = self
            .activity
            .recipient
            .as_ref()
            .and_then(|recipient| recipient.id.as_deref());
        let accounts = self
            .activity
            .mentions()
            .filter_map(|mention| mention.mentioned.as_ref());
        accounts
            .filter(move |account| account.id.as_deref() != bot)
            .map(Person::from)
    }

    /// Files and pictures. The rendered form of the text, which Teams adds, is left out.
    pub fn attachments(&self) -> impl Iterator<Item = &Attachment> {
        self.activity
            .attachments
            .iter()
            .filter(|attachment| !attachment.is(trunkline_teams::attachment::HTML))
    }

    /// The id that Teams gave it.
    pub fn id(&self) -> Option<ActivityId> {
        self.activity.id.clone().map(ActivityId)
    }

    /// All that Teams sent.
    pub fn activity(&self) -> &Activity {
        &self.activity
    }
}

/// A message that matched a pattern.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Matched<T> {
    /// The pattern's named groups.
    pub found: T,
    /// The whole message.
    pub message: Message,
}

/// A message that was edited, or deleted and brought back; its id is that of the first version.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Edited {
    /// As it reads now.
    pub message: Message,
}

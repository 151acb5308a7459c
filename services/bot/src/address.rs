//! Where a message or a signal goes, who is there, and how a sent message is named. Storable for years.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use trunkline_teams::activity::ChannelAccount;

use crate::call::CallKey;

/// Somewhere a bot can speak.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
#[non_exhaustive]
pub enum Address {
    /// A conversation that exists.
    #[serde(rename_all = "camelCase")]
    Conversation {
        /// Entra tenant id.
        tenant: String,
        /// Base of the Connector that serves it.
        service_url: String,
        /// Conversation id as Teams writes it, thread suffix included.
        conversation: String,
    },
    /// A person: their one-to-one chat is created when it is first sent to.
    #[serde(rename_all = "camelCase")]
    Person {
        /// Entra tenant id.
        tenant: String,
        /// Base of the Connector that serves the tenant.
        service_url: String,
        /// The person as this bot knows them (`29:..`).
        person: String,
    },
    /// A channel: each send begins a thread.
    #[serde(rename_all = "camelCase")]
    Channel {
        /// Entra tenant id.
        tenant: String,
        /// Base of the Connector that serves it.
        service_url: String,
        /// Channel id (`19:..@thread.tacv2`).
        channel: String,
    },
    /// A call of this bot: signals can be sent to it, messages cannot.
    #[serde(rename_all = "camelCase")]
    Call {
        /// Entra tenant id.
        tenant: String,
        /// Base of the Connector that serves the tenant, for messages that the call's handlers send; may be empty.
        service_url: String,
        /// Key of the call.
        call: String,
    },
}

impl Address {
    /// The tenant that the address is in.
    pub fn tenant(&self) -> &str {
        match self {
            Self::Conversation { tenant, .. }
            | Self::Person { tenant, .. }
            | Self::Channel { tenant, .. }
            | Self::Call { tenant, .. } => tenant,
        }
    }

    /// The one-to-one chat with a person that this bot met here.
    #[must_use]
    pub fn person(&self, person: &Person) -> Self {
        Self::Person {
            tenant: self.tenant().to_owned(),
            service_url: self.service_url().to_owned(),
            person: person.id.clone(),
        }
    }

    /// A channel of the same tenant: each send begins a thread.
    #[must_use]
    pub fn channel(&self, channel: impl Into<String>) -> Self {
        Self::Channel {
            tenant: self.tenant().to_owned(),
            service_url: self.service_url().to_owned(),
            channel: channel.into(),
        }
    }

    /// A call that the bot began in this tenant: signals can be sent to it.
    #[must_use]
    pub fn call(&self, key: &CallKey) -> Self {
        Self::Call {
            tenant: self.tenant().to_owned(),
            service_url: self.service_url().to_owned(),
            call: key.as_str().to_owned(),
        }
    }

    /// Base of the Connector that serves the address.
    pub fn service_url(&self) -> &str {
        match self {
            Self::Conversation { service_url, .. }
            | Self::Person { service_url, .. }
            | Self::Channel { service_url, .. }
            | Self::Call { service_url, .. } => service_url,
        }
    }
}

/// A send of a committed turn: usable before Teams has given it an id, and as long as the worker remembers the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SentRef(pub u64);

/// The id that Teams gave a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActivityId(pub String);

impl ActivityId {
    /// As Teams writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActivityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Somebody whom a bot met: a person, or a bot (itself, say).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Person {
    /// The id that Teams uses towards this bot (`29:..`); another bot knows the same person by another id.
    pub id: String,
    /// Display name. Teams leaves it out of everything but messages and invokes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Object id in Microsoft Entra; absent for anonymous users and bots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aad_object_id: Option<String>,
}

impl Person {
    /// A person by id and display name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: Some(name.into()),
            aad_object_id: None,
        }
    }

    /// The display name, else the id.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

impl From<&ChannelAccount> for Person {
    fn from(account: &ChannelAccount) -> Self {
        Self {
            id: account.id.clone().unwrap_or_default(),
            name: account.name.clone(),
            aad_object_id: account.aad_object_id.clone(),
        }
    }
}

/// A person's language.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Locale(Cow<'static, str>);

impl Locale {
    /// English, for conversations of which no language is known.
    pub const ENGLISH: Self = Self(Cow::Borrowed("en"));

    /// From a BCP 47 tag, as Teams sends it.
    pub fn new(tag: impl Into<String>) -> Self {
        Self(Cow::Owned(tag.into()))
    }

    /// The whole tag: `pt-BR`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language alone: `pt`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_that_a_release_stored_can_still_be_read() {
        let here = Address::Conversation {
            tenant: "t".to_owned(),
            service_url: "https://example.org/".to_owned(),
            conversation: "a:1".to_owned(),
        };
        let stored = [
            (
                r#"{"kind":"conversation","tenant":"t","serviceUrl":"https://example.org/","conversation":"a:1"}"#,
                here.clone(),
            ),
            (
                r#"{"kind":"person","tenant":"t","serviceUrl":"https://example.org/","person":"29:1"}"#,
                here.person(&Person::new("29:1", "Ada")),
            ),
            (
                r#"{"kind":"channel","tenant":"t","serviceUrl":"https://example.org/","channel":"19:x"}"#,
                here.channel("19:x"),
            ),
            (
                r#"{"kind":"call","tenant":"t","serviceUrl":"https://example.org/","call":"c1"}"#,
                here.call(&CallKey::new("c1")),
            ),
        ];
        for (json, address) in stored {
            assert_eq!(serde_json::from_str::<Address>(json).unwrap(), address);
            assert_eq!(serde_json::to_string(&address).unwrap(), json);
        }
    }

    #[test]
    fn a_locale_knows_its_language() {
        assert_eq!(Locale::new("pt-BR").language(), "pt");
        assert_eq!(Locale::ENGLISH.language(), "en");
    }
}

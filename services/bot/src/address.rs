//! Where a message or a signal goes, and how a sent message is named. Storable for years.

use serde::{Deserialize, Serialize};

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
}

impl Address {
    /// The tenant that the address is in.
    pub fn tenant(&self) -> &str {
        match self {
            Self::Conversation { tenant, .. } | Self::Person { tenant, .. } | Self::Channel { tenant, .. } => tenant,
        }
    }

    /// Base of the Connector that serves the address.
    pub fn service_url(&self) -> &str {
        match self {
            Self::Conversation { service_url, .. }
            | Self::Person { service_url, .. }
            | Self::Channel { service_url, .. } => service_url,
        }
    }
}

/// A send of a committed turn: usable before Teams has given it an id, and as long as the worker remembers the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SentRef(pub u64);

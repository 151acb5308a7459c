//! From a conversation to its shard and its key in the store (design: "Keys").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

/// Shards of a new cluster. 4,096 divides the 16,384 slots of Redis Cluster evenly and leaves 40 shards a node at 100 nodes.
pub const DEFAULT_SHARDS: u32 = 4_096;

/// What kind of actor a key belongs to. Part of the hashed input, so kinds never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ActorKind {
    /// A conversation with a bot.
    Conversation = 0,
    /// What a bot remembers of one person across conversations.
    Person = 1,
    /// A call.
    Call = 2,
}

/// The names that make a key: never two tenants, and never two bots, in one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Triple {
    /// What kind of actor it is.
    pub kind: ActorKind,
    /// Name of the bot in the configuration.
    pub bot: String,
    /// Entra tenant id.
    pub tenant: String,
    /// Conversation id as Teams writes it; for a person the id of the person.
    pub conversation: String,
}

impl Triple {
    /// A conversation of `bot` in `tenant`.
    pub fn conversation(bot: impl Into<String>, tenant: impl Into<String>, conversation: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::Conversation,
            bot: bot.into(),
            tenant: tenant.into(),
            conversation: conversation.into(),
        }
    }

    /// The shard of this triple in a cluster of `shards` shards.
    pub fn shard(&self, shards: u32) -> ShardId {
        let hash = xxh3_64(&self.hashed_input());
        // The remainder of a division by a u32 fits a u32.
        #[allow(clippy::cast_possible_truncation)]
        ShardId((hash % u64::from(shards)) as u32)
    }

    /// The key of this triple in the store: 16 bytes of SHA-256, because a fast hash could be made to collide by whoever
    /// chooses conversation ids.
    pub fn key(&self) -> Key {
        let digest = Sha256::digest(self.hashed_input());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Key(key)
    }

    /// Length-prefixed parts, so that no two triples have the same input. Conversations have no kind byte: their input is
    /// what the design's formula says.
    fn hashed_input(&self) -> Vec<u8> {
        let parts = [&self.bot, &self.tenant, &self.conversation];
        let mut input = Vec::with_capacity(parts.iter().map(|part| part.len() + 2).sum::<usize>() + 1);
        if self.kind != ActorKind::Conversation {
            input.push(self.kind as u8);
        }
        for part in parts {
            // Longer parts are refused at the ingress; the length is only a separator here.
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            input.extend_from_slice(&length.to_be_bytes());
            input.extend_from_slice(part.as_bytes());
        }
        input
    }
}

/// Number of a shard, below the cluster's shard count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Name of one record within its shard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// 22 characters, safe in a key of Redis.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Key::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Reads the 16 bytes that a frame carries.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_text())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}

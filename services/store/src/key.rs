//! From a conversation to its shard and its key in the store (design: "Keys").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::xxh3_64;

/// Shards of a new cluster. 4,096 divides the 16,384 slots of Redis Cluster evenly and leaves 40 shards a node at 100 nodes.
pub const DEFAULT_SHARDS: u32 = 4_096;

/// Most shards of a cluster: one for each slot of Redis Cluster.
pub const MAX_SHARDS: u32 = 16_384;

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
    /// Entra tenant id; empty for a call, whose tenant stands in its record.
    pub tenant: String,
    /// Conversation id as Teams writes it; for a person the id of the person, for a call its key.
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

    /// A call of `bot`. Without the tenant: a notification must find its call by its address and body alone.
    pub fn call(bot: impl Into<String>, call: impl Into<String>) -> Self {
        Self {
            kind: ActorKind::Call,
            bot: bot.into(),
            tenant: String::new(),
            conversation: call.into(),
        }
    }

    /// The shard of this triple in a cluster of `shards` shards.
    pub fn shard(&self, shards: u32) -> ShardId {
        shard_of(&self.hashed_input(), shards)
    }

    /// The key of this triple in the store: 16 bytes of SHA-256, because a fast hash could be made to collide by whoever
    /// chooses conversation ids.
    pub fn key(&self) -> Key {
        key_of(&self.hashed_input())
    }

    fn hashed_input(&self) -> Vec<u8> {
        hashed_input(self.kind, [&self.bot, &self.tenant, &self.conversation])
    }
}

/// Shard and key of a conversation in a cluster of `shards` shards, for those who have its names but need no [`Triple`].
pub fn locate_conversation(bot: &str, tenant: &str, conversation: &str, shards: u32) -> (ShardId, Key) {
    let input = hashed_input(ActorKind::Conversation, [bot, tenant, conversation]);
    (shard_of(&input, shards), key_of(&input))
}

/// Shard and key of a call in a cluster of `shards` shards. `call` is the key by which our cluster knows it.
pub fn locate_call(bot: &str, call: &str, shards: u32) -> (ShardId, Key) {
    let input = hashed_input(ActorKind::Call, [bot, "", call]);
    (shard_of(&input, shards), key_of(&input))
}

fn shard_of(input: &[u8], shards: u32) -> ShardId {
    let hash = xxh3_64(input);
    // The remainder of a division by a u32 fits a u32.
    #[allow(clippy::cast_possible_truncation)]
    ShardId((hash % u64::from(shards)) as u32)
}

fn key_of(input: &[u8]) -> Key {
    let digest = Sha256::digest(input);
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    Key(key)
}

/// Length-prefixed parts, so that no two triples have the same input. Conversations have no kind byte: their input is
/// what the design's formula says.
fn hashed_input(kind: ActorKind, parts: [&str; 3]) -> Vec<u8> {
    let mut input = Vec::with_capacity(parts.iter().map(|part| part.len() + 2).sum::<usize>() + 1);
    if kind != ActorKind::Conversation {
        input.push(kind as u8);
    }
    for part in parts {
        // Longer parts are refused at the ingress; the length is only a separator here.
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(part.as_bytes());
    }
    input
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
        self.text().as_str().to_owned()
    }

    /// The text of the key, without an allocation.
    pub fn text(self) -> KeyText {
        let mut text = [0; KeyText::BYTES];
        // 16 bytes are 22 characters: the buffer is never too small.
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        debug_assert_eq!(written, Ok(KeyText::BYTES));
        KeyText(text)
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
        formatter.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({self})")
    }
}

/// Text of a key: base64 with the alphabet for URLs, without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyText([u8; Self::BYTES]);

impl KeyText {
    /// Length of the text.
    pub const BYTES: usize = 22;

    /// The text.
    pub fn as_str(&self) -> &str {
        // The alphabet is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person_of(triple: &Triple) -> Triple {
        Triple {
            kind: ActorKind::Person,
            ..triple.clone()
        }
    }

    fn thread() -> Triple {
        Triple::conversation("echo", "5c1b9c3e-0000-4000-8000-0a0a0a0a0a0a", "19:abc@thread.tacv2")
    }

    #[test]
    fn keys_and_shards_never_change() {
        // Computed apart, with Python's hashlib and xxhash: a changed value would lose all data.
        assert_eq!(thread().key().to_text(), "-2UCKYIkFVw_axOsnuU4vA");
        assert_eq!(person_of(&thread()).key().to_text(), "Qd8EUBVPpCJZyxOoAP787w");
        assert_eq!(thread().shard(DEFAULT_SHARDS), ShardId(2049));
        assert_eq!(person_of(&thread()).shard(DEFAULT_SHARDS), ShardId(346));
    }

    #[test]
    fn shards_are_evenly_filled() {
        const SHARDS: u32 = 64;
        const CONVERSATIONS: u32 = 64_000;
        let mut filled = [0_u32; SHARDS as usize];
        for number in 0..CONVERSATIONS {
            let triple = Triple::conversation("echo", "tenant", format!("19:{number}@thread.tacv2"));
            filled[triple.shard(SHARDS).0 as usize] += 1;
        }
        // The mean is 1,000 and its deviation about 32: five deviations.
        assert!(filled.iter().all(|count| (840..=1_160).contains(count)), "{filled:?}");
    }

    #[test]
    fn moving_a_character_between_names_changes_the_key() {
        let one = Triple::conversation("bot", "ab", "c");
        let other = Triple::conversation("bot", "a", "bc");
        assert_ne!(one.key(), other.key());
        assert_ne!(one.shard(MAX_SHARDS), other.shard(MAX_SHARDS));
    }

    #[test]
    fn kinds_do_not_share_keys() {
        assert_ne!(thread().key(), person_of(&thread()).key());
    }

    #[test]
    fn a_key_reads_back_from_its_text_and_its_bytes() {
        let key = thread().key();
        assert_eq!(Key::from_text(&key.to_text()), Some(key));
        assert_eq!(Key::from_bytes(&key.0), Some(key));
        assert_eq!(key.text().as_str(), key.to_text());
    }

    #[test]
    fn what_is_no_key_is_not_read_as_one() {
        assert_eq!(Key::from_text("too short"), None);
        assert_eq!(Key::from_text(&"A".repeat(23)), None);
        assert_eq!(Key::from_text("!!!!!!!!!!!!!!!!!!!!!!"), None);
        assert_eq!(Key::from_bytes(&[0; 15]), None);
    }

    #[test]
    fn a_conversation_is_located_where_its_triple_is() {
        let triple = Triple::conversation("echo", "tenant", "19:meeting@thread.v2");
        let located = locate_conversation("echo", "tenant", "19:meeting@thread.v2", DEFAULT_SHARDS);
        assert_eq!(located, (triple.shard(DEFAULT_SHARDS), triple.key()));
    }

    #[test]
    fn a_call_is_located_where_its_triple_is_and_not_where_a_conversation_of_that_name_is() {
        let call = "57dab8b1-894c-409a-b240-bd8beae78896";
        let triple = Triple::call("ivr", call);
        let located = locate_call("ivr", call, DEFAULT_SHARDS);
        assert_eq!(located, (triple.shard(DEFAULT_SHARDS), triple.key()));
        assert_ne!(triple.key(), Triple::conversation("ivr", "", call).key());
    }
}

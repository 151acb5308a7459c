//! Names of keys: all of a shard carry one hash tag, and the tags spread the shards evenly over the slots of a cluster.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use redis::{RedisWrite, ToRedisArgs};

use crate::key::{KeyText, MAX_SHARDS, ShardId};

/// Slots of a Redis Cluster.
pub(super) const SLOTS: u16 = 16_384;
/// Slot of the store's own keys, whose tag is `tl`.
pub(super) const META_SLOT: u16 = 10_679;

/// Key of the store's own facts.
pub(super) const META: &str = "{tl}meta";
/// Key of the nodes' beats.
pub(super) const NODES: &str = "{tl}nodes";
/// Key of the media hosts.
pub(super) const MEDIA: &str = "{tl}media";
/// Key of the shard map.
pub(super) const MAP: &str = "{tl}map";

/// The hash tag of every shard, braces included.
#[derive(Debug)]
pub(super) struct Tags(Box<[Box<str>]>);

impl Tags {
    /// Finds for each shard the shortest decimal text whose slot is `shard * 16384 / shards`; the least where several are
    /// equally short. A changed answer would lose all data. `shards` is at most [`MAX_SHARDS`].
    pub(super) fn of(shards: u32) -> Self {
        debug_assert!((1..=MAX_SHARDS).contains(&shards));
        let mut shard_of_slot = vec![None; usize::from(SLOTS)];
        for shard in 0..shards {
            if let Some(wanted) = shard_of_slot.get_mut(usize::from(slot_of_shard(shard, shards))) {
                *wanted = Some(shard);
            }
        }
        let mut tags = vec![Box::<str>::default(); shards as usize];
        let mut missing = shards;
        let mut text = String::new();
        // Numbers in order are texts by length.
        for number in 0_u64.. {
            if missing == 0 {
                break;
            }
            text.clear();
            // Writing to a string cannot fail.
            let _ = write!(text, "{{{number}}}");
            let digits = &text.as_bytes()[1..text.len() - 1];
            if let Some(shard) = shard_of_slot[usize::from(slot_of(digits))].take() {
                tags[shard as usize] = text.as_str().into();
                missing -= 1;
            }
        }
        Self(tags.into())
    }

    /// All shards.
    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> {
        (0..self.count()).map(ShardId)
    }

    /// The slot of a shard; `None` when there is no such shard.
    pub(super) fn slot(&self, shard: ShardId) -> Option<u16> {
        (shard.0 < self.count()).then(|| slot_of_shard(shard.0, self.count()))
    }

    /// The name of a key that was made with the store and lies where this shard does.
    pub(super) fn probe(&self, shard: Option<ShardId>) -> Option<Arc<str>> {
        Some(self.names(shard?)?.fence().to_string().into())
    }

    /// There are never more than [`MAX_SHARDS`].
    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(MAX_SHARDS)
    }

    /// The names of the keys of one shard; `None` when there is no such shard.
    pub(super) fn names(&self, shard: ShardId) -> Option<Names<'_>> {
        let tag = self.0.get(usize::try_from(shard.0).ok()?)?;
        Some(Names { tag })
    }
}

/// Names of the keys of one shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'t> {
    tag: &'t str,
}

impl<'t> Names<'t> {
    /// The fence.
    pub(super) fn fence(self) -> Name<'t> {
        self.name("f", "", "")
    }

    /// The wake index.
    pub(super) fn wakes(self) -> Name<'t> {
        self.name("w", "", "")
    }

    /// The index of parked work.
    pub(super) fn parked(self) -> Name<'t> {
        self.name("p", "", "")
    }

    /// What is written only to see when replicas have it.
    pub(super) fn mark(self) -> Name<'t> {
        self.name("m", "", "")
    }

    /// The record of a conversation.
    pub(super) fn record<'m>(self, member: &'m KeyText) -> Name<'m>
    where
        't: 'm,
    {
        self.name("c:", member.as_str(), "")
    }

    /// The inbox of a conversation.
    pub(super) fn inbox<'m>(self, member: &'m KeyText) -> Name<'m>
    where
        't: 'm,
    {
        self.name("i:", member.as_str(), "")
    }

    /// A recorded answer of a conversation.
    pub(super) fn answer<'m>(self, member: &'m KeyText, answer: &'m str) -> Name<'m>
    where
        't: 'm,
    {
        self.name("a:", member.as_str(), answer)
    }

    fn name<'m>(self, kind: &'static str, member: &'m str, answer: &'m str) -> Name<'m>
    where
        't: 'm,
    {
        Name {
            tag: self.tag,
            kind,
            member,
            answer,
        }
    }
}

/// Name of a key, written into a command without being put together first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'n> {
    tag: &'n str,
    kind: &'static str,
    member: &'n str,
    /// Name of a recorded answer, else empty.
    answer: &'n str,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [self.tag, self.kind, self.member] {
            formatter.write_str(part)?;
        }
        if self.kind == "a:" {
            formatter.write_str(":")?;
        }
        formatter.write_str(self.answer)
    }
}

impl ToRedisArgs for Name<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

/// Spreads the shards evenly over the slots.
fn slot_of_shard(shard: u32, shards: u32) -> u16 {
    let slot = u64::from(shard) * u64::from(SLOTS) / u64::from(shards);
    // A shard is below the number of shards, so its slot is below the number of slots.
    u16::try_from(slot).unwrap_or_default()
}

/// Slot of a hash tag: CRC16 (XMODEM) modulo the number of slots, as the Redis Cluster specification says.
pub(super) fn slot_of(tag: &[u8]) -> u16 {
    // The number of slots is a power of two below 2^16.
    crc16(tag) & 0x3fff
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::key::{DEFAULT_SHARDS, Key};

    fn digits(tags: &Tags, shard: u32) -> &str {
        tags.0[shard as usize].trim_matches(['{', '}'])
    }

    #[test]
    fn the_checksum_is_that_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn the_store_s_own_keys_lie_in_their_slot() {
        assert_eq!(slot_of(b"tl"), META_SLOT);
    }

    #[test]
    fn every_tag_lies_in_the_slot_of_its_shard() {
        for shards in [1, 3, 64, 1_000, DEFAULT_SHARDS, MAX_SHARDS] {
            let tags = Tags::of(shards);
            for shard in 0..shards {
                let slot = u32::from(slot_of(digits(&tags, shard).as_bytes()));
                assert_eq!(slot, shard * u32::from(SLOTS) / shards, "shard {shard} of {shards}");
            }
        }
    }

    #[test]
    fn a_tag_is_the_shortest_text_of_its_slot() {
        let tags = Tags::of(64);
        for shard in 0..64 {
            let tag = digits(&tags, shard);
            let slot = slot_of(tag.as_bytes());
            let number: u32 = tag.parse().expect("a tag is a number");
            for smaller in 0..number {
                assert_ne!(
                    slot_of(smaller.to_string().as_bytes()),
                    slot,
                    "{smaller} is shorter than {tag}"
                );
            }
        }
    }

    #[test]
    fn tags_never_change() {
        // Computed apart, with Python's `binascii.crc_hqx`.
        let tags = Tags::of(DEFAULT_SHARDS);
        let pinned: Vec<&str> = [0, 1, 2, 7, 1_024, 2_047, 4_095]
            .into_iter()
            .map(|shard| digits(&tags, shard))
            .collect();
        assert_eq!(pinned, ["3560", "4569", "46920", "2986", "4129", "7038", "9023"]);
    }

    #[test]
    fn names_are_those_of_the_documentation() {
        let tags = Tags::of(1);
        let names = tags.names(ShardId(0)).expect("there is one shard");
        let member = Key([0xff; 16]).text();
        let tag = &tags.0[0];
        let name = |name: Name<'_>| name.to_string();
        assert_eq!(name(names.fence()), format!("{tag}f"));
        assert_eq!(name(names.wakes()), format!("{tag}w"));
        assert_eq!(name(names.parked()), format!("{tag}p"));
        assert_eq!(name(names.record(&member)), format!("{tag}c:_____________________w"));
        assert_eq!(name(names.inbox(&member)), format!("{tag}i:_____________________w"));
        assert_eq!(
            name(names.answer(&member, "00ff")),
            format!("{tag}a:_____________________w:00ff")
        );
        assert_eq!(
            name(names.answer(&member, "")),
            format!("{tag}a:_____________________w:")
        );
        assert!(tags.names(ShardId(1)).is_none());
    }
}

//! What is stored at one moment: fences, members, the map, conversations.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use trunkline_store::contract::{
    Claim, Claimed, Commit, Committed, Identity, Incarnation, Loaded, MapVersion, MapWrite, Released, Token,
};
use trunkline_store::key::{Key, ShardId};
use trunkline_store::rules::{Comparison, Fence, Judged, Membership};
use trunkline_worker::agenda::{Page, Reading};

use super::Stored;
use crate::chat::SHARDS;
use crate::faults::Guards;

/// Who this store is.
pub(crate) const IDENTITY: Identity = Identity {
    cluster: 0xc1,
    shards: SHARDS,
};

/// Everything that a replica has a copy of.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) members: Membership,
    pub(crate) map: Option<(MapVersion, Bytes)>,
    fences: Vec<Fence>,
    conversations: BTreeMap<(ShardId, Key), Stored>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            members: Membership::new(IDENTITY.cluster, MapVersion(0)),
            map: None,
            fences: vec![Fence::default(); SHARDS as usize],
            conversations: BTreeMap::new(),
        }
    }

    pub(crate) fn write_map(
        &mut self,
        now: u64,
        me: Incarnation,
        expected: MapVersion,
        version: MapVersion,
        blob: Bytes,
    ) -> MapWrite {
        if self.map.as_ref() == Some(&(version, blob.clone())) {
            return MapWrite::Written;
        }
        let judged = self.members.advance(me, expected, version, now);
        if judged == MapWrite::Written {
            self.map = Some((version, blob));
        }
        judged
    }

    pub(crate) fn claim(&mut self, now: u64, shard: ShardId, claim: Claim) -> Claimed {
        let fence = &mut self.fences[shard.0 as usize];
        let claimed = fence.claim(claim, now);
        if let Claimed::Ours(token) = claimed {
            *fence = token.into();
        }
        claimed
    }

    pub(crate) fn release(&mut self, shard: ShardId, token: Token) -> Released {
        let fence = &mut self.fences[shard.0 as usize];
        let released = fence.release(token);
        if released == Released::Free {
            *fence = fence.freed();
        }
        released
    }

    pub(super) fn commit(&mut self, commit: &Commit, guards: Guards) -> Committed {
        let stored = self.conversations.entry((commit.shard, commit.key)).or_default();
        let mut comparison = Comparison::from(commit);
        let mut fence = self.fences[commit.shard.0 as usize];
        if !guards.fence {
            fence = commit.token.into();
        }
        if !guards.header {
            comparison.expected = stored.header();
        }
        match comparison.judge(fence, stored.header()) {
            Judged::Refuse(committed) => committed,
            Judged::Write => {
                stored.write(commit);
                Committed::Written
            }
        }
    }

    pub(crate) fn stored(&self, spot: (ShardId, Key)) -> Option<&Stored> {
        self.conversations.get(&spot)
    }

    pub(crate) fn load(&self, spot: (ShardId, Key)) -> Loaded {
        self.stored(spot).map(Stored::load).unwrap_or_default()
    }

    pub(crate) fn answer(&self, spot: (ShardId, Key), name: &str) -> Option<Bytes> {
        self.stored(spot)?.answers.get(name).cloned()
    }

    /// A page of the wake index, and what comes after it.
    pub(crate) fn due(&self, reading: Reading) -> Page {
        let of_shard = self
            .conversations
            .iter()
            .filter(|((shard, _), _)| *shard == reading.shard);
        let mut all: Vec<(u64, Key)> = of_shard
            .filter_map(|((_, key), stored)| Some((stored.wake?, *key)))
            .collect();
        all.sort_unstable();
        let due = all.iter().take_while(|(at, _)| *at <= reading.until_ms);
        let entries: Vec<(Key, u64)> = due.take(reading.entries).map(|(at, key)| (*key, *at)).collect();
        let next = all.first().map(|(at, _)| *at).filter(|_| entries.is_empty());
        Page { entries, next }
    }

    /// Everything that is done or promised.
    pub(super) fn promised(&self) -> BTreeSet<u64> {
        self.conversations.values().flat_map(Stored::promised).collect()
    }
}

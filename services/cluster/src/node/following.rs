//! How a node follows the stored map, and what it does when that does not name it any more.

use std::sync::Arc;

use bytes::Bytes;
use rand::RngExt as _;
use trunkline_store::contract::{Incarnation, MapVersion};

use super::event::Action;
use super::times::MAP_AGAIN;
use super::{Leaving, Node};
use crate::map::ShardMap;

impl Node {
    /// The store had a map of this version at some moment after `asked`.
    pub(super) fn stores(&mut self, asked: u64, version: MapVersion) {
        if asked >= self.stored.0 {
            self.stored = (asked, version);
        }
    }

    pub(super) fn want_map(&mut self, when: u64) {
        self.wants_map = Some(self.wants_map.map_or(when, |wanted| wanted.min(when)));
    }

    pub(super) fn map_read(
        &mut self,
        now: u64,
        asked: u64,
        read: Option<(MapVersion, Bytes)>,
        actions: &mut Vec<Action>,
    ) {
        self.stores(asked, read.as_ref().map_or(MapVersion(0), |(version, _)| *version));
        if let Some((version, blob)) = read
            && version >= self.map.version()
        {
            match ShardMap::decode(&blob) {
                Ok(map) => {
                    self.unreadable = None;
                    // Of a version that was lost by a failover and issued again there are two: the stored one counts.
                    if map != *self.map {
                        self.adopt(now, Arc::new(map), actions);
                    }
                }
                Err(error) => {
                    // The fences guard what the map cannot tell us.
                    self.unreadable = Some(error);
                    self.changes += 1;
                }
            }
        }
        self.behind_since = None;
        if self.member.confirm(asked) {
            self.changes += 1;
        } else if let Some(from) = self.member.unconfirmed() {
            self.want_map(from.max(now + MAP_AGAIN));
        }
        self.shards.map_was_read(now, asked, actions);
    }

    pub(super) fn adopt(&mut self, now: u64, map: Arc<ShardMap>, actions: &mut Vec<Action>) {
        if map.version() < self.map.version() {
            return;
        }
        self.behind_since = None;
        let me = self.member.me();
        let old = std::mem::replace(&mut self.map, map);
        self.seen_map = self.seen_map.max(self.map.version());
        self.needs.retain(|&shard, format| self.map.need(shard) < *format);
        self.changes += 1;
        self.damping.map_changed(now, &old, &self.map);
        self.leader.adopted(now);
        self.is_named = self.map.node(me).is_some();
        if old.node(me).is_some() && !self.is_named {
            self.rejoin(now, actions);
            return;
        }
        if self.leaving == Leaving::No {
            self.shards.adopt(now, me, &self.map, actions);
        }
        self.member.hurry();
    }

    /// This incarnation is dead, or may be: what it held is lost, and another takes its place.
    pub(super) fn rejoin(&mut self, now: u64, actions: &mut Vec<Action>) {
        let old = self.member.me();
        self.tally.memberships_lost += 1;
        self.changes += 1;
        self.shards.lose_all(actions);
        self.leader.step_down();
        self.is_named = false;
        self.unnamed_since = None;
        self.member.rejoin(Incarnation(self.rng.random()), now);
        actions.push(Action::Leave(old));
    }
}

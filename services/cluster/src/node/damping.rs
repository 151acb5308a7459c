//! Nodes that die and return again and again: each death makes the name wait longer for shards.
//!
//! Every node watches the maps for this, so that a new leader knows what the old one knew.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_store::contract::Incarnation;

use super::times::{RETURN_FIRST, RETURN_FORGET, RETURN_LONGEST};
use crate::map::ShardMap;

/// Incarnations that are remembered as gone, at most.
const GONE: usize = 4_096;

#[derive(Debug)]
struct Falls {
    count: u32,
    last: u64,
}

/// Who left the maps, and how.
#[derive(Debug, Default)]
pub(super) struct Damping {
    falls: BTreeMap<String, Falls>,
    gone: BTreeSet<Incarnation>,
    seen: BTreeMap<Incarnation, u64>,
}

impl Damping {
    /// A map took the place of another. A node that vanished with shards died; one without had left.
    pub(super) fn map_changed(&mut self, now: u64, old: &ShardMap, new: &ShardMap) {
        for node in old.nodes() {
            if new.node(node.incarnation).is_some() {
                continue;
            }
            if self.gone.len() >= GONE {
                self.gone.pop_first();
            }
            self.gone.insert(node.incarnation);
            if old.shards_of(node.incarnation).next().is_some() {
                let falls = self
                    .falls
                    .entry(node.name.clone())
                    .or_insert(Falls { count: 0, last: now });
                falls.count += 1;
                falls.last = now;
            }
        }
        // A leader that had not seen the map without them may take some back.
        self.gone.retain(|node| new.node(*node).is_none());
        self.falls
            .retain(|_, falls| now.saturating_sub(falls.last) < RETURN_FORGET);
    }

    /// The nodes that beat now. Of those seen for the first time, the ones in the map are older.
    pub(super) fn nodes_seen(&mut self, now: u64, nodes: impl Iterator<Item = Incarnation>, map: &ShardMap) {
        let before = std::mem::take(&mut self.seen);
        let first = |node| {
            if map.node(node).is_some() {
                now.saturating_sub(1)
            } else {
                now
            }
        };
        self.seen = nodes
            .map(|node| (node, before.get(&node).copied().unwrap_or_else(|| first(node))))
            .collect();
    }

    /// Whether the first of two was seen here before the other.
    pub(super) fn is_older(&self, first: Incarnation, other: Incarnation) -> bool {
        match (self.seen.get(&first), self.seen.get(&other)) {
            (Some(first), Some(other)) => first < other,
            _ => false,
        }
    }

    /// Whether an incarnation was in a map and is dead: should it beat again, it is not a node.
    pub(super) fn is_gone(&self, node: Incarnation) -> bool {
        self.gone.contains(&node)
    }

    /// Whether a node must live longer before it takes shards.
    pub(super) fn must_wait(&self, now: u64, node: Incarnation, name: &str) -> bool {
        let Some(falls) = self.falls.get(name) else {
            return false;
        };
        let doublings = falls.count.saturating_sub(1).min(16);
        let wait = (RETURN_FIRST << doublings).min(RETURN_LONGEST);
        let since = self.seen.get(&node).copied().unwrap_or(now);
        // One that lived before its namesake died is not returning.
        since >= falls.last.saturating_sub(RETURN_FIRST) && now < since + wait
    }
}

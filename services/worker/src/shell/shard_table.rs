//! Which shards of a thread are ours, as a pure table: orders, deliveries and the time go in, what to do with a delivery
//! comes out.
//!
//! A delivery for a shard that this process will have soon is held, because a worker that answers `moved` for it would only
//! be asked again. What is held is bounded by number and bytes for each shard, and each delivery by the time that its caller
//! still waits.

use std::collections::{HashMap, VecDeque};

use trunkline_store::contract::{MapVersion, Token};
use trunkline_store::key::ShardId;

/// Deliveries that are held for one shard.
pub const HELD: usize = 1_024;
/// Bytes of their bodies.
pub const HELD_BYTES: usize = 4 * 1024 * 1024;
/// How long a delivery is held because its ingress knows a newer map than we do. Reading the map takes one answer of the
/// store; a process that cannot read it will not serve the shard soon either.
pub const RUMOUR_MS: u64 = 1_000;
/// An answer that is given later than this before the caller stops waiting does not arrive.
const MARGIN_MS: u64 = 150;

/// Where a shard stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Another process serves it, or nobody.
    NotOurs,
    /// It comes here: what arrives is held.
    Expected,
    /// Ours: every commit names the token.
    Serving(Token),
    /// It leaves: nothing begins.
    Quiescing,
}

/// The shards of one thread. `H` is what is held.
#[derive(Debug)]
pub struct ShardTable<H> {
    shards: HashMap<ShardId, Shard<H>, ahash::RandomState>,
    /// The newest map that we know.
    map: MapVersion,
}

#[derive(Debug)]
struct Shard<H> {
    standing: Standing,
    held: VecDeque<Held<H>>,
    held_bytes: usize,
    /// Only an ingress says that it comes here, by the map of this version; until when that is believed.
    rumour: Option<(MapVersion, u64)>,
}

impl<H> Shard<H> {
    fn new(standing: Standing) -> Self {
        Self {
            standing,
            held: VecDeque::new(),
            held_bytes: 0,
            rumour: None,
        }
    }

    fn take(&mut self) -> Vec<H> {
        self.held_bytes = 0;
        self.held.drain(..).map(|held| held.what).collect()
    }
}

#[derive(Debug)]
struct Held<H> {
    what: H,
    bytes: usize,
    /// On the steady clock.
    until: u64,
}

/// What becomes of an arrival.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<H> {
    /// It goes to its conversation.
    Serve(H, Token),
    /// It waits for its shard.
    Held,
    /// Answer `moved`.
    Moved(H),
}

/// What is held no longer: for each, whether its caller can still be sent elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Unheld<H> {
    /// Answer `moved`.
    pub moved: Vec<H>,
    /// Refuse: its caller waits no longer.
    pub late: Vec<H>,
}

impl<H> Default for ShardTable<H> {
    fn default() -> Self {
        Self {
            shards: HashMap::default(),
            map: MapVersion(0),
        }
    }
}

impl<H> ShardTable<H> {
    /// All shards that this thread has to do with.
    pub fn all(&self) -> Vec<ShardId> {
        self.shards.keys().copied().collect()
    }

    /// Where a shard stands.
    pub fn standing(&self, shard: ShardId) -> Standing {
        self.shards
            .get(&shard)
            .map_or(Standing::NotOurs, |shard| shard.standing)
    }

    /// The token of a shard that is served.
    pub fn token(&self, shard: ShardId) -> Option<Token> {
        match self.standing(shard) {
            Standing::Serving(token) => Some(token),
            _ => None,
        }
    }

    /// The shard comes here.
    pub fn expect(&mut self, shard: ShardId) {
        let shard = self
            .shards
            .entry(shard)
            .or_insert_with(|| Shard::new(Standing::Expected));
        shard.standing = Standing::Expected;
        shard.rumour = None;
    }

    /// The shard is ours. What was held for it, in the order of arrival.
    pub fn serve(&mut self, shard: ShardId, token: Token) -> Vec<H> {
        let standing = Standing::Serving(token);
        let shard = self.shards.entry(shard).or_insert_with(|| Shard::new(standing));
        shard.standing = standing;
        shard.rumour = None;
        shard.take()
    }

    /// Nothing begins in the shard any more. What was held for it is handed back, in the order of arrival.
    pub fn quiesce(&mut self, shard: ShardId) -> Vec<H> {
        match self.shards.get_mut(&shard) {
            Some(found) if matches!(found.standing, Standing::Serving(_) | Standing::Quiescing) => {
                found.standing = Standing::Quiescing;
                found.take()
            }
            _ => self.lose(shard),
        }
    }

    /// The shard is not ours. What was held for it is handed back.
    pub fn lose(&mut self, shard: ShardId) -> Vec<H> {
        self.shards
            .remove(&shard)
            .map(|mut shard| shard.take())
            .unwrap_or_default()
    }

    /// An arrival of so many bytes, whose caller waits for `remaining_ms` and whose ingress routes by the map `theirs`.
    pub fn admit(
        &mut self,
        shard: ShardId,
        theirs: MapVersion,
        what: H,
        bytes: usize,
        remaining_ms: u64,
        now_ms: u64,
    ) -> Admission<H> {
        let ours = self.map;
        match self.standing(shard) {
            Standing::Serving(token) => return Admission::Serve(what, token),
            Standing::Quiescing => return Admission::Moved(what),
            Standing::Expected => {}
            Standing::NotOurs if theirs <= ours => return Admission::Moved(what),
            Standing::NotOurs => {
                let mut rumoured = Shard::new(Standing::Expected);
                rumoured.rumour = Some((theirs, now_ms + RUMOUR_MS));
                self.shards.insert(shard, rumoured);
            }
        }
        let Some(expected) = self.shards.get_mut(&shard) else {
            return Admission::Moved(what);
        };
        if expected.held.len() >= HELD || expected.held_bytes + bytes > HELD_BYTES {
            return Admission::Moved(what);
        }
        expected.held_bytes += bytes;
        let until = now_ms + remaining_ms.saturating_sub(MARGIN_MS);
        expected.held.push_back(Held { what, bytes, until });
        Admission::Held
    }

    /// We know this map now. What was held only because an ingress knew it before us is handed back, unless the shard was
    /// given to us.
    pub fn learn(&mut self, map: MapVersion) -> Vec<H> {
        self.map = self.map.max(map);
        let ours = self.map;
        self.end_rumours(|version, _| version <= ours)
    }

    /// Ends what time ends.
    pub fn expire(&mut self, now_ms: u64) -> Unheld<H> {
        let moved = self.end_rumours(|_, until| until <= now_ms);
        let mut late = Vec::new();
        for shard in self.shards.values_mut().filter(|shard| !shard.held.is_empty()) {
            let (over, kept): (VecDeque<_>, _) = shard.held.drain(..).partition(|held| held.until <= now_ms);
            shard.held = kept;
            shard.held_bytes -= over.iter().map(|held| held.bytes).sum::<usize>();
            late.extend(over.into_iter().map(|held| held.what));
        }
        Unheld { moved, late }
    }

    /// Forgets what was held and is not wanted any more. `true` when something was.
    pub fn cancel(&mut self, shard: ShardId, is_it: impl Fn(&H) -> bool) -> bool {
        let Some(shard) = self.shards.get_mut(&shard) else {
            return false;
        };
        let Some(place) = shard.held.iter().position(|held| is_it(&held.what)) else {
            return false;
        };
        if let Some(held) = shard.held.remove(place) {
            shard.held_bytes -= held.bytes;
        }
        true
    }

    fn end_rumours(&mut self, is_over: impl Fn(MapVersion, u64) -> bool) -> Vec<H> {
        let ended = |shard: &Shard<H>| shard.rumour.is_some_and(|(version, until)| is_over(version, until));
        let over: Vec<ShardId> = self
            .shards
            .iter()
            .filter(|(_, shard)| ended(shard))
            .map(|(id, _)| *id)
            .collect();
        over.into_iter().flat_map(|shard| self.lose(shard)).collect()
    }
}

#[cfg(test)]
#[path = "shard_table_tests.rs"]
mod tests;

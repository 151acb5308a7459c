//! The worker of each process: it obeys the orders about shards, commits in those that it serves, and says of those that it
//! cannot read that it cannot.

use rand::RngExt as _;
use trunkline_store::contract::Token;
use trunkline_store::key::ShardId;

use super::super::Event;
use super::world::{Held, What, World};
use crate::order::ShardOrder;

impl World {
    /// The worker obeys, and complains about orders that make no sense.
    pub(super) fn ordered(&mut self, number: usize, run: u32, order: ShardOrder) {
        self.orders.push((self.now, number, order));
        let seed = self.seed;
        let shard = order.shard();
        let process = &mut self.processes[number];
        let held = process.shards.get(&shard).copied();
        let (makes_sense, next) = match order {
            ShardOrder::Expect { .. } => (held.is_none(), Some(Held::Expected)),
            ShardOrder::Serve { token, .. } => (held == Some(Held::Expected), Some(Held::Served(token))),
            ShardOrder::Quiesce { .. } => match held {
                Some(Held::Served(token)) => (true, Some(Held::Quiescing(token))),
                _ => (false, None),
            },
            // It may cross with the word that the shard is quiesced.
            ShardOrder::Lose { .. } => (true, None),
        };
        assert!(makes_sense, "seed {seed}: {order:?} at {number} while {held:?}");
        match next {
            Some(next) => process.shards.insert(shard, next),
            None => process.shards.remove(&shard),
        };
        if let Some(Held::Quiescing(token)) = next {
            let takes = self.rng.random_range(0..=self.quiesce);
            self.at(self.now + takes, What::Quiesces(number, run, shard, token));
        }
        if matches!(order, ShardOrder::Serve { .. }) && self.leases_exclude {
            let others = self.servers(shard);
            assert!(
                others.len() <= 1,
                "seed {seed}: at {} the nodes {others:?} serve shard {shard} with a lease",
                self.now
            );
        }
    }

    pub(super) fn quiesces(&mut self, number: usize, run: u32, shard: ShardId, token: Token) {
        let process = &mut self.processes[number];
        if process.run != run {
            return;
        }
        if self.now < process.paused_until {
            let later = process.paused_until;
            self.at(later, What::Quiesces(number, run, shard, token));
        } else if process.shards.get(&shard) == Some(&Held::Quiescing(token)) {
            process.shards.remove(&shard);
            self.at(self.now, What::Hears(number, run, Event::Quiesced(shard)));
        }
    }

    pub(super) fn works(&mut self, number: usize, run: u32) {
        let process = &self.processes[number];
        if process.run != run {
            return;
        }
        let next = self.now + self.rng.random_range(20..300);
        self.at(next, What::Works(number, run));
        let process = &self.processes[number];
        if self.now < process.paused_until || self.now >= process.node.valid_until() {
            return;
        }
        let served: Vec<(ShardId, Token)> = process
            .shards
            .iter()
            .filter_map(|(&shard, held)| match held {
                Held::Served(token) => Some((shard, *token)),
                _ => None,
            })
            .collect();
        let reads = process.reads;
        let is_unread = |shard: &ShardId| self.formats.get(shard).copied().filter(|&format| format > reads);
        let unread: Vec<_> = served
            .iter()
            .filter_map(|(shard, _)| Some((*shard, is_unread(shard)?)))
            .collect();
        for (shard, format) in unread {
            self.at(self.now, What::Hears(number, run, Event::NeedsReader(shard, format)));
        }
        if let Some(&(shard, token)) = (!served.is_empty())
            .then(|| self.rng.random_range(0..served.len()))
            .and_then(|which| served.get(which))
        {
            if self.store.token(shard) == Some(token) {
                let format = self.formats.entry(shard).or_insert(1);
                *format = reads.max(*format);
            }
            let arrives = self.now + self.delay();
            self.at(arrives, What::Commits(number, run, shard, token));
        }
    }
}

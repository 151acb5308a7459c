//! Which worker serves a shard, as far as this ingress has been told.
//!
//! A route is advice: a worker that does not own the shard answers `moved`, and only the worker's fence decides. Today a
//! worker's `Welcome` is the only source; a map of the cluster would fill the same table.

use trunkline_store::ShardId;

/// Number of a configured worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct WorkerIndex(pub(crate) usize);

/// Shards `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Claim {
    fn holds(self, shard: u32) -> bool {
        self.first <= shard && shard <= self.last
    }
}

/// The owner of each shard, kept as one entry a shard so that the way of an activity costs one look-up.
#[derive(Debug)]
pub(crate) struct Routes {
    owners: Vec<Option<WorkerIndex>>,
    /// What each worker claims; empty while it is not connected.
    claims: Vec<Vec<Claim>>,
}

impl Routes {
    pub(crate) fn new(shards: u32, workers: usize) -> Self {
        Self {
            owners: vec![None; shards as usize],
            claims: vec![Vec::new(); workers],
        }
    }

    /// The connected worker that serves `shard`.
    pub(crate) fn owner(&self, shard: ShardId) -> Option<WorkerIndex> {
        self.owners.get(shard.0 as usize).copied().flatten()
    }

    /// A worker has told what it serves. Where another connected worker claims the same shard, that one keeps it: two
    /// claims are a wrong configuration, and changing the route with every reconnect would move actors for nothing.
    pub(crate) fn claimed(&mut self, worker: WorkerIndex, claims: Vec<Claim>) {
        self.claims[worker.0] = claims;
        for shard in 0..self.shards() {
            let owner = self.owners[shard as usize];
            let stays = owner.is_some_and(|owner| self.claims_shard(owner, shard));
            if !stays {
                self.owners[shard as usize] = self.claimant(shard, None);
            }
        }
    }

    /// The worker's stream is gone: its shards go to whoever else claims them.
    pub(crate) fn disconnected(&mut self, worker: WorkerIndex) {
        self.claimed(worker, Vec::new());
    }

    /// The worker answered `moved`: another claimant is tried first; if there is none the worker stays the route,
    /// because it may be about to take the shard.
    pub(crate) fn moved(&mut self, worker: WorkerIndex, shard: ShardId) {
        let Some(owner) = self.owners.get_mut(shard.0 as usize) else {
            return;
        };
        if *owner != Some(worker) {
            return;
        }
        if let Some(other) = self.claimant(shard.0, Some(worker)) {
            self.owners[shard.0 as usize] = Some(other);
        }
    }

    /// The worker has let the shard go.
    pub(crate) fn released(&mut self, worker: WorkerIndex, shard: ShardId) {
        let claims = &mut self.claims[worker.0];
        if !claims.iter().any(|claim| claim.holds(shard.0)) {
            return;
        }
        *claims = claims.iter().flat_map(|claim| without(*claim, shard.0)).collect();
        if self.owner(shard) == Some(worker) {
            self.owners[shard.0 as usize] = self.claimant(shard.0, None);
        }
    }

    fn shards(&self) -> u32 {
        u32::try_from(self.owners.len()).unwrap_or(u32::MAX)
    }

    fn claims_shard(&self, worker: WorkerIndex, shard: u32) -> bool {
        self.claims[worker.0].iter().any(|claim| claim.holds(shard))
    }

    fn claimant(&self, shard: u32, except: Option<WorkerIndex>) -> Option<WorkerIndex> {
        (0..self.claims.len())
            .map(WorkerIndex)
            .find(|worker| Some(*worker) != except && self.claims_shard(*worker, shard))
    }
}

/// `claim` without one of its shards: none, one or two claims.
fn without(claim: Claim, shard: u32) -> impl Iterator<Item = Claim> {
    let parts = if claim.holds(shard) {
        let before = (claim.first < shard).then(|| Claim {
            first: claim.first,
            last: shard - 1,
        });
        let after = (shard < claim.last).then(|| Claim {
            first: shard + 1,
            last: claim.last,
        });
        [before, after]
    } else {
        [Some(claim), None]
    };
    parts.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: WorkerIndex = WorkerIndex(0);
    const SECOND: WorkerIndex = WorkerIndex(1);

    fn claim(first: u32, last: u32) -> Vec<Claim> {
        vec![Claim { first, last }]
    }

    #[test]
    fn a_shard_that_nobody_claims_has_no_route() {
        let mut routes = Routes::new(8, 2);
        routes.claimed(FIRST, claim(0, 3));
        assert_eq!(routes.owner(ShardId(3)), Some(FIRST));
        assert_eq!(routes.owner(ShardId(4)), None);
        assert_eq!(routes.owner(ShardId(99)), None);
    }

    #[test]
    fn a_second_claim_takes_a_shard_only_when_the_first_is_gone() {
        let mut routes = Routes::new(8, 2);
        routes.claimed(SECOND, claim(0, 7));
        routes.claimed(FIRST, claim(0, 7));
        assert_eq!(routes.owner(ShardId(5)), Some(SECOND));
        routes.disconnected(SECOND);
        assert_eq!(routes.owner(ShardId(5)), Some(FIRST));
        routes.claimed(SECOND, claim(0, 7));
        assert_eq!(routes.owner(ShardId(5)), Some(FIRST));
    }

    #[test]
    fn moved_prefers_another_claimant_and_keeps_the_only_one() {
        let mut routes = Routes::new(8, 2);
        routes.claimed(FIRST, claim(0, 7));
        routes.moved(FIRST, ShardId(2));
        assert_eq!(routes.owner(ShardId(2)), Some(FIRST));
        routes.claimed(SECOND, claim(2, 2));
        routes.moved(FIRST, ShardId(2));
        assert_eq!(routes.owner(ShardId(2)), Some(SECOND));
        // A late `moved` of the old owner does not undo what was learnt.
        routes.moved(FIRST, ShardId(2));
        assert_eq!(routes.owner(ShardId(2)), Some(SECOND));
    }

    #[test]
    fn a_released_shard_leaves_only_that_shard() {
        let mut routes = Routes::new(8, 2);
        routes.claimed(FIRST, claim(0, 7));
        routes.released(FIRST, ShardId(4));
        assert_eq!(routes.owner(ShardId(4)), None);
        assert_eq!(routes.owner(ShardId(3)), Some(FIRST));
        assert_eq!(routes.owner(ShardId(5)), Some(FIRST));
    }
}

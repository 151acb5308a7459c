//! What workers claim for themselves in their welcome, until the first routing table comes.

use trunkline_store::ShardId;

use super::connections::WorkerIndex;

/// Shards `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) first: u32,
    pub(super) last: u32,
}

impl Claim {
    fn holds(self, shard: u32) -> bool {
        self.first <= shard && shard <= self.last
    }
}

/// The claimant of each shard.
#[derive(Debug)]
pub(super) struct Claims {
    owners: Vec<Option<WorkerIndex>>,
    /// What each worker claims; empty while it is not connected.
    claims: Vec<Vec<Claim>>,
}

impl Claims {
    pub(super) fn new(shards: u32) -> Self {
        Self {
            owners: vec![None; shards as usize],
            claims: Vec::new(),
        }
    }

    /// The connected worker that serves `shard`.
    pub(super) fn owner(&self, shard: ShardId) -> Option<WorkerIndex> {
        self.owners.get(shard.0 as usize).copied().flatten()
    }

    /// A worker has told what it serves. Where another connected worker claims the same shard, that one keeps it: two
    /// claims are a wrong configuration, and changing the route with every reconnect would move actors for nothing.
    pub(super) fn claimed(&mut self, worker: WorkerIndex, claims: Vec<Claim>) {
        if self.claims.len() <= worker.0 {
            self.claims.resize_with(worker.0 + 1, Vec::new);
        }
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
    pub(super) fn disconnected(&mut self, worker: WorkerIndex) {
        self.claimed(worker, Vec::new());
    }

    /// The worker answered `moved`: another claimant is tried first; if there is none the worker stays the route,
    /// because it may be about to take the shard.
    pub(super) fn moved(&mut self, worker: WorkerIndex, shard: ShardId) {
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
    pub(super) fn released(&mut self, worker: WorkerIndex, shard: ShardId) {
        let Some(claims) = self.claims.get_mut(worker.0) else {
            return;
        };
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
        let claims = self.claims.get(worker.0);
        claims.is_some_and(|claims| claims.iter().any(|claim| claim.holds(shard)))
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
        let mut claims = Claims::new(8);
        claims.claimed(FIRST, claim(0, 3));
        assert_eq!(claims.owner(ShardId(3)), Some(FIRST));
        assert_eq!(claims.owner(ShardId(4)), None);
        assert_eq!(claims.owner(ShardId(99)), None);
    }

    #[test]
    fn a_second_claim_takes_a_shard_only_when_the_first_is_gone() {
        let mut claims = Claims::new(8);
        claims.claimed(SECOND, claim(0, 7));
        claims.claimed(FIRST, claim(0, 7));
        assert_eq!(claims.owner(ShardId(5)), Some(SECOND));
        claims.disconnected(SECOND);
        assert_eq!(claims.owner(ShardId(5)), Some(FIRST));
        claims.claimed(SECOND, claim(0, 7));
        assert_eq!(claims.owner(ShardId(5)), Some(FIRST));
    }

    #[test]
    fn moved_prefers_another_claimant_and_keeps_the_only_one() {
        let mut claims = Claims::new(8);
        claims.claimed(FIRST, claim(0, 7));
        claims.moved(FIRST, ShardId(2));
        assert_eq!(claims.owner(ShardId(2)), Some(FIRST));
        claims.claimed(SECOND, claim(2, 2));
        claims.moved(FIRST, ShardId(2));
        assert_eq!(claims.owner(ShardId(2)), Some(SECOND));
        // A late `moved` of the old owner does not undo what was learnt.
        claims.moved(FIRST, ShardId(2));
        assert_eq!(claims.owner(ShardId(2)), Some(SECOND));
    }

    #[test]
    fn a_released_shard_leaves_only_that_shard() {
        let mut claims = Claims::new(8);
        claims.claimed(FIRST, claim(0, 7));
        claims.released(FIRST, ShardId(4));
        assert_eq!(claims.owner(ShardId(4)), None);
        assert_eq!(claims.owner(ShardId(3)), Some(FIRST));
        assert_eq!(claims.owner(ShardId(5)), Some(FIRST));
    }
}

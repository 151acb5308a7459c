//! What goes wrong with processes and with the store.

use rand::RngExt as _;
use trunkline_store::contract::Claim;
use trunkline_store::key::ShardId;

use super::super::{Action, Event};
use super::world::{STORE_EPOCH, World};

impl World {
    /// SIGKILL.
    pub(super) fn kill(&mut self, number: usize) {
        let process = &mut self.processes[number];
        process.alive = false;
        process.run += 1;
        process.shards.clear();
    }

    /// Starts a killed process again, under its name.
    pub(super) fn restart(&mut self, number: usize) {
        let (name, reads) = (self.processes[number].name.clone(), self.processes[number].reads);
        let node = self.node(&name, reads);
        let process = &mut self.processes[number];
        process.node = node;
        process.alive = true;
        process.left = false;
        process.run += 1;
        process.paused_until = 0;
        process.wakes_at = u64::MAX;
        self.begin(number);
    }

    /// Starts a process unless it lives.
    pub(super) fn restart_if_dead(&mut self, number: usize) {
        if !self.processes[number].alive {
            self.restart(number);
        }
    }

    /// SIGSTOP for this long.
    pub(super) fn pause(&mut self, number: usize, ms: u64) {
        let process = &mut self.processes[number];
        process.paused_until = self.now + ms;
    }

    /// Somebody tells that he could not reach a node.
    pub(super) fn suspect(&mut self, number: usize) {
        let suspect = self.processes[number].node.view(self.now).incarnation;
        let witness = (number + 1) % self.processes.len();
        self.tell(witness, Event::Suspect(suspect));
    }

    /// A stranger claims a shard.
    pub(super) fn steal(&mut self, shard: ShardId, claim: Claim) {
        self.leases_exclude = false;
        let now = STORE_EPOCH + self.now;
        self.store.carry_out(now, &Action::Claim { shard, claim });
    }

    /// A replica takes the store's place that lacks the last writes, up to this many copies of 100 ms.
    pub(super) fn fail_over(&mut self, most: usize) {
        self.leases_exclude = false;
        let back = self.rng.random_range(0..=most.min(self.copies.len().saturating_sub(1)));
        if let Some(copy) = self.copies.iter().rev().nth(back) {
            self.store = copy.clone();
        }
    }
}

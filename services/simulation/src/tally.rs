//! What a run was like, and what stands where.

use std::collections::BTreeMap;

use crate::callers::Activity;
use crate::worker::Host;
use crate::world::{CALM_AT, World};

/// What a run was like, for those who ask whether it showed anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) activities: usize,
    pub(crate) acknowledged: usize,
    pub(crate) given_up: usize,
    pub(crate) commits: u64,
    pub(crate) failovers: u64,
    pub(crate) lost: usize,
    pub(crate) processes: u64,
    pub(crate) resent: u64,
    /// Most processes that one activity took with it.
    pub(crate) killed_by_one: usize,
    pub(crate) refusals: BTreeMap<String, usize>,
    /// When everything was served again, and when nothing was left to do, after the last fault.
    pub(crate) served_after: u64,
    pub(crate) rested_after: u64,
}

impl World {
    /// What stands where, for a seed that failed.
    pub(crate) fn told(&self) -> String {
        let host = |host: &Host| match &host.process {
            None => format!("{}: nothing runs", host.name),
            Some(process) => {
                let view = process.node.view(self.now);
                let standings: Vec<_> = view
                    .nodes
                    .iter()
                    .map(|node| (node.incarnation, node.standing))
                    .collect();
                format!(
                    "{}: {:016x} {:?} map {:?} holds {:?}, sees {standings:?}",
                    host.name,
                    view.incarnation.0,
                    view.health,
                    view.map.version(),
                    view.shards
                )
            }
        };
        let hosts: Vec<String> = self.hosts.iter().map(host).collect();
        hosts.join("\n")
    }

    pub(crate) fn tally(&self) -> Tally {
        let count = |is_so: fn(&Activity) -> bool| self.activities.iter().filter(|activity| is_so(activity)).count();
        Tally {
            activities: self.activities.len(),
            acknowledged: count(|activity| activity.acknowledged_at.is_some()),
            given_up: count(|activity| activity.is_given_up),
            commits: self.store.commits,
            failovers: self.store.failovers,
            lost: self.store.lost.len(),
            processes: self.lives,
            killed_by_one: self.killed_by.values().copied().max().unwrap_or_default(),
            resent: self.threads.iter().map(|thread| thread.resent).sum(),
            refusals: self.refusals.clone(),
            served_after: self.served_at.saturating_sub(CALM_AT),
            rested_after: self.rested_at.saturating_sub(CALM_AT),
        }
    }
}

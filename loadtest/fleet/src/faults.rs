//! What goes wrong, one thing at a time, and what clients noticed of it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::cluster::Cluster;
use crate::crowd::{Attempt, Crowd, Noticed, Talk};
use crate::redis::Redis;
use crate::wait::wait_for;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to a worker that does not lead; started again afterwards.
    KillWorker,
    /// SIGKILL to the worker that leads.
    KillLeader,
    /// SIGSTOP to a worker for this long, then SIGCONT.
    PauseWorker(Duration),
    /// A worker's host is cut off for this long: packets vanish. Needs namespaces.
    CutWorker(Duration),
    /// SIGTERM to a worker; started again afterwards.
    StopWorker,
    /// `trunkline node drain --wait`, then `undrain`.
    DrainWorker,
    /// SIGKILL to an ingress.
    KillIngress,
    /// SIGTERM to an ingress.
    StopIngress,
    /// SIGTERM and start of every process, one after the other.
    RollingRestart,
    /// SIGKILL to the redis-server, started again after this long with what it has on disk.
    KillRedis(Duration),
    /// SIGSTOP to the redis-server for this long.
    PauseRedis(Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: &Duration| f64::from(u32::try_from(time.as_millis()).unwrap_or(u32::MAX)) / 1e3;
        match self {
            Self::KillWorker => write!(formatter, "worker killed"),
            Self::KillLeader => write!(formatter, "leader killed"),
            Self::PauseWorker(time) => write!(formatter, "worker stopped for {} s", seconds(time)),
            Self::CutWorker(time) => write!(formatter, "worker's host cut off for {} s", seconds(time)),
            Self::StopWorker => write!(formatter, "worker told to stop"),
            Self::DrainWorker => write!(formatter, "worker drained and taken back"),
            Self::KillIngress => write!(formatter, "ingress killed"),
            Self::StopIngress => write!(formatter, "ingress told to stop"),
            Self::RollingRestart => write!(formatter, "rolling restart of all"),
            Self::KillRedis(time) => write!(formatter, "Redis killed, away for {} s", seconds(time)),
            Self::PauseRedis(time) => write!(formatter, "Redis stopped for {} s", seconds(time)),
        }
    }
}

impl Fault {
    /// Lets it happen and mends it, and waits until the cluster is whole again. Returns the span in which it could be noticed.
    pub fn strike(
        self,
        cluster: &mut Cluster,
        redis: &mut Redis,
        crowd: &Crowd,
        chance: &mut StdRng,
    ) -> Range<Duration> {
        let began = crowd.now();
        match self {
            Self::KillWorker => {
                let leader = cluster.leader();
                let place = pick(cluster.workers.len(), chance, |place| {
                    cluster.workers[place].name != leader
                });
                kill_and_replace(cluster, place);
            }
            Self::KillLeader => {
                let leader = cluster.leader();
                let place = pick(cluster.workers.len(), chance, |place| {
                    cluster.workers[place].name == leader
                });
                kill_and_replace(cluster, place);
            }
            Self::PauseWorker(time) => {
                let place = pick(cluster.workers.len(), chance, |_| true);
                cluster.workers[place].process().pause();
                thread::sleep(time);
                cluster.workers[place].process().resume();
                comes_back_under_a_new_name(cluster, place);
            }
            Self::CutWorker(time) => {
                let place = pick(cluster.workers.len(), chance, |_| true);
                cluster.workers[place].host.cut();
                thread::sleep(time);
                cluster.workers[place].host.mend();
                comes_back_under_a_new_name(cluster, place);
            }
            Self::StopWorker => {
                let place = pick(cluster.workers.len(), chance, |_| true);
                cluster.workers[place].stop();
                cluster.workers[place].start();
            }
            Self::DrainWorker => {
                let place = pick(cluster.workers.len(), chance, |_| true);
                let name = cluster.workers[place].name.clone();
                cluster.command(&["node", "drain", &name, "--wait"]);
                cluster.command(&["node", "undrain", &name]);
            }
            Self::KillIngress => {
                let place = pick(cluster.ingresses.len(), chance, |_| true);
                cluster.ingresses[place].kill();
                thread::sleep(Duration::from_secs(1));
                cluster.ingresses[place].start();
            }
            Self::StopIngress => {
                let place = pick(cluster.ingresses.len(), chance, |_| true);
                cluster.ingresses[place].stop();
                cluster.ingresses[place].start();
            }
            Self::RollingRestart => {
                for place in 0..cluster.workers.len() {
                    cluster.workers[place].stop();
                    cluster.workers[place].start();
                    cluster.wait_until_whole();
                }
                for place in 0..cluster.ingresses.len() {
                    cluster.ingresses[place].stop();
                    cluster.ingresses[place].start();
                }
            }
            Self::KillRedis(time) => {
                redis.kill();
                thread::sleep(time);
                redis.launch();
            }
            Self::PauseRedis(time) => {
                redis.pause();
                thread::sleep(time);
                redis.resume();
            }
        }
        cluster.wait_until_whole();
        // What waits because of this fault is answered before the next one strikes: else it would be counted twice.
        crowd.is_calm_again();
        began..crowd.now()
    }
}

/// A supervisor would start it again at once; here the others take over first, so that what is measured is their work.
fn kill_and_replace(cluster: &mut Cluster, place: usize) {
    cluster.workers[place].kill();
    let name = cluster.workers[place].name.clone();
    wait_for("the others to serve its shards", || {
        cluster.is_served_without(&name).then_some(())
    });
    thread::sleep(Duration::from_secs(1));
    cluster.workers[place].rename();
    cluster.workers[place].start();
}

/// A worker that was taken for dead joins again and gets its share. Then it is replaced: each death makes its name wait twice as
/// long for shards, and the next strike would wait with it.
fn comes_back_under_a_new_name(cluster: &mut Cluster, place: usize) {
    cluster.wait_until_whole();
    cluster.workers[place].stop();
    cluster.workers[place].rename();
    cluster.workers[place].start();
}

fn pick(count: usize, chance: &mut StdRng, fits: impl Fn(usize) -> bool) -> usize {
    let fitting: Vec<usize> = (0..count).filter(|place| fits(*place)).collect();
    fitting[chance.random_range(0..fitting.len())]
}

/// What clients noticed of all strikes of one fault.
#[derive(Debug)]
pub struct Effect {
    /// What went wrong.
    pub fault: Fault,
    /// Each strike.
    pub noticed: Vec<Noticed>,
}

impl Effect {
    /// Of these spans.
    pub fn of(fault: Fault, talks: &[Talk], spans: &[Range<Duration>]) -> Self {
        Self {
            fault,
            noticed: spans.iter().map(|span| Noticed::of(talks, span)).collect(),
        }
    }

    /// Attempts that failed, over all strikes, by kind.
    pub fn failures(&self) -> BTreeMap<Attempt, u64> {
        let mut failures = BTreeMap::new();
        for (kind, count) in self.noticed.iter().flat_map(|noticed| &noticed.failures) {
            *failures.entry(*kind).or_default() += count;
        }
        failures
    }

    /// The slowest answer of each strike: p50, p99 and the worst of them.
    pub fn slowest(&self) -> [Duration; 3] {
        let mut worst: Vec<Duration> = self.noticed.iter().map(Noticed::worst).collect();
        worst.sort_unstable();
        [50, 99, 100].map(|percent| worst[(worst.len() * percent).div_ceil(100).max(1) - 1])
    }
}

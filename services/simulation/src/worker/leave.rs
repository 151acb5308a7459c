//! How a worker leaves in order, as `departure` of the product has it: its shards move first, then what is left ends, then it is
//! gone.

use trunkline_cluster::node::Event;
use trunkline_ingress::exchange::Loss;

use super::process::Process;
use super::{At, Effect, Thing};
use crate::world::{Happening, World};

/// Longest time for the shards to move.
const DRAIN: u64 = 4_000;
/// Longest time for what runs to end when nobody takes the shards.
const QUIESCE: u64 = 3_000;
/// From one look to the next.
const LOOK: u64 = 20;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    No,
    /// Its shards move, until then.
    Draining(u64),
    /// What runs may end, until then.
    Quiescing(u64),
    /// The cluster is told.
    Leaving,
}

impl Process {
    /// Whether it is on its way out.
    pub(crate) fn leaves(&self) -> bool {
        self.departure != Departure::No
    }
}

impl World {
    /// SIGTERM.
    pub(crate) fn stop_in_order(&mut self, host: usize) {
        let now = self.now;
        let Some(at) = self.at_host(host) else { return };
        let Some(process) = self.process(at).filter(|process| process.departure == Departure::No) else {
            return;
        };
        process.departure = Departure::Draining(now + DRAIN);
        self.after(0, Happening::Worker(at, Thing::Node(Event::Drain(true))));
        self.after(LOOK, Happening::Worker(at, Thing::Departs));
    }

    /// Whether the next step can be taken.
    pub(super) fn departs(&mut self, at: At) {
        let clocks = self.clocks(at);
        let now = clocks.steady_ms;
        let Some(process) = self.process(at) else { return };
        match process.departure {
            Departure::Draining(until) if process.node.holds_nothing() || now >= until => {
                process.departure = Departure::Quiescing(now + QUIESCE);
                let mut effects = Vec::new();
                process.shell.quiesce_all(clocks, &mut effects);
                self.carry_out(at, effects);
            }
            Departure::Quiescing(until) if process.shell.is_quiet() || now >= until => {
                process.departure = Departure::Leaving;
                self.carry_out(at, vec![Effect::Tell(Event::Leave)]);
                return;
            }
            _ => {}
        }
        self.after(LOOK, Happening::Worker(at, Thing::Departs));
    }

    /// The cluster has been told; somebody starts it again after a while.
    pub(super) fn has_left(&mut self, at: At) {
        self.end_process(at, Loss::Ended);
        let away = 100 + self.below(5_000);
        self.after(away, Happening::Start(at.host));
    }
}

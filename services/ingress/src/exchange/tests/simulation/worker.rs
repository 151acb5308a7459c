//! What a worker of the fleet does: it learns maps, claims and gives back shards, queues deliveries and ends turns.

use std::collections::VecDeque;

use bytes::Bytes;
use rand::RngExt as _;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Answer as WireAnswer, Moved};

use super::super::super::*;
use super::fleet::{Held, Stage};
use super::{Event, SHARDS, Simulation, StreamId};

/// A claim waits so long for a living holder.
const FORCE: u64 = 2_000;

impl Simulation {
    /// A worker learns of a map, and does what it says.
    pub(super) fn learn(&mut self, host: usize, version: u64) {
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        if process.map >= version {
            return;
        }
        process.map = version;
        let me = process.incarnation;
        let streams: Vec<StreamId> = process.streams.keys().copied().collect();
        for stream in streams {
            self.push(host, stream);
        }
        for shard in 0..SHARDS {
            let is_mine = self.fleet.owner(version, shard) == Some(me);
            let now = self.now;
            let Some(process) = &mut self.fleet.hosts[host].process else {
                return;
            };
            match process.shards.get_mut(&shard) {
                None if is_mine => {
                    let held = Held {
                        stage: Stage::Expecting,
                        since: now,
                        queue: VecDeque::new(),
                        is_running: false,
                    };
                    process.shards.insert(shard, held);
                    self.after(
                        1,
                        Event::Claim {
                            host,
                            incarnation: me,
                            shard,
                        },
                    );
                }
                Some(held) if !is_mine && held.stage == Stage::Serving => {
                    held.stage = Stage::Quiescing;
                    let runs = usize::from(held.is_running);
                    let back: Vec<_> = held.queue.drain(runs..).collect();
                    let is_quiet = !held.is_running;
                    self.hand_back(host, back);
                    if is_quiet {
                        self.release(host, shard);
                    }
                }
                Some(held) if !is_mine && held.stage == Stage::Expecting => {
                    let back = held.queue.drain(..).collect();
                    process.shards.remove(&shard);
                    self.hand_back(host, back);
                }
                _ => {}
            }
        }
    }

    pub(super) fn claim(&mut self, host: usize, incarnation: u64, shard: u32) {
        let holder = self.fleet.fences[shard as usize];
        let is_free = holder == 0 || !self.fleet.is_running(holder);
        let again = Event::Claim {
            host,
            incarnation,
            shard,
        };
        let now = self.now;
        let Some(held) = self.held(host, incarnation, shard) else {
            return;
        };
        if held.stage != Stage::Expecting {
            return;
        }
        if is_free || now >= held.since + FORCE {
            held.stage = Stage::Serving;
            self.fleet.fences[shard as usize] = incarnation;
            self.begin(host, shard);
        } else {
            self.after(50, again);
        }
    }

    fn held(&mut self, host: usize, incarnation: u64, shard: u32) -> Option<&mut Held> {
        let process = self.fleet.hosts[host].process.as_mut()?;
        (process.incarnation == incarnation).then(|| process.shards.get_mut(&shard))?
    }

    fn release(&mut self, host: usize, shard: u32) {
        if let Some(process) = &mut self.fleet.hosts[host].process {
            process.shards.remove(&shard);
            if self.fleet.fences[shard as usize] == process.incarnation {
                self.fleet.fences[shard as usize] = 0;
            }
        }
    }

    fn begin(&mut self, host: usize, shard: u32) {
        let duration = match self.random.random_range(0..100) {
            0 => self.random.random_range(200..1_500),
            _ => self.random.random_range(1..20),
        };
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        let incarnation = process.incarnation;
        let Some(held) = process.shards.get_mut(&shard) else {
            return;
        };
        if held.stage == Stage::Serving && !held.is_running && !held.queue.is_empty() {
            held.is_running = true;
            self.after(
                duration,
                Event::TurnEnds {
                    host,
                    incarnation,
                    shard,
                },
            );
        }
    }

    pub(super) fn end_turn(&mut self, host: usize, incarnation: u64, shard: u32) {
        let may_write = self.fleet.fences[shard as usize] == incarnation;
        let Some(held) = self.held(host, incarnation, shard) else {
            return;
        };
        held.is_running = false;
        let is_last = held.stage == Stage::Quiescing;
        if !may_write {
            // Lost: nothing is written, everything is handed back.
            let back = held.queue.drain(..).collect();
            self.hand_back(host, back);
            self.release(host, shard);
            return;
        }
        if let Some((stream, seq, request)) = held.queue.pop_front() {
            let answer = WireAnswer {
                status: 200,
                body: Bytes::new(),
            };
            let ended = if self.fleet.committed.insert(request) {
                Ended::Done(answer)
            } else {
                Ended::Repeated(answer)
            };
            self.say(host, stream, seq, ended);
        }
        if is_last {
            self.release(host, shard);
        } else {
            self.begin(host, shard);
        }
    }

    pub(super) fn hand_back(&mut self, host: usize, back: Vec<(StreamId, u64, u64)>) {
        for (stream, seq, _) in back {
            self.say(host, stream, seq, Ended::Moved(Moved {}));
        }
    }

    /// Something has come from an ingress.
    pub(super) fn at_worker(&mut self, host: usize, stream: StreamId, outgoing: Outgoing) {
        let Some(process) = &mut self.fleet.hosts[host].process else {
            return;
        };
        let Some(named) = process.streams.get_mut(&stream) else {
            return;
        };
        match outgoing {
            Outgoing::MapVersion(version) => {
                *named = version;
                self.push(host, stream);
            }
            Outgoing::Ping => {
                self.travel(stream, false, Event::ToIngress(stream, Box::default()));
            }
            Outgoing::Cancel(seq) => {
                for held in process.shards.values_mut() {
                    let runs = usize::from(held.is_running);
                    let found = held
                        .queue
                        .iter()
                        .skip(runs)
                        .position(|job| (job.0, job.1) == (stream, seq));
                    if let Some(place) = found {
                        held.queue.remove(place + runs);
                    }
                }
            }
            Outgoing::Deliver(delivery) => {
                let request = u64::from_le_bytes(delivery.head[..8].try_into().unwrap());
                let shard = u32::from_le_bytes(delivery.head[8..12].try_into().unwrap());
                match process.shards.get_mut(&shard) {
                    Some(held) if held.stage != Stage::Quiescing => {
                        held.queue.push_back((stream, delivery.seq, request));
                        self.begin(host, shard);
                    }
                    _ => self.say(host, stream, delivery.seq, Ended::Moved(Moved {})),
                }
            }
            Outgoing::Pong | Outgoing::Suspect(_) => {}
        }
    }
}

//! The ingress' end of the streams: opened, closed, what leaves on them, and what is outstanding there.

use std::collections::BTreeMap;

use trunkline_ingress::exchange::{Action, Delivery, Loss, Outgoing, WorkerIndex};
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Moved, Outcome, Routes, ToIngress};
use trunkline_store::key::ShardId;

use super::{Heard, StreamId, head_of};
use crate::broken::Invariant;
use crate::worker::{Thing, address_of};
use crate::world::{Happening, World};

/// One stream, or the attempt to open it.
pub(super) struct Link {
    pub(super) stream: StreamId,
    host: usize,
    /// Version of the map that frames name.
    version: u64,
    /// Deliveries that the worker has neither answered nor handed back: sequence, shard, number.
    pub(super) outstanding: BTreeMap<u64, (ShardId, u64)>,
}

impl Link {
    /// It is given up, whatever it still holds.
    pub(super) fn closing(&self) -> (usize, StreamId) {
        (self.host, self.stream)
    }
}

impl World {
    pub(super) fn perform(&mut self, thread: usize, action: Action<u64>) {
        match action {
            Action::Connect {
                worker,
                generation,
                address,
                map_version,
            } => {
                let life = self.threads[thread].life;
                let stream = StreamId {
                    thread,
                    life,
                    generation,
                };
                let host = (0..self.hosts.len())
                    .find(|host| address_of(*host) == *address)
                    .unwrap();
                let link = Link {
                    stream,
                    host,
                    version: map_version,
                    outstanding: BTreeMap::new(),
                };
                self.threads[thread].links.insert(worker, link);
                self.travel(host, stream, true, Happening::Connects(host, stream, map_version));
            }
            Action::Close { worker } => {
                if let Some(link) = self.threads[thread].links.remove(&worker) {
                    self.travel(link.host, link.stream, true, Happening::Closed(link.host, link.stream));
                }
            }
            Action::Send { worker, outgoing } => self.send_on(thread, worker, outgoing),
            Action::Answer { waiter, answer } => {
                if let Some(waiter) = self.threads[thread].waiting.remove(&waiter) {
                    self.answered(thread, &waiter, &answer);
                } else {
                    self.breaks(
                        Invariant::Manners,
                        format!("waiter {waiter} is answered twice: {answer:?}"),
                    );
                }
            }
            Action::Drain(_) => {}
        }
    }

    fn send_on(&mut self, thread: usize, place: WorkerIndex, outgoing: Outgoing) {
        if let Outgoing::Deliver(delivery) = &outgoing {
            self.check_sending(thread, place, delivery);
        }
        let Some(link) = self.threads[thread].links.get_mut(&place) else {
            return self.breaks(
                Invariant::Manners,
                format!("{outgoing:?} is sent where there is no stream"),
            );
        };
        match &outgoing {
            Outgoing::Cancel(seq) => {
                // What is taken back from a worker that lost the shard is not outstanding there any more.
                link.outstanding.remove(seq);
            }
            Outgoing::MapVersion(version) => link.version = *version,
            _ => {}
        }
        let (stream, host, version) = (link.stream, link.host, link.version);
        self.travel(host, stream, true, Happening::ToStream(host, stream, version, outgoing));
    }

    /// I8.
    fn check_sending(&mut self, thread: usize, place: WorkerIndex, delivery: &Delivery) {
        let (number, chat) = head_of(delivery);
        let shard = self.common.chats[chat].shard;
        let links = &self.threads[thread].links;
        let elsewhere = links.iter().filter(|(other, _)| **other != place);
        let mut outstanding = elsewhere.flat_map(|(_, link)| link.outstanding.values().map(|it| (link.host, it)));
        if let Some((host, _)) = outstanding.find(|(_, (other, _))| *other == shard) {
            let what = format!("{number} of shard {shard} is sent by ingress-{thread} while host-{host} has one of it");
            self.breaks(Invariant::I8, what);
        }
        if let Some(link) = self.threads[thread].links.get_mut(&place) {
            link.outstanding.insert(delivery.seq, (shard, number));
        }
    }

    /// A wrong variant: whatever is outstanding at a worker that the map does not name any more counts as handed back.
    pub(super) fn believe_the_map(&mut self, thread: usize, routes: &Routes) {
        let owner = |shard: ShardId| {
            let place = shard.0 as usize * 2;
            let owner = u16::from_le_bytes([routes.owners[place], routes.owners[place + 1]]);
            routes.nodes.get(usize::from(owner)).map(|node| node.address.clone())
        };
        let mut forged = Vec::new();
        for (place, link) in &self.threads[thread].links {
            for (seq, (shard, _)) in &link.outstanding {
                if owner(*shard).is_some_and(|owner| owner != address_of(link.host)) {
                    forged.push((*place, link.stream.generation, *seq));
                }
            }
        }
        for (place, generation, seq) in forged {
            let result = Some(Ended::Moved(Moved {}));
            let frame = ToIngress {
                outcome: vec![Outcome { seq, result }],
                ..ToIngress::default()
            };
            let _ = self.at_exchange(thread, |exchange, now| exchange.frame(now, place, generation, frame));
        }
    }

    /// An ingress opens a stream: refused where nobody listens.
    pub(crate) fn connects(&mut self, host: usize, stream: StreamId, named: u64) {
        if let Some(at) = self.at_host(host) {
            return self.meet(at, Thing::Connect(stream, named));
        }
        if !self.hosts[host].is_dark {
            let lost = Heard::Lost(stream, Loss::Refused);
            self.travel(host, stream, false, Happening::Thread(stream.thread, lost));
        }
    }

    /// The streams of a host break, and both ends live.
    pub(crate) fn cut(&mut self, host: usize) {
        let Some(at) = self.at_host(host) else { return };
        let streams = self
            .process(at)
            .map(|process| process.shell.stream_ids())
            .unwrap_or_default();
        for stream in streams {
            self.meet(at, Thing::Closed(stream));
            let lost = Heard::Lost(stream, Loss::Reset);
            self.travel(host, stream, false, Happening::Thread(stream.thread, lost));
        }
    }
}

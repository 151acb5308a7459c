//! The streams between ingresses and the machines of the fleet: made, broken, and what comes down them.

use rand::RngExt as _;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Outcome, PROTOCOL, ToIngress, Welcome};

use super::super::super::*;
use super::fleet::address_of;
use super::{CALM_AT, Event, SHARDS, Simulation, StreamId};

impl Simulation {
    pub(super) fn kill(&mut self, host: usize, resets: bool) {
        let away = self.random.random_range(100..8_000);
        let it = &mut self.fleet.hosts[host];
        it.restarts_at = self.now + away;
        it.is_dark = !resets;
        it.paused_until = 0;
        it.stuck_until = 0;
        if let Some(process) = it.process.take()
            && resets
        {
            for stream in process.streams.into_keys() {
                self.travel(stream, false, Event::Lost(stream, Loss::Reset));
            }
        }
    }

    /// Every stream of a host breaks, and both ends live.
    pub(super) fn cut(&mut self, host: usize) {
        let streams = self.fleet.hosts[host]
            .process
            .as_mut()
            .map(|process| std::mem::take(&mut process.streams));
        for stream in streams.into_iter().flatten().map(|(stream, _)| stream) {
            self.travel(stream, false, Event::Lost(stream, Loss::Reset));
        }
    }

    pub(super) fn connect(&mut self, stream: StreamId, host: usize, named: u64) {
        let it = &mut self.fleet.hosts[host];
        let Some(process) = &mut it.process else {
            if !it.is_dark {
                self.travel(stream, false, Event::Lost(stream, Loss::Refused));
            }
            return;
        };
        process.streams.insert(stream, named);
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: address_of(host),
            incarnation: process.incarnation,
            shards: SHARDS,
        };
        let frame = ToIngress {
            welcome: Some(welcome),
            credits: 100_000,
            ..ToIngress::default()
        };
        self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
        self.push(host, stream);
    }

    /// Sends the map to an ingress that knows an older one; now and then not the newest, or twice.
    pub(super) fn push(&mut self, host: usize, stream: StreamId) {
        let Some(process) = &self.fleet.hosts[host].process else {
            return;
        };
        let (known, named) = (process.map, process.streams.get(&stream).copied());
        if named.is_none_or(|named| named >= known) {
            return;
        }
        let is_odd = self.now < CALM_AT && self.random.random_bool(0.1);
        let versions = if is_odd {
            vec![known, known - 1, known]
        } else {
            vec![known]
        };
        for version in versions {
            let frame = ToIngress {
                map_version: known,
                routes: Some(self.fleet.maps[usize::try_from(version).unwrap()].clone()),
                ..ToIngress::default()
            };
            self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
        }
    }

    pub(super) fn say(&mut self, host: usize, stream: StreamId, seq: u64, ended: Ended) {
        let process = self.fleet.hosts[host].process.as_ref();
        if !process.is_some_and(|process| process.streams.contains_key(&stream)) {
            return;
        }
        let outcome = Outcome {
            seq,
            result: Some(ended),
        };
        let frame = ToIngress {
            outcome: vec![outcome],
            credits: 1,
            ..ToIngress::default()
        };
        self.travel(stream, false, Event::ToIngress(stream, Box::new(frame)));
    }
}

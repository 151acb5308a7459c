//! The threads of the ingress, their callers, and what they may expect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt as _;
use trunkline_proto::routing::Routes as Table;
use trunkline_store::ShardId;

use super::super::super::*;
use super::fleet::address_of;
use super::{BUDGET_MS, CALM_AT, END, Event, HEALED_AT, SHARDS, Simulation, StreamId};

/// One thread with its exchange.
pub(super) struct Thread {
    number: usize,
    began: Instant,
    exchange: Exchange<u64>,
    pub(super) stopped_until: u64,
    /// Request to shard, deadline and time of submission, until it is answered.
    live: BTreeMap<u64, (u32, u64, u64)>,
    next: u64,
    /// Open streams or attempts, by place.
    links: BTreeMap<usize, Link>,
    pub(super) counts: BTreeMap<&'static str, usize>,
}

struct Link {
    generation: u64,
    host: usize,
    /// Sequence to request.
    outstanding: BTreeMap<u64, u64>,
}

impl Thread {
    pub(super) fn new(number: usize, seed: u64) -> Self {
        let began = Instant::now();
        Self {
            number,
            began,
            exchange: Exchange::new(began, SHARDS, &[address_of(0), address_of(1)], seed),
            stopped_until: 0,
            live: BTreeMap::new(),
            next: number as u64 * 1_000_000,
            links: BTreeMap::new(),
            counts: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn link_of(&mut self, stream: StreamId) -> Option<(usize, &mut Link)> {
        let mut links = self.links.iter_mut().map(|(place, link)| (*place, link));
        links.find(|(_, link)| link.generation == stream.1)
    }

    /// After a tick nobody waits beyond the deadline.
    pub(super) fn check_time(&self, now: u64) {
        for (number, (_, deadline, _)) in &self.live {
            assert!(
                *deadline > now,
                "{number} waits at {now}, its caller's time was over at {deadline}"
            );
        }
    }

    /// Everything is as if nothing had been.
    pub(super) fn check_healed(&self, newest: &Table) {
        assert_eq!(
            self.exchange.map_version(),
            newest.version,
            "the newest map is not known"
        );
        let wanted: BTreeSet<&str> = newest.nodes.iter().map(|node| node.address.as_str()).collect();
        let hosts = self.links.values().map(|link| address_of(link.host));
        let connected: BTreeSet<String> = hosts.collect();
        let connected: BTreeSet<&str> = connected.iter().map(String::as_str).collect();
        assert_eq!(connected, wanted, "connections");
        assert_eq!(self.links.len(), newest.nodes.len(), "one stream for each node");
    }

    /// I8, and the order of arrival.
    fn check_sending(&self, place: usize, number: u64) {
        let (shard, ..) = self.live[&number];
        let shard_of = |number: &u64| self.live.get(number).map(|(shard, ..)| *shard);
        for (other, link) in &self.links {
            let has_shard = link.outstanding.values().any(|other| shard_of(other) == Some(shard));
            assert!(
                *other == place || !has_shard,
                "shard {shard} is outstanding at two workers"
            );
        }
        let here: BTreeSet<&u64> = self.links[&place].outstanding.values().collect();
        for (earlier, (other, ..)) in self.live.range(..number) {
            assert!(
                *other != shard || here.contains(earlier),
                "{number} was sent while {earlier} waited"
            );
        }
    }
}

impl Simulation {
    /// Lets something happen to an exchange, and does what it says.
    pub(super) fn at_thread<T>(&mut self, number: usize, happen: impl FnOnce(&mut Exchange<u64>, Instant) -> T) -> T {
        let thread = &mut self.threads[number];
        let now = thread.began + Duration::from_millis(self.now);
        let result = happen(&mut thread.exchange, now);
        while let Some(action) = self.threads[number].exchange.next_action() {
            self.perform(number, action);
        }
        let tally = self.threads[number].exchange.take_tally();
        *self.threads[number].counts.entry("resent").or_default() += usize::try_from(tally.resends).unwrap();
        result
    }

    pub(super) fn submit(&mut self, number: usize) {
        // In the end one request for each shard tells whether everything is served again.
        let is_last = self.now >= HEALED_AT;
        let pause = if is_last { END } else { self.random.random_range(1..120) };
        self.after(pause, Event::Submit(number));
        let shards = if is_last {
            0..SHARDS
        } else {
            let shard = self.random.random_range(0..SHARDS);
            shard..shard + 1
        };
        for shard in shards {
            let thread = &mut self.threads[number];
            thread.next += 1;
            let waiter = thread.next;
            thread.live.insert(waiter, (shard, self.now + BUDGET_MS, self.now));
            thread.count("submitted");
            let deadline = thread.began + Duration::from_millis(self.now + BUDGET_MS);
            let mut head = waiter.to_le_bytes().to_vec();
            head.extend(shard.to_le_bytes());
            let request = Request {
                shard: ShardId(shard),
                deadline,
                head: head.into(),
                activity: Bytes::new(),
                is_deferrable: true,
                // One in four stands for the notification of a call.
                notified_at: waiter
                    .is_multiple_of(4)
                    .then_some(thread.began + Duration::from_millis(self.now)),
            };
            self.at_thread(number, |exchange, now| exchange.submit(now, request, waiter));
        }
    }

    pub(super) fn frame(&mut self, stream: StreamId, frame: ToIngress) {
        let Some((place, link)) = self.threads[stream.0].link_of(stream) else {
            return;
        };
        for outcome in &frame.outcome {
            link.outstanding.remove(&outcome.seq);
        }
        let result = self.at_thread(stream.0, |exchange, now| {
            exchange.frame(now, WorkerIndex(place), stream.1, frame)
        });
        result.expect("all workers fit this ingress");
    }

    pub(super) fn lost(&mut self, stream: StreamId, loss: Loss) {
        let Some((place, _)) = self.threads[stream.0].link_of(stream) else {
            return;
        };
        self.threads[stream.0].links.remove(&place);
        self.at_thread(stream.0, |exchange, now| {
            exchange.lost(now, WorkerIndex(place), stream.1, loss);
        });
    }

    fn perform(&mut self, number: usize, action: Action<u64>) {
        match action {
            Action::Connect {
                worker,
                generation,
                address,
                map_version,
            } => {
                let stream = (number, generation);
                let host = (0..super::HOSTS).find(|host| address_of(*host) == *address).unwrap();
                let link = Link {
                    generation,
                    host,
                    outstanding: BTreeMap::new(),
                };
                self.threads[number].links.insert(worker.0, link);
                self.travel(stream, true, Event::Connect(stream, host, map_version));
            }
            Action::Close { worker } => {
                if let Some(link) = self.threads[number].links.remove(&worker.0) {
                    self.fleet.forget_stream(link.host, (number, link.generation));
                }
            }
            Action::Send { worker, outgoing } => self.send(number, worker.0, outgoing),
            Action::Answer { waiter, answer } => self.answered(number, waiter, &answer),
            Action::Drain(_) => {}
        }
    }

    fn send(&mut self, number: usize, place: usize, outgoing: Outgoing) {
        let thread = &mut self.threads[number];
        match &outgoing {
            Outgoing::Deliver(delivery) => {
                let request = u64::from_le_bytes(delivery.head[..8].try_into().unwrap());
                thread.check_sending(place, request);
                thread.count("sent");
                let link = thread.links.get_mut(&place).expect("a stream to send on");
                link.outstanding.insert(delivery.seq, request);
            }
            Outgoing::Cancel(seq) => {
                // What is taken back from a worker that lost the shard is not outstanding there any more.
                if let Some(link) = thread.links.get_mut(&place) {
                    link.outstanding.remove(seq);
                }
            }
            Outgoing::Suspect(incarnation) => {
                let incarnation = *incarnation;
                self.fleet.suspect(incarnation);
                return;
            }
            Outgoing::Ping | Outgoing::Pong | Outgoing::MapVersion(_) => {}
        }
        let Some(link) = self.threads[number].links.get(&place) else {
            return;
        };
        let (stream, host) = ((number, link.generation), link.host);
        self.travel(stream, true, Event::ToWorker(host, stream, outgoing));
    }

    fn answered(&mut self, number: usize, waiter: u64, answer: &Answer) {
        let is_committed = self.fleet.is_committed(waiter);
        let thread = &mut self.threads[number];
        let Some((shard, _, submitted)) = thread.live.remove(&waiter) else {
            panic!("{waiter} was answered twice: {answer:?}");
        };
        let what = match answer {
            Answer::Done { .. } | Answer::Repeated { .. } => {
                assert!(is_committed, "{waiter} was answered as done and is not committed");
                "done"
            }
            Answer::Expired => "expired",
            Answer::Poisoned { workers } => {
                for worker in workers {
                    assert!(self.fleet.is_dead(*worker), "{worker} did not die");
                }
                "poisoned"
            }
            Answer::NoCredit => "no credit",
            Answer::Accepted | Answer::Refused { .. } | Answer::Unspoken => panic!("no worker says so: {answer:?}"),
        };
        thread.count(what);
        assert!(
            what == "done" || submitted < HEALED_AT,
            "shard {shard} is not served after the faults have ended at {CALM_AT}: {answer:?} by thread {}",
            thread.number
        );
        assert_ne!(what, "no credit", "there are plenty");
    }
}

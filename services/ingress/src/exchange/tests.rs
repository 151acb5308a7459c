//! The exchange with simulated time and simulated workers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use trunkline_proto::routing::{
    Accepted, Answer as WireAnswer, Moved, Outcome, PROTOCOL, Reason, Refused, ShardRange, ToIngress, Welcome,
};
use trunkline_store::ShardId;

use super::*;

const SHARDS: u32 = 8;
const BUDGET: Duration = Duration::from_secs(13);

/// What the ingress and its workers know of each other, and checks of everything that is promised at every step.
struct World {
    exchange: Exchange<u64>,
    now: Instant,
    links: Vec<SimulatedLink>,
    /// Submitted and neither answered nor cancelled: the shard of each.
    live: BTreeMap<u64, u32>,
    answers: HashMap<u64, Answer>,
    /// Order in which requests were sent, resends included.
    sent: Vec<u64>,
    pings: usize,
    pongs: usize,
    cancels: Vec<u64>,
    ids: HashMap<u64, RequestId>,
    next: u64,
}

/// How a worker ends a request.
type End = fn() -> Ended;

#[derive(Default)]
struct SimulatedLink {
    /// A stream is asked for or open.
    generation: Option<u64>,
    is_up: bool,
    credits: u32,
    /// Sequence to request, of the open stream.
    outstanding: BTreeMap<u64, u64>,
    serves: Vec<(u32, u32)>,
}

impl World {
    fn new(workers: usize) -> Self {
        let now = Instant::now();
        let mut world = Self {
            exchange: Exchange::new(now, SHARDS, workers, 7),
            now,
            links: (0..workers).map(|_| SimulatedLink::default()).collect(),
            live: BTreeMap::new(),
            answers: HashMap::new(),
            sent: Vec::new(),
            pings: 0,
            pongs: 0,
            cancels: Vec::new(),
            ids: HashMap::new(),
            next: 0,
        };
        world.pass(Duration::ZERO);
        world
    }

    /// A world whose only worker serves everything and has plenty of places.
    fn with_one_worker() -> Self {
        let mut world = Self::new(1);
        world.welcome(0, 1, &[(0, SHARDS - 1)]);
        world.grant(0, 1_000);
        world
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.exchange.tick(self.now);
            self.perform();
            if self.now >= end {
                return;
            }
            self.now = end.min(self.now + timing::TICK);
        }
    }

    fn submit(&mut self, shard: u32) -> u64 {
        self.next += 1;
        let number = self.next;
        self.live.insert(number, shard);
        let request = Request {
            shard: ShardId(shard),
            deadline: self.now + BUDGET,
            head: Bytes::copy_from_slice(&number.to_le_bytes()),
            activity: Bytes::from_static(b"{}"),
        };
        let id = self.exchange.submit(self.now, request, number);
        self.ids.insert(number, id);
        self.perform();
        number
    }

    fn cancel(&mut self, number: u64) {
        if self.live.remove(&number).is_some() {
            self.exchange.cancel(self.now, self.ids[&number]);
            self.perform();
        }
    }

    fn welcome(&mut self, worker: usize, incarnation: u64, serves: &[(u32, u32)]) {
        let link = &mut self.links[worker];
        let Some(generation) = link.generation else {
            return;
        };
        link.is_up = true;
        link.serves = serves.to_vec();
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: format!("worker-{worker}"),
            incarnation,
            shards: SHARDS,
            serves: serves
                .iter()
                .map(|(first, last)| ShardRange {
                    first: *first,
                    last: *last,
                })
                .collect(),
        };
        let frame = ToIngress {
            welcome: Some(welcome),
            ..ToIngress::default()
        };
        self.exchange
            .frame(self.now, WorkerIndex(worker), generation, frame)
            .unwrap();
        self.perform();
    }

    fn frame(&mut self, worker: usize, frame: ToIngress) {
        let link = &mut self.links[worker];
        if !link.is_up {
            return;
        }
        link.credits += frame.credits;
        for outcome in &frame.outcome {
            link.outstanding.remove(&outcome.seq);
        }
        let generation = link.generation.unwrap();
        self.exchange
            .frame(self.now, WorkerIndex(worker), generation, frame)
            .unwrap();
        self.perform();
    }

    fn grant(&mut self, worker: usize, credits: u32) {
        self.frame(
            worker,
            ToIngress {
                credits,
                ..ToIngress::default()
            },
        );
    }

    /// The worker says something about requests, in one frame.
    fn say(&mut self, worker: usize, outcomes: &[(u64, End)]) {
        let link = &self.links[worker];
        let seq_of = |number: u64| {
            link.outstanding
                .iter()
                .find(|(_, other)| **other == number)
                .map(|(seq, _)| *seq)
        };
        let outcome = outcomes
            .iter()
            .map(|(number, result)| Outcome {
                seq: seq_of(*number).expect("the worker answers what it has"),
                result: Some(result()),
            })
            .collect();
        self.frame(
            worker,
            ToIngress {
                outcome,
                ..ToIngress::default()
            },
        );
    }

    fn lose(&mut self, worker: usize, loss: Loss) {
        let link = &mut self.links[worker];
        if let Some(generation) = link.generation.take() {
            link.is_up = false;
            link.outstanding.clear();
            link.credits = 0;
            self.exchange.lost(self.now, WorkerIndex(worker), generation, loss);
            self.perform();
        }
    }

    fn at(&self, worker: usize) -> Vec<u64> {
        self.links[worker].outstanding.values().copied().collect()
    }

    fn perform(&mut self) {
        while let Some(action) = self.exchange.next_action() {
            match action {
                Action::Connect { worker, generation } => {
                    let link = &mut self.links[worker.0];
                    *link = SimulatedLink {
                        generation: Some(generation),
                        ..SimulatedLink::default()
                    };
                }
                Action::Close { worker } => {
                    let link = &mut self.links[worker.0];
                    *link = SimulatedLink::default();
                }
                Action::Send { worker, outgoing } => self.sent_to(worker.0, outgoing),
                Action::Answer { waiter, answer } => {
                    let was_live = self.live.remove(&waiter).is_some();
                    assert!(
                        was_live,
                        "{waiter} was answered twice, or after its caller left: {answer:?}"
                    );
                    self.answers.insert(waiter, answer);
                }
            }
        }
    }

    fn sent_to(&mut self, worker: usize, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Ping => self.pings += 1,
            Outgoing::Pong => self.pongs += 1,
            Outgoing::Cancel(seq) => self.cancels.push(seq),
            Outgoing::Deliver(delivery) => {
                let number = u64::from_le_bytes(delivery.head[..].try_into().unwrap());
                let shard = self.live[&number];
                let in_flight =
                    |link: &SimulatedLink| -> BTreeSet<u64> { link.outstanding.values().copied().collect() };
                for (other, link) in self.links.iter().enumerate() {
                    let has_shard = in_flight(link)
                        .iter()
                        .any(|number| self.live.get(number) == Some(&shard));
                    assert!(
                        other == worker || !has_shard,
                        "shard {shard} is outstanding at two workers"
                    );
                }
                let before = self.live.range(..number).filter(|(_, other)| **other == shard);
                let here = in_flight(&self.links[worker]);
                for (earlier, _) in before {
                    assert!(here.contains(earlier), "{number} was sent while {earlier} waited");
                }
                let link = &mut self.links[worker];
                assert!(link.is_up, "sent on a stream that is not welcomed");
                assert!(link.credits > 0, "sent without a credit");
                link.credits -= 1;
                link.outstanding.insert(delivery.seq, number);
                assert_eq!(delivery.activity, "{}");
                self.sent.push(number);
            }
        }
    }
}

fn done() -> Ended {
    Ended::Done(WireAnswer {
        status: 200,
        body: Bytes::new(),
    })
}

fn moved() -> Ended {
    Ended::Moved(Moved {})
}

fn accepted() -> Ended {
    Ended::Accepted(Accepted {})
}

fn queue_full() -> Ended {
    Ended::Refused(Refused {
        reason: Reason::QueueFull.into(),
        retry_after_ms: 2_000,
    })
}

#[test]
fn a_request_goes_to_the_worker_that_serves_its_shard() {
    let mut world = World::new(2);
    world.welcome(0, 1, &[(0, 3)]);
    world.welcome(1, 2, &[(4, 7)]);
    world.grant(0, 10);
    world.grant(1, 10);
    let low = world.submit(3);
    let high = world.submit(4);
    assert_eq!((world.at(0), world.at(1)), (vec![low], vec![high]));
    world.say(0, &[(low, done)]);
    world.say(1, &[(high, accepted)]);
    assert_eq!(
        world.answers[&low],
        Answer::Done {
            status: 200,
            body: Bytes::new()
        }
    );
    assert_eq!(world.answers[&high], Answer::Accepted);
}

#[test]
fn a_refusal_of_the_worker_is_an_answer_and_not_sent_again() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    world.say(0, &[(request, queue_full)]);
    let expected = Answer::Refused {
        reason: Reason::QueueFull,
        retry_after_ms: 2_000,
    };
    assert_eq!(world.answers[&request], expected);
    assert_eq!(world.sent, [request]);
}

#[test]
fn a_request_that_nobody_serves_waits_for_its_worker_until_its_deadline() {
    let mut world = World::new(1);
    let early = world.submit(2);
    world.pass(Duration::from_secs(1));
    let late = world.submit(2);
    world.welcome(0, 1, &[(3, 3)]);
    world.grant(0, 10);
    assert!(world.sent.is_empty());
    // The worker stays in touch and never serves the shard.
    for _ in 0..130 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert_eq!(world.answers[&early], Answer::Expired);
    assert_eq!(world.answers[&late], Answer::Expired);
}

#[test]
fn hand_backs_are_sent_again_in_the_order_of_arrival_after_the_last_has_come() {
    let mut world = World::new(2);
    world.welcome(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    let [first, second, third] = [world.submit(5), world.submit(5), world.submit(5)];
    // The shard moves: the next owner is known before the old one has handed back.
    world.welcome(1, 2, &[(5, 5)]);
    world.grant(1, 10);
    world.say(0, &[(third, moved)]);
    let fourth = world.submit(5);
    assert_eq!(world.at(1), Vec::<u64>::new(), "the old owner still has two");
    world.say(0, &[(first, moved)]);
    world.say(0, &[(second, done)]);
    assert_eq!(world.at(1), [first, third, fourth]);
}

#[test]
fn a_moved_shard_is_tried_at_once_and_then_with_growing_delays() {
    let mut world = World::with_one_worker();
    let request = world.submit(1);
    world.say(0, &[(request, moved)]);
    assert_eq!(world.sent.len(), 2, "the first resend is immediate");
    world.say(0, &[(request, moved)]);
    assert_eq!(world.sent.len(), 2, "the second waits");
    world.pass(Duration::from_millis(100));
    assert_eq!(world.sent.len(), 3);
    for _ in 0..130 {
        if world.at(0) == [request] {
            world.say(0, &[(request, moved)]);
        }
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert_eq!(world.answers[&request], Answer::Expired);
    assert!(
        (10..=40).contains(&world.sent.len()),
        "{} sendings in 13 s",
        world.sent.len()
    );
}

#[test]
fn a_broken_stream_is_opened_again_at_once_and_its_requests_sent_again_in_order() {
    let mut world = World::with_one_worker();
    let [first, other, second] = [world.submit(1), world.submit(2), world.submit(1)];
    world.lose(0, Loss::Broken);
    assert!(world.links[0].generation.is_some(), "asked for at once");
    let third = world.submit(1);
    world.welcome(0, 1, &[(0, 7)]);
    assert_eq!(world.at(0), Vec::<u64>::new(), "a new stream begins without credits");
    world.grant(0, 10);
    let again = &world.sent[3..];
    assert_eq!(
        again
            .iter()
            .filter(|number| **number != other)
            .copied()
            .collect::<Vec<_>>(),
        [first, second, third]
    );
    assert!(again.contains(&other));
    assert_eq!(world.exchange.take_tally().resends, 3);
}

#[test]
fn a_silent_worker_is_asked_and_then_given_up_and_its_shards_go_to_the_other() {
    let mut world = World::new(2);
    world.welcome(0, 1, &[(0, 7)]);
    world.welcome(1, 2, &[(0, 7)]);
    world.grant(0, 10);
    world.grant(1, 10);
    let request = world.submit(4);
    assert_eq!(world.at(0), [request]);
    for _ in 0..9 {
        world.pass(Duration::from_millis(100));
        world.grant(1, 0);
    }
    assert!(world.pings >= 2, "asked from 250 ms on");
    assert_eq!(world.at(1), Vec::<u64>::new());
    world.pass(Duration::from_millis(100));
    assert_eq!(world.at(1), [request]);
}

#[test]
fn a_thread_that_was_stopped_does_not_give_up_its_workers() {
    let mut world = World::with_one_worker();
    let request = world.submit(4);
    world.now += Duration::from_secs(3);
    world.pass(Duration::ZERO);
    assert_eq!(world.at(0), [request]);
}

#[test]
fn a_ping_of_the_worker_is_answered() {
    let mut world = World::with_one_worker();
    world.frame(
        0,
        ToIngress {
            ping: true,
            ..ToIngress::default()
        },
    );
    assert_eq!(world.pongs, 1);
}

#[test]
fn without_a_credit_a_new_request_is_held_for_100_ms_and_then_refused() {
    let mut world = World::new(1);
    world.welcome(0, 1, &[(0, 7)]);
    world.grant(0, 1);
    let sent = world.submit(0);
    let held = world.submit(0);
    let refused = world.submit(1);
    assert_eq!(world.exchange.take_tally().credit_waits, 2);
    world.pass(Duration::from_millis(50));
    world.grant(0, 1);
    assert_eq!(world.at(0), [sent, held]);
    world.pass(Duration::from_millis(60));
    assert_eq!(world.answers[&refused], Answer::NoCredit);
    assert!(!world.answers.contains_key(&held));
}

#[test]
fn a_credit_goes_to_the_shard_that_waits_longest_one_of_each_in_turn() {
    let mut world = World::new(1);
    world.welcome(0, 1, &[(0, 7)]);
    let [a, b, c, d] = [world.submit(0), world.submit(0), world.submit(1), world.submit(0)];
    world.grant(0, 3);
    assert_eq!(world.sent, [a, c, b]);
    world.grant(0, 1);
    assert_eq!(world.sent, [a, c, b, d]);
}

#[test]
fn requests_that_a_crash_handed_back_are_not_shed_for_want_of_credits() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    world.lose(0, Loss::Refused);
    world.welcome(0, 2, &[(0, 7)]);
    for _ in 0..10 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
    }
    assert!(!world.answers.contains_key(&request));
    world.grant(0, 1);
    assert_eq!(world.at(0), [request]);
}

#[test]
fn a_caller_that_leaves_is_told_to_the_worker_and_still_counts_for_the_order() {
    let mut world = World::new(2);
    world.welcome(0, 1, &[(0, 7)]);
    world.grant(0, 10);
    let gone = world.submit(3);
    world.cancel(gone);
    assert_eq!(world.cancels.len(), 1);
    world.frame(
        0,
        ToIngress {
            released: vec![3],
            ..ToIngress::default()
        },
    );
    world.welcome(1, 2, &[(3, 3)]);
    world.grant(1, 10);
    let next = world.submit(3);
    assert_eq!(world.at(1), Vec::<u64>::new(), "the old owner may still run it");
    for _ in 0..21 {
        world.pass(Duration::from_millis(100));
        world.grant(0, 0);
        world.grant(1, 0);
    }
    assert_eq!(world.at(1), [next], "but not for ever");
    assert!(!world.answers.contains_key(&gone));
}

#[test]
fn a_caller_that_leaves_before_its_request_was_sent_leaves_nothing() {
    let mut world = World::new(1);
    let gone = world.submit(3);
    world.cancel(gone);
    assert!(world.exchange.requests.is_empty());
    world.welcome(0, 1, &[(0, 7)]);
    world.grant(0, 1);
    assert!(world.sent.is_empty());
}

#[test]
fn a_request_that_two_workers_died_of_is_not_given_to_a_third() {
    let mut world = World::with_one_worker();
    let poison = world.submit(0);
    for incarnation in 2..=3 {
        assert_eq!(world.at(0), [poison]);
        world.lose(0, Loss::Broken);
        world.welcome(0, incarnation, &[(0, 7)]);
        world.grant(0, 10);
    }
    assert_eq!(world.answers[&poison], Answer::Poisoned);
    assert_eq!(world.sent.len(), 2);
    assert_eq!(world.exchange.take_tally().poisoned, 1);
}

#[test]
fn a_stream_that_breaks_does_not_make_a_request_suspect() {
    let mut world = World::with_one_worker();
    let request = world.submit(0);
    for _ in 0..5 {
        world.lose(0, Loss::Broken);
        world.welcome(0, 1, &[(0, 7)]);
        world.grant(0, 10);
    }
    assert_eq!(world.at(0), [request]);
    assert_eq!(world.exchange.take_tally().poisoned, 0);
}

#[test]
fn a_worker_with_another_protocol_or_number_of_shards_is_not_used() {
    let mut world = World::new(1);
    let generation = world.links[0].generation.unwrap();
    let welcome = |protocol, shards| Welcome {
        protocol,
        shards,
        ..Welcome::default()
    };
    let frame = |welcome| ToIngress {
        welcome: Some(welcome),
        credits: 10,
        ..ToIngress::default()
    };
    let now = world.now;
    let mut hear = |welcome| world.exchange.frame(now, WorkerIndex(0), generation, frame(welcome));
    assert_eq!(
        hear(welcome(PROTOCOL + 1, SHARDS)),
        Err(Mismatch::Protocol {
            ours: PROTOCOL,
            theirs: PROTOCOL + 1
        })
    );
    assert_eq!(
        hear(welcome(PROTOCOL, 9)),
        Err(Mismatch::Shards {
            ours: SHARDS,
            theirs: 9
        })
    );
}

#[test]
fn events_of_an_older_stream_are_ignored() {
    let mut world = World::with_one_worker();
    let old = world.links[0].generation.unwrap();
    world.lose(0, Loss::Broken);
    world.welcome(0, 1, &[(0, 7)]);
    world.grant(0, 5);
    let request = world.submit(0);
    world.exchange.lost(world.now, WorkerIndex(0), old, Loss::Broken);
    world.perform();
    assert_eq!(world.at(0), [request]);
}

#[test]
fn attempts_to_connect_come_less_and_less_often() {
    let mut world = World::new(1);
    let mut attempts = 0;
    for _ in 0..600 {
        if world.links[0].generation.is_some() {
            attempts += 1;
            world.lose(0, Loss::Refused);
        }
        world.pass(timing::TICK);
    }
    assert!((30..=70).contains(&attempts), "{attempts} attempts in 30 s");
}

#[derive(Clone, Debug)]
enum Step {
    Submit(u32),
    Cancel(usize),
    Pass(u64),
    Welcome {
        worker: usize,
        incarnation: u64,
        first: u32,
        last: u32,
    },
    Grant {
        worker: usize,
        credits: u32,
    },
    Answer {
        worker: usize,
        which: usize,
        moves: bool,
    },
    Lose {
        worker: usize,
        refused: bool,
    },
    Release {
        worker: usize,
        shard: u32,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let worker = 0..3_usize;
    let step = prop_oneof![
        6 => (0..SHARDS).prop_map(Step::Submit),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => (0..400_u64).prop_map(Step::Pass),
        3 => (worker.clone(), 0..4_u64, 0..SHARDS, 0..SHARDS).prop_map(|(worker, incarnation, first, last)| {
            Step::Welcome { worker, incarnation, first: first.min(last), last: first.max(last) }
        }),
        4 => (worker.clone(), 0..6_u32).prop_map(|(worker, credits)| Step::Grant { worker, credits }),
        8 => (worker.clone(), any::<usize>(), any::<bool>()).prop_map(|(worker, which, moves)| {
            Step::Answer { worker, which, moves }
        }),
        1 => (worker.clone(), any::<bool>()).prop_map(|(worker, refused)| Step::Lose { worker, refused }),
        1 => (worker, 0..SHARDS).prop_map(|(worker, shard)| Step::Release { worker, shard }),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens: a shard is at one worker, in order, within the credits; everybody is answered once and in time;
    /// and at the end nothing is left. (`World` checks all but the last at every action.)
    #[test]
    fn every_request_is_answered_once_in_order_and_in_time(steps in steps()) {
        let mut world = World::new(3);
        let mut cancelled = 0;
        for step in steps {
            match step {
                Step::Submit(shard) => {
                    world.submit(shard);
                }
                Step::Cancel(which) => {
                    if let Some(number) = world.live.keys().nth(which % world.live.len().max(1)).copied() {
                        world.cancel(number);
                        cancelled += 1;
                    }
                }
                Step::Pass(milliseconds) => world.pass(Duration::from_millis(milliseconds)),
                Step::Welcome { worker, incarnation, first, last } => world.welcome(worker, incarnation, &[(first, last)]),
                Step::Grant { worker, credits } => world.grant(worker, credits),
                Step::Answer { worker, which, moves } => {
                    let at = world.links[worker].outstanding.clone();
                    if let Some(seq) = at.keys().nth(which % at.len().max(1)) {
                        let result = Some(if moves { moved() } else { done() });
                        let outcome = vec![Outcome { seq: *seq, result }];
                        world.frame(worker, ToIngress { outcome, ..ToIngress::default() });
                    }
                }
                Step::Lose { worker, refused } => {
                    world.lose(worker, if refused { Loss::Refused } else { Loss::Broken });
                }
                Step::Release { worker, shard } => {
                    world.frame(worker, ToIngress { released: vec![shard], ..ToIngress::default() });
                }
            }
        }
        world.pass(BUDGET + ABANDONED + timing::TICK * 2);
        prop_assert!(world.live.is_empty(), "without an answer: {:?}", world.live);
        prop_assert_eq!(world.answers.len() + cancelled, usize::try_from(world.next).unwrap());
        prop_assert!(world.exchange.requests.is_empty(), "left behind: {:?}", world.exchange.requests);
        for shard in &world.exchange.shards {
            prop_assert_eq!((shard.outstanding, shard.waiting.len()), (0, 0));
        }
    }
}

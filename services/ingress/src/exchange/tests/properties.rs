//! Random sequences of everything that can happen.

use std::time::Duration;

use proptest::prelude::*;
use trunkline_proto::routing::{Outcome, ToIngress};

use super::super::timing::{self, ABANDONED};
use super::super::*;
use super::world::{BUDGET, SHARDS, World, done, moved};

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

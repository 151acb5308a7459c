//! Random sequences of everything that can happen.

use std::time::Duration;

use proptest::prelude::*;
use trunkline_proto::routing::{Outcome, ToIngress};

use super::super::timing::ABANDONED;
use super::super::*;
use super::world::{BUDGET, Node, SHARDS, World, done, moved};

#[derive(Clone, Debug)]
enum Step {
    Submit(u32, bool),
    Cancel(usize),
    Pass(u64),
    Welcome {
        worker: usize,
        incarnation: u64,
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
    LetShed {
        worker: usize,
        credits: u32,
    },
    Lose {
        worker: usize,
        loss: Loss,
    },
    /// A table of the nodes 1 to 4, each there if its bit is set; the owner of each shard is one of them, or nobody.
    Route {
        worker: usize,
        version: u64,
        nodes: u8,
        owners: [u8; SHARDS as usize],
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let worker = any::<usize>();
    let loss = prop::sample::select(vec![Loss::Ended, Loss::Reset, Loss::Refused, Loss::Failed]);
    let step = prop_oneof![
        6 => (0..SHARDS, any::<bool>()).prop_map(|(shard, deferrable)| Step::Submit(shard, deferrable)),
        1 => any::<usize>().prop_map(Step::Cancel),
        4 => (0..400_u64).prop_map(Step::Pass),
        3 => (worker, 1..5_u64).prop_map(|(worker, incarnation)| Step::Welcome { worker, incarnation }),
        4 => (worker, 0..6_u32).prop_map(|(worker, credits)| Step::Grant { worker, credits }),
        8 => (worker, any::<usize>(), any::<bool>()).prop_map(|(worker, which, moves)| {
            Step::Answer { worker, which, moves }
        }),
        1 => (worker, 0..3_u32).prop_map(|(worker, credits)| Step::LetShed { worker, credits }),
        2 => (worker, loss).prop_map(|(worker, loss)| Step::Lose { worker, loss }),
        2 => (worker, 1..9_u64, 0..16_u8, any::<[u8; SHARDS as usize]>()).prop_map(
            |(worker, version, nodes, owners)| Step::Route { worker, version, nodes, owners }
        ),
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
            let there = world.links.len();
            match step {
                Step::Submit(shard, deferrable) => {
                    world.submit_as(shard, deferrable);
                }
                Step::Cancel(which) => {
                    if let Some(number) = world.live.keys().nth(which % world.live.len().max(1)).copied() {
                        world.cancel(number);
                        cancelled += 1;
                    }
                }
                Step::Pass(milliseconds) => world.pass(Duration::from_millis(milliseconds)),
                Step::Welcome { worker, incarnation } => world.welcome(worker % there, incarnation),
                Step::Grant { worker, credits } => world.grant(worker % there, credits),
                Step::Answer { worker, which, moves } => {
                    let worker = worker % there;
                    let at = world.links[worker].outstanding.clone();
                    if let Some(seq) = at.keys().nth(which % at.len().max(1)) {
                        let result = Some(if moves { moved() } else { done() });
                        let outcome = vec![Outcome { seq: *seq, result }];
                        world.frame(worker, ToIngress { outcome, ..ToIngress::default() });
                    }
                }
                Step::LetShed { worker, credits } => {
                    world.frame(worker % there, ToIngress { shed_window: Some(credits), ..ToIngress::default() });
                }
                Step::Lose { worker, loss } => world.lose(worker % there, loss),
                Step::Route { worker, version, nodes, owners } => {
                    let addresses = ["seed-0:7400", "b:7400", "c:7400", "d:7400"];
                    let named: Vec<Node<'_>> = (1_u64..)
                        .zip(addresses)
                        .filter(|(incarnation, _)| nodes >> (incarnation - 1) & 1 == 1)
                        .map(|(incarnation, address)| (incarnation, address, false))
                        .collect();
                    world.route(worker % there, version, &named, |shard| u16::from(owners[shard as usize] % 5));
                }
            }
        }
        world.pass(BUDGET + ABANDONED + TICK * 2);
        prop_assert!(world.live.is_empty(), "without an answer: {:?}", world.live);
        prop_assert_eq!(world.answers.len() + cancelled, usize::try_from(world.next).unwrap());
        prop_assert!(world.exchange.requests.is_empty(), "left behind: {:?}", world.exchange.requests);
        for shard in &world.exchange.shards {
            prop_assert_eq!((shard.outstanding, shard.waiting.len()), (0, 0));
        }
    }
}

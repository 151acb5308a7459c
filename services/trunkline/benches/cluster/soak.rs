//! Faults at random for as long as one likes, and then the verdict.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use trunkline_fleet::crowd::judge;
use trunkline_fleet::faults::Fault;

use crate::setting::{start, talk};

/// Each round is judged, so that what is remembered does not grow.
const ROUND: Duration = Duration::from_secs(120);

pub(crate) fn run(minutes: u32) {
    let until = Instant::now() + Duration::from_secs(60) * minutes;
    let seed = std::env::var("TRUNKLINE_SEED")
        .ok()
        .map_or_else(rand::random, |text| text.parse().unwrap());
    println!("TRUNKLINE_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let (mut cluster, mut redis, network) = start();
    let mut round = 0;
    while Instant::now() < until {
        round += 1;
        let crowd = talk(&cluster, round);
        let mut struck = Vec::new();
        let end = Instant::now() + ROUND;
        while Instant::now() < end {
            let fault = any(&mut chance, network.can_cut());
            fault.strike(&mut cluster, &mut redis, &crowd, &mut chance);
            struck.push(fault.to_string());
        }
        let talks = crowd.hush();
        let (sum, wrong) = judge(&talks, &cluster.recorder);
        cluster.recorder.forget();
        println!(
            "round {round}: {} acknowledged, {} unanswered, {} replies repeated; {}",
            sum.acknowledged,
            sum.unanswered,
            sum.replies_repeated,
            struck.join(", ")
        );
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn any(chance: &mut StdRng, can_cut: bool) -> Fault {
    let a_while = Duration::from_millis(chance.random_range(200..6_000));
    match chance.random_range(0..if can_cut { 10 } else { 9 }) {
        0 => Fault::KillWorker,
        1 => Fault::KillLeader,
        2 => Fault::PauseWorker(a_while * 2),
        3 => Fault::StopWorker,
        4 => Fault::DrainWorker,
        5 => Fault::KillIngress,
        6 => Fault::StopIngress,
        7 => Fault::PauseRedis(a_while),
        8 => Fault::KillRedis(a_while),
        _ => Fault::CutWorker(a_while),
    }
}

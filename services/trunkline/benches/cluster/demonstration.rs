//! A story in steps: what was done to the cluster, and what a client noticed of it.

use std::ops::Range;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use trunkline_fleet::crowd::{Noticed, judge};
use trunkline_fleet::faults::Fault;

use crate::setting::{PEOPLE, RATE, start, talk};

pub(crate) fn run() {
    println!("Starting three workers, two ingresses and a Redis");
    let (mut cluster, mut redis, network) = start();
    println!("{PEOPLE} people say {RATE} things a second\n");
    let crowd = talk(&cluster, 0);
    let mut chance = StdRng::seed_from_u64(rand::random());
    let mut steps: Vec<(String, Range<Duration>)> = Vec::new();

    let began = crowd.now();
    std::thread::sleep(Duration::from_secs(5));
    steps.push(("nothing goes wrong".to_owned(), began..crowd.now()));

    let mut faults = vec![
        Fault::KillWorker,
        Fault::KillLeader,
        Fault::PauseWorker(Duration::from_secs(10)),
        Fault::DrainWorker,
        Fault::StopWorker,
        Fault::KillIngress,
        Fault::StopIngress,
        Fault::PauseRedis(Duration::from_secs(2)),
        Fault::RollingRestart,
    ];
    if network.can_cut() {
        faults.push(Fault::CutWorker(Duration::from_secs(5)));
    }
    for fault in faults {
        println!("  {fault}");
        let span = fault.strike(&mut cluster, &mut redis, &crowd, &mut chance);
        steps.push((fault.to_string(), span));
    }
    println!("  a fourth worker joins");
    let began = crowd.now();
    let place = cluster.add_worker();
    cluster.workers[place].start();
    cluster.wait_until_whole();
    steps.push(("a fourth worker joins".to_owned(), began..crowd.now()));
    println!("\n{}", cluster.command(&["status"]));

    let talks = crowd.hush();
    println!("What a client noticed:");
    for (step, span) in &steps {
        println!("  {step}: {}", Noticed::of(&talks, span));
    }
    let (sum, wrong) = judge(&talks, &cluster.recorder);
    println!(
        "\n{} messages were acknowledged, each is in the state once; {} were never answered, {} of them applied; {} replies \
         came twice; {} conversations where a promise was broken.",
        sum.acknowledged,
        sum.unanswered,
        sum.unanswered_but_applied,
        sum.replies_repeated,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

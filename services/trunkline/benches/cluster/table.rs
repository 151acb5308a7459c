//! Each fault many times: what is promised, and what was measured.

use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use trunkline_fleet::crowd::judge;
use trunkline_fleet::faults::{Effect, Fault};

use crate::setting::{start, talk};

/// What is promised of a fault.
fn promise(fault: Fault) -> &'static str {
    match fault {
        Fault::KillWorker | Fault::KillLeader => "served again within 2 s, nothing lost",
        Fault::PauseWorker(_) => "others take over within 2 s, nothing written by the frozen one",
        Fault::CutWorker(_) => "others take over within 3 s, nothing lost",
        Fault::KillIngress => "its open requests break; repeats are answered",
        Fault::StopWorker | Fault::DrainWorker | Fault::StopIngress | Fault::RollingRestart => "no failed request",
        Fault::KillRedis(_) | Fault::PauseRedis(_) => "requests wait, no shard moves, nothing lost",
    }
}

/// Strikes every fault whose name has `wanted` in it.
pub(crate) fn run(strikes: u32, wanted: &str) {
    let (mut cluster, mut redis, network) = start();
    let mut faults = vec![
        Fault::KillWorker,
        Fault::KillLeader,
        Fault::PauseWorker(Duration::from_secs(10)),
        Fault::StopWorker,
        Fault::DrainWorker,
        Fault::KillIngress,
        Fault::StopIngress,
        Fault::RollingRestart,
        Fault::PauseRedis(Duration::from_secs(3)),
        Fault::KillRedis(Duration::from_secs(3)),
    ];
    if network.can_cut() {
        faults.push(Fault::CutWorker(Duration::from_secs(5)));
    }
    faults.retain(|fault| fault.to_string().contains(wanted));
    let mut chance = StdRng::seed_from_u64(rand::random());
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "fault",
        "promised",
        "strikes",
        "slowest answer: p50",
        "p99",
        "worst",
        "failed attempts",
        "lost or doubled",
    ]);
    for (round, fault) in faults.into_iter().enumerate() {
        println!("{fault}, {strikes} times");
        let crowd = talk(&cluster, round);
        std::thread::sleep(Duration::from_secs(1));
        let spans: Vec<_> = (0..strikes)
            .map(|_| fault.strike(&mut cluster, &mut redis, &crowd, &mut chance))
            .collect();
        let talks = crowd.hush();
        let (_, wrong) = judge(&talks, &cluster.recorder);
        cluster.recorder.forget();
        let effect = Effect::of(fault, &talks, &spans);
        let [p50, p99, worst] = effect.slowest().map(|time| format!("{:.2} s", time.as_secs_f64()));
        table.add_row([
            fault.to_string(),
            promise(fault).to_owned(),
            strikes.to_string(),
            p50,
            p99,
            worst,
            failures(&effect),
            wrong.len().to_string(),
        ]);
        println!("{table}\n");
    }
}

/// Failed attempts by kind.
fn failures(effect: &Effect) -> String {
    let kinds = effect.failures();
    if kinds.is_empty() {
        return "none".to_owned();
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    kinds.join(", ")
}

//! What an activity costs with more workers, at the same load for each.

use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use trunkline_fleet::cluster::{Cluster, Node, Plan};
use trunkline_fleet::crowd::{Crowd, Habits, Noticed, judge};
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::Redis;

/// How long each number of workers is measured.
const MEASURED: Duration = Duration::from_secs(20);

/// Measures at so many activities a second for each worker; each round is a row.
pub(crate) fn run(each: u32, rounds: u32) {
    println!("{each} activities a second for each worker");
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "workers",
        "activities/s",
        "workers, us CPU",
        "ingress, us CPU",
        "redis-server, us CPU",
        "deliveries a frame",
        "p50",
        "p99",
    ]);
    for _ in 0..rounds {
        for workers in [1, 2, 4, 8] {
            table.add_row(measured(workers, each));
            println!("{table}\n");
        }
    }
}

fn measured(workers: u32, each: u32) -> Vec<String> {
    let network = Network::Loopback;
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start(directory.path(), &network, &[]);
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_trunkline").into(),
        bot: "echo".to_owned(),
        workers: workers as usize,
        ingresses: 1,
        settings: vec![
            ("worker.arbiters".to_owned(), "1".to_owned()),
            ("ingress.threads".to_owned(), "1".to_owned()),
            ("log.filter".to_owned(), "warn".to_owned()),
        ],
        calls: None,
    };
    let cluster = Cluster::start(plan, &network, directory, &redis.url());
    cluster.wait_until_whole();
    let crowd = Crowd::talk(
        &cluster.surroundings,
        Habits {
            people: 500,
            per_second: Some(f64::from(workers * each)),
            patience: Duration::from_secs(15),
            ..Habits::default()
        },
    );
    // Connections, tokens, caches, and everybody's first activation.
    std::thread::sleep(Duration::from_secs(8));
    let before = Reading::of(&cluster, &redis);
    let began = crowd.now();
    std::thread::sleep(MEASURED);
    let after = Reading::of(&cluster, &redis);
    let span = began..crowd.now();
    let talks = crowd.hush();
    let (_, wrong) = judge(&talks, &cluster.recorder);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let noticed = Noticed::of(&talks, &span);
    let activities = after.deliveries - before.deliveries;
    let cpu = |after: Duration, before: Duration| {
        let used = after.saturating_sub(before);
        format!("{:.0}", used.as_secs_f64() * 1e6 / activities)
    };
    vec![
        workers.to_string(),
        format!("{:.0}", activities / MEASURED.as_secs_f64()),
        cpu(after.workers, before.workers),
        cpu(after.ingress, before.ingress),
        cpu(after.redis, before.redis),
        format!("{:.2}", activities / (after.frames - before.frames)),
        format!("{:.1} ms", noticed.quantile(0.5).as_secs_f64() * 1e3),
        format!("{:.1} ms", noticed.quantile(0.99).as_secs_f64() * 1e3),
    ]
}

/// What was used and carried so far.
struct Reading {
    workers: Duration,
    ingress: Duration,
    redis: Duration,
    deliveries: f64,
    frames: f64,
}

impl Reading {
    fn of(cluster: &Cluster, redis: &Redis) -> Self {
        let cpu = |nodes: &[Node]| nodes.iter().map(|node| node.process().cpu()).sum();
        Self {
            workers: cpu(&cluster.workers),
            ingress: cpu(&cluster.ingresses),
            redis: redis.cpu(),
            deliveries: cluster.sum_of_workers("trunkline_worker_deliveries_total"),
            frames: cluster.sum_of_workers("trunkline_worker_frames_received_total"),
        }
    }
}

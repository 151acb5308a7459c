//! The cluster of all three programs.

use std::time::Duration;

use trunkline_fleet::cluster::{Cluster, Plan};
use trunkline_fleet::crowd::{Crowd, Habits};
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::Redis;

/// Messages a second of all people: two cores carry clients, workers, ingresses and Redis.
pub(crate) const RATE: f64 = 300.0;
/// How many people talk.
pub(crate) const PEOPLE: usize = 600;

/// Three workers, two ingresses, and a Redis that keeps all it acknowledged; in namespaces where this machine allows it.
pub(crate) fn start() -> (Cluster, Redis, Network) {
    let network = Network::best();
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start(directory.path(), &network, &["--appendfsync", "always"]);
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_trunkline").into(),
        bot: "echo".to_owned(),
        workers: 3,
        ingresses: 2,
        settings: vec![("ingress.stop_notice".to_owned(), "500 ms".to_owned())],
        calls: None,
    };
    let cluster = Cluster::start(plan, &network, directory, &redis.url());
    cluster.wait_until_whole();
    (cluster, redis, network)
}

/// Everybody of round number `round` begins.
pub(crate) fn talk(cluster: &Cluster, round: usize) -> Crowd {
    let habits = Habits {
        people: PEOPLE,
        first_person: round * PEOPLE,
        per_second: Some(RATE),
        patience: Duration::from_secs(15),
        ..Habits::default()
    };
    Crowd::talk(&cluster.surroundings, habits)
}

//! Clusters for tests.

use std::path::PathBuf;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use trunkline_fleet::cluster::{Cluster, Plan};
use trunkline_fleet::crowd::{Crowd, Habits, Noticed};
use trunkline_fleet::faults::Fault;
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::Redis;
use trunkline_fleet::turn::Turn;

/// A cluster on one Redis, its turn on the machine, and its chance.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) redis: Redis,
    pub(crate) chance: StdRng,
    _turn: Turn,
}

/// The stock binary.
pub(crate) fn stock() -> PathBuf {
    env!("CARGO_BIN_EXE_trunkline").into()
}

/// So many workers and ingresses of the stock binary with the bot echo.
pub(crate) fn plan(workers: usize, ingresses: usize) -> Plan {
    Plan {
        program: stock(),
        bot: "echo".to_owned(),
        workers,
        ingresses,
        settings: vec![
            ("ingress.stop_notice".to_owned(), "500 ms".to_owned()),
            ("store.shards".to_owned(), "256".to_owned()),
        ],
        calls: None,
    }
}

impl World {
    /// Starts it, on a Redis of the example's settings.
    pub(crate) fn start(test: &str, plan: Plan) -> Self {
        Self::on_redis(test, plan, &[])
    }

    /// Starts it, on a Redis with these settings beside the example's.
    pub(crate) fn on_redis(test: &str, plan: Plan, settings: &[&str]) -> Self {
        let turn = Turn::take();
        let seed = std::env::var("TRUNKLINE_SEED")
            .ok()
            .map_or_else(rand::random, |text| text.parse().expect("a seed is a number"));
        println!("{test}: TRUNKLINE_SEED={seed}");
        let network = Network::best();
        let directory = tempfile::tempdir().unwrap();
        let redis = Redis::start(directory.path(), &network, settings);
        let cluster = Cluster::start(plan, &network, directory, &redis.url());
        cluster.wait_until_whole();
        Self {
            cluster,
            redis,
            chance: StdRng::seed_from_u64(seed),
            _turn: turn,
        }
    }

    /// Forty people, some with two devices, at a pace that a debug build bears.
    pub(crate) fn crowd(&self) -> Crowd {
        crowd(&self.cluster, 100)
    }

    /// Lets these faults strike one after the other under load, and judges. Returns what was noticed of each.
    pub(crate) fn survive(&mut self, test: &str, faults: &[Fault]) -> Vec<Noticed> {
        let crowd = self.crowd();
        let spans: Vec<_> = faults
            .iter()
            .map(|fault| fault.strike(&mut self.cluster, &mut self.redis, &crowd, &mut self.chance))
            .collect();
        let talks = crowd.judge(test, &self.cluster.recorder);
        let noticed: Vec<Noticed> = spans.iter().map(|span| Noticed::of(&talks, span)).collect();
        for (fault, noticed) in faults.iter().zip(&noticed) {
            println!("  {fault}: {noticed}");
        }
        noticed
    }
}

/// Forty people, numbered from this one on.
pub(crate) fn crowd(cluster: &Cluster, first_person: usize) -> Crowd {
    let habits = Habits {
        people: 40,
        first_person,
        devices: 2,
        per_second: Some(100.0),
        patience: Duration::from_secs(15),
        ..Habits::default()
    };
    Crowd::talk(&cluster.surroundings, habits)
}

/// How often a fault strikes; `TRUNKLINE_FAULTS=100` for a longer campaign.
pub(crate) fn strikes() -> usize {
    std::env::var("TRUNKLINE_FAULTS")
        .ok()
        .map_or(2, |text| text.parse().expect("TRUNKLINE_FAULTS is a number"))
}

//! A Redis Cluster of three primaries with a replica each, all real.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redis::Commands as _;
use trunkline_store::StoreError;
use trunkline_store::contract::{
    Claimed, Commit, Committed, Header, Incarnation, Led, MapVersion, MapWrite, SharedStore, Token, Wake,
};
use trunkline_store::key::ShardId;
use trunkline_store::redis::{RedisConfig, RedisStore};

use super::sentinel::until_answered;
use super::tls::Tls;
use super::{PATIENCE, beside};
use crate::members::beat_of;
use crate::world::{SHARDS, claim_of, header, key, touch, turn};
use trunkline_fleet::process::free_port;
use trunkline_fleet::redis_server::RedisServer;

const SLOTS: u32 = 16_384;
/// The slot of `{tl}`.
const META_SLOT: u32 = 10_679;

/// Three primaries, then the replica of each.
pub(super) struct Cluster<'a> {
    nodes: Vec<RedisServer>,
    /// The ports of clients and nodes.
    ports: Vec<u16>,
    tls: Option<&'a Tls>,
}

impl<'a> Cluster<'a> {
    /// With TLS everybody speaks it to everybody.
    pub(super) fn start(tls: Option<&'a Tls>) -> Self {
        let (nodes, ports) = (0..6).map(|_| Self::node(tls)).unzip();
        let cluster = Self { nodes, ports, tls };
        let first = cluster.ports[0];
        let bus = cluster.bus_port(0);
        for (number, node) in cluster.nodes.iter().enumerate() {
            let mut connection = beside(node);
            say(
                &mut connection,
                &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()],
            );
            if number > 0 {
                let (first, bus) = (first.to_string(), bus.to_string());
                say(&mut connection, &["CLUSTER", "MEET", "127.0.0.1", &first, &bus]);
            }
        }
        for number in 0..3_u32 {
            let (first, last) = (number * SLOTS / 3, (number + 1) * SLOTS / 3 - 1);
            let range = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            say(&mut beside(&cluster.nodes[number as usize]), &range);
        }
        cluster.wait_for("all nodes know each other", |info| {
            info.contains("cluster_known_nodes:6") && info.contains("cluster_state:ok")
        });
        for number in 0..3 {
            let primary = cluster.id(number);
            say(
                &mut beside(&cluster.nodes[number + 3]),
                &["CLUSTER", "REPLICATE", &primary],
            );
        }
        wait_until("the replicas follow", || {
            (3..6).all(|number| cluster.info(number, "replication").contains("master_link_status:up"))
        });
        // A replica is promoted only if the others know whose replica it is.
        wait_until("everybody knows the replicas", || {
            (0..6).all(|number| cluster.members(number).matches("slave").count() == 3)
        });
        cluster
    }

    fn node(tls: Option<&Tls>) -> (RedisServer, u16) {
        let (bus, port) = (free_port().to_string(), free_port());
        let mut of_tls = Vec::new();
        if let Some(tls) = tls {
            of_tls = tls.arguments(port);
            of_tls.extend(["--tls-cluster", "yes"].map(ToOwned::to_owned));
        }
        let settings = [
            "--save",
            "",
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus,
            "--cluster-node-timeout",
            "1000",
            "--cluster-replica-validity-factor",
            "0",
            // Else a primary without a successor stops all others, too.
            "--cluster-require-full-coverage",
            "no",
        ];
        let settings: Vec<&str> = settings.into_iter().chain(of_tls.iter().map(String::as_str)).collect();
        let server = RedisServer::start(&settings);
        let port = if tls.is_some() { port } else { server.port() };
        (server, port)
    }

    /// SIGKILL for a node.
    pub(super) fn kill(&mut self, number: usize) {
        self.nodes[number].kill();
    }

    fn id(&self, number: usize) -> String {
        redis::cmd("CLUSTER")
            .arg("MYID")
            .query(&mut beside(&self.nodes[number]))
            .unwrap()
    }

    fn bus_port(&self, number: usize) -> u16 {
        let mut command = redis::cmd("CONFIG");
        let setting: Vec<String> = command
            .arg("GET")
            .arg("cluster-port")
            .query(&mut beside(&self.nodes[number]))
            .unwrap();
        setting[1].parse().unwrap()
    }

    fn info(&self, number: usize, section: &str) -> String {
        redis::cmd("INFO")
            .arg(section)
            .query(&mut beside(&self.nodes[number]))
            .unwrap()
    }

    fn members(&self, number: usize) -> String {
        redis::cmd("CLUSTER")
            .arg("NODES")
            .query(&mut beside(&self.nodes[number]))
            .unwrap()
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&str) -> bool) {
        wait_until(what, || {
            self.nodes.iter().all(|node| {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut beside(node)).unwrap();
                holds(&info)
            })
        });
    }

    pub(super) fn config(&self) -> RedisConfig {
        // Two of the six are enough to find the others.
        let seeds: Vec<String> = [2, 4]
            .map(|number: usize| format!("127.0.0.1:{}", self.ports[number]))
            .into();
        if let Some(tls) = self.tls {
            return tls.config(format!("rediss+cluster://{}", seeds.join(",")));
        }
        RedisConfig {
            shards: SHARDS,
            connections: 2,
            connect_timeout: PATIENCE,
            ..RedisConfig::at(format!("redis+cluster://{}", seeds.join(",")))
        }
    }

    async fn open(&self) -> SharedStore {
        Arc::new(RedisStore::open(self.config()).await.unwrap())
    }
}

fn say(connection: &mut redis::Connection, words: &[&str]) {
    let mut command = redis::Cmd::new();
    command.arg(words);
    command
        .exec(connection)
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The first primary that a slot lies on.
fn place(slot: u32) -> usize {
    (0..3).find(|number| slot < (number + 1) * SLOTS / 3).unwrap() as usize
}

fn slot(shard: ShardId) -> u32 {
    shard.0 * SLOTS / SHARDS
}

pub(super) async fn own(store: &SharedStore, shard: ShardId) -> Token {
    match until_answered(async || store.claim(shard, claim_of(1)).await).await {
        Claimed::Ours(token) => token,
        other => panic!("the claim came to {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_lie_on_all_primaries_and_everything_works_as_on_one() {
    let cluster = Cluster::start(None);
    let store = cluster.open().await;
    let other = cluster.open().await;
    assert_eq!(store.identity(), other.identity());
    for shard in (0..SHARDS).map(ShardId) {
        let token = own(&store, shard).await;
        let commit = Commit {
            shard,
            accept: vec![("1".to_owned(), Bytes::from_static(b"an activity"))],
            wake: Wake::At(1),
            answer: Some(("00ff".to_owned(), Bytes::from_static(b"{}"))),
            ..turn(token, key("c"), Header::ABSENT, header(1, 1))
        };
        assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
        let loaded = other.load(shard, key("c")).await.unwrap();
        assert_eq!(Header::of_record(&loaded.record.unwrap()), Some(header(1, 1)));
        assert_eq!(loaded.inbox.len(), 1);
        assert_eq!(other.due(shard, 1, 1).await.unwrap(), [(key("c"), 1)]);
        assert!(other.answer(shard, key("c"), "00ff").await.unwrap().is_some());
    }
    for node in &cluster.nodes[..3] {
        let records: Vec<String> = beside(node).keys("*c:*").unwrap();
        assert!(
            (15..=30).contains(&records.len()),
            "{} of {SHARDS} records are on one node",
            records.len()
        );
    }
    let beat = until_answered(async || store.beat(beat_of(1)).await).await;
    assert_eq!(beat.cluster, store.identity().cluster);
    let led = until_answered(async || store.lead(Incarnation(1), 60_000).await).await;
    assert!(matches!(led, Led::Leading { .. }), "{led:?}");
    let map = async || {
        let map = b"map".as_slice().into();
        store.write_map(Incarnation(1), MapVersion(0), MapVersion(1), map).await
    };
    assert_eq!(until_answered(map).await, MapWrite::Written);
    assert_eq!(other.map().await.unwrap().unwrap().0, MapVersion(1));
    assert!(other.now().await.unwrap() >= beat.now_ms);

    one_server_s_address_does_not_lead_to_a_cluster(&cluster).await;
}

async fn one_server_s_address_does_not_lead_to_a_cluster(cluster: &Cluster<'_>) {
    let error = RedisStore::open(RedisConfig::at(cluster.nodes[0].url()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("redis+cluster://"), "{error}");
    let alone = RedisServer::start(&["--save", ""]);
    let address = alone.url().replace("redis://", "redis+cluster://");
    let error = RedisStore::open(RedisConfig::at(address)).await.unwrap_err();
    assert!(error.to_string().contains("cluster mode"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_s_shards_resume_on_its_replica_and_the_others_never_stop() {
    let mut cluster = Cluster::start(None);
    let store = cluster.open().await;
    let victim = place(META_SLOT);
    let on_victim = (0..SHARDS)
        .map(ShardId)
        .find(|shard| place(slot(*shard)) == victim)
        .unwrap();
    let elsewhere = (0..SHARDS)
        .map(ShardId)
        .find(|shard| place(slot(*shard)) != victim)
        .unwrap();
    let tokens = [own(&store, on_victim).await, own(&store, elsewhere).await];
    for (shard, token) in [on_victim, elsewhere].into_iter().zip(tokens) {
        let commit = Commit {
            shard,
            ..turn(token, key("c"), Header::ABSENT, header(1, 1))
        };
        assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
    }
    let pulse = until_answered(async || store.beat(beat_of(1)).await).await;
    // Replication is asynchronous: what was acknowledged but did not arrive may go. This arrived.
    say(&mut beside(&cluster.nodes[victim]), &["SET", "{tl}probe", "1"]);
    let arrived: u32 = redis::cmd("WAIT")
        .arg(1)
        .arg(10_000)
        .query(&mut {
            let mut connection = beside(&cluster.nodes[victim]);
            say(&mut connection, &["SET", "{tl}probe", "2"]);
            connection
        })
        .unwrap();
    assert_eq!(arrived, 1);

    cluster.nodes[victim].kill();
    let killed = Instant::now();
    let resumed = AtomicBool::new(false);
    let next = Commit {
        shard: on_victim,
        ..turn(tokens[0], key("c"), header(1, 1), header(2, 2))
    };
    let writing = async {
        let committed = until_answered(async || store.commit(next.clone()).await).await;
        resumed.store(true, Ordering::Relaxed);
        println!("writes resumed {:?} after the primary was killed", killed.elapsed());
        committed
    };
    let beside_it = async {
        let mut slowest = Duration::ZERO;
        let mut version = 1;
        while !resumed.load(Ordering::Relaxed) {
            let began = Instant::now();
            let commit = Commit {
                shard: elsewhere,
                ..turn(
                    tokens[1],
                    key("c"),
                    header(version, version),
                    header(version + 1, version + 1),
                )
            };
            assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
            version += 1;
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("the slowest of {version} commits elsewhere took {slowest:?}");
    };
    let (committed, ()) = tokio::join!(writing, beside_it);
    assert_eq!(committed, Committed::Written);
    let again = until_answered(async || store.beat(beat_of(1)).await).await;
    assert_eq!(again.cluster, pulse.cluster);
    assert!(
        again.up_since_ms > pulse.now_ms,
        "the failover gave no fresh leases: {again:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_load_loses_and_fails_nothing() {
    const CONVERSATIONS: usize = 40;
    let cluster = Cluster::start(None);
    let store = cluster.open().await;
    let shard = ShardId(1);
    let (from, to) = (place(slot(shard)), place(slot(shard)) + 1);
    let token = own(&store, shard).await;
    let moved = AtomicBool::new(false);
    let conversations = (0..CONVERSATIONS).map(|number| {
        let (store, moved) = (&store, &moved);
        async move {
            let key = key(&format!("conversation {number}"));
            let mut version = 0;
            let mut after = 0;
            while after < 3 {
                after += u32::from(moved.load(Ordering::Relaxed));
                let old = if version == 0 {
                    Header::ABSENT
                } else {
                    header(version, version)
                };
                let commit = Commit {
                    shard,
                    accept: vec![(version.to_string(), Bytes::from_static(b"an activity"))],
                    ..turn(token, key, old, header(version + 1, version + 1))
                };
                let committed = until_answered(async || store.commit(commit.clone()).await).await;
                assert_eq!(committed, Committed::Written);
                version += 1;
                let loaded = until_answered(async || store.load(shard, key).await).await;
                assert_eq!(
                    Header::of_record(&loaded.record.unwrap()),
                    Some(header(version, version))
                );
                assert_eq!(loaded.inbox.len() as u64, version, "an accepted activity is missing");
            }
            version
        }
    });
    let load = futures_util::future::join_all(conversations);
    let ids = [cluster.id(from), cluster.id(to)];
    let ports = [cluster.nodes[from].port(), cluster.nodes[to].port()];
    let moving = tokio::task::spawn_blocking(move || move_slot(slot(shard), &ids, ports));
    let moving = async {
        moving.await.unwrap();
        moved.store(true, Ordering::Relaxed);
    };
    // Whoever only reads is sent after the keys that have moved already.
    let reading = async {
        while !moved.load(Ordering::Relaxed) {
            for number in 0..CONVERSATIONS {
                let key = key(&format!("conversation {number}"));
                let loaded = until_answered(async || store.load(shard, key).await).await;
                let version = loaded
                    .record
                    .map_or(0, |record| Header::of_record(&record).unwrap().version);
                // The inbox is read first.
                assert!(
                    loaded.inbox.len() as u64 <= version,
                    "{:?} at version {version}",
                    loaded.inbox
                );
            }
        }
    };
    let (versions, (), ()) = tokio::join!(load, moving, reading);
    println!("{} commits while the slot moved", versions.iter().sum::<u64>());
    let left: Vec<String> = beside(&cluster.nodes[from]).keys("*c:*").unwrap();
    assert!(left.is_empty(), "{left:?} did not move");
    let errors = cluster.info(from, "errorstats") + &cluster.info(to, "errorstats");
    for met in ["errorstat_ASK", "errorstat_MOVED", "errorstat_TRYAGAIN"] {
        assert!(errors.contains(met), "the load never met {met}: {errors}");
    }
}

/// Moves a slot key by key, slowly, as `redis-cli --cluster reshard` does.
fn move_slot(slot: u32, ids: &[String; 2], ports: [u16; 2]) {
    std::thread::sleep(Duration::from_millis(200));
    let connect = |port: u16| {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        client.get_connection().unwrap()
    };
    let [mut from, mut to] = ports.map(connect);
    let slot = slot.to_string();
    say(&mut to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
    say(&mut from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
    loop {
        let mut question = redis::cmd("CLUSTER");
        question.arg("GETKEYSINSLOT").arg(&slot).arg(3);
        let keys: Vec<String> = question.query(&mut from).unwrap();
        if keys.is_empty() {
            break;
        }
        for key in keys {
            let port = ports[1].to_string();
            say(&mut from, &["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    say(&mut to, &["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
    say(&mut from, &["CLUSTER", "SETSLOT", &slot, "NODE", &ids[1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_came_back_empty_is_the_loss_of_the_store() {
    let cluster = Cluster::start(None);
    let store = cluster.open().await;
    let victim = (place(META_SLOT) + 1) % 3;
    let shard = (0..SHARDS)
        .map(ShardId)
        .find(|shard| place(slot(*shard)) == victim)
        .unwrap();
    let token = own(&store, shard).await;
    // As a primary without an append-only file that its supervisor started again before anybody was promoted.
    let mut beside = beside(&cluster.nodes[victim]);
    say(&mut beside, &["FLUSHALL"]);
    say(&mut beside, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let commit = Commit {
        shard,
        ..touch(token, key("c"), Header::ABSENT)
    };
    let error = store.commit(commit).await.unwrap_err();
    assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("STORE_LOST"), "{error}");
    let keys: Vec<String> = beside.keys("*").unwrap();
    assert!(keys.is_empty(), "{keys:?} were written to a store that is not ours");
}

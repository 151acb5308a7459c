//! A primary of Redis that dies and is replaced by its replica: service resumes by itself. With asynchronous replication the
//! last acknowledged writes may be lost, and nothing else; with `store.wait_replicas` nothing.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use trunkline_fleet::cluster::{Cluster, Plan};
use trunkline_fleet::crowd::{Crowd, Noticed, Talk, judge_within};
use trunkline_fleet::loss::Loss;
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::{RedisCluster, Sentinels};
use trunkline_fleet::turn::Turn;

use crate::world::{crowd, plan};

/// A primary that is silent this long is replaced.
const DOWN_AFTER: Duration = Duration::from_secs(1);
/// Acknowledged writes that are older than this at the primary's death have arrived at a replica.
const REPLICATED_AFTER: Duration = Duration::from_secs(1);
/// A primary that is lost together with its host has not reached its replica this long.
const ALONE: Duration = Duration::from_millis(800);
/// Where something may be lost, the last replies are waited for this long.
const LAST_REPLIES: Duration = Duration::from_secs(5);

/// A cluster on a store of several servers.
struct Site<S> {
    cluster: Cluster,
    store: S,
    map_version: Value,
    _turn: Turn,
}

impl Site<Sentinels> {
    fn on_sentinels(plan: Plan, settings: &[&str]) -> Self {
        Self::start(plan, |directory, network| {
            let store = Sentinels::start(directory, network, DOWN_AFTER, settings);
            let url = store.url();
            (store, url)
        })
    }
}

impl<S> Site<S> {
    fn start(plan: Plan, store: impl FnOnce(&Path, &Network) -> (S, String)) -> Self {
        let turn = Turn::take();
        let network = Network::best();
        let directory = tempfile::tempdir().unwrap();
        let (store, url) = store(directory.path(), &network);
        let cluster = Cluster::start(plan, &network, directory, &url);
        cluster.wait_until_whole();
        let map_version = cluster.status().unwrap()["map_version"].clone();
        Self {
            cluster,
            store,
            map_version,
            _turn: turn,
        }
    }

    /// The crowd, once the cluster is whole and everybody is heard again.
    fn recovered(&self, crowd: Crowd) -> Crowd {
        self.cluster.wait_until_whole();
        crowd.goes_on(&self.cluster.recorder);
        crowd
    }

    /// Nobody had to be started anew, no shard moved, nobody took the failover for a store that came back empty, and people who
    /// speak from now on notice nothing of it.
    fn is_as_before(&mut self, test: &str) {
        self.cluster.wait_until_whole();
        for node in self.cluster.workers.iter_mut().chain(&mut self.cluster.ingresses) {
            assert!(!node.has_died(), "{} ended", node.name);
            let log = node.process().log();
            assert!(!log.contains("STORE_LOST"), "{log}");
        }
        let map_version = self.cluster.status().unwrap()["map_version"].clone();
        assert_eq!(map_version, self.map_version, "{test}: no shard moved for it");
        let others = crowd(&self.cluster, 1_000);
        others.goes_on(&self.cluster.recorder);
        others.judge(&format!("{test}, afterwards"), &self.cluster.recorder);
    }

    /// Judges by the loss table of asynchronous replication.
    fn explain_losses(&self, test: &str, talks: &[Talk], killed: Duration) -> Loss {
        let (sum, wrong) = judge_within(LAST_REPLIES, talks, &self.cluster.recorder);
        let mut loss = Loss::default();
        for (conversation, verdict) in &wrong {
            let said = &talks
                .iter()
                .find(|talk| talk.conversation == *conversation)
                .unwrap()
                .said;
            let replies = self.cluster.recorder.replies(conversation);
            let since = killed.saturating_sub(REPLICATED_AFTER);
            let explained = Loss::explain(verdict, said, &replies, since, killed + DOWN_AFTER);
            loss.add(explained.unwrap_or_else(|wrong| panic!("{test}: {conversation}: {wrong}\n{replies:#?}")));
        }
        println!("{test}: {} acknowledged, {loss:?}", sum.acknowledged);
        assert!(sum.acknowledged > 0, "{test}: nothing was acknowledged");
        loss
    }
}

/// Prints how long nobody was answered who spoke after the death, and until when somebody noticed it.
fn print_silence(test: &str, talks: &[Talk], killed: Duration) {
    let said = talks.iter().flat_map(|talk| &talk.said);
    let answered = said.filter(|said| said.acknowledged && said.began > killed);
    let first = answered.map(|said| said.ended).min().expect("service resumed");
    let noticed = Noticed::of(talks, &(killed..Duration::MAX));
    println!(
        "{test}: first acknowledged {:.1?} after the primary was killed, trouble until {:.1?}; {noticed}",
        first.saturating_sub(killed),
        noticed.troubled_until.unwrap_or_default()
    );
}

fn kill_under_load(cluster: &Cluster, kill: impl FnOnce()) -> (Crowd, Duration) {
    let crowd = crowd(cluster, 100);
    crowd.goes_on(&cluster.recorder);
    // Taken before: what is acknowledged in between was acknowledged by the primary that dies.
    let killed = crowd.now();
    kill();
    (crowd, killed)
}

/// The primary and its host are lost, and with them what the replica has not got for a while.
fn lose_primary(store: &mut Sentinels) {
    store.replica.host.cut();
    thread::sleep(ALONE);
    store.primary.kill();
    // What its kernel still holds for the replica goes with the host.
    store.primary.host.cut();
    store.replica.host.mend();
}

#[test]
fn sentinels_replace_a_primary_and_only_its_last_writes_may_be_lost() {
    let test = "Sentinel, asynchronous";
    let mut site = Site::on_sentinels(plan(2, 1), &[]);
    let store = &mut site.store;
    let (crowd, killed) = kill_under_load(&site.cluster, || store.primary.kill());
    let talks = site.recovered(crowd).hush();
    print_silence(test, &talks, killed);
    site.explain_losses(test, &talks, killed);
    site.is_as_before(test);
}

#[test]
fn acknowledged_writes_that_a_failover_lost_are_noticed_and_nothing_else_is_wrong() {
    let test = "Sentinel, a primary lost with what only it had";
    let mut site = Site::on_sentinels(plan(2, 1), &[]);
    if site.store.primary.host.namespace.is_none() {
        // Said by the network already: this machine cannot cut links.
        return;
    }
    let store = &mut site.store;
    let (crowd, alone_since) = kill_under_load(&site.cluster, || lose_primary(store));
    let talks = site.recovered(crowd).hush();
    print_silence(test, &talks, alone_since + ALONE);
    let loss = site.explain_losses(test, &talks, alone_since);
    assert!(
        loss.messages + loss.positions > 0,
        "nothing was lost, so nothing was tested"
    );
    let noticed = site.cluster.sum_of_workers("trunkline_worker_store_regressions_total");
    println!("{test}: noticed in {noticed} conversations");
    assert!(noticed > 0.0, "the workers noticed nothing");
    site.is_as_before(test);
}

#[test]
fn with_wait_replicas_a_failover_loses_nothing_that_was_acknowledged() {
    let test = "Sentinel, wait_replicas = 1";
    let mut plan = plan(2, 1);
    plan.settings.push(("store.wait_replicas".to_owned(), "1".to_owned()));
    let mut site = Site::on_sentinels(plan, &["--min-replicas-to-write", "1"]);
    let store = &mut site.store;
    let (crowd, killed) = kill_under_load(&site.cluster, || {
        if store.primary.host.namespace.is_some() {
            lose_primary(store);
        } else {
            store.primary.kill();
        }
        // It comes back: until it follows the new primary, there is no replica to wait for.
        thread::sleep(Duration::from_secs(3));
        if store.primary.host.namespace.is_some() {
            store.primary.host.mend();
        }
        store.primary.launch();
    });
    site.cluster.wait_until_whole();
    // Sentinels take some ten seconds or more to make a replica of the old primary.
    trunkline_fleet::wait::wait_for("a replica of the new primary", || {
        (site.store.replica.ask("WAIT 1 100").ok()? == ":1").then_some(())
    });
    println!("{test}: a replica after {:.1?}", crowd.now().saturating_sub(killed));
    let talks = site.recovered(crowd).judge(test, &site.cluster.recorder);
    print_silence(test, &talks, killed);
    site.is_as_before(test);
}

#[test]
fn a_redis_cluster_replaces_the_primary_of_the_map_and_only_its_last_writes_may_be_lost() {
    let test = "Redis Cluster";
    let mut site = Site::start(plan(2, 1), |directory, network| {
        let store = RedisCluster::start(directory, network, DOWN_AFTER);
        let url = store.url();
        (store, url)
    });
    // Members, leader and map are there; a third of the shards, too.
    let place = site.store.place_of("{tl}meta");
    let store = &mut site.store;
    let (crowd, killed) = kill_under_load(&site.cluster, || store.nodes[place].kill());
    let talks = site.recovered(crowd).hush();
    print_silence(test, &talks, killed);
    site.explain_losses(test, &talks, killed);
    site.is_as_before(test);
}

//! SIGKILL between and within the steps of turns: a step whose result was kept is not run again, one in flight may be, and
//! then carries the same key. Everybody is heard between two deaths, as in [`crate::kill`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::world::house::{Cluster, Dev, example};
use crate::world::outside::{Call, Outside, Step};
use trunkline_fleet::chance::{Chance, kills};
use trunkline_fleet::crowd::{Crowd, Habits, Talk};
use trunkline_fleet::recorder::Recorder;

/// The setting of the example that names the outside service.
const SERVICE: &str = "TRUNKLINE_BOTS__COURIER__SETTINGS__SERVICE";

#[test]
fn dev_on_disk_runs_no_step_again_that_it_had_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
    let outside = Outside::start();
    let mut dev = Dev::open(directory.path(), example("courier"), "courier");
    dev.recipe = dev.recipe.environment(SERVICE, outside.url());
    let mut chance = Chance::of("steps of dev on disk");

    let mut process = dev.recipe.start();
    let crowd = Crowd::talk(&dev.surroundings(connector), Habits::default());
    for _ in 0..kills().div_ceil(2) {
        outside.next_call();
        chance.moment();
        process.kill();
        process = dev.recipe.start();
        crowd.goes_on(&recorder);
    }
    let acknowledged = acknowledged(crowd.judge("steps of dev on disk", &recorder));
    judge("steps of dev on disk", &acknowledged, &outside.calls());
    drop(process);
}

#[test]
fn a_worker_on_redis_runs_no_step_again_that_it_had_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
    let outside = Outside::start();
    let mut cluster = Cluster::new(directory.path(), example("courier"), "courier", connector);
    cluster.worker = cluster.worker.environment(SERVICE, outside.url());
    let mut chance = Chance::of("steps of a worker on Redis");

    let mut worker = cluster.worker.start();
    let ingress = cluster.ingress.start();
    let crowd = Crowd::talk(&cluster.surroundings, Habits::default());
    for _ in 0..kills().div_ceil(2) {
        outside.next_call();
        chance.moment();
        worker.kill();
        worker = cluster.worker.start();
        crowd.goes_on(&recorder);
    }
    let acknowledged = acknowledged(crowd.judge("steps of a worker on Redis", &recorder));
    judge("steps of a worker on Redis", &acknowledged, &outside.calls());
    drop((worker, ingress));
}

/// Texts of the messages that were acknowledged.
fn acknowledged(talks: Vec<Talk>) -> Vec<String> {
    let said = talks.into_iter().flat_map(|talk| talk.said);
    said.filter(|said| said.acknowledged).map(|said| said.text).collect()
}

/// What the calls about one message were, in order of arrival.
#[derive(Debug, Default)]
struct Turn<'a> {
    collect_keys: BTreeSet<&'a str>,
    deliver_keys: BTreeSet<&'a str>,
    collected: Vec<u64>,
    /// The collection that the first delivery named: that step's result had been kept.
    kept: Option<u64>,
    deliveries: usize,
    /// A rule that a call broke, and the call.
    broken: Vec<(&'static str, &'a Call)>,
}

impl<'a> Turn<'a> {
    fn take(&mut self, call: &'a Call) {
        match call.step {
            Step::Collect => {
                if self.kept.is_some() {
                    self.broken.push(("a kept step ran again", call));
                }
                self.collect_keys.insert(&call.key);
                self.collected.push(call.number);
            }
            Step::Deliver => {
                let named = call.collection.filter(|number| self.collected.contains(number));
                if named.is_none() {
                    self.broken.push(("a result that no call of the first step got", call));
                }
                if self.kept.is_some() && self.kept != named {
                    self.broken.push(("another result than the kept one", call));
                }
                self.kept = self.kept.or(named);
                self.deliver_keys.insert(&call.key);
                self.deliveries += 1;
            }
        }
        if self.collect_keys.len() > 1 || self.deliver_keys.len() > 1 {
            self.broken.push(("another key in a later run", call));
        }
    }
}

/// Holds the calls, in order of arrival, against what steps promise.
fn judge(test: &str, acknowledged: &[String], calls: &[Call]) {
    let mut turns: BTreeMap<&str, Turn<'_>> = BTreeMap::new();
    for call in calls {
        turns.entry(&call.parcel).or_default().take(call);
    }
    let in_flight = turns.values().filter(|turn| turn.collected.len() > 1).count();
    let after_kept = turns.values().filter(|turn| turn.deliveries > 1).count();
    for (message, turn) in &turns {
        assert!(turn.broken.is_empty(), "{test}: {message}: {:#?}", turn.broken);
    }
    let keys = || {
        turns
            .values()
            .flat_map(|turn| turn.collect_keys.iter().chain(&turn.deliver_keys))
    };
    let different: BTreeSet<_> = keys().collect();
    assert!(!different.contains(&""), "{test}: a call without a key");
    assert_eq!(different.len(), keys().count(), "{test}: two steps share a key");
    for message in acknowledged {
        let delivered = turns.get(message.as_str()).is_some_and(|turn| turn.deliveries > 0);
        assert!(delivered, "{test}: {message} was acknowledged without its steps");
    }
    println!(
        "{test}: {} calls about {} messages; {in_flight} first steps ran again, each with its key; {after_kept} second steps ran \
         again, each with its key and the kept result of the first, which did not run again",
        calls.len(),
        turns.len(),
    );
    assert!(
        in_flight > 0 && after_kept > 0,
        "{test}: no death came at the right moment, so nothing was tested"
    );
}

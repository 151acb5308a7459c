//! The link to Redis slows down, goes silent, breaks: requests wait, no shard moves, nothing is lost.

use std::thread::sleep;
use std::time::Duration;

use trunkline_fleet::cluster::Cluster;
use trunkline_fleet::crowd::{Crowd, Habits};
use trunkline_fleet::network::Network;
use trunkline_fleet::redis::Redis;
use trunkline_fleet::relay::{Link, Relay};
use trunkline_fleet::turn::Turn;

use crate::world::plan;

#[test]
fn a_slow_a_silent_and_a_broken_link_to_redis_lose_nothing() {
    let _turn = Turn::take();
    let network = Network::best();
    let directory = tempfile::tempdir().unwrap();
    let redis = Redis::start(directory.path(), &network, &["--appendfsync", "always"]);
    let relay = Relay::start(network.outside(), redis.address);
    let url = format!("redis://{}/0", relay.address);
    let cluster = Cluster::start(plan(2, 1), &network, directory, &url);
    cluster.wait_until_whole();
    let before = cluster.status().unwrap()["map_version"].clone();
    let habits = Habits {
        people: 40,
        per_second: Some(50.0),
        patience: Duration::from_secs(15),
        ..Habits::default()
    };
    let crowd = Crowd::talk(&cluster.surroundings, habits);
    for (link, lasts) in [
        (Link::Up(Duration::from_millis(20)), 2),
        (Link::Cut, 3),
        (Link::Reset, 1),
    ] {
        relay.set(link);
        sleep(Duration::from_secs(lasts));
        relay.set(Link::Up(Duration::ZERO));
        cluster.wait_until_whole();
        crowd.goes_on(&cluster.recorder);
    }
    crowd.judge("links to Redis", &cluster.recorder);
    assert_eq!(
        cluster.status().unwrap()["map_version"],
        before,
        "no shard moved for it"
    );
}

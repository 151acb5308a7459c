//! The operator's commands that the other tests do not need, against real processes.

use std::io::BufRead as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use trunkline_fleet::cluster::{Cluster, Plan};
use trunkline_fleet::message;
use trunkline_fleet::wait::wait_for;

use crate::world::{World, plan, stock};

#[test]
fn a_watched_status_shows_that_a_worker_has_left() {
    let mut world = World::start("watch", plan(2, 1));
    let mut watch = Watch::start(&world.cluster);
    let whole = watch.next();
    assert_eq!(standings(&whole), ["active", "active"], "{whole}");
    let gone = world.cluster.workers[1].name.clone();
    world.cluster.workers[1].stop();
    let alone = std::iter::repeat_with(|| watch.next()).take(60).find(|status| {
        let nodes = status["nodes"].as_array().unwrap();
        nodes
            .iter()
            .all(|node| node["name"] != gone.as_str() || node["standing"] != "active")
    });
    assert!(alone.is_some(), "{gone} has left, and the watch still shows it");
}

#[test]
fn parked_work_that_is_replayed_runs_again() {
    let program = stock().with_file_name("examples").join("fragile");
    assert!(program.is_file(), "build it: cargo build -p trunkline --examples");
    let world = World::start(
        "replay",
        Plan {
            program,
            bot: "fragile".to_owned(),
            settings: [
                plan(1, 1).settings,
                vec![("worker.attempt_back_off".to_owned(), "50 ms".to_owned())],
            ]
            .concat(),
            ..plan(1, 1)
        },
    );
    say(&world.cluster, "fail");
    let first = parked(&world.cluster);
    assert!(first["reason"].as_str().unwrap().contains("asked to fail"), "{first}");
    let id = format!(
        "{}/{}/{}",
        first["shard"],
        first["key"].as_str().unwrap(),
        first["sequence"]
    );
    let told = world.cluster.command(&["parked", "replay", &id]);
    assert!(told.contains("runs again"), "{told}");
    // It fails once more: what tells the second parking from the first is its time.
    wait_for("the message parked again", || {
        let again = parked(&world.cluster);
        (again["since_ms"].as_u64() > first["since_ms"].as_u64()).then_some(())
    });
    assert_eq!(
        world
            .cluster
            .try_command(&["parked", "replay", "0/AAAAAAAAAAAAAAAAAAAAAA/1"]),
        None
    );
}

/// `trunkline status --watch` and the lines that it prints.
struct Watch {
    process: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Watch {
    fn start(cluster: &Cluster) -> Self {
        let mut process = cluster
            .operator(&["status", "--watch", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What it says next.
    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a watch does not end").unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Somebody says this, whatever the answer is.
fn say(cluster: &Cluster, text: &str) {
    let surroundings = &cluster.surroundings;
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(surroundings.ingresses.pick(0))
        .bearer_auth(surroundings.token.as_ref().unwrap())
        .json(&message::message(&surroundings.sender, 0, 0, text))
        .timeout(Duration::from_secs(20))
        .send();
    println!("replay: answered {:?}", answer.map(|answer| answer.status()));
}

/// The first parked entry, once there is one.
fn parked(cluster: &Cluster) -> Value {
    wait_for("a parked message", || {
        let list = cluster.try_command(&["parked", "list", "--output", "json"])?;
        let list: Value = serde_json::from_str(&list).ok()?;
        list["parked"].as_array()?.first().cloned()
    })
}

fn standings(status: &Value) -> Vec<&str> {
    let nodes = status["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["standing"].as_str().unwrap()).collect()
}

//! An activity that kills its process: it is given up and named, and the rest goes on.

use std::time::Duration;

use serde_json::Value;
use trunkline_fleet::cluster::Plan;
use trunkline_fleet::message;
use trunkline_fleet::teams::TENANT;
use trunkline_fleet::wait::wait_for;

use crate::world::{World, plan, stock};

#[test]
fn a_message_that_kills_its_process_is_parked_and_can_be_dropped() {
    let program = stock().with_file_name("examples").join("fragile");
    assert!(program.is_file(), "build it: cargo build -p trunkline --examples");
    let mut world = World::start(
        "poison",
        Plan {
            program,
            bot: "fragile".to_owned(),
            ..plan(3, 1)
        },
    );
    let crowd = world.crowd();
    let surroundings = &world.cluster.surroundings;
    // Somebody whom nobody of the crowd is.
    let body = message::message(&surroundings.sender, 1_000, 0, "abort");
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(surroundings.ingresses.pick(0))
        .bearer_auth(surroundings.token.as_ref().unwrap())
        .json(&body)
        .timeout(Duration::from_secs(20));
    let answer = std::thread::spawn(move || request.send());
    let mut deaths = 0;
    // Its supervisor starts each worker that died; it must end.
    let parked = wait_for("the message among the parked ones", || {
        for worker in &mut world.cluster.workers {
            if worker.has_died() {
                deaths += 1;
                worker.start();
            }
        }
        let list = world.cluster.try_command(&["parked", "list", "--output", "json"])?;
        let list: Value = serde_json::from_str(&list).ok()?;
        let entry = list["parked"].as_array()?.first()?.clone();
        Some(entry)
    });
    println!(
        "poison: {deaths} workers died, answered {:?}",
        answer.join().unwrap().map(|answer| answer.status())
    );
    assert!((1..=3).contains(&deaths), "{deaths} workers died");
    assert_eq!(parked["conversation"], message::conversation(1_000));
    world.cluster.wait_until_whole();
    let id = format!(
        "{}/{}/{}",
        parked["shard"],
        parked["key"].as_str().unwrap(),
        parked["sequence"]
    );
    let show = [
        "conversation",
        "show",
        &message::conversation(1_000),
        "--bot",
        "fragile",
        "--tenant",
        TENANT,
    ];
    let shown: Value =
        serde_json::from_str(&world.cluster.command(&[&show[..], &["--output", "json"]].concat())).unwrap();
    assert_eq!(shown["parked"][0]["reference"], parked["reference"], "{shown}");
    let table = world.cluster.command(&show);
    assert!(table.contains(parked["reference"].as_str().unwrap()), "{table}");
    world.cluster.command(&["parked", "drop", &id]);
    assert!(world.cluster.command(&["parked", "list"]).contains("Nothing is parked"));
    crowd.judge("poison", &world.cluster.recorder);
}

//! An upgrade, and the way back, one worker after the other under load: with two versions in the cluster, of which the next
//! one writes what this one cannot read, nobody is refused and nothing is lost.

use std::path::{Path, PathBuf};

use trunkline_fleet::cluster::Node;
use trunkline_fleet::crowd::Noticed;
use trunkline_fleet::wait::wait_for;

use crate::world::{World, plan, stock};

/// `examples/next_version.rs`.
fn next() -> PathBuf {
    let program = stock().with_file_name("examples").join("next_version");
    assert!(program.is_file(), "build it: cargo build -p trunkline --examples");
    program
}

impl World {
    /// Stops a worker in order and starts this program in its place. How many shards it had moved because their owner could
    /// not read them.
    fn roll(&mut self, place: usize, program: &Path) -> u64 {
        let worker = &self.cluster.workers[place];
        let (name, moved) = (worker.name.clone(), moved_to_be_read(worker));
        let log = self.replace(place, program);
        assert_refused_nobody(&name, &log);
        moved
    }

    /// The same, whomever it refused. What the stopped one has logged.
    fn replace(&mut self, place: usize, program: &Path) -> String {
        let worker = &mut self.cluster.workers[place];
        let log = worker.stop();
        worker.becomes(program);
        worker.start();
        self.cluster.wait_until_whole();
        log
    }

    /// How many shards the status says that their worker cannot read.
    fn unread(&self) -> usize {
        let status = self.cluster.status().unwrap();
        let workers = status["unread"].as_array().unwrap().iter();
        workers.map(|unread| unread["shards"].as_array().unwrap().len()).sum()
    }
}

/// Whether this worker refused somebody because nobody could read what the other version had written. What an overloaded machine
/// refuses says nothing of versions.
fn assert_refused_nobody(worker: &str, log: &str) {
    assert!(!log.contains("no worker that reads it lives"), "{worker}: {log}");
}

/// Shards that this worker, when it led, moved because their owner could not read them.
fn moved_to_be_read(worker: &Node) -> u64 {
    let metrics = worker.metrics().expect("it answers");
    let line = metrics.lines().find(|line| line.contains("cause=\"unread\""));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_roll_to_the_next_version_and_back_under_load_refuses_nobody() {
    let test = "two versions";
    let mut world = World::start(test, plan(3, 1));
    let crowd = world.crowd();
    let began = crowd.now();
    let mut moved = 0;
    for (place, program) in [(0, next()), (1, next()), (1, stock()), (2, next()), (2, stock())] {
        moved += world.roll(place, &program);
        // Everybody is answered by whoever reads what the other version wrote.
        crowd.goes_on(&world.cluster.recorder);
    }
    let status = world.cluster.status().unwrap();
    let span = began..crowd.now();
    let talks = crowd.judge(test, &world.cluster.recorder);
    let noticed = Noticed::of(&talks, &span);
    println!("  {test}: {noticed}");
    for worker in &world.cluster.workers {
        assert_refused_nobody(&worker.name, &worker.process().log());
    }
    assert_eq!(status["unread"].as_array().map(Vec::len), Some(0), "{status:#}");
    moved += world.cluster.workers.iter().map(moved_to_be_read).sum::<u64>();
    println!("  {test}: {moved} shards went to a worker that reads them");
    assert!(moved > 0, "no worker met what it could not read, so nothing was tested");
}

#[test]
fn without_a_worker_of_the_next_version_its_conversations_are_refused_and_the_operator_reads_what_helps() {
    let test = "the next version is gone";
    let mut world = World::start(test, plan(2, 1));
    let crowd = world.crowd();
    for place in 0..2 {
        world.roll(place, &next());
    }
    crowd.goes_on(&world.cluster.recorder);
    for place in 0..2 {
        world.replace(place, &stock());
    }
    let told = wait_for("the warning", || {
        let told = world.cluster.command(&["status"]);
        told.contains("RECORDS_UNREAD").then_some(told)
    });
    assert!(told.contains("start a worker of that version"), "{told}");
    assert!(world.unread() > 0);
    // One is enough: it gets the shards, and everybody who was refused is answered.
    world.replace(0, &next());
    crowd.goes_on(&world.cluster.recorder);
    wait_for("nothing is unread", || (world.unread() == 0).then_some(()));
    crowd.judge(test, &world.cluster.recorder);
}

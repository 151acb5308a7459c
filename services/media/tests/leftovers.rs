//! Ten thousand legs of a whole host, opened by a worker, some of them called, all closed: what stays. Alone in its process, whose
//! memory and descriptors it measures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "control/world.rs"]
#[allow(dead_code, reason = "shared with the tests of the host")]
mod world;

use std::time::{Duration, Instant};

use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_proto::media::Close;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;

use support::PATIENCE;
use world::{Worker, World, run};

/// Legs at a time, of which one is called: a host answers ten offers a second of one address.
const BATCH: usize = 250;
/// Of each mode: what the first ones make is there for all, then it is measured.
const FIRST: usize = 1_000;
const MEASURED: usize = 4_000;
/// What the allocator itself moves by is up to one megabyte. A leg has 20 KB.
const MEMORY: u64 = 3 * 1024 * 1024;

#[derive(Debug)]
struct Held {
    memory: u64,
    descriptors: usize,
    tasks: usize,
}

impl Held {
    fn now() -> Self {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        Self {
            memory: pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096,
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        }
    }
}

async fn open_and_close(world: &mut World, worker: &mut Worker, legs: usize) {
    for _ in 0..legs / BATCH {
        let (called, mut line, _session) = world.call(worker).await;
        let mut open = vec![called];
        for _ in 1..BATCH {
            let (leg, _) = worker.open().await;
            worker.attach(&leg, 0).await;
            open.push(leg);
        }
        for leg in open {
            worker.accepts(&leg, What::Close(Close {})).await;
            worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        }
        world.is_left_by(&mut line).await;
    }
}

#[test]
fn ten_thousand_legs_leave_no_socket_task_or_megabyte_behind() {
    run(async {
        // A port rests after it was used.
        for ports in [Ports::Single(0), Ports::Range(32_000..=49_999)] {
            let mut thread = ThreadConfig::loopback(ports);
            thread.legs = 2 * u32::try_from(BATCH).unwrap();
            let mut world = World::start_with(thread).await;
            let mut worker = world.worker().await;
            open_and_close(&mut world, &mut worker, FIRST).await;
            let before = Held::now();
            open_and_close(&mut world, &mut worker, MEASURED).await;
            let until = Instant::now() + PATIENCE;
            loop {
                let after = Held::now();
                let is_clean = after.memory < before.memory + MEMORY
                    && after.descriptors <= before.descriptors
                    && after.tasks <= before.tasks;
                if is_clean {
                    break;
                }
                assert!(Instant::now() < until, "before {before:?}, after {after:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
}

//! The schedule against an index that a test keeps, with simulated time.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_store::key::{Key, ShardId};

use super::{AHEAD_MS, Agenda, Page, Reading};

const SHARD: ShardId = ShardId(1);

/// The index of some shards, and how often it was read.
#[derive(Default)]
struct World {
    agenda: Agenda,
    index: BTreeMap<ShardId, BTreeSet<(u64, Key)>>,
    readings: usize,
    entries_read: usize,
    /// Conversations of the shards are in memory.
    is_in_use: bool,
    now: u64,
}

impl World {
    fn schedule(&mut self, shard: ShardId, number: u64, at: u64) {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        self.index.entry(shard).or_default().insert((at, Key(key)));
    }

    fn page(&self, reading: Reading) -> Page {
        let empty = BTreeSet::new();
        let index = self.index.get(&reading.shard).unwrap_or(&empty);
        let near = index.iter().take_while(|(at, _)| *at <= reading.until_ms);
        let entries: Vec<_> = near.take(reading.entries).map(|(at, key)| (*key, *at)).collect();
        let next = index.first().map(|(at, _)| *at).filter(|_| entries.is_empty());
        Page { entries, next }
    }

    /// Lets time pass; who was woken, and when. Waking takes an entry out of the index, as the commit of its turn does.
    fn passes(&mut self, time: u64, step: u64) -> Vec<(u64, Key)> {
        let mut woken = Vec::new();
        let end = self.now + time;
        while self.now <= end {
            for reading in self.agenda.take_readings(self.now, 64) {
                let page = self.page(reading);
                self.readings += 1;
                self.entries_read += page.entries.len();
                self.agenda.read(reading, page, self.is_in_use, self.now);
            }
            for (shard, key) in self.agenda.due(self.now, 500) {
                self.index.entry(shard).or_default().retain(|(_, other)| *other != key);
                woken.push((self.now, key));
            }
            self.now += step;
        }
        woken
    }
}

#[test]
fn what_is_due_is_woken_in_time_and_what_is_overdue_at_once() {
    let mut world = World {
        now: 1_000_000,
        ..World::default()
    };
    world.schedule(SHARD, 1, 5);
    world.schedule(SHARD, 2, 1_010_000);
    world.schedule(SHARD, 3, 1_200_000);
    world.agenda.serve(SHARD, world.now);
    let woken: Vec<u64> = world.passes(300_000, 100).iter().map(|(at, _)| *at).collect();
    assert_eq!(woken, [1_000_000, 1_010_000, 1_200_000]);
}

#[test]
fn a_shard_without_entries_is_read_once_and_one_with_a_far_entry_only_when_that_is_near() {
    let mut world = World::default();
    world.agenda.serve(SHARD, 0);
    world.agenda.serve(ShardId(2), 0);
    world.schedule(ShardId(2), 1, 86_400_000);
    assert_eq!(world.passes(86_000_000, 1_000), []);
    assert_eq!(world.readings, 2);
    assert_eq!(world.passes(400_000, 1_000).len(), 1);
    assert!(world.readings <= 6, "{} readings", world.readings);
}

#[test]
fn while_conversations_are_in_memory_what_becomes_due_without_their_knowledge_is_found() {
    let mut world = World {
        is_in_use: true,
        ..World::default()
    };
    world.agenda.serve(SHARD, 0);
    world.passes(300_000, 100);
    // A failover brought back what was done, or an actor died with what it knew.
    world.schedule(SHARD, 1, 300_000);
    world.is_in_use = false;
    let woken = world.passes(30_000, 100);
    assert_eq!(woken.len(), 1);
    assert!(world.readings <= 12, "{} readings", world.readings);
}

#[test]
fn thousands_that_are_overdue_come_by_pages_until_all_have_come() {
    let mut world = World::default();
    for number in 0..5_000 {
        world.schedule(SHARD, number, number);
    }
    world.now = 10_000;
    world.agenda.serve(SHARD, world.now);
    assert_eq!(world.passes(30_000, 50).len(), 5_000);
    assert!(world.entries_read <= 5_500, "{} entries were read", world.entries_read);
}

#[test]
fn those_that_stay_in_the_index_do_not_hide_those_behind_them() {
    let mut world = World::default();
    for number in 0..3_000 {
        world.schedule(SHARD, number, 1);
    }
    world.schedule(SHARD, 9_999, 2);
    world.agenda.serve(SHARD, 0);
    // The first 3,000 are woken and stay where they are: their sends are refused.
    let stuck = world.index[&SHARD].clone();
    let mut is_found = false;
    for _ in 0..600 {
        let woken = world.passes(100, 100);
        is_found |= woken.iter().any(|(_, key)| key.0[..8] == 9_999_u64.to_be_bytes());
        let last = stuck.last().copied();
        world.index.insert(
            SHARD,
            stuck
                .iter()
                .copied()
                .filter(|entry| Some(*entry) != last || !is_found)
                .collect(),
        );
    }
    assert!(is_found);
}

#[test]
fn what_leaves_memory_is_woken_at_its_time() {
    let mut world = World::default();
    world.agenda.serve(SHARD, 0);
    world.passes(10, 10);
    let (near, far) = (Key([1; 16]), Key([2; 16]));
    world
        .index
        .entry(SHARD)
        .or_default()
        .extend([(30_000, near), (500_000, far)]);
    world.agenda.left(SHARD, near, Some(30_000), world.now);
    world.agenda.left(SHARD, far, Some(500_000), world.now);
    let woken = world.passes(600_000, 10);
    let keys: Vec<_> = woken.iter().map(|(_, key)| *key).collect();
    assert_eq!(keys, [near, far]);
    assert!(woken[1].0 - 500_000 <= 10, "{woken:?}");
}

#[test]
fn a_failed_reading_is_repeated_and_a_shard_that_left_is_not_read() {
    let mut agenda = Agenda::default();
    agenda.serve(SHARD, 0);
    let reading = agenda.take_readings(0, 10)[0];
    assert_eq!(
        (reading.until_ms, agenda.take_readings(0, 10)),
        (AHEAD_MS, vec![]),
        "one reading at a time"
    );
    agenda.failed(SHARD, 0);
    assert_eq!(agenda.take_readings(999, 10), []);
    assert_eq!(agenda.take_readings(1_000, 10).len(), 1);
    agenda.forget(SHARD);
    agenda.read(reading, Page::default(), false, 1_000);
    assert_eq!(agenda.take_readings(100_000, 10), []);
}

#[test]
fn a_million_timers_over_a_day_cost_a_few_readings_a_second() {
    let (shards, timers, day) = (4_096_u32, 1_000_000_u64, 86_400_000_u64);
    let mut world = World::default();
    for number in 0..timers {
        let at = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % day;
        let shard = u32::try_from(number % u64::from(shards)).unwrap_or(0);
        world.schedule(ShardId(shard), number, at + 60_000);
    }
    for shard in 0..shards {
        world.agenda.serve(ShardId(shard), 0);
    }
    let time = 1_200_000;
    let woken = world.passes(time, 500);
    assert!((13_000..14_000).contains(&woken.len()), "{} were woken", woken.len());
    let readings = world.readings as u64 / (time / 1_000);
    assert!(readings <= 80, "{readings} readings a second");
    assert!(
        world.entries_read < 3 * woken.len(),
        "{} entries were read",
        world.entries_read
    );
}

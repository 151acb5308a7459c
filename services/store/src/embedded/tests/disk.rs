//! Disks that fail, and when the engine flushes them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redb::backends::InMemoryBackend;
use redb::{Builder, StorageBackend};

use super::super::{EmbeddedConfig, EmbeddedStore, SyncPolicy};
use super::{SHARD, has_record, own, turn};
use crate::contract::{Commit, Committed, Header, Store as _};
use crate::key::Key;

/// Memory that counts flushes and fails on demand.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<DiskState>);

#[derive(Debug, Default)]
struct DiskState {
    memory: InMemoryBackend,
    fault: AtomicU8,
    flushes: AtomicU64,
}

const SOUND: u8 = 0;
const FULL: u8 = 1;
const BROKEN: u8 = 2;
const PANICS: u8 = 3;

impl Disk {
    fn fail(&self, fault: u8) {
        self.0.fault.store(fault, Ordering::SeqCst);
    }

    fn flushes(&self) -> u64 {
        self.0.flushes.load(Ordering::SeqCst)
    }

    fn check(&self) -> io::Result<()> {
        match self.0.fault.load(Ordering::SeqCst) {
            SOUND => Ok(()),
            FULL => Err(io::ErrorKind::StorageFull.into()),
            BROKEN => Err(io::Error::other("the disk has a scratch")),
            _ => panic!("the engine has a bug"),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.0.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.flushes.fetch_add(1, Ordering::SeqCst);
        self.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.0.memory.write(offset, data)
    }
}

fn on_disk(disk: &Disk, sync: SyncPolicy) -> EmbeddedStore {
    let database = Builder::new().create_with_backend(disk.clone()).unwrap();
    let config = EmbeddedConfig {
        sync,
        ..EmbeddedConfig::in_memory()
    };
    EmbeddedStore::start(database, config).unwrap()
}

#[tokio::test]
async fn after_a_failed_write_every_call_is_answered_with_the_reason() {
    for (fault, expected) in [
        (FULL, "refuses writes"),
        (BROKEN, "scratch"),
        (PANICS, "writer thread has ended"),
    ] {
        let disk = Disk::default();
        let store = on_disk(&disk, SyncPolicy::EveryCommit);
        let token = own(&store).await;
        disk.fail(fault);
        let calls = async {
            let first = store.commit(turn(token, 1)).await.unwrap_err();
            assert!(first.to_string().contains(expected), "{first}");
            disk.fail(SOUND);
            let later = store.commit(turn(token, 2)).await.unwrap_err();
            assert!(later.to_string().contains(expected), "{later}");
            let read = store.load(SHARD, Key([1; 16])).await.unwrap_err();
            assert_eq!(read.to_string(), later.to_string());
        };
        tokio::time::timeout(Duration::from_secs(10), calls).await.unwrap();
    }
}

#[tokio::test]
async fn commits_that_wait_together_are_flushed_together() {
    let disk = Disk::default();
    let store = on_disk(&disk, SyncPolicy::EveryCommit);
    let token = own(&store).await;
    let before = disk.flushes();
    let commits = (0..100).map(|key| store.commit(turn(token, key)));
    let outcomes = futures_util::future::join_all(commits).await;
    assert!(
        outcomes
            .into_iter()
            .all(|outcome| outcome.unwrap() == Committed::Written)
    );
    let flushes = disk.flushes() - before;
    assert!(flushes < 50, "{flushes} flushes for 100 commits at once");
}

#[tokio::test]
async fn a_refused_commit_costs_no_flush() {
    let disk = Disk::default();
    let store = on_disk(&disk, SyncPolicy::EveryCommit);
    let token = own(&store).await;
    store.commit(turn(token, 1)).await.unwrap();
    let before = disk.flushes();
    let stale = Commit {
        expected: Header { version: 7, turn: 7 },
        ..turn(token, 1)
    };
    assert_eq!(store.commit(turn(token, 1)).await.unwrap(), Committed::Written);
    assert!(matches!(
        store.commit(Commit { record: None, ..stale }).await.unwrap(),
        Committed::Conflict(_)
    ));
    assert_eq!(disk.flushes(), before);
}

#[tokio::test]
async fn with_an_interval_commits_are_answered_before_the_flush_and_flushed_after_it() {
    let disk = Disk::default();
    let store = on_disk(&disk, SyncPolicy::Interval(Duration::from_millis(300)));
    let before = disk.flushes();
    let token = own(&store).await;
    assert_eq!(store.commit(turn(token, 1)).await.unwrap(), Committed::Written);
    assert!(has_record(&store, 1).await);
    assert_eq!(disk.flushes(), before, "the commit waited for the disk");
    let deadline = Instant::now() + Duration::from_secs(10);
    while disk.flushes() == before {
        assert!(Instant::now() < deadline, "what was answered was never flushed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn with_an_interval_closing_flushes_what_was_answered() {
    let disk = Disk::default();
    let store = on_disk(&disk, SyncPolicy::Interval(Duration::from_secs(3_600)));
    let token = own(&store).await;
    store.commit(turn(token, 1)).await.unwrap();
    drop(store);
    let store = on_disk(&disk, SyncPolicy::EveryCommit);
    assert!(has_record(&store, 1).await);
}

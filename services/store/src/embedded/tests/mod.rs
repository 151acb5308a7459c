//! What only the embedded engine does: files and time that passes.

#![allow(clippy::unwrap_used)]

mod disk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redb::{Builder, ReadableDatabase as _, ReadableTableMetadata as _};

use super::tables::{ANSWER_ENDS, ANSWERS, META, RECORD_ENDS, RECORDS};
use super::{Clock, EmbeddedConfig, EmbeddedStore, FILE};
use crate::contract::{
    ANSWER_LIFE_MS, Claim, Claimed, Commit, Committed, Epoch, Header, Incarnation, MapVersion, Parked, Store as _,
    StoreError, Token, Wake,
};
use crate::key::{Key, ShardId};

const SHARD: ShardId = ShardId(3);
const HOUR_MS: u64 = 3_600_000;

async fn own(store: &EmbeddedStore) -> Token {
    let claim = Claim {
        me: Incarnation(1),
        map: MapVersion(1),
        force: true,
        floor: Epoch(0),
    };
    match store.claim(SHARD, claim).await {
        Ok(Claimed::Ours(token)) => token,
        other => panic!("the claim came to {other:?}"),
    }
}

/// The first turn of a conversation.
fn turn(token: Token, key: u8) -> Commit {
    Commit {
        shard: SHARD,
        key: Key([key; 16]),
        token,
        expected: Header::ABSENT,
        record: Some(Bytes::copy_from_slice(&Header { version: 1, turn: 1 }.to_bytes())),
        done: Vec::new(),
        accept: Vec::new(),
        wake: Wake::Keep,
        parked: Parked::Keep,
        retain_ms: None,
        answer: None,
    }
}

async fn has_record(store: &EmbeddedStore, key: u8) -> bool {
    store.load(SHARD, Key([key; 16])).await.unwrap().record.is_some()
}

fn unfit(opened: Result<EmbeddedStore, StoreError>) -> String {
    match opened {
        Err(error @ StoreError::Unfit { .. }) => error.to_string(),
        other => panic!("the store should be unfit, not {other:?}"),
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig::in_directory(directory.path().join("deeper"));
    let store = EmbeddedStore::open(config.clone()).unwrap();
    let identity = store.identity();
    let token = own(&store).await;
    assert_eq!(store.commit(turn(token, 1)).await.unwrap(), Committed::Written);
    drop(store);

    let store = EmbeddedStore::open(config).unwrap();
    assert_eq!(store.identity(), identity);
    assert!(has_record(&store, 1).await);
}

#[tokio::test]
async fn shards_of_an_earlier_process_are_free_at_opening_and_their_epochs_count_on() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig::in_directory(directory.path());
    let store = EmbeddedStore::open(config.clone()).unwrap();
    let earlier = own(&store).await;
    drop(store);

    let store = EmbeddedStore::open(config).unwrap();
    let late = store.commit(turn(earlier, 1)).await.unwrap();
    assert_eq!(late, Committed::Fenced, "a shard that is free takes no commit");
    let unforced = |map| Claim {
        me: Incarnation(2),
        map: MapVersion(map),
        force: false,
        floor: Epoch(0),
    };
    let stale = store.claim(SHARD, unforced(0)).await.unwrap();
    assert_eq!(stale, Claimed::Stale(earlier.map), "the fence knows its map");
    let Claimed::Ours(token) = store.claim(SHARD, unforced(1)).await.unwrap() else {
        panic!("the shard is not free");
    };
    assert!(token.epoch > earlier.epoch, "{token} after {earlier}");
}

#[test]
fn a_directory_in_use_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig::in_directory(directory.path());
    let _store = EmbeddedStore::open(config.clone()).unwrap();
    let refusal = unfit(EmbeddedStore::open(config));
    assert!(refusal.contains("another process"), "{refusal}");
    assert!(refusal.contains(&directory.path().display().to_string()), "{refusal}");
}

#[test]
fn another_number_of_shards_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig::in_directory(directory.path());
    drop(EmbeddedStore::open(config.clone()).unwrap());
    let refusal = unfit(EmbeddedStore::open(EmbeddedConfig { shards: 8, ..config }));
    assert!(refusal.contains("4096") && refusal.contains('8'), "{refusal}");
}

#[test]
fn a_number_of_shards_that_no_store_can_have_is_refused() {
    for shards in [0, 16_385] {
        let config = EmbeddedConfig {
            shards,
            ..EmbeddedConfig::in_memory()
        };
        assert!(unfit(EmbeddedStore::open(config)).contains(&shards.to_string()));
    }
}

#[test]
fn a_file_of_an_unknown_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let config = EmbeddedConfig::in_directory(directory.path());
    drop(EmbeddedStore::open(config.clone()).unwrap());
    let file = directory.path().join(FILE);
    let database = Builder::new().create(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("format", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);

    for _ in 0..2 {
        let refusal = unfit(EmbeddedStore::open(config.clone()));
        assert!(refusal.contains("format 99"), "{refusal}");
    }
}

#[test]
fn a_file_that_is_not_ours_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(FILE);
    std::fs::write(&file, "a shopping list\n".repeat(1_000)).unwrap();
    let refusal = unfit(EmbeddedStore::open(EmbeddedConfig::in_directory(directory.path())));
    assert!(refusal.contains(FILE), "{refusal}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("a shopping list"));
}

#[tokio::test]
async fn a_shard_beyond_their_number_is_refused() {
    let store = EmbeddedStore::open(EmbeddedConfig::in_memory()).unwrap();
    let refusal = store.due(ShardId(4_096), 1, 1).await.unwrap_err();
    assert!(matches!(refusal, StoreError::Unfit { .. }), "{refusal}");
}

/// A store in memory whose clock the test sets.
fn with_clock(start_ms: u64) -> (EmbeddedStore, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(start_ms));
    let clock = Arc::clone(&time);
    let config = EmbeddedConfig {
        clock: Clock::new(move || clock.load(Ordering::SeqCst)),
        ..EmbeddedConfig::in_memory()
    };
    (EmbeddedStore::open(config).unwrap(), time)
}

#[tokio::test]
async fn an_answer_lives_for_two_minutes() {
    let (store, time) = with_clock(1_000);
    let token = own(&store).await;
    let commit = Commit {
        answer: Some(("k".to_owned(), Bytes::from_static(b"{}"))),
        ..turn(token, 1)
    };
    store.commit(commit).await.unwrap();
    time.store(1_000 + ANSWER_LIFE_MS - 1, Ordering::SeqCst);
    assert!(store.answer(SHARD, Key([1; 16]), "k").await.unwrap().is_some());
    time.store(1_000 + ANSWER_LIFE_MS, Ordering::SeqCst);
    assert!(store.answer(SHARD, Key([1; 16]), "k").await.unwrap().is_none());
}

#[tokio::test]
async fn a_record_ends_with_its_retention_and_not_before() {
    let (store, time) = with_clock(1_000);
    let token = own(&store).await;
    let commit = Commit {
        retain_ms: Some(500),
        ..turn(token, 1)
    };
    store.commit(commit).await.unwrap();
    time.store(1_499, Ordering::SeqCst);
    assert!(has_record(&store, 1).await);
    time.store(1_500, Ordering::SeqCst);
    assert!(!has_record(&store, 1).await);
}

#[test]
fn what_has_ended_is_swept_and_what_lives_stays() {
    let (store, time) = with_clock(10 * HOUR_MS);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let token = own(&store).await;
        let answer = Some(("k".to_owned(), Bytes::from_static(b"{}")));
        for (key, retain_ms) in [(1, Some(HOUR_MS)), (2, Some(10 * HOUR_MS)), (3, None)] {
            let commit = Commit {
                retain_ms,
                answer: answer.clone(),
                ..turn(token, key)
            };
            store.commit(commit).await.unwrap();
        }
        // Number 1 is written again, with a longer life: its old end must not take it away.
        let again = Commit {
            expected: Header { version: 1, turn: 1 },
            record: Some(Bytes::copy_from_slice(&Header { version: 2, turn: 2 }.to_bytes())),
            retain_ms: Some(3 * HOUR_MS),
            ..turn(token, 1)
        };
        store.commit(again).await.unwrap();
    });

    let sweep_at = |hour: u64| {
        time.store(hour * HOUR_MS, Ordering::SeqCst);
        let transaction = store.database.begin_write().unwrap();
        {
            let mut tables = super::Tables::open(&transaction).unwrap();
            super::sweep::sweep(&mut tables, hour * HOUR_MS).unwrap();
        }
        transaction.commit().unwrap();
        let view = store.database.begin_read().unwrap();
        [
            view.open_table(RECORDS).unwrap().len().unwrap(),
            view.open_table(RECORD_ENDS).unwrap().len().unwrap(),
            view.open_table(ANSWERS).unwrap().len().unwrap(),
            view.open_table(ANSWER_ENDS).unwrap().len().unwrap(),
        ]
    };
    assert_eq!(sweep_at(10), [3, 2, 3, 3]);
    assert_eq!(sweep_at(12), [3, 2, 0, 0]);
    assert_eq!(sweep_at(14), [2, 1, 0, 0]);
    assert_eq!(sweep_at(24), [1, 0, 0, 0]);
}

#[tokio::test]
async fn commits_sweep_along_the_way() {
    let (store, time) = with_clock(10 * HOUR_MS);
    let token = own(&store).await;
    // Wait until the sweep that the first claim ran is long ago.
    let commit = Commit {
        answer: Some(("k".to_owned(), Bytes::from_static(b"{}"))),
        ..turn(token, 1)
    };
    store.commit(commit).await.unwrap();
    time.store(11 * HOUR_MS, Ordering::SeqCst);
    let deadline = Instant::now() + super::writer::SWEEP_EVERY + Duration::from_secs(10);
    let answers = || {
        let view = store.database.begin_read().unwrap();
        view.open_table(ANSWERS).unwrap().len().unwrap()
    };
    while answers() > 0 {
        assert!(Instant::now() < deadline, "nothing was swept");
        own(&store).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! What a commit writes and when it is refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use trunkline_store::StoreError;
use trunkline_store::contract::{ANSWER_BYTES, Commit, Committed, Header, RECORD_BYTES, Wake};
use trunkline_store::key::Key;

use crate::on_every_engine;
use crate::world::{SHARD, World, header, key, record, touch, turn};

on_every_engine!(
    a_conversation_never_written_is_absent,
    what_was_written_is_loaded,
    records_carry_any_bytes,
    a_commit_over_another_header_is_a_conflict_that_names_it,
    the_same_version_of_another_turn_is_a_conflict,
    a_commit_that_expects_nothing_conflicts_with_a_record,
    a_repeated_commit_is_written_once_and_answered_alike,
    a_repeated_commit_does_not_repeat_its_other_effects,
    a_late_copy_of_an_older_commit_is_a_conflict,
    a_conflict_changes_nothing,
    of_two_turns_at_once_only_one_is_written,
    many_commits_at_once_are_all_written,
    a_record_of_one_mebibyte_is_written_and_a_larger_one_refused,
    a_record_shorter_than_its_header_is_refused,
    an_answer_over_its_limit_is_refused,
    a_record_is_gone_after_its_retention,
    a_later_commit_without_retention_keeps_the_record,
    conversations_of_different_shards_are_apart,
);

async fn a_conversation_never_written_is_absent(world: &World) {
    let loaded = world.store.load(SHARD, key("c")).await.unwrap();
    assert!(loaded.record.is_none() && loaded.inbox.is_empty(), "{loaded:?}");
}

async fn what_was_written_is_loaded(world: &World) {
    let token = world.own(1).await;
    let written = record(header(1, 77), b"the state");
    world
        .write(Commit {
            record: Some(written.clone()),
            ..touch(token, key("c"), Header::ABSENT)
        })
        .await;
    let loaded = world.store.load(SHARD, key("c")).await.unwrap();
    assert_eq!(loaded.record, Some(written));
}

async fn records_carry_any_bytes(world: &World) {
    let token = world.own(1).await;
    let body: Vec<u8> = (0..=255).cycle().take(1_500).collect();
    let written = record(header(u64::MAX, u64::from_be_bytes(*b"\r\n\0\xff$1\r\n")), &body);
    world
        .write(Commit {
            record: Some(written.clone()),
            ..touch(token, key("c"), Header::ABSENT)
        })
        .await;
    let loaded = world.store.load(SHARD, key("c")).await.unwrap();
    assert_eq!(loaded.record, Some(written));
    assert_eq!(
        world.commit(touch(token, key("c"), Header::ABSENT)).await,
        Committed::Conflict(header(u64::MAX, u64::from_be_bytes(*b"\r\n\0\xff$1\r\n")))
    );
}

async fn a_commit_over_another_header_is_a_conflict_that_names_it(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 10))).await;
    world.write(turn(token, key("c"), header(1, 10), header(2, 20))).await;
    let stale = turn(token, key("c"), header(1, 10), header(2, 30));
    assert_eq!(world.commit(stale).await, Committed::Conflict(header(2, 20)));
}

async fn the_same_version_of_another_turn_is_a_conflict(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 10))).await;
    let recreated = turn(token, key("c"), header(1, 11), header(2, 20));
    assert_eq!(world.commit(recreated).await, Committed::Conflict(header(1, 10)));
}

async fn a_commit_that_expects_nothing_conflicts_with_a_record(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 10))).await;
    let first = turn(token, key("c"), Header::ABSENT, header(1, 11));
    assert_eq!(world.commit(first).await, Committed::Conflict(header(1, 10)));
    let expecting = turn(token, key("d"), header(1, 10), header(2, 20));
    assert_eq!(world.commit(expecting).await, Committed::Conflict(Header::ABSENT));
}

async fn a_repeated_commit_is_written_once_and_answered_alike(world: &World) {
    let token = world.own(1).await;
    let commit = turn(token, key("c"), Header::ABSENT, header(1, 10));
    world.write(commit.clone()).await;
    world.write(commit).await;
    assert_eq!(world.header(key("c")).await, header(1, 10));
}

async fn a_repeated_commit_does_not_repeat_its_other_effects(world: &World) {
    let token = world.own(1).await;
    let first = Commit {
        accept: vec![("1".to_owned(), Bytes::from_static(b"later"))],
        wake: Wake::At(5),
        ..turn(token, key("c"), Header::ABSENT, header(1, 10))
    };
    world.write(first.clone()).await;
    let settled = Commit {
        done: vec!["1".to_owned()],
        wake: Wake::Never,
        ..touch(token, key("c"), header(1, 10))
    };
    world.write(settled).await;
    world.write(first).await;
    assert!(world.inbox(key("c")).await.is_empty(), "the settled entry came back");
    assert!(
        world.store.due(SHARD, 10, 10).await.unwrap().is_empty(),
        "the wake entry came back"
    );
}

async fn a_late_copy_of_an_older_commit_is_a_conflict(world: &World) {
    let token = world.own(1).await;
    let older = turn(token, key("c"), Header::ABSENT, header(1, 10));
    world.write(older.clone()).await;
    world.write(turn(token, key("c"), header(1, 10), header(2, 20))).await;
    assert_eq!(world.commit(older).await, Committed::Conflict(header(2, 20)));
    assert_eq!(world.header(key("c")).await, header(2, 20));
}

async fn a_conflict_changes_nothing(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 10))).await;
    let conflicting = Commit {
        accept: vec![("1".to_owned(), Bytes::from_static(b"x"))],
        wake: Wake::At(5),
        answer: Some(("k".to_owned(), Bytes::from_static(b"{}"))),
        ..turn(token, key("c"), header(9, 9), header(10, 10))
    };
    assert_eq!(world.commit(conflicting).await, Committed::Conflict(header(1, 10)));
    assert_eq!(world.header(key("c")).await, header(1, 10));
    assert!(world.inbox(key("c")).await.is_empty());
    assert!(world.store.due(SHARD, 10, 10).await.unwrap().is_empty());
    assert_eq!(world.store.answer(SHARD, key("c"), "k").await.unwrap(), None);
}

async fn of_two_turns_at_once_only_one_is_written(world: &World) {
    let token = world.own(1).await;
    for round in 0..20_u64 {
        let key = key(&format!("c{round}"));
        let (one, other) = tokio::join!(
            world.store.commit(turn(token, key, Header::ABSENT, header(1, 1))),
            world.store.commit(turn(token, key, Header::ABSENT, header(1, 2))),
        );
        let stored = world.header(key).await;
        let loser = Committed::Conflict(stored);
        let outcomes = (one.unwrap(), other.unwrap());
        let expected = if stored.turn == 1 {
            (Committed::Written, loser)
        } else {
            (loser, Committed::Written)
        };
        assert_eq!(outcomes, expected, "round {round}");
    }
}

async fn many_commits_at_once_are_all_written(world: &World) {
    let token = world.own(1).await;
    let keys: Vec<Key> = (0..500).map(|number| key(&format!("c{number}"))).collect();
    let writers: Vec<_> = keys
        .iter()
        .map(|key| {
            let (store, key) = (Arc::clone(&world.store), *key);
            tokio::spawn(async move {
                for version in 0..3 {
                    let expected = if version == 0 {
                        Header::ABSENT
                    } else {
                        header(version, version)
                    };
                    let commit = turn(token, key, expected, header(version + 1, version + 1));
                    assert_eq!(store.commit(commit).await.unwrap(), Committed::Written);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for key in keys {
        assert_eq!(world.header(key).await, header(3, 3));
    }
}

async fn a_record_of_one_mebibyte_is_written_and_a_larger_one_refused(world: &World) {
    let token = world.own(1).await;
    let of_size = |bytes: usize| Commit {
        record: Some(record(header(1, 1), &vec![0xab; bytes - Header::BYTES])),
        ..touch(token, key("c"), Header::ABSENT)
    };
    let refused = world.store.commit(of_size(RECORD_BYTES + 1)).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::TooLarge {
                limit: RECORD_BYTES,
                ..
            }
        ),
        "{refused}"
    );
    world.write(of_size(RECORD_BYTES)).await;
    let loaded = world.store.load(SHARD, key("c")).await.unwrap();
    assert_eq!(loaded.record.unwrap().len(), RECORD_BYTES);
}

async fn a_record_shorter_than_its_header_is_refused(world: &World) {
    let token = world.own(1).await;
    let commit = Commit {
        record: Some(Bytes::from_static(b"short")),
        ..touch(token, key("c"), Header::ABSENT)
    };
    let refused = world.store.commit(commit).await.unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt { .. }), "{refused}");
}

async fn an_answer_over_its_limit_is_refused(world: &World) {
    let token = world.own(1).await;
    let commit = Commit {
        answer: Some(("k".to_owned(), vec![0; ANSWER_BYTES + 1].into())),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    let refused = world.store.commit(commit).await.unwrap_err();
    assert!(
        matches!(
            refused,
            StoreError::TooLarge {
                limit: ANSWER_BYTES,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(world.header(key("c")).await, Header::ABSENT);
}

async fn a_record_is_gone_after_its_retention(world: &World) {
    let token = world.own(1).await;
    let commit = Commit {
        retain_ms: Some(50),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    world.write(commit).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.header(key("c")).await != Header::ABSENT {
        assert!(Instant::now() < deadline, "the record outlived its retention");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let next = turn(token, key("c"), header(1, 1), header(2, 2));
    assert_eq!(world.commit(next).await, Committed::Conflict(Header::ABSENT));
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 3))).await;
}

async fn a_later_commit_without_retention_keeps_the_record(world: &World) {
    let token = world.own(1).await;
    let first = Commit {
        retain_ms: Some(300),
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    world.write(first).await;
    let written_at = world.store.now().await.unwrap();
    world.write(turn(token, key("c"), header(1, 1), header(2, 2))).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while world.store.now().await.unwrap() < written_at + 400 {
        assert!(Instant::now() < deadline, "the clock of the store stands still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.header(key("c")).await, header(2, 2));
}

async fn conversations_of_different_shards_are_apart(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 1))).await;
    let elsewhere = trunkline_store::ShardId(SHARD.0 + 1);
    let loaded = world.store.load(elsewhere, key("c")).await.unwrap();
    assert!(loaded.record.is_none(), "{loaded:?}");
}

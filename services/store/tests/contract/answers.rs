//! Recorded answers of invokes.

use bytes::Bytes;
use trunkline_store::contract::{ANSWER_BYTES, Commit, Header};

use crate::on_every_engine;
use crate::world::{SHARD, World, header, key, touch, turn};

on_every_engine!(
    a_recorded_answer_is_found_by_its_name,
    an_answer_never_recorded_is_absent,
    a_newer_answer_of_the_same_name_replaces_the_older,
    an_answer_of_the_largest_size_is_kept,
    answers_of_neighbours_are_apart,
);

async fn a_recorded_answer_is_found_by_its_name(world: &World) {
    record(world, "c", "00ff", b"{\"status\":200}".to_vec().into()).await;
    let answer = world.store.answer(SHARD, key("c"), "00ff").await.unwrap();
    assert_eq!(answer.as_deref(), Some(b"{\"status\":200}".as_slice()));
}

async fn an_answer_never_recorded_is_absent(world: &World) {
    record(world, "c", "00ff", Bytes::new()).await;
    assert_eq!(world.store.answer(SHARD, key("c"), "00fe").await.unwrap(), None);
    assert_eq!(world.store.answer(SHARD, key("d"), "00ff").await.unwrap(), None);
}

async fn a_newer_answer_of_the_same_name_replaces_the_older(world: &World) {
    record(world, "c", "00ff", Bytes::from_static(b"old")).await;
    let token = world.own(1).await;
    let commit = Commit {
        answer: Some(("00ff".to_owned(), Bytes::from_static(b"new"))),
        ..touch(token, key("c"), header(1, 1))
    };
    world.write(commit).await;
    let answer = world.store.answer(SHARD, key("c"), "00ff").await.unwrap();
    assert_eq!(answer.as_deref(), Some(b"new".as_slice()));
}

async fn an_answer_of_the_largest_size_is_kept(world: &World) {
    record(world, "c", "00ff", vec![0xcd; ANSWER_BYTES].into()).await;
    let answer = world.store.answer(SHARD, key("c"), "00ff").await.unwrap();
    assert_eq!(answer.unwrap().len(), ANSWER_BYTES);
}

async fn answers_of_neighbours_are_apart(world: &World) {
    record(world, "c", "1", Bytes::from_static(b"of c")).await;
    record(world, "d", "1", Bytes::from_static(b"of d")).await;
    let answer = world.store.answer(SHARD, key("c"), "1").await.unwrap();
    assert_eq!(answer.as_deref(), Some(b"of c".as_slice()));
}

async fn record(world: &World, conversation: &str, name: &str, answer: Bytes) {
    let token = world.own(1).await;
    let commit = Commit {
        answer: Some((name.to_owned(), answer)),
        ..turn(token, key(conversation), Header::ABSENT, header(1, 1))
    };
    world.write(commit).await;
}

//! Accepted activities and kept steps.

use bytes::Bytes;
use trunkline_store::contract::{Commit, Committed, Header};

use crate::on_every_engine;
use crate::world::{World, header, key, touch, turn};

on_every_engine!(
    an_accepted_activity_waits_without_a_record,
    a_turn_removes_the_activity_that_it_answers,
    a_late_acceptance_after_the_turn_is_a_conflict,
    a_repeated_acceptance_leaves_one_entry,
    a_kept_step_is_stored_and_removed_beside_accepted_activities,
    removing_what_is_not_there_is_no_error,
    a_field_that_is_done_and_accepted_in_one_commit_is_there,
    inboxes_of_neighbours_are_apart,
    fields_and_values_carry_any_text_and_bytes,
);

async fn an_accepted_activity_waits_without_a_record(world: &World) {
    let token = world.own(1).await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "1"))
        .await;
    assert_eq!(fields(world, "c").await, ["1"]);
    assert_eq!(world.header(key("c")).await, Header::ABSENT);
}

async fn a_turn_removes_the_activity_that_it_answers(world: &World) {
    let token = world.own(1).await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "1"))
        .await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "2"))
        .await;
    let answering = Commit {
        done: vec!["1".to_owned()],
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    world.write(answering).await;
    assert_eq!(fields(world, "c").await, ["2"]);
}

async fn a_late_acceptance_after_the_turn_is_a_conflict(world: &World) {
    let token = world.own(1).await;
    world.write(turn(token, key("c"), Header::ABSENT, header(1, 1))).await;
    let late = accepting(touch(token, key("c"), Header::ABSENT), "1");
    assert_eq!(world.commit(late).await, Committed::Conflict(header(1, 1)));
    assert!(fields(world, "c").await.is_empty());
}

async fn a_repeated_acceptance_leaves_one_entry(world: &World) {
    let token = world.own(1).await;
    let acceptance = accepting(touch(token, key("c"), Header::ABSENT), "1");
    world.write(acceptance.clone()).await;
    world.write(acceptance).await;
    assert_eq!(fields(world, "c").await, ["1"]);
}

async fn a_kept_step_is_stored_and_removed_beside_accepted_activities(world: &World) {
    let token = world.own(1).await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "1"))
        .await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "s:00ff:charge card"))
        .await;
    assert_eq!(fields(world, "c").await, ["1", "s:00ff:charge card"]);
    let answering = Commit {
        done: vec!["s:00ff:charge card".to_owned(), "1".to_owned()],
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    world.write(answering).await;
    assert!(fields(world, "c").await.is_empty());
}

async fn removing_what_is_not_there_is_no_error(world: &World) {
    let token = world.own(1).await;
    let commit = Commit {
        done: vec!["never".to_owned()],
        ..turn(token, key("c"), Header::ABSENT, header(1, 1))
    };
    world.write(commit).await;
}

async fn a_field_that_is_done_and_accepted_in_one_commit_is_there(world: &World) {
    let token = world.own(1).await;
    world
        .write(accepting(touch(token, key("c"), Header::ABSENT), "1"))
        .await;
    let replacing = Commit {
        done: vec!["1".to_owned()],
        accept: vec![("1".to_owned(), Bytes::from_static(b"new"))],
        ..touch(token, key("c"), Header::ABSENT)
    };
    world.write(replacing).await;
    assert_eq!(
        world.inbox(key("c")).await,
        [("1".to_owned(), Bytes::from_static(b"new"))]
    );
}

async fn inboxes_of_neighbours_are_apart(world: &World) {
    let token = world.own(1).await;
    for number in 0..50 {
        let key = key(&format!("c{number}"));
        world
            .write(accepting(touch(token, key, Header::ABSENT), &number.to_string()))
            .await;
    }
    for number in 0..50 {
        assert_eq!(fields(world, &format!("c{number}")).await, [number.to_string()]);
    }
}

async fn fields_and_values_carry_any_text_and_bytes(world: &World) {
    let token = world.own(1).await;
    let entries = vec![
        (String::new(), Bytes::new()),
        (
            "s:\u{0}\r\n: é 🚂".to_owned(),
            Bytes::from((0..=255).collect::<Vec<u8>>()),
        ),
    ];
    let commit = Commit {
        accept: entries.clone(),
        ..touch(token, key("c"), Header::ABSENT)
    };
    world.write(commit).await;
    assert_eq!(world.inbox(key("c")).await, entries);
}

fn accepting(commit: Commit, field: &str) -> Commit {
    Commit {
        accept: vec![(field.to_owned(), Bytes::from_static(b"an activity"))],
        ..commit
    }
}

async fn fields(world: &World, conversation: &str) -> Vec<String> {
    let inbox = world.inbox(key(conversation)).await;
    inbox.into_iter().map(|(field, _)| field).collect()
}

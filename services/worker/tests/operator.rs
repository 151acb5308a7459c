//! What an operator does with a running worker: looks at a conversation, finds parked work, runs it again or drops it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use support::connector::FakeConnector;
use support::ingress::{Answered, Said, TENANT};
use support::{House, PATIENCE, SHARDS, config, hosted, store_in_memory, until};
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::message;
use trunkline_bot::{Bot, Result, State, Turn, plain};
use trunkline_store::key::{Key, Triple};
use trunkline_worker::conversation::{ConversationSettings, ParkedEntry, Request, Response};

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

/// A bot that fails as long as it is broken.
fn bot(is_broken: Arc<AtomicBool>) -> Arc<dyn Logic> {
    let handler = async move |turn: &mut Turn, heard: &mut Heard, said: Message| -> Result {
        if is_broken.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the ledger is closed").into());
        }
        heard.count += 1;
        turn.reply(plain(&format!("{}. {}", heard.count, said.text())));
        Ok(())
    };
    Bot::new("test").on(message(), handler).build().unwrap()
}

async fn house(is_broken: &Arc<AtomicBool>) -> House {
    let config = trunkline_worker::WorkerConfig {
        conversations: ConversationSettings {
            attempt_back_off: Duration::from_millis(10),
            ..ConversationSettings::default()
        },
        ..config()
    };
    let bots = vec![hosted(bot(is_broken.clone()))];
    House::start(config, store_in_memory(), bots, FakeConnector::start()).await
}

fn triple() -> Triple {
    Triple::conversation("test", TENANT, "a:1")
}

/// What is parked in the shard of the conversation, once there is something.
async fn parked(house: &House) -> Vec<(Key, ParkedEntry)> {
    let began = Instant::now();
    loop {
        let found = house.operator.parked(triple().shard(SHARDS), 0, 10).await.unwrap();
        if !found.is_empty() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "nothing was parked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix::test]
async fn parked_work_is_found_and_run_again_when_the_bot_is_repaired() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let house = house(&is_broken).await;
    let said = Said::message("a:1", "1", "book it");
    assert!(matches!(house.ingress.sends(&said).await, Answered::Accepted));
    let found = parked(&house).await;
    let (key, entry) = &found[0];
    assert_eq!(
        (*key, entry.attempts, entry.conversation.as_str()),
        (triple().key(), 3, "a:1")
    );
    assert!(entry.reason.contains("the ledger is closed"), "{entry:?}");

    is_broken.store(false, Ordering::SeqCst);
    let response = house.operator.ask(triple(), Request::Replay(entry.sequence)).await;
    assert!(matches!(response, Response::Done), "{response:?}");
    until("it is answered", || {
        house.connector.texts().iter().any(|text| text == "1. book it")
    })
    .await;
    let left = house.operator.parked(triple().shard(SHARDS), 0, 10).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    let response = house.operator.ask(triple(), Request::Replay(entry.sequence)).await;
    assert!(matches!(response, Response::NotParked), "{response:?}");
}

#[actix::test]
async fn dropped_work_is_gone_for_good() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let house = house(&is_broken).await;
    let said = Said::message("a:1", "1", "book it");
    house.ingress.sends(&said).await;
    let (key, entry) = parked(&house).await.remove(0);
    is_broken.store(false, Ordering::SeqCst);
    let shard = triple().shard(SHARDS);
    let response = house
        .operator
        .ask_key(shard, key, Request::DropParked(entry.sequence))
        .await;
    assert!(matches!(response, Response::Done), "{response:?}");
    assert!(house.operator.parked(shard, 0, 10).await.unwrap().is_empty());
    house.ingress.sends(&said).await;
    let next = Said::message("a:1", "2", "hello");
    assert_eq!(house.ingress.sends(&next).await.status(), Some(200));
    until("the next is answered", || {
        house.connector.texts().iter().any(|text| text == "1. hello")
    })
    .await;
}

#[actix::test]
async fn a_conversation_is_inspected_whether_it_is_in_memory_or_not() {
    let house = house(&Arc::default()).await;
    let response = house.operator.ask(triple(), Request::Inspect).await;
    let Response::Inspected(inspection) = response else {
        panic!("{response:?}")
    };
    assert_eq!((inspection.version, inspection.queue), (0, 0));
    house.ingress.sends(&Said::message("a:1", "1", "hello")).await;
    let response = house.operator.ask(triple(), Request::Inspect).await;
    let Response::Inspected(inspection) = response else {
        panic!("{response:?}")
    };
    assert_eq!(
        (inspection.conversation.as_str(), inspection.last_turns.len()),
        ("a:1", 1)
    );
    let unknown = Triple::conversation("test", TENANT, "a:nobody");
    let response = house
        .operator
        .ask_key(unknown.shard(SHARDS), unknown.key(), Request::Inspect)
        .await;
    assert!(matches!(response, Response::Unknown), "{response:?}");
}

#[actix::test]
async fn a_handle_that_outlives_its_worker_says_so() {
    let house = house(&Arc::default()).await;
    let operator = house.operator.clone();
    house.stop().await;
    let response = operator.ask(triple(), Request::Inspect).await;
    assert!(matches!(response, Response::Moved), "{response:?}");
}

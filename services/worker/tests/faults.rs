//! Authors' faults: what the neighbours notice (nothing) and what the operator sees.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use support::connector::FakeConnector;
use support::ingress::{Answered, Said, answered};
use support::{House, config, hosted, store_in_memory, until};
use trunkline_bot::event::Message;
use trunkline_bot::logic::Logic;
use trunkline_bot::routes::message;
use trunkline_bot::{Bot, Result, State, Turn, plain};
use trunkline_proto::routing::Kind;
use trunkline_worker::{Executor, WorkerConfig};

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    count: u64,
    ballast: String,
}

impl State for Memory {}

/// Does what the text says.
async fn obey(turn: &mut Turn, memory: &mut Memory, message: Message) -> Result {
    memory.count += 1;
    match message.text() {
        "panic" => panic!("as it was told"),
        "fail" => return Err(std::io::Error::other("as it was told").into()),
        "loop" => loop {
            tokio::task::yield_now().await;
        },
        "block" => std::thread::sleep(Duration::from_millis(900)),
        "wait" => tokio::time::sleep(Duration::from_millis(1_200)).await,
        "flood" => {
            for number in 0..10_000 {
                turn.reply(plain(&format!("{number} {}", "x".repeat(100))));
            }
        }
        "hoard" => memory.ballast = "x".repeat(1024 * 1024),
        _ => {}
    }
    turn.reply(plain(&format!("{}. {}", memory.count, message.text())));
    Ok(())
}

fn obedient() -> Arc<dyn Logic> {
    Bot::new("test").on(message(), obey).build().unwrap()
}

/// Short budgets and attempts, so that tests need not wait for people's times.
fn quick() -> WorkerConfig {
    let mut config = config();
    config.conversations.attempt_back_off = Duration::from_millis(20);
    config.conversations.message_budget = Duration::from_millis(400);
    config.conversations.invoke_budget = Duration::from_millis(400);
    config
}

async fn house(config: WorkerConfig, turn_limit: Duration) -> House {
    let mut bot = hosted(obedient());
    bot.turn_limit = turn_limit;
    House::start(config, store_in_memory(), vec![bot], FakeConnector::start()).await
}

/// A turn that can never end well: accepted, tried three times, parked; then its conversation goes on.
async fn is_parked_after_three_attempts(text: &str, turn_limit: Duration) -> House {
    let house = house(quick(), turn_limit).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", text)).await,
        Answered::Accepted
    );
    let next = house.ingress.sends(&Said::message("a:1", "2", "hello")).await;
    assert!(matches!(next, Answered::Done(..) | Answered::Accepted), "{next:?}");
    until("the queue behind it goes on", || {
        house.connector.texts().iter().any(|text| text == "1. hello")
    })
    .await;
    assert_eq!(house.metric("trunkline_worker_parked_total", &["test"]), 1);
    until("the person is told with a reference", || {
        house.connector.texts().iter().any(|text| text.contains("Reference"))
    })
    .await;
    house
}

#[actix::test]
async fn a_panic_ends_its_turn_and_nothing_else() {
    let house = is_parked_after_three_attempts("panic", Duration::from_secs(20)).await;
    assert_eq!(house.metric("trunkline_worker_turn_panics_total", &["test"]), 3);
    assert_eq!(
        house.ingress.sends(&Said::message("a:2", "1", "hello")).await.status(),
        Some(200)
    );
}

#[actix::test]
async fn an_error_is_tried_three_times_and_parked() {
    is_parked_after_three_attempts("fail", Duration::from_secs(20)).await;
}

#[actix::test]
async fn an_endless_loop_of_awaits_is_stopped_at_its_limit() {
    let house = is_parked_after_three_attempts("loop", Duration::from_millis(300)).await;
    assert_eq!(house.metric("trunkline_worker_turns_total", &["timed_out"]), 3);
}

#[actix::test]
async fn an_endless_loop_of_awaits_does_not_hold_up_its_neighbours() {
    let house = house(quick(), Duration::from_secs(20)).await;
    let looping = house.ingress.begins(&Said::message("a:1", "1", "loop"));
    for number in 0..20 {
        let conversation = format!("a:n{number}");
        assert_eq!(
            house
                .ingress
                .sends(&Said::message(&conversation, "1", "hello"))
                .await
                .status(),
            Some(200)
        );
    }
    assert_eq!(answered(looping.await.unwrap()), Answered::Accepted);
}

#[actix::test]
async fn ten_thousand_replies_are_refused_as_a_whole() {
    let house = house(quick(), Duration::from_secs(20)).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "flood")).await,
        Answered::Accepted
    );
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "2", "hello")).await.status(),
        Some(200)
    );
    until("the next message is answered", || {
        house.connector.texts().iter().any(|text| text == "1. hello")
    })
    .await;
    assert!(house.connector.texts().len() <= 2, "none of the flood has left");
}

#[actix::test]
async fn a_megabyte_of_state_is_refused_and_the_state_before_it_stays() {
    let house = house(quick(), Duration::from_secs(20)).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "hello")).await.status(),
        Some(200)
    );
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "2", "hoard")).await,
        Answered::Accepted
    );
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "3", "again")).await.status(),
        Some(200)
    );
    until("the next message is answered", || {
        house.connector.texts().iter().any(|text| text == "2. again")
    })
    .await;
}

#[actix::test]
async fn an_answer_that_is_late_is_acknowledged_in_time_and_given_later() {
    let house = house(quick(), Duration::from_secs(20)).await;
    let began = Instant::now();
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "wait")).await,
        Answered::Accepted
    );
    assert!(
        began.elapsed() < Duration::from_millis(1_100),
        "acknowledged after {:?}",
        began.elapsed()
    );
    until("the late reply has come", || house.connector.texts() == ["1. wait"]).await;
    // It was done once, and is known as done.
    assert!(matches!(
        house.ingress.sends(&Said::message("a:1", "1", "wait")).await,
        Answered::Repeated(200, _)
    ));
}

#[actix::test]
async fn a_blocking_bot_is_noticed_and_holds_up_only_its_own_thread() {
    let mut config = quick();
    config.stall_after = Duration::from_millis(500);
    let house = house(config, Duration::from_secs(20)).await;
    let blocked = house.ingress.begins(&Said::message("a:1", "1", "block"));
    assert!(matches!(
        answered(blocked.await.unwrap()),
        Answered::Done(..) | Answered::Accepted
    ));
    until("the stall was counted", || {
        house.metric("trunkline_worker_stalls_total", &[]) >= 1
    })
    .await;
    assert!(house.metric("trunkline_worker_slow_polls_total", &[]) >= 1);
}

#[actix::test]
async fn a_blocking_bot_in_the_pool_holds_up_nobody() {
    let mut config = quick();
    config.arbiters = 1;
    config.pool_threads = 2;
    let mut bot = hosted(obedient());
    bot.executor = Executor::Pool;
    let house = House::start(config, store_in_memory(), vec![bot], FakeConnector::start()).await;
    let blocked = house.ingress.begins(&Said::message("a:1", "1", "block"));
    let began = Instant::now();
    assert_eq!(
        house.ingress.sends(&Said::message("a:2", "1", "hello")).await.status(),
        Some(200)
    );
    assert!(
        began.elapsed() < Duration::from_millis(600),
        "the neighbour waited {:?}",
        began.elapsed()
    );
    assert!(matches!(
        answered(blocked.await.unwrap()),
        Answered::Done(..) | Answered::Accepted
    ));
}

#[actix::test]
async fn a_body_that_is_no_activity_and_a_bot_that_does_not_run_here_are_refused() {
    let house = House::with(obedient()).await;
    let mut stranger = Said::message("a:1", "1", "hello");
    stranger.bot = "stranger".to_owned();
    assert_eq!(
        house.ingress.sends(&stranger).await,
        Answered::Refused(trunkline_proto::routing::Reason::UnknownBot)
    );
    let typing = Said::activity("a:1", "2", Kind::Transient, json!({ "type": "typing" }));
    assert_eq!(house.ingress.sends(&typing).await.status(), Some(200));
}

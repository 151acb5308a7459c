//! The life of conversations and of the process: order, passivation, restarts, leaving.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use support::connector::FakeConnector;
use support::ingress::{Answered, Said, answered};
use support::{House, config, hosted, store_in, store_in_memory, until};
use trunkline_bot::event::{Message, Sent};
use trunkline_bot::logic::{Failure, Logic};
use trunkline_bot::routes::{command, message, sent, signal};
use trunkline_bot::{Address, Bot, Result, Signal, State, Turn, UserState, plain};

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

#[derive(Serialize, Deserialize)]
struct Ring {
    text: String,
}

impl Signal for Ring {
    const NAME: &'static str = "ring";
}

#[derive(Default, Serialize, Deserialize)]
struct Visits {
    count: u64,
}

impl State for Visits {}

impl UserState for Visits {
    const NAME: &'static str = "visits";
    type Change = u64;
    fn apply(&mut self, change: u64) {
        self.count += change;
    }
}

async fn echo(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. {}", heard.count, message.text())));
    Ok(())
}

async fn later(turn: &mut Turn, _: &mut Heard, message: Message) -> Result {
    let wait = Duration::from_millis(message.text().parse().unwrap_or(300));
    turn.call_me_in(
        wait,
        Ring {
            text: "timer".to_owned(),
        },
    )
}

async fn ring(turn: &mut Turn, heard: &mut Heard, ring: Ring) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. rung by {}", heard.count, ring.text)));
    Ok(())
}

/// Tells another conversation, whose id is the text.
async fn tell(turn: &mut Turn, _: &mut Heard, message: Message) -> Result {
    let Address::Conversation {
        tenant, service_url, ..
    } = turn.here()
    else {
        return Ok(());
    };
    let other = Address::Conversation {
        tenant,
        service_url,
        conversation: message.text().to_owned(),
    };
    turn.signal(
        &other,
        Ring {
            text: "a neighbour".to_owned(),
        },
    )
}

async fn visit(turn: &mut Turn, _: &mut Heard, _: Message) -> Result {
    turn.change_user::<Visits>(1)?;
    let visits = turn.user::<Visits>().await?;
    turn.reply(plain(&format!("visit {}", visits.count)));
    Ok(())
}

async fn ask(turn: &mut Turn, _: &mut Heard, _: Message) -> Result {
    let reply = turn.reply("question");
    turn.on_sent(&reply);
    Ok(())
}

async fn given_up(turn: &mut Turn, _: &mut Heard, failure: Failure) -> Result {
    turn.reply(plain(&format!("given up after {}", failure.attempts)));
    Ok(())
}

async fn got_id(turn: &mut Turn, _: &mut Heard, sent: Sent) -> Result {
    let _ = sent;
    turn.reply("got its id");
    Ok(())
}

fn bot() -> Arc<dyn Logic> {
    Bot::new("test")
        .users::<Visits>()
        .on(command("later"), later)
        .on(command("tell"), tell)
        .on(command("visit"), visit)
        .on(command("ask"), ask)
        .on(signal::<Ring>(), ring)
        .on(sent(), got_id)
        .on(message(), echo)
        .on_failed(given_up)
        .build()
        .unwrap()
}

#[actix::test]
async fn messages_of_one_conversation_keep_their_order_and_conversations_run_side_by_side() {
    let house = House::with(bot()).await;
    let mut outcomes = Vec::new();
    for number in 1..=20 {
        for conversation in ["a:1", "a:2", "a:3"] {
            let said = Said::message(conversation, &number.to_string(), &format!("{conversation} {number}"));
            outcomes.push(house.ingress.begins(&said));
        }
    }
    for outcome in outcomes {
        assert_eq!(answered(outcome.await.unwrap()).status(), Some(200));
    }
    until("all replies have come", || house.connector.texts().len() == 60).await;
    for conversation in ["a:1", "a:2", "a:3"] {
        let texts = house
            .connector
            .texts()
            .into_iter()
            .filter(|text| text.contains(conversation));
        let expected = (1..=20).map(|number| format!("{number}. {conversation} {number}"));
        assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[actix::test]
async fn a_worker_of_one_thread_answers_what_it_was_given_and_leaves_in_time() {
    let mut config = config();
    config.arbiters = 1;
    let house = House::start(config, store_in_memory(), vec![hosted(bot())], FakeConnector::start()).await;
    let first = house.ingress.sends(&Said::message("a:0", "1", "hello")).await;
    assert_eq!(first.status(), Some(200));
    let outcomes: Vec<_> = (0..100)
        .map(|number| {
            let conversation = format!("a:{}", number % 10);
            house
                .ingress
                .begins(&Said::message(&conversation, &format!("m{number}"), "hello"))
        })
        .collect();
    house.stop().await;
    for outcome in outcomes {
        match answered(outcome.await.expect("an outcome before the stream closes")) {
            Answered::Done(200, _) | Answered::Moved => {}
            other => panic!("{other:?}"),
        }
    }
}

#[actix::test]
async fn more_than_the_queue_holds_is_refused_with_a_time_to_come_back() {
    let house = House::with(bot()).await;
    let outcomes: Vec<_> = (0..200)
        .map(|number| {
            house
                .ingress
                .begins(&Said::message("a:1", &number.to_string(), "hello"))
        })
        .collect();
    let mut refused = 0;
    for outcome in outcomes {
        match answered(outcome.await.unwrap()) {
            Answered::Done(200, _) => {}
            Answered::Refused(trunkline_proto::routing::Reason::QueueFull) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0, "200 at once do not fit a queue of 32");
}

#[actix::test]
async fn an_idle_conversation_leaves_memory_and_loses_nothing_of_what_comes_meanwhile() {
    let mut config = config();
    config.idle = Duration::from_millis(1);
    let house = House::start(config, store_in_memory(), vec![hosted(bot())], FakeConnector::start()).await;
    let mut count = 0;
    let began = std::time::Instant::now();
    while house.metric("trunkline_worker_passivations_total", &[]) < 3 || count < 50 {
        count += 1;
        let said = Said::message("a:1", &count.to_string(), "hello");
        assert_eq!(house.ingress.sends(&said).await.status(), Some(200));
        tokio::time::sleep(Duration::from_millis(count % 60 * 5)).await;
        assert!(began.elapsed() < Duration::from_secs(60), "it never leaves");
    }
    until("all replies have come", || {
        house.connector.texts().len() as u64 == count
    })
    .await;
    assert_eq!(house.connector.texts().last().unwrap(), &format!("{count}. hello"));
}

#[actix::test]
async fn over_the_memory_bound_conversations_leave_before_their_time_and_go_on_where_they_were() {
    let mut config = config();
    config.idle = Duration::from_secs(3_600);
    config.memory_bytes = 16 * 1024;
    let house = House::start(config, store_in_memory(), vec![hosted(bot())], FakeConnector::start()).await;
    for conversation in 0..40 {
        let said = Said::message(&format!("a:{conversation}"), "1", "hello");
        assert_eq!(house.ingress.sends(&said).await.status(), Some(200));
    }
    until("conversations leave", || {
        house.metric("trunkline_worker_passivations_total", &[]) >= 20
    })
    .await;
    for conversation in 0..40 {
        let said = Said::message(&format!("a:{conversation}"), "2", "again");
        assert_eq!(house.ingress.sends(&said).await.status(), Some(200));
    }
    until("all replies have come", || house.connector.texts().len() == 80).await;
    let texts = house.connector.texts();
    assert_eq!(texts.iter().filter(|text| *text == "2. again").count(), 40, "{texts:?}");
}

#[actix::test]
async fn a_restart_goes_on_with_the_outbox_and_the_state() {
    let directory = tempfile::tempdir().unwrap();
    let connector = FakeConnector::start();
    connector.answer_next((0..3).map(|_| (503, json!({}))));
    let house = House::start(config(), store_in(directory.path()), vec![hosted(bot())], connector).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "hello")).await.status(),
        Some(200)
    );
    until("a first try was made", || !house.connector.texts().is_empty()).await;
    let (store, connector) = house.stop().await;
    drop(store);
    connector.answer_next([]);
    let house = House::start(config(), store_in(directory.path()), vec![hosted(bot())], connector).await;
    until("the reply is tried until it is taken", || {
        house.connector.texts().len() >= 4
    })
    .await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "2", "again")).await.status(),
        Some(200)
    );
    until("the next reply has come", || {
        house.connector.texts().last().unwrap() == "2. again"
    })
    .await;
}

#[actix::test]
async fn a_timer_comes_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let connector = FakeConnector::start();
    let house = House::start(config(), store_in(directory.path()), vec![hosted(bot())], connector).await;
    assert_eq!(
        house
            .ingress
            .sends(&Said::message("a:1", "1", "later 10"))
            .await
            .status(),
        Some(200)
    );
    until("the timer has come", || house.connector.texts() == ["1. rung by timer"]).await;
    assert_eq!(
        house
            .ingress
            .sends(&Said::message("a:1", "2", "later 1500"))
            .await
            .status(),
        Some(200)
    );
    let (store, connector) = house.stop().await;
    drop(store);
    let house = House::start(config(), store_in(directory.path()), vec![hosted(bot())], connector).await;
    until("the second timer has come", || house.connector.texts().len() == 2).await;
    assert_eq!(house.connector.texts()[1], "2. rung by timer");
}

#[actix::test]
async fn one_conversation_tells_another_once() {
    let house = House::with(bot()).await;
    house.ingress.sends(&Said::message("a:2", "1", "hello")).await;
    assert_eq!(
        house
            .ingress
            .sends(&Said::message("a:1", "1", "tell a:2"))
            .await
            .status(),
        Some(200)
    );
    until("the neighbour was told", || house.connector.texts().len() == 2).await;
    assert_eq!(house.connector.texts(), ["1. hello", "2. rung by a neighbour"]);
}

#[actix::test]
async fn what_is_remembered_of_a_person_is_changed_once_by_each_turn() {
    let house = House::with(bot()).await;
    for number in 1..=5 {
        let conversation = format!("a:{}", number % 2);
        house
            .ingress
            .sends(&Said::message(&conversation, &number.to_string(), "visit"))
            .await;
        let shown = format!("visit {number}");
        until("the change was applied", || house.connector.texts().len() == number).await;
        // Another conversation sees a change once it has been applied at the person.
        let texts = house.connector.texts();
        assert!(texts.last().is_some(), "{shown}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(house.connector.texts().last().unwrap(), "visit 5");
}

#[actix::test]
async fn the_id_of_a_send_is_told_in_a_turn_of_its_own() {
    let house = House::with(bot()).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "ask")).await.status(),
        Some(200)
    );
    until("its id was told", || {
        house.connector.texts() == ["question", "got its id"]
    })
    .await;
}

#[actix::test]
async fn a_send_that_is_refused_for_good_is_told_to_the_bot_and_later_ones_go_on() {
    let house = House::with(bot()).await;
    house.connector.answer_next([(
        404,
        json!({ "error": { "code": "ConversationNotFound", "message": "gone" } }),
    )]);
    house.ingress.sends(&Said::message("a:1", "1", "hello")).await;
    house.ingress.sends(&Said::message("a:1", "2", "again")).await;
    until("the next reply has come", || {
        house.connector.texts().iter().any(|text| text == "2. again")
    })
    .await;
    until("the bot was told", || {
        house.connector.texts().iter().any(|text| text == "given up after 1")
    })
    .await;
    assert_eq!(house.metric("trunkline_worker_sends_given_up_total", &["test"]), 1);
}

#[actix::test]
async fn the_trace_of_a_request_reaches_the_connector() {
    let house = House::with(bot()).await;
    let mut said = Said::message("a:1", "1", "hello");
    said.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    house.ingress.sends(&said).await;
    until("the reply has come", || house.connector.texts().len() == 1).await;
    let traceparent = house.connector.requests()[0].traceparent.clone().unwrap();
    assert!(
        traceparent.contains("4bf92f3577b34da6a3ce929d0e0e4736"),
        "{traceparent}"
    );
}

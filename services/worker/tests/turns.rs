//! The way of an activity through a real worker: frame in, turn, commit, outcome, send.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde::{Deserialize, Serialize};
use support::ingress::{Answered, Said};
use support::{House, until};
use trunkline_bot::event::Message;
use trunkline_bot::routes::message;
use trunkline_bot::{Bot, Result, State, Turn, plain};

#[derive(Default, Serialize, Deserialize)]
struct Heard {
    count: u64,
}

impl State for Heard {}

async fn echo(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    heard.count += 1;
    turn.reply(plain(&format!("{}. {}", heard.count, message.text())));
    Ok(())
}

fn echo_bot() -> std::sync::Arc<dyn trunkline_bot::logic::Logic> {
    Bot::new("test").on(message(), echo).build().unwrap()
}

#[actix::test]
async fn a_message_is_answered_after_its_commit_and_its_reply_reaches_the_connector() {
    let house = House::with(echo_bot()).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "hello")).await.status(),
        Some(200)
    );
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "2", "again")).await.status(),
        Some(200)
    );
    until("both replies have come", || house.connector.texts().len() == 2).await;
    assert_eq!(house.connector.texts(), ["1. hello", "2. again"]);
}

#[actix::test]
async fn a_repeat_is_answered_from_the_record_and_not_run_again() {
    let house = House::with(echo_bot()).await;
    let said = Said::message("a:1", "1", "hello");
    house.ingress.sends(&said).await;
    assert!(matches!(house.ingress.sends(&said).await, Answered::Repeated(200, _)));
    house.ingress.sends(&Said::message("a:1", "2", "next")).await;
    until("both replies have come", || house.connector.texts().len() == 2).await;
    assert_eq!(house.connector.texts(), ["1. hello", "2. next"]);
}

//! The way of an activity through a real worker: frame in, turn, commit, outcome, send.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::json;
use support::connector::FakeConnector;
use support::ingress::{Answered, Said};
use support::{House, config, hosted, store_in_memory, until};
use trunkline_bot::event::{Message, Pressed};
use trunkline_bot::routes::{command, message, verb};
use trunkline_bot::{Bot, CardReply, Result, State, Turn, Verb, plain};

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

#[actix::test]
async fn a_message_that_an_ingress_sheds_is_accepted_and_runs_later_and_the_stream_says_how_many_may_be() {
    let house = House::with(echo_bot()).await;
    assert!(house.ingress.shed_window.is_some_and(|window| window > 0));
    let said = Said::message("a:1", "1", "hello").shed();
    assert_eq!(house.ingress.sends(&said).await, Answered::Accepted);
    until("the reply has come", || house.connector.texts().len() == 1).await;
    assert_eq!(house.connector.texts(), ["1. hello"]);
}

/// Pays once, whatever happens to the turn afterwards.
async fn pay(turn: &mut Turn, heard: &mut Heard, message: Message) -> Result {
    let payments: &'static AtomicU64 = &PAYMENTS;
    let number = turn
        .once("pay", async |_| Ok(payments.fetch_add(1, Ordering::SeqCst) + 1))
        .await?;
    if message.text() == "and fail" && turn.attempt() < 3 {
        return Err(std::io::Error::other("as it was told").into());
    }
    heard.count += 1;
    turn.reply(plain(&format!("payment {number} in attempt {}", turn.attempt())));
    Ok(())
}

static PAYMENTS: AtomicU64 = AtomicU64::new(0);

#[actix::test]
async fn a_kept_step_is_not_run_again_when_its_turn_is() {
    let bot = Bot::new("test").on(command("pay"), pay).build().unwrap();
    let mut config = config();
    config.conversations.attempt_back_off = std::time::Duration::from_millis(20);
    let house = House::start(config, store_in_memory(), vec![hosted(bot)], FakeConnector::start()).await;
    assert_eq!(
        house.ingress.sends(&Said::message("a:1", "1", "pay and fail")).await,
        Answered::Accepted
    );
    until("the turn has ended well", || {
        house.connector.texts() == ["payment 1 in attempt 3"]
    })
    .await;
    assert_eq!(PAYMENTS.load(Ordering::SeqCst), 1);
}

/// Streams an answer word by word, slowly enough for some parts to be shown.
async fn tell_story(turn: &mut Turn, _: &mut Heard, _: Message) -> Result {
    turn.stream("story", async |out, _| {
        out.note("Thinking")?;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        for word in ["once ", "upon ", "a ", "time"] {
            out.push(word)?;
            tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        }
        Ok(out.written())
    })
    .await?;
    Ok(())
}

#[actix::test]
async fn a_streamed_answer_shows_parts_and_ends_with_its_whole_text() {
    let bot = Bot::new("test").on(message(), tell_story).build().unwrap();
    let house = House::with(bot).await;
    let answered = house.ingress.sends(&Said::message("a:1", "1", "tell me")).await;
    assert!(
        matches!(answered, Answered::Done(200, _) | Answered::Accepted),
        "{answered:?}"
    );
    until("the final text has come", || {
        house.connector.texts() == ["once upon a time"]
    })
    .await;
    let requests = house.connector.requests();
    let streamed: Vec<_> = requests.iter().map(|request| &request.body["entities"][0]).collect();
    assert_eq!(streamed[0]["streamType"], "informative");
    let last = streamed.last().unwrap();
    assert_eq!(
        (&last["streamType"], &last["streamId"]),
        (&"final".into(), &"m1".into()),
        "{requests:?}"
    );
    assert!(requests.len() >= 3, "some part of the text was shown: {requests:?}");
}

#[actix::test]
async fn a_stream_that_the_person_stops_ends_its_turn_quietly() {
    let bot = Bot::new("test").on(message(), tell_story).build().unwrap();
    let house = House::with(bot).await;
    let stopped =
        json!({ "error": { "code": "ContentStreamNotAllowed", "message": "Content stream was cancelled by user." } });
    house
        .connector
        .answer_next([(201, json!({ "id": "m1" })), (403, stopped)]);
    let answered = house.ingress.sends(&Said::message("a:1", "1", "tell me")).await;
    assert!(
        matches!(answered, Answered::Done(200, _) | Answered::Accepted),
        "{answered:?}"
    );
    until("the turn was counted as stopped", || {
        house.metric("trunkline_worker_turns_total", &["stopped"]) == 1
    })
    .await;
    assert!(house.connector.texts().is_empty(), "nothing more is sent");
}

#[derive(Serialize, Deserialize)]
struct Vote {
    choice: String,
}

impl Verb for Vote {
    const VERB: &'static str = "vote";
}

async fn vote(_: &mut Turn, heard: &mut Heard, pressed: Pressed<Vote>) -> Result<CardReply> {
    heard.count += 1;
    Ok(CardReply::toast(format!("{} {}", heard.count, pressed.action.choice)))
}

#[actix::test]
async fn an_invoke_is_answered_in_its_response_and_a_repeat_with_the_recorded_answer() {
    let house = House::with(Bot::new("test").on(verb::<Vote>(), vote).build().unwrap()).await;
    let value = json!({ "action": { "type": "Action.Execute", "verb": "vote", "data": { "choice": "tea" } } });
    let press = Said::invoke("a:1", "1", "adaptiveCard/action", &value);
    let Answered::Done(200, first) = house.ingress.sends(&press).await else {
        panic!("the press is answered")
    };
    assert!(first.to_string().contains("1 tea"), "{first}");
    assert_eq!(house.ingress.sends(&press).await, Answered::Repeated(200, first));
}

#[actix::test]
async fn the_first_frame_says_who_serves_what_and_credits_come_back_with_outcomes() {
    let house = House::with(echo_bot()).await;
    let welcome = &house.ingress.welcome;
    assert_eq!(welcome.shards, support::SHARDS);
    let routes = house.ingress.routes.lock().unwrap().clone();
    let nodes: Vec<_> = routes.nodes.iter().map(|node| node.incarnation).collect();
    assert_eq!(
        (nodes, routes.owners.len()),
        (vec![welcome.incarnation], 2 * support::SHARDS as usize)
    );
    let before = house.ingress.credits.load(Ordering::SeqCst);
    assert!(before > 0);
    house.ingress.sends(&Said::message("a:1", "1", "hello")).await;
    assert_eq!(house.ingress.credits.load(Ordering::SeqCst), before + 1);
}

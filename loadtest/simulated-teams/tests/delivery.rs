//! Requests that the bot does not answer, and requests that fail.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{BOT, Endpoint, INES, World, config, no_inputs};
use trunkline_simulated_teams::{InvokeOutcome, Repeats, SimulatedTeamsConfig};

/// Longer than any test waits for an answer.
const NEVER: Duration = Duration::from_secs(20);

fn repeating(endpoint: &str, same_id: u32, new_id: u32) -> SimulatedTeamsConfig {
    let repeats = Repeats {
        after: Duration::from_millis(200),
        same_id,
        new_id,
        after_failure: false,
    };
    SimulatedTeamsConfig {
        repeats,
        ..config(endpoint)
    }
}

#[actix_web::test]
async fn what_is_not_answered_in_time_is_sent_again_with_the_same_id() {
    let mut bot = Endpoint::answering(|number, _| (if number == 0 { NEVER } else { Duration::ZERO }, 200, Value::Null));
    let world = World::start(repeating(&bot.url, 1, 0)).await;
    let outcome = world
        .teams
        .say(INES, &world.chat(), "hello")
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert!(outcome.is_accepted());
    assert_eq!(outcome.attempts, 2);
    assert!(outcome.elapsed >= Duration::from_millis(200));
    let (first, second) = (bot.next().await.activity, bot.next().await.activity);
    assert_eq!(first, second);
    assert!(bot.got_nothing_more());
}

#[actix_web::test]
async fn the_second_layer_repeats_an_invoke_under_a_new_id_and_time() {
    let mut bot = Endpoint::answering(|_, _| (NEVER, 200, Value::Null));
    let world = World::start(repeating(&bot.url, 0, 1)).await;
    let card = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": {
        "actions": [{ "type": "Action.Execute", "title": "Go", "verb": "go" }] } });
    world
        .send(&world.chat(), &json!({ "type": "message", "attachments": [card] }))
        .await;
    let message = world.teams.transcript(&world.chat()).unwrap().pop().unwrap();
    let outcome = world
        .teams
        .press(INES, &message, "Go", &no_inputs())
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!((outcome.status, outcome.attempts), (None, 2));
    let expected = InvokeOutcome::Failed {
        text: "The bot did not answer in time".to_owned(),
    };
    assert_eq!(outcome.invoke, Some(expected));
    let (first, second) = (bot.next().await.activity, bot.next().await.activity);
    assert_ne!(first["id"], second["id"]);
    assert_ne!(first["timestamp"], second["timestamp"]);
    assert_eq!(first["value"], second["value"]);
}

#[actix_web::test]
async fn an_error_is_not_repeated_and_the_person_reads_that_it_failed() {
    let mut bot = Endpoint::answering(|_, _| (Duration::ZERO, 500, Value::Null));
    let world = World::start(repeating(&bot.url, 3, 0)).await;
    let outcome = world
        .teams
        .say(INES, &world.chat(), "hello")
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!((outcome.status, outcome.attempts), (Some(500), 1));
    bot.next().await;
    let said = world.teams.transcript(&world.chat()).unwrap().pop().unwrap();
    assert_eq!(said.undelivered.as_deref(), Some("The bot answered 500"));
}

#[actix_web::test]
async fn failures_are_repeated_until_the_bot_is_back_when_that_is_asked_for() {
    let bot = Endpoint::answering(|number, _| (Duration::ZERO, if number < 2 { 503 } else { 202 }, Value::Null));
    let mut settings = repeating(&bot.url, 5, 0);
    settings.repeats.after_failure = true;
    let world = World::start(settings).await;
    let outcome = world
        .teams
        .say(INES, &world.chat(), "hello")
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!((outcome.status, outcome.attempts), (Some(202), 3));
}

#[actix_web::test]
async fn a_bot_that_is_not_there_is_named_to_the_person() {
    let world = World::start(repeating("http://127.0.0.1:1/api/messages", 3, 0)).await;
    let outcome = world
        .teams
        .say(INES, &world.chat(), "hello")
        .unwrap()
        .outcome()
        .await
        .unwrap();
    assert_eq!((outcome.status, outcome.attempts), (None, 1));
    let said = world.teams.transcript(&world.chat()).unwrap().pop().unwrap();
    assert!(said.undelivered.unwrap().contains("refused"));
}

#[actix_web::test]
async fn an_activity_of_ones_own_is_delivered_as_it_is() {
    let mut bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let activity = json!({
        "type": "event", "id": "f:1", "channelId": "msteams", "serviceUrl": "https://elsewhere.example/",
        "name": "application/vnd.microsoft.meetingStart", "conversation": { "id": "19:m@thread.v2" }, "futureMember": [1],
    });
    let sent = world.teams.deliver(BOT, activity.as_object().unwrap().clone()).unwrap();
    assert!(sent.outcome().await.unwrap().is_accepted());
    let received = bot.next().await;
    assert_eq!(received.activity, activity);
    assert_eq!(received.header("x-ms-conversation-id"), Some("19:m@thread.v2"));
}

#[actix_web::test]
async fn the_inspector_holds_both_ways_and_no_token() {
    let bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    world
        .teams
        .say(INES, &world.chat(), "hello")
        .unwrap()
        .outcome()
        .await
        .unwrap();
    world.say(&world.chat(), "hello yourself").await;
    let traffic = world.teams.traffic();
    let titles: Vec<&str> = traffic.iter().map(|exchange| exchange.title.as_str()).collect();
    assert_eq!(titles, ["message", "POST activities \u{b7} message"]);
    assert_eq!((traffic[0].status, traffic[1].status), (Some(200), Some(201)));
    let text = format!("{traffic:?}").to_lowercase();
    assert!(!text.contains("bearer") && !text.contains(&world.token.to_lowercase()));
}

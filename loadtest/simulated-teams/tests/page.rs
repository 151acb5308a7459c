//! The page's files and its API.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{
    Endpoint, INES, PATIENCE, World, config, read,
    telephone::{Graph, Webhook},
};

/// Where a peer would be let in.
const WHIP: &str = "http://127.0.0.1:1/legs/1.abc";

/// Every file that `text` names below `/page/`, or beside the module that imports it.
fn references(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["\"/page/", "from \"./"] {
        for (at, _) in text.match_indices(start) {
            let rest = &text[at + start.len()..];
            found.push(rest[..rest.find('"').unwrap()].to_owned());
        }
    }
    found
}

#[actix_web::test]
async fn every_file_that_the_page_names_is_bundled_with_a_strict_policy() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let mut waiting = vec![String::new()];
    let mut seen = Vec::new();
    while let Some(name) = waiting.pop() {
        if seen.contains(&name) {
            continue;
        }
        let path = if name.is_empty() {
            String::new()
        } else {
            format!("page/{name}")
        };
        let answer = world
            .client
            .get(format!("{}{path}", world.teams.page_url()))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.contains("script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let text = answer.text().await.unwrap();
        if !name.starts_with("vendor/") {
            assert!(
                !text.contains("innerHTML =") && !text.contains("insertAdjacentHTML"),
                "{name} makes HTML from text"
            );
            assert!(
                !text.contains("http://") || name == "icon.svg" || name == "dom.js",
                "{name} leaves the machine"
            );
            waiting.extend(references(&text));
        }
        seen.push(name);
    }
    assert!(seen.len() > 12, "{seen:?}");
}

#[actix_web::test]
async fn an_action_of_the_page_reaches_the_bot_and_the_answer_comes_by_events() {
    let mut bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let url = |path: &str| format!("{}{path}", world.teams.page_url());
    let mut events = world.client.get(url("api/events")).send().await.unwrap();
    let action = json!({ "do": "say", "person": 0, "conversation": world.chat(), "text": "hello" });
    let (status, answer) = read(
        world
            .client
            .post(url("api/actions"))
            .json(&action)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, &answer["message"]), (200, &bot.next().await.activity["id"]));
    world.say(&world.chat(), "hello yourself").await;
    let mut text = String::new();
    while !text.contains("hello yourself") {
        let bytes = tokio::time::timeout(PATIENCE, events.chunk())
            .await
            .expect("no event came")
            .unwrap()
            .unwrap();
        text.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    assert!(text.starts_with("retry: 500\nevent: hello"), "{text}");
    let (_, messages) = read(world.client.get(url("api/messages")).send().await.unwrap()).await;
    assert_eq!(messages.as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn an_impossible_action_is_answered_with_the_reason() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let action = json!({ "do": "say", "person": 0, "conversation": "nowhere", "text": "hello" });
    let url = format!("{}api/actions", world.teams.page_url());
    let (status, body) = read(world.client.post(&url).json(&action).send().await.unwrap()).await;
    assert_eq!(
        (status, body),
        (422, json!({ "error": "there is no such conversation" }))
    );
    // Without the type that only scripts of this page can send, the request is none of ours.
    let plain = world.client.post(&url).body(action.to_string()).send().await.unwrap();
    assert!(plain.status().is_client_error());
}

#[actix_web::test]
async fn other_sites_cannot_use_the_api() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    for path in ["api/world", "api/messages", "api/traffic", "api/events", "api/calls"] {
        let request = world.client.get(format!("{}{path}", world.teams.page_url()));
        let (status, _) = read(request.header("origin", "https://evil.example").send().await.unwrap()).await;
        assert_eq!(status, 403, "{path}");
    }
}

#[actix_web::test]
async fn faults_can_be_set_by_the_page() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let url = |path: &str| format!("{}api/{path}", world.teams.page_url());
    let faults = json!([{ "status": 503, "when": "beforeStore", "share": 1.0 }]);
    assert_eq!(
        world
            .client
            .put(url("faults"))
            .json(&faults)
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(world.say(&world.chat(), "hello").await, (503, Value::Null));
    let (_, seen) = read(world.client.get(url("world")).send().await.unwrap()).await;
    assert_eq!(seen["faults"], faults);
}

#[actix_web::test]
async fn the_server_stops_while_pages_are_open_and_bots_are_slow() {
    let mut bot = Endpoint::answering(|_, _| (Duration::from_secs(20), 200, Value::Null));
    let world = World::start(config(&bot.url)).await;
    let events = world
        .client
        .get(format!("{}api/events", world.teams.page_url()))
        .send()
        .await
        .unwrap();
    world.teams.say(INES, &world.chat(), "hello").unwrap();
    bot.next().await;
    tokio::time::timeout(PATIENCE, world.running.stop())
        .await
        .expect("it does not stop")
        .unwrap();
    drop(events);
}

#[actix_web::test]
async fn a_person_rings_a_bot_from_the_page_and_follows_the_call_by_events() {
    let webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let url = |path: &str| format!("{}api/{path}", world.teams.page_url());
    let act = async |action: Value| read(world.client.post(url("calls")).json(&action).send().await.unwrap()).await;
    let mut events = world.client.get(url("events")).send().await.unwrap();
    let (status, answer) = act(json!({ "do": "ring", "person": 0, "bot": 0 })).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    assert_eq!(
        graph.post(&format!("/{id}/answer"), &webhook.answer()).await.status,
        202
    );
    world
        .teams
        .call_when(&id, PATIENCE, |call| call.is_audio_active)
        .await
        .unwrap();
    let too_early = act(json!({ "do": "press", "call": id, "key": "x" })).await;
    assert_eq!(too_early, (422, json!({ "error": "there is no such key" })));
    assert_eq!(act(json!({ "do": "press", "call": id, "key": "4" })).await.0, 200);
    assert_eq!(act(json!({ "do": "hangUp", "call": id })).await.0, 200);
    let told = format!(r#"{{"change":"call","call":"{id}"}}"#);
    let mut text = String::new();
    while !text.contains(&told) {
        let bytes = tokio::time::timeout(PATIENCE, events.chunk())
            .await
            .expect("no event came");
        text.push_str(std::str::from_utf8(&bytes.unwrap().unwrap()).unwrap());
    }
    let (_, seen) = read(world.client.get(url(&format!("calls/{id}"))).send().await.unwrap()).await;
    assert_eq!((&seen["person"], &seen["pressed"]), (&json!(0), &json!(["4"])));
    let (_, all) = read(world.client.get(url("calls")).send().await.unwrap()).await;
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn the_page_alone_is_let_into_the_media_host_of_a_call_and_says_whether_it_got_there() {
    let webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let url = |path: &str| format!("{}api/{path}", world.teams.page_url());
    let act = async |action: Value| read(world.client.post(url("calls")).json(&action).send().await.unwrap()).await;
    let (_, answer) = act(json!({ "do": "ring", "person": 0, "bot": 0 })).await;
    let id = answer["call"].as_str().unwrap().to_owned();
    let line = url(&format!("calls/{id}/line"));
    assert_eq!(read(world.client.get(&line).send().await.unwrap()).await.0, 404);

    let invitation = json!({ "whip": WHIP, "token": "sesame" });
    let mut body = webhook.answer();
    body["mediaConfig"] =
        json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": invitation.to_string() });
    assert_eq!(graph.post(&format!("/{id}/answer"), &body).await.status, 202);
    assert_eq!(
        read(world.client.get(&line).send().await.unwrap()).await,
        (200, invitation)
    );
    let stranger = world.client.get(&line).header("origin", "https://evil.example");
    assert_eq!(read(stranger.send().await.unwrap()).await.0, 403);
    let seen = world
        .client
        .get(url("traffic"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        seen.contains("appHostedMediaConfig") && !seen.contains("sesame"),
        "{seen}"
    );

    let state = async || {
        read(world.client.get(url(&format!("calls/{id}"))).send().await.unwrap())
            .await
            .1
    };
    assert_eq!(state().await["line"], "offered");
    assert_eq!(
        act(json!({ "do": "lineConnected", "call": id, "whip": WHIP })).await.0,
        200
    );
    assert_eq!(state().await["line"], "connected");
    let elsewhere = json!({ "do": "lineLost", "call": id, "whip": "http://127.0.0.1:1/legs/0.old" });
    assert_eq!(act(elsewhere).await.0, 200);
    assert_eq!(
        state().await["line"],
        "connected",
        "what is told of a line of before counts"
    );
    assert_eq!(act(json!({ "do": "lineLost", "call": id, "whip": WHIP })).await.0, 200);
    let over = world
        .teams
        .call_when(&id, PATIENCE, |call| call.end.is_some())
        .await
        .unwrap();
    assert_eq!(over.end.and_then(|end| end.subcode), Some(301_005));
}

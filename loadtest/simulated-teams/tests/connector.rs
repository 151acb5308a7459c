//! The Connector over HTTP: what it answers and what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use support::{BOT, Endpoint, INES, World, code, config, encode, read};
use trunkline_simulated_teams::{Fault, FaultTime, Limits, MessageId, UserAction};

async fn world() -> World {
    World::start(config("http://127.0.0.1:1/")).await
}

#[actix_web::test]
async fn a_message_is_answered_201_with_an_id_of_13_digits_and_appears_in_the_chat() {
    let world = world().await;
    let (status, body) = world.say(&world.chat(), "good morning").await;
    assert_eq!(status, 201);
    let id = MessageId::parse(body["id"].as_str().unwrap()).unwrap();
    let said = world.teams.transcript(&world.chat()).unwrap();
    assert_eq!((said[0].id, said[0].text.as_str()), (id, "good morning"));
}

#[actix_web::test]
async fn every_answer_carries_a_correlation_vector() {
    let world = world().await;
    let answer = world.call(Method::GET, "v3/conversations/nowhere/members", None).await;
    assert!(answer.headers()["ms-cv"].to_str().unwrap().ends_with(".0"));
    assert_eq!(answer.headers()["server"], "Microsoft-HTTPAPI/2.0");
}

#[actix_web::test]
async fn a_call_without_a_good_token_is_answered_401() {
    let mut world = world().await;
    let good = std::mem::replace(&mut world.token, "nonsense".to_owned());
    let (status, body) = world.say(&world.chat(), "hello").await;
    assert_eq!((status, code(&body)), (401, "AuthorizationError"));
    world.token = good;
    assert_eq!(world.say(&world.chat(), "hello").await.0, 201);
    world.teams.revoke_tokens();
    assert_eq!(world.say(&world.chat(), "hello").await.0, 401);
}

#[actix_web::test]
async fn unknown_conversations_and_threads_are_not_found() {
    let world = world().await;
    let thread = format!("{};messageid=1776828100101", world.teams.channel().unwrap());
    for conversation in ["a:1nobody", "19:nothing@thread.v2", &thread] {
        let (status, body) = world.say(conversation, "hello").await;
        assert_eq!((status, code(&body)), (404, "ConversationNotFound"), "{conversation}");
    }
}

#[actix_web::test]
async fn a_bot_that_was_removed_is_refused() {
    let bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let action = UserAction::Uninstall {
        person: INES,
        conversation: world.chat(),
        bot: BOT,
    };
    world.teams.act(&action).unwrap().outcomes().await.unwrap();
    let (status, body) = world.say(&world.chat(), "still here?").await;
    assert_eq!((status, code(&body)), (403, "BotNotInConversationRoster"));
}

#[actix_web::test]
async fn messages_over_100_kilobytes_of_utf_16_are_refused() {
    let world = world().await;
    let (status, body) = world.say(&world.chat(), &"x".repeat(52_000)).await;
    assert_eq!((status, code(&body)), (413, "MessageSizeTooBig"));
    assert_eq!(world.say(&world.chat(), &"x".repeat(50_000)).await.0, 201);
}

#[actix_web::test]
async fn text_with_a_card_becomes_two_messages_and_the_id_is_of_no_use() {
    let world = world().await;
    let card =
        json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": { "type": "AdaptiveCard" } });
    let activity = json!({ "type": "message", "text": "see below", "attachments": [card] });
    let (status, body) = world.send(&world.chat(), &activity).await;
    assert_eq!(status, 201);
    assert_eq!(world.teams.transcript(&world.chat()).unwrap().len(), 2);
    let path = format!(
        "v3/conversations/{}/activities/{}",
        encode(&world.chat()),
        body["id"].as_str().unwrap()
    );
    let (status, body) = read(world.call(Method::PUT, &path, Some(&activity)).await).await;
    assert_eq!((status, code(&body)), (404, "ActivityNotFoundInConversation"));
}

#[actix_web::test]
async fn a_bot_changes_and_deletes_its_own_messages_only() {
    let bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let chat = world.chat();
    let (_, body) = world.say(&chat, "draft").await;
    let own = body["id"].as_str().unwrap().to_owned();
    let foreign = world
        .teams
        .say(INES, &chat, "mine")
        .unwrap()
        .message
        .unwrap()
        .to_string();
    let path = |id: &str| format!("v3/conversations/{}/activities/{id}", encode(&chat));
    let text = json!({ "type": "message", "text": "final" });
    let (status, body) = read(world.call(Method::PUT, &path(&own), Some(&text)).await).await;
    assert_eq!((status, &body["id"]), (200, &json!(own)));
    let (status, body) = read(world.call(Method::PUT, &path(&foreign), Some(&text)).await).await;
    assert_eq!((status, code(&body)), (403, "NotEnoughPermissions"));
    assert_eq!(world.call(Method::DELETE, &path(&foreign), None).await.status(), 403);
    let answer = world.call(Method::DELETE, &path(&own), None).await;
    assert_eq!((answer.status().as_u16(), answer.content_length()), (200, Some(0)));
    let (status, body) = read(world.call(Method::DELETE, &path(&own), None).await).await;
    assert_eq!((status, code(&body)), (404, "ActivityNotFoundInConversation"));
}

#[actix_web::test]
async fn a_personal_chat_is_created_once_and_the_first_activity_is_sent_each_time() {
    let world = world().await;
    let (_, member) = world
        .get(&format!("v3/conversations/{}/members", encode(&world.chat())))
        .await;
    let request = json!({
        "isGroup": false, "members": [{ "id": member[0]["id"] }], "tenantId": member[0]["tenantId"],
        "activity": { "type": "message", "text": "news" },
    });
    for _ in 0..2 {
        let (status, body) = world.post("v3/conversations", &request).await;
        assert_eq!((status, body), (201, json!({ "id": world.chat() })));
    }
    assert_eq!(world.teams.transcript(&world.chat()).unwrap().len(), 2);
    let mut stranger = request.clone();
    stranger["members"][0]["id"] = "29:1somebody".into();
    assert_eq!(code(&world.post("v3/conversations", &stranger).await.1), "BadSyntax");
    let mut homeless = request;
    homeless.as_object_mut().unwrap().remove("tenantId");
    assert_eq!(world.post("v3/conversations", &homeless).await.0, 401);
}

#[actix_web::test]
async fn a_thread_needs_an_activity_and_a_group_chat_cannot_be_created() {
    let world = world().await;
    let channel = world.teams.channel().unwrap();
    let mut request = json!({ "isGroup": true, "channelData": { "channel": { "id": channel } } });
    assert_eq!(code(&world.post("v3/conversations", &request).await.1), "BadSyntax");
    request["activity"] = json!({ "type": "message", "text": "a new thread" });
    let (status, body) = world.post("v3/conversations", &request).await;
    assert_eq!(status, 201);
    let thread = body["id"].as_str().unwrap();
    assert_eq!(
        thread,
        format!("{channel};messageid={}", body["activityId"].as_str().unwrap())
    );
    assert_eq!(world.say(thread, "and an answer in it").await.0, 201);
    assert_eq!(world.teams.transcript(thread).unwrap().len(), 2);
    let group = json!({ "isGroup": true, "members": [{ "id": "29:1a" }, { "id": "29:1b" }] });
    let (status, body) = world.post("v3/conversations", &group).await;
    assert_eq!((status, code(&body)), (400, "BadSyntax"));
}

#[actix_web::test]
async fn rosters_name_the_object_id_as_their_call_does() {
    let world = world().await;
    let group = encode(&world.teams.group_chat().unwrap());
    let (_, all) = world.get(&format!("v3/conversations/{group}/members")).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(all[0]["objectId"].is_string() && all[0]["aadObjectId"].is_null());
    let (_, page) = world
        .get(&format!("v3/conversations/{group}/pagedMembers?pageSize=1"))
        .await;
    assert_eq!(page["members"].as_array().unwrap().len(), 3, "a page has at least 50");
    assert!(page["members"][0]["aadObjectId"].is_string() && page.get("continuationToken").is_none());
    for member in ["id", "objectId", "userPrincipalName"] {
        let id = encode(all[1][member].as_str().unwrap());
        let (status, one) = world.get(&format!("v3/conversations/{group}/members/{id}")).await;
        assert_eq!((status, &one["name"]), (200, &all[1]["name"]), "by {member}");
    }
    let (status, body) = world
        .get(&format!("v3/conversations/{group}/members/29%3A1nobody"))
        .await;
    assert_eq!((status, code(&body)), (400, "MemberNotFoundInConversation"));
}

#[actix_web::test]
async fn too_many_messages_are_throttled_with_retry_after() {
    let world = world().await;
    let path = format!("v3/conversations/{}/activities", encode(&world.chat()));
    let mut sent = 0;
    let refused = loop {
        let answer = world
            .call(Method::POST, &path, Some(&json!({ "type": "message", "text": "spam" })))
            .await;
        if answer.status() != 201 {
            break answer;
        }
        sent += 1;
        assert!(sent <= 60, "more than 60 within 30 s");
    };
    assert_eq!(refused.status(), 429);
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
    assert_eq!(code(&read(refused).await.1), "Throttled");
    world.teams.set_limits(Limits::Off);
    for _ in 0..20 {
        assert_eq!(world.say(&world.chat(), "spam").await.0, 201);
    }
}

#[actix_web::test]
async fn a_fault_before_the_store_loses_the_message_and_one_after_it_does_not() {
    let world = world().await;
    for (when, kept) in [(FaultTime::BeforeStore, 0), (FaultTime::AfterStore, 1)] {
        let fault = Fault {
            status: 502,
            when,
            share: 1.0,
            times: Some(1),
            retry_after: Some(2),
        };
        world.teams.set_faults(vec![fault]);
        let (status, body) = world.say(&world.chat(), "hello").await;
        assert_eq!((status, code(&body)), (502, "ServiceError"));
        assert_eq!(world.teams.transcript(&world.chat()).unwrap().len(), kept, "{when:?}");
    }
    assert_eq!(world.say(&world.chat(), "hello").await.0, 201);
}

#[actix_web::test]
async fn malformed_activities_are_refused_by_name() {
    let world = world().await;
    let chat = world.chat();
    let refused = [
        (json!({ "text": "no type" }), "MissingProperty"),
        (json!({ "type": "message" }), "BadSyntax"),
        (json!({ "type": "event", "name": "x" }), "BadArgument"),
        (
            json!({ "type": "message", "attachments": [{ "content": {} }] }),
            "MissingProperty",
        ),
        (
            json!({ "type": "message", "attachments": [{ "contentType": "application/vnd.microsoft.card.oauth",
                    "content": { "tokenExchangeResource": null } }] }),
            "BadArgument",
        ),
        (
            json!({ "type": "message", "text": "x", "entities": [
                { "type": "https://schema.org/Message" }, { "type": "https://schema.org/Message" }] }),
            "BadArgument",
        ),
    ];
    for (activity, expected) in refused {
        let (status, body) = world.send(&chat, &activity).await;
        assert_eq!((status, code(&body)), (400, expected), "{activity}");
    }
    assert_eq!(world.send(&chat, &json!({ "type": "typing" })).await, (202, json!({})));
    let path = format!("v3/conversations/{}/activities?isTargetedActivity=true", encode(&chat));
    assert_eq!(
        world.post(&path, &json!({ "type": "message", "text": "psst" })).await.0,
        400
    );
}

#[actix_web::test]
async fn a_team_tells_its_channels() {
    let world = world().await;
    let general = world
        .teams
        .conversations()
        .into_iter()
        .find(|chat| chat.name == "General")
        .unwrap()
        .id;
    let (_, team) = world.get(&format!("v3/teams/{}", encode(&general))).await;
    assert_eq!((&team["id"], &team["channelCount"]), (&json!(general), &json!(2)));
    let (_, channels) = world.get(&format!("v3/teams/{}/conversations", encode(&general))).await;
    assert_eq!(
        channels["conversations"][0],
        json!({ "id": general, "name": Value::Null })
    );
    let channel = world.teams.channel().unwrap();
    assert_eq!(world.get(&format!("v3/teams/{}", encode(&channel))).await.0, 404);
}

//! Graph's calls API and its notifications over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use support::{
    BOT, INES, PATIENCE, TOMASZ, World,
    telephone::{Graph, Webhook, token},
};
use trunkline_simulated_teams::{CallFault, CallState, FaultTime, Overlap, RecorderInvitation, Speech};

/// A call that is answered and whose audio flows.
async fn talking(world: &World, webhook: &Webhook, graph: &Graph<'_>) -> String {
    let id = world.teams.ring(INES, BOT).unwrap();
    assert_eq!(
        graph.post(&format!("/{id}/answer"), &webhook.answer()).await.status,
        202
    );
    let active = world.teams.call_when(&id, PATIENCE, |call| call.is_audio_active).await;
    active.unwrap().id
}

async fn verified(world: &World, bearer: &str) -> Option<Value> {
    let get = async |url: String| -> Value { world.client.get(url).send().await.unwrap().json().await.unwrap() };
    let metadata = get(world.teams.calls_metadata_url()).await;
    let keys = get(metadata["jwks_uri"].as_str().unwrap().to_owned()).await;
    let token = bearer.strip_prefix("Bearer ").unwrap();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kid"] == kid)?
        .clone();
    let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims["iss"], metadata["issuer"]);
    Some(claims)
}

#[actix_web::test]
async fn a_ring_is_signed_by_the_calling_platform_and_carries_its_headers() {
    let mut webhook = Webhook::accepting();
    let settings = webhook.settings();
    let (tenant, app_id) = (settings.tenant.clone(), settings.bots[0].app_id.clone());
    let world = World::start(settings).await;
    let id = world.teams.ring(INES, BOT).unwrap();
    let told = webhook.next().await;
    assert_eq!(told.path, "/api/calls");
    let bearer = told.header("authorization").unwrap().to_owned();
    let claims = verified(&world, &bearer).await.expect("the key is published");
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "nbf", "tid"]);
    assert_eq!((&claims["aud"], &claims["tid"]), (&json!(app_id), &json!(tenant)));
    assert_eq!(told.header("user-agent"), Some("Microsoft-Skype/3.0,(Calling/1.0)"));
    assert_eq!(told.header("content-type"), Some("application/json"));
    let chain = told.one()["resourceData"]["callChainId"].as_str();
    assert_eq!(told.header("scenario-id"), chain);
    assert_eq!(told.header("x-microsoft-skype-chain-id"), chain);
    assert_eq!(
        told.header("x-microsoft-skype-message-id"),
        told.header("x-microsoft-skype-original-message-id")
    );
    assert_eq!(told.one()["resourceData"]["id"], id);
    // The Connector's keys are others.
    let connector: Value = world
        .client
        .get(world.teams.metadata_url())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let keys = world
        .client
        .get(connector["jwks_uri"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let kid = jsonwebtoken::decode_header(bearer.trim_start_matches("Bearer "))
        .unwrap()
        .kid
        .unwrap();
    assert!(!keys.text().await.unwrap().contains(&kid));
    world.teams.rotate_call_keys(Overlap::DropOld).unwrap();
    assert!(verified(&world, &bearer).await.is_none());
    let second = world.teams.ring(TOMASZ, BOT).unwrap();
    let told = webhook.next().await;
    assert_eq!(told.one()["resourceData"]["id"], second);
    assert!(verified(&world, told.header("authorization").unwrap()).await.is_some());
}

#[actix_web::test]
async fn a_call_is_answered_hears_a_prompt_and_keys_and_is_hung_up() {
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let id = talking(&world, &webhook, &graph).await;
    webhook.until("updated", "call", Some("established")).await;
    let answer = graph
        .post(&format!("/{id}/playPrompt"), &webhook.prompts("hello"))
        .await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("running")));
    let location = answer.headers["location"].to_str().unwrap().to_owned();
    assert!(location.ends_with(&format!("/communications/calls/{id}/operations/{}", answer.id())));
    let ended = webhook.until("deleted", "playPromptOperation", None).await;
    assert!(ended["resourceUrl"].as_str().unwrap().ends_with(&answer.id()));
    assert_eq!(ended["resourceData"]["clientContext"], "hello");
    assert_eq!(ended["resourceData"]["resultInfo"]["code"], 200);
    assert_eq!(
        graph
            .empty(&format!("/{id}/microsoft.graph.subscribeToTone"))
            .await
            .status,
        200
    );
    world.teams.press_key(&id, "5").unwrap();
    let tone = webhook.until("updated", "call", None).await;
    assert_eq!(tone["resourceData"]["toneInfo"]["tone"], "tone5");
    let read = graph.get(&format!("/{id}")).await;
    assert_eq!(
        (&read.body["state"], &read.body["mediaState"]["audio"]),
        (&json!("established"), &json!("active"))
    );
    assert_eq!(graph.empty(&format!("/{id}/keepAlive")).await.status, 200);
    assert_eq!(graph.delete(&format!("/{id}")).await.status, 204);
    webhook.until("updated", "call", Some("terminating")).await;
    webhook.until("deleted", "call", Some("terminated")).await;
    let view = world
        .teams
        .call_when(&id, PATIENCE, |call| call.state == CallState::Terminated)
        .await
        .unwrap();
    assert_eq!(view.times_played(&format!("{}/prompt.wav", webhook.origin)), 1);
    let counters = world.teams.call_counters();
    assert_eq!((counters.began, counters.ended, counters.answer_times.len()), (1, 1, 1));
    assert_eq!(counters.requests["playPrompt"][&200], 1);
}

#[actix_web::test]
async fn answers_and_errors_carry_ids_and_who_has_no_good_token_is_refused() {
    let webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let mut graph = Graph::of(&world).await;
    let answer = graph.get("/nobody").await;
    assert_eq!((answer.status, answer.code()), (404, "8522"));
    assert_eq!(answer.headers["scenario-id"], "5d6330aa-e7ce-49ed-a979-75666251d2bd");
    let inner = &answer.body["error"]["innerError"];
    assert_eq!(inner["request-id"], answer.headers["request-id"].to_str().unwrap());
    assert_eq!(
        inner["client-request-id"],
        answer.headers["client-request-id"].to_str().unwrap()
    );
    assert!(
        answer.headers["x-ms-ags-diagnostic"]
            .to_str()
            .unwrap()
            .contains("ServerInfo")
    );
    // The Connector's token opens no call, and Graph's no conversation.
    let graphs = std::mem::replace(&mut graph.token, world.token.clone());
    let answer = graph.get("/nobody").await;
    assert_eq!((answer.status, answer.code()), (401, "InvalidAuthenticationToken"));
    let url = format!("{}v3/conversations/a/members", world.teams.service_url());
    let answer = world.client.get(url).bearer_auth(graphs).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let foreign = format!("{}/common/oauth2/v2.0/token", world.teams.login_url());
    let scope = format!("{}/.default", world.teams.graph_url());
    graph.token = token(&world, &foreign, &scope).await;
    let answer = graph.get("/nobody").await;
    assert_eq!((answer.status, answer.code()), (403, "7505"));
}

#[actix_web::test]
async fn a_bot_calls_a_person_who_picks_up() {
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let answer = graph
        .post("", &webhook.create(&world.teams.object_id(TOMASZ).unwrap()))
        .await;
    assert_eq!((answer.status, &answer.body["state"]), (201, &json!("establishing")));
    assert!(answer.headers["location"].to_str().unwrap().ends_with(&answer.id()));
    assert_eq!(answer.body["callChainId"], "5d6330aa-e7ce-49ed-a979-75666251d2bd");
    let told = webhook.next().await;
    assert_eq!(
        (told.path.as_str(), &told.one()["resourceData"]["state"]),
        ("/api/calls/two", &json!("establishing"))
    );
    webhook.until("updated", "call", Some("established")).await;
    world.teams.hang_up(&answer.id()).unwrap();
    let over = webhook.until("deleted", "call", None).await;
    assert_eq!(over["resourceData"]["resultInfo"]["subcode"], 4521);
}

#[actix_web::test]
async fn a_clip_is_fetched_with_the_token_of_its_operation_only() {
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let id = talking(&world, &webhook, &graph).await;
    let record =
        json!({ "playBeep": false, "stopTones": ["#"], "maxRecordDurationInSeconds": 60, "clientContext": "clip" });
    assert_eq!(graph.post(&format!("/{id}/recordResponse"), &record).await.status, 200);
    world.teams.speak(&id, Speech::hum(Duration::from_secs(5))).unwrap();
    world.teams.press_key(&id, "#").unwrap();
    let ended = webhook.until("deleted", "recordOperation", None).await;
    let data = &ended["resourceData"];
    assert_eq!(
        (&data["resultInfo"]["subcode"], &data["status"]),
        (&json!(8514), &json!("completed"))
    );
    let location = data["recordingLocation"].as_str().unwrap();
    assert_eq!(world.client.get(location).send().await.unwrap().status(), 401);
    let token = data["recordingAccessToken"].as_str().unwrap();
    let answer = world.client.get(location).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    let file = answer.bytes().await.unwrap();
    assert_eq!((&file[..4], &file[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    let shown = format!("{:?}", world.teams.traffic());
    assert!(shown.contains("recordOperation") && !shown.contains(token));
}

#[actix_web::test]
async fn faults_are_answered_with_a_fractional_pause() {
    let webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let id = world.teams.ring(INES, BOT).unwrap();
    world.teams.set_call_faults(vec![CallFault {
        operation: Some("answer".to_owned()),
        status: 429,
        when: FaultTime::BeforeStore,
        share: 1.0,
        times: Some(1),
        retry_after: Some(2.128),
    }]);
    let answer = graph.post(&format!("/{id}/answer"), &webhook.answer()).await;
    assert_eq!(
        (answer.status, answer.headers["retry-after"].to_str().unwrap()),
        (429, "2.128")
    );
    assert_eq!(answer.code(), "TooManyRequests");
    assert!(world.teams.call_faults().is_empty());
    assert_eq!(
        graph.post(&format!("/{id}/answer"), &webhook.answer()).await.status,
        202
    );
}

#[actix_web::test]
async fn a_notification_may_come_before_the_answer_of_its_request() {
    let mut webhook = Webhook::accepting();
    let mut settings = webhook.settings();
    settings.calls.disorder.early = 1.0;
    let world = World::start(settings).await;
    let graph = Graph::of(&world).await;
    let body = webhook.create(&world.teams.object_id(TOMASZ).unwrap());
    let create = graph.post("", &body);
    tokio::pin!(create);
    let told = tokio::select! {
        answer = &mut create => panic!("the answer came first: {answer:?}"),
        told = webhook.next() => told,
    };
    let answer = create.await;
    assert!(told.one()["resourceUrl"].as_str().unwrap().ends_with(&answer.id()));
}

#[actix_web::test]
async fn a_webhook_that_refuses_the_ring_cannot_be_reached() {
    let webhook = Webhook::answering(|body| {
        if body["value"][0]["changeType"] == "created" {
            401
        } else {
            202
        }
    });
    let world = World::start(webhook.settings()).await;
    let id = world.teams.ring(INES, BOT).unwrap();
    let over = world
        .teams
        .call_when(&id, PATIENCE, |call| call.state == CallState::Terminated)
        .await
        .unwrap();
    assert_eq!(over.end.unwrap().subcode, Some(8544));
}

#[actix_web::test]
async fn any_body_can_be_posted_with_a_good_token() {
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let body = json!({ "value": [{ "changeType": "weird", "futureMember": 1 }] });
    assert_eq!(world.teams.notify(BOT, None, &body).await.unwrap(), 202);
    let told = webhook.next().await;
    assert_eq!(told.body, body);
    assert!(verified(&world, told.header("authorization").unwrap()).await.is_some());
}

#[actix_web::test]
async fn a_recorder_is_invited_and_reports_that_it_records() {
    let mut webhook = Webhook::accepting();
    let world = World::start(webhook.settings()).await;
    let graph = Graph::of(&world).await;
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: true,
    };
    let id = world.teams.invite_recorder(&invitation).unwrap();
    let told = webhook.next().await;
    assert!(told.one()["resourceData"]["incomingContext"]["observedParticipantId"].is_string());
    graph.post(&format!("/{id}/answer"), &webhook.answer()).await;
    webhook.until("updated", "call", Some("established")).await;
    let status = json!({ "status": "recording" });
    assert_eq!(
        graph
            .post(&format!("/{id}/updateRecordingStatus"), &status)
            .await
            .status,
        200
    );
    world.teams.hang_up(&id).unwrap();
    webhook.until("deleted", "call", None).await;
}

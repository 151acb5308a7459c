//! The webhook of calls: who may notify, how a body is split, and when it is answered.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use trunkline_ingress::CallsEndpoint;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Accepted, Kind, Reason, ToIngress};
use trunkline_store::Triple;
use trunkline_store::key::{ActorKind, DEFAULT_SHARDS};
use trunkline_teams::identity::{BotIdentity, Verifier, VerifierConfig};

use crate::signer::{APP_ID, ISSUER, NOW, SECOND_APP_ID, TEAMS, TENANT, UNKNOWN, token};
use crate::worker::{FakeWorker, refused, routes};
use crate::world::{Plan, World, in_background, message, until, within_time};

const GRAPH: &str = "https://graph.microsoft.com";
const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
const OTHER_CALL: &str = "0a1b2c3d-0000-4000-8000-00000000beef";
const MESSAGE_ID: &str = "1f0d6b5e-7f6c-4f0e-9a1c-6a2f4c7d8e90";

/// A world where `echo`, and not `second`, takes calls; workers accept everything.
async fn world(worker: &FakeWorker) -> World {
    plan(worker).ready().await
}

fn plan(worker: &FakeWorker) -> Plan {
    worker.on_delivery(|_| Some(Ended::Accepted(Accepted {})));
    let mut plan = Plan::new(&[worker]);
    let cloud = plan.login.cloud();
    let bot = BotIdentity {
        name: "echo".into(),
        app_id: APP_ID.into(),
        allowed_tenants: vec![TENANT.to_uppercase()],
        ..BotIdentity::default()
    };
    let metadata = cloud.connector_metadata.clone();
    let config = VerifierConfig::for_calls(cloud, vec![GRAPH.into(), ISSUER.into()], metadata, vec![bot]);
    let verifier = Verifier::new(config, Client::new()).unwrap();
    plan.ingress.calls = Some(CallsEndpoint::new(Arc::new(verifier)));
    plan
}

fn claims() -> Value {
    json!({"iss": GRAPH, "aud": APP_ID, "tid": TENANT, "nbf": NOW - 60, "exp": NOW + 3_840})
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

#[allow(clippy::needless_pass_by_value)]
fn post_as(world: &World, token: &str, path: &str, body: impl Display) -> RequestBuilder {
    world
        .client
        .post(world.url(path))
        .bearer_auth(token)
        .body(body.to_string())
}

#[allow(clippy::needless_pass_by_value)]
fn post(world: &World, path: &str, body: impl Display) -> RequestBuilder {
    post_as(world, &TEAMS.sign(&claims()), path, body)
}

async fn status(request: RequestBuilder) -> u16 {
    within_time(request.send()).await.unwrap().status().as_u16()
}

fn body_of(notifications: &[Value]) -> Value {
    json!({"@odata.type": "#microsoft.graph.commsNotifications", "value": notifications})
}

fn incoming(call: &str) -> Value {
    json!({
        "changeType": "created", "resourceUrl": format!("/communications/calls/{call}"),
        "resourceData": {
            "@odata.type": "#microsoft.graph.call", "id": call, "state": "incoming", "direction": "incoming",
            "tenantId": TENANT,
        },
    })
}

fn updated(call: &str, state: &str) -> Value {
    json!({
        "changeType": "Updated", "resource": format!("/app/calls/{}", call.replace('-', "").to_uppercase()),
        "resourceData": {"@odata.type": "#microsoft.graph.call", "state": state},
    })
}

#[actix_web::test]
async fn an_ingress_that_never_read_the_calling_platforms_keys_is_not_ready() {
    let worker = FakeWorker::start().await;
    let mut plan = plan(&worker);
    let nowhere = "http://127.0.0.1:9/keys".to_owned();
    let config = VerifierConfig::for_calls(plan.login.cloud(), vec![GRAPH.into()], nowhere, Vec::new());
    let verifier = Verifier::new(config, Client::new()).unwrap();
    plan.ingress.calls = Some(CallsEndpoint::new(Arc::new(verifier)));
    let world = plan.start().await;
    let is_all_but_that = || world.metric("trunkline_ingress_signing_keys") > 0.0;
    until("the keys of messages", is_all_but_that).await;
    let answer = world.client.get(world.url("/readyz")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    let said = answer.text().await.unwrap();
    assert!(said.contains("calling platform"), "{said}");
}

#[actix_web::test]
async fn a_notification_reaches_the_worker_of_its_call_byte_for_byte_and_is_answered_with_202() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    let element = serde_json::to_string_pretty(&incoming(CALL)).unwrap();
    let body = format!("{{ \"value\" : [ {element} ] }}");
    let request = post(&world, "/api/calls", &body)
        .header("X-Microsoft-Skype-Message-ID", MESSAGE_ID)
        .header("Scenario-Id", CALL);
    let response = within_time(request.send()).await.unwrap();
    assert_eq!(response.status().as_u16(), 202);
    assert_eq!(response.headers()["client-request-id"], MESSAGE_ID);
    assert_eq!(response.headers()["scenario-id"], CALL);
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    let state = worker.look();
    let delivery = &state.deliveries[0];
    let triple = Triple {
        kind: ActorKind::Call,
        bot: "echo".into(),
        tenant: String::new(),
        conversation: CALL.into(),
    };
    assert_eq!(
        (delivery.shard, &delivery.key[..]),
        (triple.shard(DEFAULT_SHARDS).0, &triple.key().0[..])
    );
    assert_eq!((delivery.kind(), delivery.conversation.as_str()), (Kind::Call, CALL));
    assert_eq!(delivery.activity, element.as_bytes());
    let named = delivery.claims.as_ref().unwrap();
    assert_eq!(
        (named.bot.as_str(), named.tenant.as_str(), named.verified),
        ("echo", TENANT, true)
    );
    assert!((1_000..=3_000).contains(&delivery.remaining_ms) && delivery.age_ms < 2_000);
    assert!(delivery.dedupe.is_some());
    let series = r#"trunkline_ingress_call_notifications_total{kind="incoming",outcome="accepted"}"#;
    assert!((world.metric(series) - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn a_body_is_split_by_call_and_the_order_within_a_call_is_kept() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    let states: Vec<String> = (0..40).map(|number| format!("state-{number}")).collect();
    let mut all: Vec<Value> = Vec::new();
    for state in &states {
        all.push(updated(CALL, state));
        all.push(updated(OTHER_CALL, state));
    }
    assert_eq!(status(post(&world, "/api/calls", body_of(&all))).await, 202);
    let deliveries = std::mem::take(&mut worker.look().deliveries);
    for call in [CALL, OTHER_CALL] {
        let of_call = deliveries.iter().filter(|delivery| delivery.conversation == call);
        let seen: Vec<String> = of_call
            .map(|delivery| serde_json::from_slice::<Value>(&delivery.activity).unwrap())
            .map(|notification| notification["resourceData"]["state"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(seen, states, "{call}");
    }
    let keys: std::collections::HashSet<_> = deliveries.iter().map(|delivery| delivery.dedupe).collect();
    assert_eq!(keys.len(), 80, "each has its own key for repeats");
}

#[actix_web::test]
async fn the_path_names_the_call_and_what_cannot_be_a_key_is_not_found() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    let own = format!("o{}", "7k".repeat(13));
    let path = format!("/api/calls/{own}?webInstanceId=3");
    assert_eq!(
        status(post(&world, &path, body_of(&[updated(CALL, "established")]))).await,
        202
    );
    assert_eq!(worker.look().deliveries[0].conversation, own);
    for none in ["x", "..%2Fmessages", "OOOOOOOOOOOOOOOOOOOOOOOOOOOO"] {
        let request = post(&world, &format!("/api/calls/{none}"), body_of(&[incoming(CALL)]));
        assert_eq!(status(request).await, 404, "{none}");
    }
    assert!((world.metric(r#"trunkline_ingress_refusals_total{reason="no_call_key"}"#) - 3.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn only_the_calling_platform_of_an_allowed_tenant_may_notify() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    let body = body_of(&[incoming(CALL)]);
    let mut without_tenant = claims();
    without_tenant.as_object_mut().unwrap().remove("tid");
    for (what, token, expected, reason) in [
        ("Connector token", token(), 401, "malformed"),
        ("no tid", TEAMS.sign(&without_tenant), 401, "malformed"),
        ("empty tid", TEAMS.sign(&with("tid", "")), 401, "malformed"),
        (
            "issuer",
            TEAMS.sign(&with("iss", "https://sts.windows.net/")),
            401,
            "unknown_issuer",
        ),
        (
            "bot without calling",
            TEAMS.sign(&with("aud", SECOND_APP_ID)),
            401,
            "wrong_audience",
        ),
        ("expired", TEAMS.sign(&with("exp", NOW - 400)), 401, "expired"),
        ("unknown key", UNKNOWN.sign(&claims()), 401, "key_unknown"),
        ("tenant", TEAMS.sign(&with("tid", OTHER_CALL)), 403, "tenant_mismatch"),
    ] {
        let response = within_time(post_as(&world, &token, "/api/calls", &body).send())
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), expected, "{what}");
        assert_eq!(response.text().await.unwrap(), trunkline_teams::identity::Refusal::BODY);
        assert!(
            world.metric(&format!(r#"trunkline_ingress_refusals_total{{reason="{reason}"}}"#)) > 0.0,
            "{what}"
        );
    }
    // Where the notification names no tenant the token's counts.
    let elsewhere = TEAMS.sign(&with("tid", OTHER_CALL));
    let request = post_as(
        &world,
        &elsewhere,
        "/api/calls",
        body_of(&[updated(CALL, "established")]),
    );
    assert_eq!(status(request).await, 403);
    assert!(worker.look().deliveries.is_empty());
    // One slash at the issuer's end, and the other issuer, are good.
    for issuer in [ISSUER.to_owned(), format!("{ISSUER}/")] {
        let token = TEAMS.sign(&with("iss", issuer));
        assert_eq!(status(post_as(&world, &token, "/api/calls", &body)).await, 202);
    }
    // And such a token is none for activities.
    let activity = world.post_as(&TEAMS.sign(&claims()), message("1").to_string());
    assert_eq!(status(activity).await, 401);
}

#[actix_web::test]
async fn bodies_that_hold_nothing_for_us_have_their_answers() {
    let worker = FakeWorker::start().await;
    let mut plan = plan(&worker);
    plan.ingress.calls.as_mut().unwrap().body_bytes = 20_000;
    let world = plan.ready().await;
    let legacy = json!({"id": CALL, "callState": "incoming", "presentedModalityTypes": ["audio"], "tenantId": ""});
    let deep = format!("{{\"value\":[{}{}]}}", "[".repeat(100), "]".repeat(100));
    for (what, body, expected) in [
        ("legacy", legacy.to_string(), 204),
        ("empty", String::new(), 400),
        ("list", "[]".to_owned(), 400),
        ("no value", "{}".to_owned(), 400),
        ("empty value", body_of(&[]).to_string(), 400),
        ("no call", body_of(&[json!({"changeType": "updated"})]).to_string(), 400),
        ("too deep", deep, 400),
        ("too large", format!("{{\"value\":[\"{}\"]}}", "x".repeat(20_000)), 413),
    ] {
        assert_eq!(status(post(&world, "/api/calls", body)).await, expected, "{what}");
    }
    assert!(worker.look().deliveries.is_empty());
    let get = world.client.get(world.url("/api/calls"));
    assert_eq!(status(get).await, 405);
}

#[actix_web::test]
async fn what_is_not_durable_within_3_seconds_is_answered_with_503() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    worker.on_delivery(|delivery| (delivery.conversation == CALL).then_some(Ended::Accepted(Accepted {})));
    let began = Instant::now();
    let body = body_of(&[incoming(CALL), incoming(OTHER_CALL)]);
    let response = within_time(post(&world, "/api/calls", body).send()).await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.headers().contains_key(RETRY_AFTER));
    assert!(
        (Duration::from_millis(2_900)..Duration::from_secs(5)).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    worker.on_delivery(|_| Some(refused(Reason::QueueFull, 2_000)));
    let response = within_time(post(&world, "/api/calls", body_of(&[incoming(CALL)])).send())
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
        (503, &"2".parse().unwrap())
    );
}

#[actix_web::test]
async fn a_worker_without_calls_is_not_asked() {
    let worker = FakeWorker::start().await;
    worker.look().welcome.protocol = 1;
    let world = world(&worker).await;
    assert_eq!(
        status(post(&world, "/api/calls", body_of(&[incoming(CALL)]))).await,
        503
    );
    assert!(worker.look().deliveries.is_empty());
    assert!(world.metric(r#"trunkline_ingress_call_notifications_total{kind="incoming",outcome="unspoken"}"#) > 0.0);
}

#[actix_web::test]
async fn a_person_who_joins_a_recorded_call_is_accepted() {
    let worker = FakeWorker::start().await;
    let world = world(&worker).await;
    let joining = json!({
        "changeType": "created", "resourceUrl": format!("/communications/calls/{CALL}/participantJoining"),
        "resourceData": {
            "@odata.type": "#microsoft.graph.participantJoiningNotification",
            "call": {"@odata.type": "#microsoft.graph.call", "id": CALL, "tenantId": TENANT},
        },
    });
    let response = within_time(post(&world, "/api/calls", body_of(&[joining])).send())
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer, json!({"@odata.type": "#microsoft.graph.acceptJoinResponse"}));
    assert_eq!(
        worker.look().deliveries[0].conversation,
        CALL,
        "and its bot hears of it"
    );
}

#[actix_web::test]
async fn a_resend_after_a_workers_death_has_the_same_key_and_a_greater_age() {
    let (doomed, other) = (FakeWorker::start_mortal().await, FakeWorker::start().await);
    let plan = plan(&other);
    doomed.on_delivery(|_| None);
    other.look().routes = Some(routes(3, &[&doomed, &other], |_| 0));
    let world = plan.ready().await;
    let held = in_background(post(&world, "/api/calls", body_of(&[incoming(CALL)])));
    until("the worker has it", || doomed.look().deliveries.len() == 1).await;
    let first = doomed.look().deliveries[0].clone();
    doomed.crash();
    other.say(&ToIngress {
        routes: Some(routes(4, &[&other], |_| 0)),
        ..ToIngress::default()
    });
    assert_eq!(held.await.unwrap().status().as_u16(), 202);
    let again = other.look().deliveries[0].clone();
    assert_eq!((again.dedupe, again.delivery_id), (first.dedupe, first.delivery_id));
    assert!(again.age_ms >= first.age_ms && again.deaths == 1);
}

#[actix_web::test]
async fn without_a_bot_that_takes_calls_there_is_no_webhook() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    assert_eq!(
        status(post(&world, "/api/calls", body_of(&[incoming(CALL)]))).await,
        404
    );
}

/// Documented and observed notifications, where the directory with them is named.
#[actix_web::test]
async fn every_sample_of_a_notification_is_accepted() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES") else {
        return;
    };
    let worker = FakeWorker::start().await;
    let mut plan = plan(&worker);
    let cloud = plan.login.cloud();
    let bot = BotIdentity {
        name: "echo".into(),
        app_id: APP_ID.into(),
        ..BotIdentity::default()
    };
    let metadata = cloud.connector_metadata.clone();
    let config = VerifierConfig::for_calls(cloud, vec![GRAPH.into()], metadata, vec![bot]);
    plan.ingress.calls = Some(CallsEndpoint::new(Arc::new(
        Verifier::new(config, Client::new()).unwrap(),
    )));
    let world = plan.ready().await;
    let mut seen = 0;
    for entry in std::fs::read_dir(std::path::Path::new(&samples).join("calls")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.contains("notification-") || name.contains("headers") {
            continue;
        }
        let body = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_json::from_str(&body).unwrap();
        let tenant = value["value"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(|notification| {
                let data = &notification["resourceData"];
                data["tenantId"].as_str().or_else(|| data["call"]["tenantId"].as_str())
            });
        let token = TEAMS.sign(&with("tid", tenant.unwrap_or(TENANT)));
        let before = worker.look().deliveries.len();
        let got = status(post_as(&world, &token, "/api/calls", &body)).await;
        assert!(got == 202 || got == 200, "{name}: {got}");
        assert!(worker.look().deliveries.len() > before, "{name}");
        seen += 1;
    }
    assert!(seen > 30, "{seen} samples");
}

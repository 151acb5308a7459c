//! The way of a good activity to its worker and back.

use std::io::Write as _;
use std::path::PathBuf;

use actix_web::rt;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Accepted, Kind, Reason};
use trunkline_store::Triple;
use trunkline_store::key::DEFAULT_SHARDS;
use trunkline_teams::envelope::Envelope;

use crate::signer::{SECOND_APP_ID, SERVICE_URL, TEAMS, TENANT, claims_with, token};
use crate::worker::{FakeWorker, done, done_with, refused};
use crate::world::{World, invoke, message, message_in, within_time};

#[actix_web::test]
async fn a_message_reaches_the_worker_as_it_came_with_what_was_verified() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    // Order of members and spaces are as nobody's serialiser would write them.
    let body = format!("  {} \n", serde_json::to_string_pretty(&message("1")).unwrap());
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = within_time(world.post(body.clone()).header("traceparent", traceparent).send())
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    let state = worker.look();
    assert_eq!(state.bodies(), std::slice::from_ref(&body));
    let delivery = &state.deliveries[0];
    let triple = Triple::conversation("echo", TENANT, "a:1pR7");
    assert_eq!(delivery.shard, triple.shard(DEFAULT_SHARDS).0);
    assert_eq!(delivery.key, &triple.key().0[..]);
    let envelope = Envelope::parse(body.as_bytes(), 64).unwrap();
    assert_eq!(delivery.dedupe, envelope.repeat_key(body.as_bytes()));
    assert_eq!(
        (delivery.kind(), delivery.conversation.as_str()),
        (Kind::Message, "a:1pR7")
    );
    assert_eq!(delivery.traceparent, traceparent);
    assert!(
        (12_000..=13_000).contains(&delivery.remaining_ms),
        "{} ms",
        delivery.remaining_ms
    );
    let claims = delivery.claims.as_ref().unwrap();
    assert_eq!((claims.bot.as_str(), claims.tenant.as_str()), ("echo", TENANT));
    assert_eq!((claims.service_url.as_str(), claims.verified), (SERVICE_URL, true));
    assert_eq!(state.hellos[0].ingress, "ingress");
}

#[actix_web::test]
async fn the_audience_of_the_token_chooses_the_bot() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let token = TEAMS.sign(&claims_with("aud", SECOND_APP_ID.to_uppercase()));
    let response = world.post_as(&token, message("1").to_string()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(worker.look().deliveries[0].claims.as_ref().unwrap().bot, "second");
}

#[actix_web::test]
async fn an_invoke_is_answered_with_the_body_of_its_handler() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| Some(done_with(201, r#"{"task":{"type":"message","value":"done"}}"#)));
    let world = World::with(&worker).await;
    let response = world.post(invoke("task/submit").to_string()).send().await.unwrap();
    assert_eq!(response.status().as_u16(), 201);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/json; charset=utf-8");
    let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(body["task"]["value"], "done");
}

#[actix_web::test]
async fn an_invoke_that_has_5_seconds_is_told_so() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    assert_eq!(world.status(&invoke("composeExtension/query")).await, 200);
    let remaining = worker.look().deliveries[0].remaining_ms;
    assert!((3_000..=4_800).contains(&remaining), "{remaining} ms");
}

#[actix_web::test]
async fn what_the_worker_says_becomes_a_status() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    worker.on_delivery(|_| Some(Ended::Accepted(Accepted {})));
    assert_eq!(world.status(&message("1")).await, 202);
    worker.on_delivery(|_| Some(refused(Reason::QueueFull, 2_400)));
    let response = world.post(message("2").to_string()).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
        (429, &"3".parse().unwrap())
    );
    worker.on_delivery(|_| Some(refused(Reason::Deadline, 0)));
    assert_eq!(world.status(&invoke("task/fetch")).await, 504);
    let series = |kind, outcome| format!(r#"trunkline_ingress_requests_total{{kind="{kind}",outcome="{outcome}"}}"#);
    assert!((world.metric(&series("message", "accepted")) - 1.0).abs() < f64::EPSILON);
    assert!((world.metric(&series("message", "refused")) - 1.0).abs() < f64::EPSILON);
    assert!((world.metric(&series("invoke", "refused")) - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn typing_has_no_key_for_repeats_and_a_second_edit_has_another_than_the_first() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let mut typing = message("1");
    typing["type"] = "typing".into();
    let mut edit = message("1");
    edit["type"] = "messageUpdate".into();
    edit["channelData"]["eventType"] = "editMessage".into();
    let mut second_edit = edit.clone();
    second_edit["timestamp"] = "2027-01-15T08:00:09.000Z".into();
    for activity in [&typing, &edit, &second_edit, &edit] {
        assert_eq!(world.status(activity).await, 200);
    }
    let keys: Vec<Option<u64>> = worker
        .look()
        .deliveries
        .iter()
        .map(|delivery| delivery.dedupe)
        .collect();
    assert_eq!(keys[0], None);
    assert_ne!(keys[1], keys[2]);
    assert_eq!(keys[1], keys[3]);
}

#[actix_web::test]
async fn a_compressed_body_is_inflated() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let body = message("1").to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_bytes()).unwrap();
    let request = world.post(encoder.finish().unwrap()).header(CONTENT_ENCODING, "gzip");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    assert_eq!(worker.look().bodies(), [body]);
}

#[actix_web::test]
async fn a_body_larger_than_a_frame_arrives_whole_and_does_not_hold_up_others() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let mut large = message("1");
    large["text"] = "x".repeat(900_000).into();
    let small = message("2");
    let (large_status, small_status) = tokio::join!(world.status(&large), world.status(&small));
    assert_eq!((large_status, small_status), (200, 200));
    let bodies = worker.look().bodies();
    assert!(bodies.contains(&large.to_string()));
}

#[actix_web::test]
async fn http_2_without_tls_is_understood() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = client
        .post(world.url("/api/messages"))
        .bearer_auth(token())
        .body(message("1").to_string());
    let response = within_time(request.send()).await.unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (reqwest::Version::HTTP_2, 200)
    );
}

#[actix_web::test]
async fn requests_that_come_together_share_frames_and_each_gets_its_own_answer() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|delivery| {
        let text = format!("{{\"id\":\"{}\"}}", delivery.conversation);
        Some(done_with(200, text.leak()))
    });
    let world = World::with(&worker).await;
    let requests = (0..300).map(|number| {
        let mut activity = invoke("task/fetch");
        activity["conversation"]["id"] = format!("a:{number}").into();
        let request = world.post(activity.to_string());
        rt::spawn(async move {
            let response = within_time(request.send()).await.unwrap();
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(body, json!({"id": format!("a:{number}")}));
        })
    });
    for ended in join_all(requests.collect::<Vec<_>>()).await {
        ended.unwrap();
    }
    let state = worker.look();
    assert_eq!(state.batches.iter().sum::<usize>(), 300);
    assert!(
        state.batches.iter().any(|batch| *batch > 1),
        "no frame carried two: {:?}",
        state.batches
    );
}

#[actix_web::test]
async fn each_thread_has_a_stream_of_its_own() {
    let worker = FakeWorker::start().await;
    let mut plan = crate::world::Plan::new(&[&worker]);
    plan.ingress.threads = 3;
    let world = plan.ready().await;
    crate::world::until("three streams are open", || {
        (world.metric("trunkline_ingress_worker_streams") - 3.0).abs() < f64::EPSILON
    })
    .await;
    let mut threads: Vec<u32> = worker.look().hellos.iter().map(|hello| hello.thread).collect();
    threads.sort_unstable();
    assert_eq!(threads, [0, 1, 2]);
}

#[actix_web::test]
async fn a_bot_without_tokens_is_served_and_marked_as_unverified() {
    let worker = FakeWorker::start().await;
    let mut plan = crate::world::Plan::new(&[&worker]);
    plan.verifier.bots[1].accepts_unauthenticated = true;
    let world = plan.ready().await;
    let mut activity = message("1");
    activity["serviceUrl"] = "http://127.0.0.1:56150/".into();
    activity["conversation"] = json!({"id": "local"});
    activity.as_object_mut().unwrap().remove("channelData");
    let request = world.client.post(world.url("/api/messages")).body(activity.to_string());
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    let state = worker.look();
    let claims = state.deliveries[0].claims.as_ref().unwrap();
    assert_eq!(
        (claims.bot.as_str(), claims.tenant.as_str(), claims.verified),
        ("second", "", false)
    );
    assert_eq!(claims.service_url, "http://127.0.0.1:56150/");
}

#[actix_web::test]
async fn every_kind_of_activity_is_accepted_and_forwarded_byte_for_byte() {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../teams/tests/fixtures/activities");
    let samples = std::env::var_os("TRUNKLINE_SAMPLES").map(|samples| PathBuf::from(samples).join("activities"));
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    let mut sent = 0;
    for folder in [Some(own), samples]
        .into_iter()
        .flatten()
        .filter(|folder| folder.exists())
    {
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let body = std::fs::read(&path).unwrap();
            let activity: Value = serde_json::from_slice(&body).unwrap();
            let token = TEAMS.sign(&claims_with("serviceurl", activity["serviceUrl"].clone()));
            let response = world.post_as(&token, body.clone()).send().await.unwrap();
            assert_eq!(response.status().as_u16(), 200, "{}", path.display());
            assert_eq!(
                worker.look().deliveries.last().unwrap().activity,
                body,
                "{}",
                path.display()
            );
            sent += 1;
        }
    }
    assert_eq!(worker.look().deliveries.len(), sent);
}

#[actix_web::test]
async fn one_conversation_is_delivered_in_the_order_of_arrival() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| Some(done()));
    let world = World::with(&worker).await;
    for number in 0..20 {
        assert_eq!(world.status(&message_in("a:order", &number.to_string())).await, 200);
    }
    let sequences: Vec<u64> = worker.look().deliveries.iter().map(|delivery| delivery.seq).collect();
    assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
}

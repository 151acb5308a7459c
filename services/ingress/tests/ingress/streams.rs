//! Streams that break, move, starve and fall silent, with real sockets.

use std::time::{Duration, Instant};

use reqwest::header::RETRY_AFTER;
use trunkline_proto::routing::ToIngress;
use trunkline_store::key::DEFAULT_SHARDS;

use crate::worker::{FakeWorker, done, moved, routes};
use crate::world::{Plan, World, in_background, invoke, message, message_in, until};

#[actix_web::test]
async fn what_a_dead_worker_had_is_sent_again_in_order_to_the_next_process() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| None);
    let world = World::with(&worker).await;
    let mut calls = Vec::new();
    for number in 0..3 {
        calls.push(in_background(world.post(message(&number.to_string()).to_string())));
        until("the worker has it", || worker.look().deliveries.len() == number + 1).await;
    }
    worker.die().await;
    let lost = std::mem::take(&mut worker.look().deliveries);
    worker.on_delivery(|_| Some(done()));
    worker.rise().await;
    for call in calls {
        assert_eq!(call.await.unwrap().status().as_u16(), 200);
    }
    let state = worker.look();
    let identity = |deliveries: &[trunkline_proto::routing::Deliver]| -> Vec<(u64, bytes::Bytes)> {
        deliveries
            .iter()
            .map(|delivery| (delivery.delivery_id, delivery.activity.clone()))
            .collect()
    };
    assert_eq!(identity(&state.deliveries), identity(&lost));
    assert!(
        state.deliveries[0].remaining_ms < lost[0].remaining_ms,
        "the time that has passed is gone"
    );
    assert!((world.metric("trunkline_ingress_resends_total") - 3.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn a_stream_that_breaks_costs_the_caller_little() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| None);
    let world = World::with(&worker).await;
    let call = in_background(world.post(message("1").to_string()));
    until("the worker has it", || worker.look().deliveries.len() == 1).await;
    worker.on_delivery(|_| Some(done()));
    let broken = Instant::now();
    worker.break_streams();
    assert_eq!(call.await.unwrap().status().as_u16(), 200);
    assert!(broken.elapsed() < Duration::from_secs(2), "{:?}", broken.elapsed());
}

#[actix_web::test]
async fn a_moved_shard_is_served_by_the_other_worker() {
    let first = FakeWorker::start().await;
    let second = FakeWorker::start().await;
    first.look().routes = Some(routes(1, &[&first, &second], |_| 0));
    let world = Plan::new(&[&first]).ready().await;
    first.on_delivery(|_| Some(moved()));
    first.look().routes = Some(routes(2, &[&first, &second], |_| 1));
    assert_eq!(world.status(&message("1")).await, 200);
    assert_eq!(world.status(&message("2")).await, 200);
    assert_eq!(second.look().deliveries.len(), 2);
    assert_eq!(first.look().deliveries.len(), 1, "the move was learnt");
}

#[actix_web::test]
async fn without_a_credit_a_request_is_refused_soon() {
    let worker = FakeWorker::start().await;
    worker.look().first_credits = 1;
    worker.on_delivery(|_| None);
    let world = World::with(&worker).await;
    let _held = in_background(world.post(message("1").to_string()));
    until("the worker has it", || worker.look().deliveries.len() == 1).await;
    let started = Instant::now();
    let refused = world.post(message_in("a:other", "2").to_string()).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()[RETRY_AFTER]),
        (503, &"1".parse().unwrap())
    );
    assert!(started.elapsed() >= Duration::from_millis(100));
    // A credit in time is enough.
    let in_time = in_background(world.post(message_in("a:third", "3").to_string()));
    worker.on_delivery(|_| Some(done()));
    until("it waits", || {
        world.metric("trunkline_ingress_credit_waits_total") >= 2.0
    })
    .await;
    worker.say(&ToIngress {
        credits: 1,
        ..ToIngress::default()
    });
    assert_eq!(in_time.await.unwrap().status().as_u16(), 200);
}

#[actix_web::test]
async fn the_worker_is_told_when_a_caller_leaves() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| None);
    let world = World::with(&worker).await;
    let call = in_background(world.post(message("1").to_string()));
    until("the worker has it", || worker.look().deliveries.len() == 1).await;
    call.abort();
    let seq = worker.look().deliveries[0].seq;
    until("the worker knows", || worker.look().cancels == [seq]).await;
    let gone = r#"trunkline_ingress_requests_total{kind="message",outcome="gone"}"#;
    until("it is counted", || world.metric(gone) >= 1.0).await;
    assert!(world.metric("trunkline_ingress_requests_in_flight").abs() < f64::EPSILON);
}

#[actix_web::test]
async fn a_silent_worker_is_given_up_and_its_requests_are_sent_again() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    worker.look().is_silent = true;
    let started = Instant::now();
    let call = in_background(world.post(message("1").to_string()));
    until("the stream is given up", || {
        world.metric("trunkline_ingress_worker_streams").abs() < f64::EPSILON
    })
    .await;
    assert!(
        started.elapsed() > Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    worker.look().is_silent = false;
    assert_eq!(call.await.unwrap().status().as_u16(), 200);
}

#[actix_web::test]
async fn a_quiet_stream_that_answers_pings_stays_open() {
    let worker = FakeWorker::start().await;
    let world = World::with(&worker).await;
    actix_web::rt::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(worker.look().hellos.len(), 1);
    assert_eq!(world.status(&message("1")).await, 200);
}

#[actix_web::test]
async fn an_invoke_that_nobody_answers_gets_504_when_its_time_is_over() {
    let worker = FakeWorker::start().await;
    worker.on_delivery(|_| None);
    let world = World::with(&worker).await;
    let started = Instant::now();
    assert_eq!(world.status(&invoke("composeExtension/query")).await, 504);
    let took = started.elapsed();
    assert!(
        (Duration::from_millis(4_700)..Duration::from_secs(6)).contains(&took),
        "{took:?}"
    );
    until("the worker is told", || worker.look().cancels.len() == 1).await;
}

#[actix_web::test]
async fn a_worker_of_another_cluster_is_not_used() {
    let worker = FakeWorker::start().await;
    worker.look().welcome.shards = 64;
    let world = Plan::new(&[&worker]).start().await;
    until("it has tried", || worker.look().hellos.len() >= 2).await;
    let ready = world.client.get(world.url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status().as_u16(), 503);
    // As soon as it fits, it is used.
    worker.look().welcome.shards = DEFAULT_SHARDS;
    world.until_ready().await;
    assert_eq!(world.status(&message("1")).await, 200);
}

//! Routing tables and what goes with them, with real sockets.

use std::time::{Duration, Instant};

use reqwest::header::CONNECTION;
use trunkline_proto::routing::ToIngress;
use trunkline_store::Triple;
use trunkline_store::key::DEFAULT_SHARDS;

use crate::signer::TENANT;
use crate::worker::{FakeWorker, done, routes};
use crate::world::{PATIENCE, Plan, in_background, message, message_in, until};

/// Shard of the conversation of [`message`].
fn shard() -> u32 {
    Triple::conversation("echo", TENANT, "a:1pR7").shard(DEFAULT_SHARDS).0
}

#[actix_web::test]
async fn a_seed_tells_of_the_other_workers_and_each_gets_its_shards() {
    let (seed, other) = (FakeWorker::start().await, FakeWorker::start().await);
    let table = routes(3, &[&seed, &other], |of| u16::from(of == shard()));
    seed.look().routes = Some(table);
    let world = Plan::new(&[&seed]).ready().await;
    assert_eq!(world.status(&message("1")).await, 200);
    assert_eq!(world.status(&message_in("a:elsewhere", "2")).await, 200);
    assert_eq!((seed.look().deliveries.len(), other.look().deliveries.len()), (1, 1));
    until("both know what is routed by", || {
        (seed.look().map_version, other.look().map_version) == (3, 3)
    })
    .await;
    assert!((world.metric("trunkline_ingress_map_version") - 3.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn a_worker_that_crashes_is_reported_and_its_requests_go_to_the_next_owner() {
    let (doomed, other) = (FakeWorker::start_mortal().await, FakeWorker::start().await);
    doomed.on_delivery(|_| None);
    let table = routes(3, &[&doomed, &other], |of| u16::from(of != shard()));
    other.look().routes = Some(table);
    let world = Plan::new(&[&other]).ready().await;
    let held = in_background(world.post(message("1").to_string()));
    until("the worker has it", || doomed.look().deliveries.len() == 1).await;
    let incarnation = doomed.look().welcome.incarnation;
    let crashed = Instant::now();
    doomed.crash();
    until("it is reported", || other.look().suspects.contains(&incarnation)).await;
    assert!(crashed.elapsed() < Duration::from_secs(2), "{:?}", crashed.elapsed());
    other.say(&ToIngress {
        routes: Some(routes(4, &[&other], |_| 0)),
        ..ToIngress::default()
    });
    assert_eq!(held.await.unwrap().status().as_u16(), 200);
    let state = other.look();
    assert_eq!((state.deliveries.len(), state.deliveries[0].deaths), (1, 1));
}

#[actix_web::test]
async fn a_connection_that_breaks_off_is_reported_before_anybody_finds_that_nobody_listens() {
    let (doomed, other) = (FakeWorker::start_mortal().await, FakeWorker::start().await);
    other.look().routes = Some(routes(3, &[&doomed, &other], |_| 1));
    let _world = Plan::new(&[&other]).ready().await;
    until("it is connected", || doomed.look().hellos.len() == 1).await;
    // Another process has the port at once, so no attempt is refused.
    let address = doomed.address;
    let incarnation = doomed.look().welcome.incarnation;
    let successor = std::thread::spawn(move || {
        let start = Instant::now();
        loop {
            match std::net::TcpListener::bind(address) {
                Ok(listener) => return listener,
                Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
            }
        }
    });
    doomed.crash();
    until("it is reported", || other.look().suspects.contains(&incarnation)).await;
    drop(successor.join().unwrap());
}

#[actix_web::test]
async fn a_worker_that_parts_as_agreed_is_not_reported() {
    let (leaving, other) = (FakeWorker::start().await, FakeWorker::start().await);
    other.look().routes = Some(routes(3, &[&leaving, &other], |_| 1));
    let world = Plan::new(&[&other]).ready().await;
    until("it is connected", || leaving.look().hellos.len() == 1).await;
    leaving.break_streams();
    until("it is connected again", || leaving.look().hellos.len() == 2).await;
    assert!(other.look().suspects.is_empty());
    assert!(world.metric("trunkline_ingress_suspects_total").abs() < f64::EPSILON);
}

#[actix_web::test]
async fn an_operator_drains_an_ingress_and_takes_it_back() {
    let worker = FakeWorker::start().await;
    let world = Plan::new(&[&worker]).ready().await;
    let drain = |is_wanted| ToIngress {
        drain: Some(is_wanted),
        ..ToIngress::default()
    };
    worker.on_delivery(|_| Some(done()));
    worker.say(&drain(true));
    let start = Instant::now();
    loop {
        let probe = world.client.get(world.url("/readyz")).send().await.unwrap();
        if probe.status().as_u16() == 503 {
            assert!(probe.text().await.unwrap().contains("draining"));
            break;
        }
        assert!(start.elapsed() < PATIENCE, "it never drains");
    }
    let served = world.post(message("1").to_string()).send().await.unwrap();
    assert_eq!(
        (served.status().as_u16(), &served.headers()[CONNECTION]),
        (200, &"close".parse().unwrap())
    );
    worker.say(&drain(false));
    world.until_ready().await;
    let served = world.post(message("2").to_string()).send().await.unwrap();
    assert!(!served.headers().contains_key(CONNECTION));
}

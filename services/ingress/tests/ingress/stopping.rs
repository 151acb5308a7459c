//! How an ingress stops.

use std::time::{Duration, Instant};

use reqwest::header::CONNECTION;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_ingress::StopTimes;
use trunkline_proto::routing::outcome::Result as Ended;
use trunkline_proto::routing::{Answer, Outcome, ToIngress};

use crate::worker::FakeWorker;
use crate::world::{Plan, in_background, message, message_in, until, within_time};

#[actix_web::test]
async fn readiness_fails_first_then_connections_are_closed_and_what_is_in_flight_is_finished() {
    let worker = FakeWorker::start().await;
    let mut plan = Plan::new(&[&worker]);
    plan.ingress.stop = StopTimes {
        notice: Duration::from_millis(400),
        finish: Duration::from_secs(10),
    };
    let world = plan.ready().await;
    worker.on_delivery(|_| None);
    let held = in_background(world.post(message("1").to_string()));
    until("it is at the worker", || worker.look().deliveries.len() == 1).await;
    // A connection that idles must not hold up the end.
    let mut idle = TcpStream::connect(world.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    idle.read_exact(&mut some).await.unwrap();

    world.shutdown.cancel();
    let probe = world.client.get(world.url("/readyz")).send().await.unwrap();
    assert_eq!(probe.status().as_u16(), 503);
    assert!(probe.text().await.unwrap().contains("stopping"));
    worker.on_delivery(|_| Some(crate::worker::done()));
    let late = world.post(message_in("a:late", "2").to_string()).send().await.unwrap();
    assert_eq!(
        (late.status().as_u16(), &late.headers()[CONNECTION]),
        (200, &"close".parse().unwrap())
    );
    until("nobody listens", || {
        std::net::TcpStream::connect(world.address).is_err()
    })
    .await;
    assert!(!held.is_finished());
    let seq = worker.look().deliveries[0].seq;
    let done = Ended::Done(Answer {
        status: 200,
        ..Answer::default()
    });
    let outcome = vec![Outcome {
        seq,
        result: Some(done),
    }];
    worker.say(&ToIngress {
        outcome,
        ..ToIngress::default()
    });
    assert_eq!(held.await.unwrap().status().as_u16(), 200);
    let finished = Instant::now();
    within_time(world.serving).await.unwrap().unwrap();
    assert!(
        finished.elapsed() < Duration::from_secs(5),
        "an idle connection held it up"
    );
}

#[actix_web::test]
async fn what_does_not_finish_in_time_is_given_up() {
    let worker = FakeWorker::start().await;
    let mut plan = Plan::new(&[&worker]);
    plan.ingress.stop = StopTimes {
        notice: Duration::ZERO,
        finish: Duration::from_secs(1),
    };
    let world = plan.ready().await;
    worker.on_delivery(|_| None);
    let request = world.post(message("1").to_string());
    let held = actix_web::rt::spawn(request.send());
    until("it is at the worker", || worker.look().deliveries.len() == 1).await;
    let stopped = Instant::now();
    world.shutdown.cancel();
    within_time(world.serving).await.unwrap().unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(5), "{:?}", stopped.elapsed());
    assert!(
        within_time(held).await.unwrap().is_err(),
        "the connection is closed without an answer"
    );
}

//! What is too much, too slow or too many.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONNECTION, CONTENT_ENCODING, RETRY_AFTER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use trunkline_ingress::{Ingress, IngressError, Limits};

use crate::signer::token;
use crate::worker::FakeWorker;
use crate::world::{Plan, World, in_background, message, message_in, until, within_time};

async fn bounded(limits: Limits) -> (FakeWorker, World) {
    let worker = FakeWorker::start().await;
    let mut plan = Plan::new(&[&worker]);
    plan.ingress.limits = limits;
    let world = plan.ready().await;
    (worker, world)
}

/// Sends a request as it stands, and reads until the connection is closed.
async fn raw(world: &World, header: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let token = token();
    let head = format!("POST /api/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{header}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within_time(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let (worker, world) = bounded(Limits {
        body_bytes: 10_000,
        ..Limits::default()
    })
    .await;
    let large = vec![b' '; 10_001];
    let bomb = zipped(&vec![b' '; 50_000_000]);
    let bomb = bomb[..bomb.len().min(10_000)].to_vec();
    for (what, request) in [
        ("announced", world.post(large)),
        ("inflated", world.post(bomb).header(CONTENT_ENCODING, "gzip")),
    ] {
        let response = within_time(request.send()).await.unwrap();
        assert_eq!(response.status().as_u16(), 413, "{what}");
        assert_eq!(response.headers()[CONNECTION], "close", "{what}");
    }
    let chunk = format!("2711\r\n{}\r\n0\r\n\r\n", " ".repeat(10_001));
    let answer = raw(&world, "transfer-encoding: chunked", &chunk).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(worker.look().deliveries.is_empty());
    // One byte less is served.
    let mut activity = message("1");
    let rest = 10_000 - activity.to_string().len();
    activity["text"] = format!("good morning{}", "x".repeat(rest)).into();
    assert_eq!(activity.to_string().len(), 10_000);
    assert_eq!(world.status(&activity).await, 200);
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_answered_with_408_and_the_connection_closed() {
    let (_worker, world) = bounded(Limits {
        body_time: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let answer = raw(&world, "content-length: 100", "{").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[actix_web::test]
async fn a_head_that_does_not_come_is_answered_with_408_and_the_connection_closed() {
    let (_worker, world) = bounded(Limits {
        head_time: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    socket.write_all(b"POST /api/messages HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = String::new();
    within_time(socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[actix_web::test]
async fn a_request_over_the_bound_in_flight_is_asked_to_come_again() {
    let (worker, world) = bounded(Limits {
        requests_in_flight: 2,
        ..Limits::default()
    })
    .await;
    worker.on_delivery(|_| None);
    for number in 0..2 {
        let activity = message_in(&format!("a:{number}"), "1");
        let _held = in_background(world.post(activity.to_string()));
    }
    until("both are at the worker", || worker.look().deliveries.len() == 2).await;
    let refused = world.post(message("3").to_string()).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()[RETRY_AFTER]),
        (503, &"1".parse().unwrap())
    );
    assert!(world.metric(r#"trunkline_ingress_refusals_total{reason="too_many_requests"}"#) > 0.0);
}

#[actix_web::test]
async fn a_connection_survives_what_is_refused_on_it() {
    let (_worker, world) = bounded(Limits {
        requests_in_flight: 0,
        ..Limits::default()
    })
    .await;
    let body = message("1").to_string();
    let head = format!(
        "POST /api/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        token(),
        body.len()
    );
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    for _ in 0..3 {
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body.as_bytes()).await.unwrap();
        let answer = within_time(one_answer(&mut socket)).await.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 503 "), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    // What does not come is not waited for.
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within_time(socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
}

/// The head of the next answer and its body, whose length the head tells.
async fn one_answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let is_whole = |answer: &[u8]| {
        let text = String::from_utf8_lossy(answer).to_ascii_lowercase();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        (body.len() >= length.parse::<usize>().ok()?).then_some(())
    };
    while is_whole(&answer).is_none() {
        let mut part = [0; 1_024];
        let read = socket.read(&mut part).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8(answer).unwrap()
}

#[actix_web::test]
async fn bytes_in_flight_are_bounded_too() {
    let (worker, world) = bounded(Limits {
        bytes_in_flight: 1_500,
        ..Limits::default()
    })
    .await;
    worker.on_delivery(|_| None);
    let mut large = message("1");
    large["text"] = "x".repeat(900).into();
    let _held = in_background(world.post(large.to_string()));
    until("it is at the worker", || worker.look().deliveries.len() == 1).await;
    let refused = world.post(large.to_string()).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    assert!(world.metric(r#"trunkline_ingress_refusals_total{reason="too_many_bytes"}"#) > 0.0);
}

#[actix_web::test]
async fn a_caller_that_waits_for_100_continue_gets_it() {
    let (_worker, world) = bounded(Limits::default()).await;
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let body = message("1").to_string();
    let head = format!(
        "POST /api/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        token(),
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    within_time(socket.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within_time(socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[actix_web::test]
async fn a_setting_that_cannot_work_is_named_at_the_start() {
    let worker = FakeWorker::start().await;
    let bind = async |change: &dyn Fn(&mut Plan)| {
        let mut plan = Plan::new(&[&worker]);
        change(&mut plan);
        let verifier = trunkline_teams::identity::Verifier::new(plan.verifier, reqwest::Client::new()).unwrap();
        Ingress::bind(
            plan.ingress,
            verifier.into(),
            &mut prometheus_client::registry::Registry::default(),
        )
        .await
    };
    let error = bind(&|plan| plan.ingress.limits.body_bytes = 5_000_000)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            IngressError::OutOfRange {
                setting: "limits.body_bytes",
                value: 5_000_000,
                ..
            }
        ),
        "{error}"
    );
    let error = bind(&|plan| plan.ingress.limits.body_depth = 1_000).await.unwrap_err();
    assert!(
        matches!(
            error,
            IngressError::OutOfRange {
                setting: "limits.body_depth",
                ..
            }
        ),
        "{error}"
    );
    let error = bind(&|plan| plan.ingress.workers.clear()).await.unwrap_err();
    assert!(matches!(error, IngressError::NoWorkers), "{error}");
    let error = bind(&|plan| plan.ingress.workers[0] = "not an address".into())
        .await
        .unwrap_err();
    assert!(matches!(error, IngressError::WorkerAddress { .. }), "{error}");
    let error = bind(&|plan| plan.ingress.listen[0] = worker.address).await.unwrap_err();
    assert!(
        matches!(error, IngressError::Listen { address, .. } if address == worker.address),
        "{error}"
    );
    let error = bind(&|plan| {
        plan.ingress.listen[0] = ([0, 0, 0, 0], 0).into();
        plan.verifier.bots[0].accepts_unauthenticated = true;
    })
    .await
    .unwrap_err();
    assert!(
        matches!(error, IngressError::UnauthenticatedBeyondLoopback { .. }),
        "{error}"
    );
}

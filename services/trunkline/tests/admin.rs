//! The port for operators.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/promtool.rs"]
mod promtool;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};
use promtool::promtool_accepts;
use tokio_util::sync::CancellationToken;
use trunkline::telemetry::{Admin, Health, Metrics};

struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

/// Asks a running admin server for each path with this Accept header.
fn ask(metrics: Metrics, health: Health, paths: &[(&str, &str)]) -> Vec<Answer> {
    actix_web::rt::System::new().block_on(async {
        let shutdown = CancellationToken::new();
        let admin = Admin::bind("127.0.0.1:0".parse().unwrap(), metrics, health).unwrap();
        let address = admin.addresses()[0];
        let served = actix_web::rt::spawn(admin.serve(shutdown.clone()));
        let client = reqwest::Client::new();
        let mut answers = Vec::new();
        for (path, accept) in paths {
            let response = client
                .get(format!("http://{address}{path}"))
                .header("accept", *accept)
                .send()
                .await
                .unwrap();
            answers.push(Answer {
                status: response.status().as_u16(),
                content_type: response.headers()["content-type"].to_str().unwrap().to_owned(),
                body: response.text().await.unwrap(),
            });
        }
        shutdown.cancel();
        served.await.unwrap().unwrap();
        answers
    })
}

fn metrics_with_a_role() -> Metrics {
    let metrics = Metrics::of_process();
    let mut role = Registry::default();
    let turns = Counter::<u64>::default();
    turns.inc();
    role.register("trunkline_worker_turns", "Turns that were committed", turns);
    role.register_with_unit(
        "trunkline_worker_uptime",
        "Time since the start",
        Unit::Seconds,
        prometheus_client::metrics::gauge::Gauge::<i64>::default(),
    );
    metrics.add(role);
    metrics
}

#[test]
fn metrics_are_what_prometheus_accepts() {
    let answers = ask(metrics_with_a_role(), Health::default(), &[("/metrics", "text/plain")]);
    let answer = &answers[0];
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    for name in [
        "trunkline_build_info",
        "process_cpu_seconds_total",
        "trunkline_worker_turns_total 1",
    ] {
        assert!(answer.body.contains(name), "{name} is missing:\n{}", answer.body);
    }
    promtool_accepts(&answer.body);
}

#[test]
fn a_scraper_that_asks_for_openmetrics_gets_it() {
    let answers = ask(
        metrics_with_a_role(),
        Health::default(),
        &[("/metrics", "application/openmetrics-text")],
    );
    assert!(answers[0].content_type.starts_with("application/openmetrics-text"));
    assert!(answers[0].body.ends_with("# EOF\n"), "{}", answers[0].body);
}

#[test]
fn a_process_is_alive_before_it_is_ready() {
    let health = Health::default();
    let answers = ask(
        Metrics::default(),
        health.clone(),
        &[("/livez", "*/*"), ("/readyz", "*/*")],
    );
    assert_eq!((answers[0].status, answers[1].status), (200, 503));
    assert_eq!(answers[1].body, "starting\n");
    health.started();
    let answers = ask(Metrics::default(), health, &[("/readyz", "*/*")]);
    assert_eq!(answers[0].status, 200);
}

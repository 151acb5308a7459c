//! Every refusal over HTTP: its status, its counter, its line in the log, and a body that says nothing.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use reqwest::header::{ALLOW, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;
use trunkline_teams::identity::Refusal;
use trunkline_teams::identity::source::TEAMS as TEAMS_NETWORKS;

use crate::signer::{IMPOSTOR, NOW, OTHER_CHANNEL, TEAMS, TENANT, UNKNOWN, claims, claims_with, token};
use crate::worker::FakeWorker;
use crate::world::{Plan, World, message, until};

/// Everything that the process logs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The threads of an ingress are its own, so the log is the process's.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    tracing_subscriber::fmt()
        .json()
        .with_writer(log.clone())
        .with_max_level(tracing::Level::INFO)
        .init();
    log
});

/// Lines about refusals with that reason.
fn lines(reason: &str) -> Vec<Value> {
    let bytes = LOG.0.lock().unwrap().clone();
    let lines = String::from_utf8(bytes).unwrap();
    let lines = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["fields"]["reason"] == reason).collect()
}

async fn send(request: RequestBuilder) -> (u16, Response) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response)
}

async fn refusing_world() -> (FakeWorker, World) {
    LazyLock::force(&LOG);
    let worker = FakeWorker::start().await;
    let mut plan = Plan::new(&[&worker]);
    plan.verifier.bots[0].allowed_tenants = vec![TENANT.into()];
    let world = plan.ready().await;
    (worker, world)
}

fn count(world: &World, reason: &str) -> f64 {
    world.metric(&format!(r#"trunkline_ingress_refusals_total{{reason="{reason}"}}"#))
}

#[actix_web::test]
async fn each_refusal_has_its_status_its_counter_and_a_body_that_says_nothing() {
    let (worker, world) = refusing_world().await;
    let good = message("1").to_string();
    let with = |name: &str, value: Value| {
        let mut activity = message("1");
        activity[name] = value;
        activity.to_string()
    };
    let deep = format!(
        r#"{{"type":"message","value":{}1{}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    let long = with("conversation", json!({"id": "x".repeat(2_000), "tenantId": TENANT}));
    let claim = |name: &str, value: Value| TEAMS.sign(&claims_with(name, value));
    let several = world.post(good.clone()).header("authorization", "Bearer another");
    for (reason, status, request) in [
        (
            "no_token",
            401,
            world.client.post(world.url("/api/messages")).body(good.clone()),
        ),
        ("several_tokens", 401, several),
        ("malformed", 401, world.post_as("nonsense", good.clone())),
        (
            "algorithm",
            401,
            world.post_as(&TEAMS.sign_as("none", &claims()), good.clone()),
        ),
        (
            "unknown_issuer",
            401,
            world.post_as(&claim("iss", json!("https://sts.windows.net/x/")), good.clone()),
        ),
        (
            "wrong_audience",
            401,
            world.post_as(
                &claim("aud", json!("11111111-2222-4333-8444-555555555555")),
                good.clone(),
            ),
        ),
        (
            "expired",
            401,
            world.post_as(&claim("exp", json!(NOW - 301)), good.clone()),
        ),
        (
            "not_yet_valid",
            401,
            world.post_as(&claim("nbf", json!(NOW + 301)), good.clone()),
        ),
        (
            "key_unknown",
            401,
            world.post_as(&UNKNOWN.sign(&claims()), good.clone()),
        ),
        (
            "bad_signature",
            401,
            world.post_as(&IMPOSTOR.sign(&claims()), good.clone()),
        ),
        (
            "endorsement_missing",
            403,
            world.post_as(&OTHER_CHANNEL.sign(&claims()), good.clone()),
        ),
        (
            "service_url_mismatch",
            403,
            world.post(with("serviceUrl", json!("https://evil.example/"))),
        ),
        (
            "tenant_not_allowed",
            403,
            world.post(with("conversation", json!({"id": "a:1", "tenantId": "another"}))),
        ),
        ("unreadable_json", 400, world.post("{")),
        ("not_an_object", 400, world.post("[]")),
        ("too_deep", 400, world.post(deep)),
        ("no_type", 400, world.post(with("type", json!("")))),
        ("no_conversation", 400, world.post(with("conversation", json!({})))),
        ("text_too_long", 400, world.post(long)),
        (
            "encoding",
            415,
            world.post(good.clone()).header("content-encoding", "br"),
        ),
        (
            "body_unreadable",
            400,
            world.post(good.clone()).header("content-encoding", "gzip"),
        ),
    ] {
        let (seen, response) = send(request).await;
        assert_eq!(seen, status, "{reason}");
        assert_eq!(response.text().await.unwrap(), Refusal::BODY, "{reason}");
        assert!(
            (count(&world, reason) - 1.0).abs() < f64::EPSILON,
            "{reason} is not counted"
        );
    }
    assert!(worker.look().deliveries.is_empty());
    let rejected = r#"trunkline_ingress_requests_total{kind="unknown",outcome="rejected"}"#;
    assert!(world.metric(rejected) > 0.0);
}

#[actix_web::test]
async fn a_refusal_is_logged_with_its_claims_and_without_the_token_and_at_most_once_a_second() {
    let (_worker, world) = refusing_world().await;
    let expired = TEAMS.sign(&claims_with("exp", NOW - 4_000));
    let secret = "the launch is on friday";
    let mut activity = message("1");
    activity["text"] = secret.into();
    for _ in 0..20 {
        let (status, _) = send(world.post_as(&expired, activity.to_string())).await;
        assert_eq!(status, 401);
    }
    let mine = |line: &Value| line["fields"]["expires"] == json!(NOW - 4_000);
    let written = lines("expired").into_iter().filter(mine).count();
    assert!((1..20).contains(&written), "{written} lines for 20 refusals");
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1_010)).await;
    send(world.post_as(&expired, activity.to_string())).await;
    let line = lines("expired").into_iter().rfind(mine).unwrap();
    let fields = &line["fields"];
    assert_eq!((&line["level"], &fields["code"]), (&json!("WARN"), &json!("TL-1007")));
    assert_eq!((&fields["key"], &fields["status"]), (&json!("teams-key"), &json!(401)));
    assert_eq!(fields["source"], json!("127.0.0.1"));
    assert_eq!(fields["left_out"], json!(20 - written));
    let log = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    let signature = expired.rsplit('.').next().unwrap();
    assert!(!log.contains(signature) && !log.contains(secret));
}

#[actix_web::test]
async fn any_method_but_post_is_refused() {
    let (_worker, world) = refusing_world().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let (status, response) = send(world.client.request(method.clone(), world.url("/api/messages"))).await;
        assert_eq!(status, 405, "{method}");
        assert_eq!(response.headers()[ALLOW], "POST", "{method}");
    }
    assert!((count(&world, "method") - 6.0).abs() < f64::EPSILON);
    assert_eq!(send(world.client.get(world.url("/other"))).await.0, 404);
}

#[actix_web::test]
async fn without_keys_the_caller_is_asked_to_come_again_and_the_probe_fails() {
    LazyLock::force(&LOG);
    let worker = FakeWorker::start().await;
    let plan = Plan::new(&[&worker]);
    plan.login.set_keys(None);
    let world = plan.start().await;
    until("the worker is connected", || {
        world.metric("trunkline_ingress_worker_streams") > 0.0
    })
    .await;
    let (status, response) = send(world.post(message("1").to_string())).await;
    assert_eq!((status, &response.headers()[RETRY_AFTER]), (503, &"5".parse().unwrap()));
    let (status, response) = send(world.client.get(world.url("/readyz"))).await;
    assert_eq!(
        (status, response.text().await.unwrap().contains("signing keys")),
        (503, true)
    );
    assert_eq!(send(world.client.get(world.url("/livez"))).await.0, 200);
    world.login.set_keys(Some(vec![TEAMS.jwk.clone()]));
    world.until_ready().await;
    assert_eq!(world.status(&message("1")).await, 200);
    // Keys that are there stay when the host goes.
    world.login.set_keys(None);
    assert_eq!(
        send(world.post_as(&UNKNOWN.sign(&claims()), message("2").to_string()))
            .await
            .0,
        401
    );
    assert_eq!(world.status(&message("3")).await, 200);
    world.until_ready().await;
}

#[actix_web::test]
async fn only_the_configured_networks_may_come_and_only_configured_proxies_are_believed() {
    LazyLock::force(&LOG);
    let worker = FakeWorker::start().await;
    let mut plan = Plan::new(&[&worker]);
    plan.ingress.sources.allowed = TEAMS_NETWORKS.parsed().collect();
    let strict = plan.ready().await;
    let forwarded =
        |world: &World, source: &str| world.post(message("1").to_string()).header("x-forwarded-for", source);
    assert_eq!(strict.status(&message("1")).await, 403);
    assert_eq!(
        send(forwarded(&strict, "52.112.0.9")).await.0,
        403,
        "who is no proxy is not believed"
    );
    assert!((count(&strict, "source_not_allowed") - 2.0).abs() < f64::EPSILON);
    let mut plan = Plan::new(&[&worker]);
    plan.ingress.sources.allowed = TEAMS_NETWORKS.parsed().collect();
    plan.ingress.sources.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let proxied = plan.ready().await;
    assert_eq!(send(forwarded(&proxied, "52.112.0.9")).await.0, 200);
    assert_eq!(send(forwarded(&proxied, "52.112.0.9, 203.0.113.5")).await.0, 403);
}

#[actix_web::test]
async fn a_token_in_any_case_of_its_scheme_is_a_token() {
    let (_worker, world) = refusing_world().await;
    let client = Client::new();
    let request = client
        .post(world.url("/api/messages"))
        .header("authorization", format!("bearer {}", token()));
    assert_eq!(send(request.body(message("1").to_string())).await.0, 200);
}

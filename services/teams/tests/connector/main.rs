//! The client of the Connector against a real server on loopback that fails in every documented way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod samples;
mod streams;
#[path = "../support/loopback.rs"]
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rstest::rstest;
use support::{Loopback, Reply};
use trunkline_teams::connector::{
    Call, Connector, Consequence, ErrorCode, Failure, InDoubt, NewConversation, RetryPolicy, http_client,
};
use trunkline_teams::service_url::{ServiceUrl, Trust};
use trunkline_teams::token::{AccessToken, TokenError, TokenProvider};

const CHAT: &str = "19:chat@thread.v2;messageid=17";
const CREATED: Reply = Reply::Answer(201, &[], r#"{"id":"1801"}"#);
const MESSAGE: Bytes = Bytes::from_static(br#"{"type":"message","text":"hi"}"#);

/// Tokens `token-0`, `token-1`, ..: the next one whenever the last was refused.
#[derive(Default)]
struct Tokens {
    number: AtomicUsize,
    refused: Mutex<Vec<AccessToken>>,
}

impl TokenProvider for Tokens {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        let text = format!("token-{}", self.number.load(Ordering::SeqCst));
        Box::pin(async move { AccessToken::new(&text, SystemTime::now() + Duration::from_secs(3600)).map(Arc::new) })
    }

    fn invalidate(&self, rejected: &AccessToken) {
        self.refused.lock().unwrap().push(rejected.clone());
        self.number.fetch_add(1, Ordering::SeqCst);
    }
}

fn quick() -> RetryPolicy {
    RetryPolicy {
        first_pause: Duration::from_millis(5),
        ..RetryPolicy::default()
    }
}

fn client() -> Connector {
    let http = http_client().no_proxy().build().unwrap();
    let connector = Connector::new(http, Some(Arc::new(Tokens::default())));
    connector.with_policy(quick()).with_attempt_time(Duration::from_secs(5))
}

fn trusted(base: &str) -> ServiceUrl {
    ServiceUrl::parse(base)
        .unwrap()
        .trusted(Trust::VerifiedActivity)
        .unwrap()
}

fn base(server: &Loopback) -> String {
    format!("{}/amer/t1/", server.origin())
}

async fn world(script: impl IntoIterator<Item = Reply>) -> (Loopback, ServiceUrl) {
    let server = Loopback::start(script).await;
    let base = trusted(&base(&server));
    (server, base)
}

#[tokio::test]
async fn a_message_goes_out_with_token_type_and_escaped_ids() {
    let (server, base) = world([CREATED]).await;
    let sent = client().send(&base, CHAT, MESSAGE).await.unwrap();
    assert_eq!(sent.id.as_deref(), Some("1801"));
    let request = &server.requests()[0];
    let expected = "POST /amer/t1/v3/conversations/19%3Achat%40thread.v2%3Bmessageid%3D17/activities HTTP/1.1";
    assert_eq!(request.line, expected);
    assert_eq!(request.header("authorization"), Some("Bearer token-0"));
    assert_eq!(request.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(request.body.as_bytes(), &MESSAGE);
}

#[tokio::test]
async fn each_call_has_its_method_and_path() {
    let page = r#"{"members":[{"id":"29:ines","aadObjectId":"o1"},{"id":"29:joao"}],"continuationToken":"next"}"#;
    let (server, base) = world([
        Reply::Answer(201, &[], r#"{"id":"2"}"#),
        Reply::Answer(200, &[], r#"{"id":"1"}"#),
        Reply::Answer(200, &[], ""),
        Reply::Answer(201, &[], r#"{"id":"a:1","activityId":null}"#),
        Reply::Answer(200, &[], page),
        Reply::Answer(200, &[], r#"{"id":"29:ines","objectId":"o1"}"#),
        Reply::Answer(202, &[], "{}"),
    ])
    .await;
    let client = client();
    client.reply(&base, "a:1", "f:0", MESSAGE).await.unwrap();
    client.update(&base, "a:1", "1", MESSAGE).await.unwrap();
    client.delete(&base, "a:1", "1").await.unwrap();
    let chat = NewConversation::personal("t1", "29:ines", None).unwrap();
    let created = client.create_conversation(&base, &chat).await.unwrap();
    assert_eq!((created.id.as_str(), created.activity_id), ("a:1", None));
    let members = client.members(&base, "19:c", 10, Some("a+b")).await.unwrap();
    assert_eq!(
        (members.members.len(), members.continuation_token.as_deref()),
        (2, Some("next"))
    );
    let member = client.member(&base, "19:c", "ines@lusitania.example").await.unwrap();
    assert_eq!(member.entra_object_id(), Some("o1"));
    client.typing(&base, "a:1").await.unwrap();

    let lines: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.line.replace(" HTTP/1.1", ""))
        .collect();
    let expected = [
        "POST /amer/t1/v3/conversations/a%3A1/activities/f%3A0",
        "PUT /amer/t1/v3/conversations/a%3A1/activities/1",
        "DELETE /amer/t1/v3/conversations/a%3A1/activities/1",
        "POST /amer/t1/v3/conversations",
        "GET /amer/t1/v3/conversations/19%3Ac/pagedmembers?pageSize=50&continuationToken=a%2Bb",
        "GET /amer/t1/v3/conversations/19%3Ac/members/ines%40lusitania.example",
        "POST /amer/t1/v3/conversations/a%3A1/activities",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn connections_are_used_again() {
    let (server, base) = world([CREATED, CREATED, CREATED]).await;
    let client = client();
    for _ in 0..3 {
        client.send(&base, CHAT, MESSAGE).await.unwrap();
    }
    assert!(server.requests().iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn trace_context_and_targeting_are_passed_on() {
    let (server, base) = world([Reply::Answer(202, &[], "{}")]).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let call = Call::send(&base, "19:c", MESSAGE)
        .unwrap()
        .targeted()
        .with_traceparent(trace);
    assert_eq!(client().attempt(&call).await.unwrap().sent().id, None);
    let request = &server.requests()[0];
    assert_eq!(request.header("traceparent"), Some(trace));
    assert!(
        request.line.contains("/activities?isTargetedActivity=true "),
        "{}",
        request.line
    );
}

#[tokio::test]
async fn the_token_stays_here_unless_the_address_is_trusted() {
    let (server, _) = world([CREATED]).await;
    let stranger = ServiceUrl::parse(&base(&server)).unwrap();
    let error = client().send(&stranger, CHAT, MESSAGE).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Untrusted { .. }), "{error}");
    assert!(error.is_final() && !error.in_doubt);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_client_without_tokens_shows_none() {
    let (server, _) = world([CREATED]).await;
    let client = Connector::new(http_client().no_proxy().build().unwrap(), None);
    client
        .send(&ServiceUrl::parse(&base(&server)).unwrap(), CHAT, MESSAGE)
        .await
        .unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[rstest]
#[case(412)]
#[case(429)]
#[case(502)]
#[case(503)]
#[case(504)]
#[tokio::test]
async fn what_may_pass_is_tried_again(#[case] status: u16) {
    let (server, base) = world([Reply::Answer(status, &[], ""), Reply::Answer(status, &[], ""), CREATED]).await;
    assert_eq!(
        client().send(&base, CHAT, MESSAGE).await.unwrap().id.as_deref(),
        Some("1801")
    );
    assert_eq!(server.requests().len(), 3);
}

#[rstest]
#[case(400, "BadSyntax", Consequence::TellAuthor)]
#[case(403, "BotNotInConversationRoster", Consequence::WaitForInstallation)]
#[case(404, "ConversationNotFound", Consequence::ForgetConversation)]
#[case(413, "MessageSizeTooBig", Consequence::Shrink)]
#[case(500, "ServiceError", Consequence::TryLater)]
#[tokio::test]
async fn what_is_refused_is_not_tried_again(
    #[case] status: u16,
    #[case] code: &'static str,
    #[case] consequence: Consequence,
) {
    let body: &'static str = format!(r#"{{"error":{{"code":"{code}","message":"no"}}}}"#).leak();
    let (server, base) = world([Reply::Answer(status, &[], body)]).await;
    let error = client().send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert_eq!(
        (error.status(), error.code()),
        (Some(status), Some(&ErrorCode::read(code)))
    );
    assert_eq!(error.correlation.as_deref(), Some("cv.1"));
    assert_eq!(error.consequence(), consequence);
    assert!(error.is_final());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let (_server, base) = world([Reply::Answer(429, &[("Retry-After", "1")], ""), CREATED]).await;
    let started = Instant::now();
    client().send(&base, CHAT, MESSAGE).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn retry_after_beyond_the_budget_is_reported_at_once() {
    let (server, base) = world([Reply::Answer(429, &[("Retry-After", "3600")], "")]).await;
    let error = client().send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)));
    assert!(!error.is_final());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn attempts_end() {
    let (server, base) = world(vec![Reply::Answer(503, &[], ""); 20]).await;
    let client = client().with_policy(RetryPolicy { attempts: 3, ..quick() });
    assert_eq!(client.send(&base, CHAT, MESSAGE).await.unwrap_err().status(), Some(503));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let refused = Reply::Answer(
        401,
        &[],
        r#"{"error":{"code":"AuthorizationError","message":"expired"}}"#,
    );
    let (server, base) = world([refused.clone(), CREATED, refused.clone(), refused]).await;
    let client = client();
    client.send(&base, CHAT, MESSAGE).await.unwrap();
    let error = client.send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert!(error.is_final() && error.status() == Some(401));
    let tokens: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(
        tokens,
        ["Bearer token-0", "Bearer token-1", "Bearer token-1", "Bearer token-2"]
    );
}

#[tokio::test]
async fn a_bot_that_is_not_registered_asks_for_no_other_token() {
    let refused = Reply::Answer(401, &[], r#"{"error":{"code":"BotNotRegistered"}}"#);
    let (server, base) = world([refused]).await;
    let error = client().send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert_eq!(error.consequence(), Consequence::TellOperator);
    assert_eq!(server.requests().len(), 1);
}

#[rstest]
#[case::gateway(Reply::Answer(502, &[], ""))]
#[case::gateway_timeout(Reply::Answer(504, &[], ""))]
#[case::internal(Reply::Answer(500, &[], ""))]
#[case::closed(Reply::Close)]
#[case::garbage(Reply::Raw("220 smtp.example ESMTP\r\n"))]
#[case::silent(Reply::Silence)]
#[tokio::test]
async fn a_send_whose_fate_is_unknown_is_in_doubt_and_not_repeated_if_told_so(#[case] fault: Reply) {
    let (server, base) = world([fault, CREATED]).await;
    let call = Call::send(&base, CHAT, MESSAGE).unwrap().if_in_doubt(InDoubt::Skip);
    let client = client().with_attempt_time(Duration::from_millis(300));
    let error = client.call(&call).await.unwrap_err();
    assert!(error.in_doubt, "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_broken_send_is_repeated_otherwise() {
    let (server, base) = world([Reply::Close, CREATED]).await;
    client().send(&base, CHAT, MESSAGE).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn doubt_of_an_earlier_attempt_is_not_forgotten() {
    let refused = Reply::Answer(403, &[], r#"{"error":{"code":"BotNotInConversationRoster"}}"#);
    let (_server, base) = world([Reply::Answer(504, &[], ""), refused]).await;
    let error = client().send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert!(error.is_final() && error.in_doubt);
}

#[tokio::test]
async fn a_send_that_was_taken_is_done_even_if_its_answer_is_cut_off() {
    let (server, base) = world([Reply::CloseInBody(201)]).await;
    assert_eq!(client().send(&base, CHAT, MESSAGE).await.unwrap().id, None);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn updates_and_deletes_are_never_in_doubt() {
    let (_server, base) = world([Reply::Close]).await;
    let call = Call::update(&base, CHAT, "1", MESSAGE)
        .unwrap()
        .if_in_doubt(InDoubt::Skip);
    let error = client().attempt(&call).await.unwrap_err();
    assert!(!error.in_doubt);
    assert_eq!(call.in_doubt(), InDoubt::Resend);
}

#[tokio::test]
async fn a_host_that_is_not_there_leaves_no_doubt() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let call = Call::send(&trusted(&closed), CHAT, MESSAGE).unwrap();
    let error = client().attempt(&call).await.unwrap_err();
    assert!(matches!(error.failure, Failure::NotConnected(_)), "{error:?}");
    assert!(!error.in_doubt && !error.is_final());
    assert!(
        !format!("{error:?}").contains("chat"),
        "errors hold no conversation ids: {error:?}"
    );
}

#[rstest]
#[case("ActivityNotFoundInConversation", true)]
#[case("ConversationNotFound", true)]
#[case("Other", false)]
#[tokio::test]
async fn a_message_that_is_gone_counts_as_deleted(#[case] code: &str, #[case] done: bool) {
    let body: &'static str = format!(r#"{{"error":{{"code":"{code}"}}}}"#).leak();
    let (_server, base) = world([Reply::Answer(404, &[], body)]).await;
    assert_eq!(client().delete(&base, CHAT, "1").await.is_ok(), done);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (server, base) = world([Reply::Answer(302, &[("Location", "http://127.0.0.1:1/")], ""), CREATED]).await;
    let error = client().send(&base, CHAT, MESSAGE).await.unwrap_err();
    assert_eq!(error.status(), Some(302));
    assert_eq!(server.requests().len(), 1);
}

/// Never gives a token.
struct NoTokens;

impl TokenProvider for NoTokens {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(std::future::pending())
    }

    fn invalidate(&self, _: &AccessToken) {}
}

#[tokio::test]
async fn a_token_that_does_not_come_leaves_no_doubt_about_the_message() {
    let (server, base) = world([CREATED]).await;
    let client = Connector::new(http_client().no_proxy().build().unwrap(), Some(Arc::new(NoTokens)));
    let client = client.with_attempt_time(Duration::from_millis(50));
    let error = client
        .attempt(&Call::send(&base, CHAT, MESSAGE).unwrap())
        .await
        .unwrap_err();
    assert!(!error.in_doubt && !error.is_final(), "{error}");
    assert!(server.requests().is_empty());
}

/// Gives a token, and takes away the permission to send while it is waited for.
struct Slow(Arc<AtomicUsize>);

impl TokenProvider for Slow {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        self.0.store(1, Ordering::SeqCst);
        Box::pin(async { AccessToken::new("late", SystemTime::now() + Duration::from_secs(3600)).map(Arc::new) })
    }

    fn invalidate(&self, _: &AccessToken) {}
}

#[tokio::test]
async fn permission_that_went_while_a_token_was_waited_for_withholds_the_request() {
    let (server, base) = world([CREATED]).await;
    let withheld = Arc::new(AtomicUsize::new(0));
    let (asked, http) = (withheld.clone(), http_client().no_proxy().build().unwrap());
    let client = Connector::new(http, Some(Arc::new(Slow(withheld))))
        .with_permission(Arc::new(move || asked.load(Ordering::SeqCst) == 0));
    let error = client
        .attempt(&Call::send(&base, CHAT, MESSAGE).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Withheld), "{error}");
    assert!(!error.in_doubt && !error.is_final(), "{error}");
    assert!(server.requests().is_empty());
}

//! What goes wrong, and whether the operation was certainly not done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use rstest::rstest;
use trunkline_teams::calls::MediaInfo;
use trunkline_teams::connector::{RetryPolicy, http_client};
use trunkline_teams::graph::{Client, Errand, Failure, GraphError, OfParticipant, Operation, PlayPrompt, Told};
use trunkline_teams::token::{AccessToken, TenantTokens, TokenError, TokenProvider};

use crate::support::{Loopback, Reply};
use crate::{TENANT, client_at, errand, errand_within, perform, world};

const ALIVE: Reply = Reply::Answer(200, &[], "");
const RUNNING: Reply = Reply::Answer(200, &[], r#"{"id":"op-1","status":"running"}"#);

/// May not be repeated.
fn prompt() -> Operation {
    Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(
        "https://bot.lusitania.example/a.wav",
        "a",
    ))))
}

fn refusal(status: u16, code: &str) -> Reply {
    let body = format!(r#"{{"error":{{"code":"{code}","message":"No.","innerError":{{"date":"2026-05-04"}}}}}}"#);
    Reply::Answer(status, &[("request-id", "r-1")], body.leak())
}

#[rstest]
#[case(400, "8501")]
#[case(401, "InvalidAuthenticationToken")]
#[case(403, "7504")]
#[case(404, "8522")]
#[case(405, "8520")]
#[case(412, "8585")]
#[case(302, "")]
#[tokio::test]
async fn a_refusal_is_certain_and_is_not_tried_again(#[case] status: u16, #[case] code: &str) {
    let attempts = if status == 401 { 2 } else { 1 };
    let (server, client) = world(vec![refusal(status, code); 9]).await;
    let error = perform(&client, &Operation::KeepAlive).await.unwrap_err();
    assert!(error.is_certain());
    assert_eq!(error.is_gone(), status == 404);
    let GraphError::Refused {
        status: seen,
        code: told,
        message,
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((seen, told.as_str(), message.as_str()), (status, code, "No."));
    assert_eq!(server.requests().len(), attempts);
}

#[rstest]
#[case("")]
#[case("<html>forbidden</html>")]
#[case("[]")]
#[case(r#"{"error":"text"}"#)]
#[case(r#"{"error":{"code":null,"message":7}}"#)]
#[tokio::test]
async fn a_refusal_without_a_readable_body_keeps_its_status(#[case] body: &'static str) {
    let (_server, client) = world([Reply::Answer(403, &[], body)]).await;
    let error = perform(&client, &prompt()).await.unwrap_err();
    assert!(
        matches!(&error, GraphError::Refused { status: 403, code, .. } if code.is_empty()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_code_that_comes_as_a_number_is_read() {
    let (_server, client) = world([Reply::Answer(400, &[], r#"{"error":{"code":8523,"message":"x"}}"#)]).await;
    let error = perform(&client, &prompt()).await.unwrap_err();
    assert!(
        matches!(&error, GraphError::Refused { code, .. } if code == "8523"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (server, client) = world([refusal(401, "InvalidAuthenticationToken"), RUNNING]).await;
    perform(&client, &prompt()).await.unwrap();
    let tokens: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(
        tokens,
        [format!("Bearer {TENANT}-0"), format!("Bearer {TENANT}-1")],
        "a refused operation was not done: even one that may not be repeated is sent again"
    );
}

#[tokio::test]
async fn throttling_is_waited_for_also_by_fractions_of_a_second() {
    let throttled = Reply::Answer(429, &[("Retry-After", "0.25")], "");
    let (server, client) = world([throttled, RUNNING]).await;
    let started = Instant::now();
    perform(&client, &prompt()).await.unwrap();
    assert!(
        started.elapsed() >= Duration::from_millis(250),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn throttling_beyond_the_deadline_is_reported_at_once() {
    let (server, client) = world([Reply::Answer(429, &[("Retry-After", "30.5")], "")]).await;
    let started = Instant::now();
    let error = perform(&client, &prompt()).await.unwrap_err();
    let GraphError::Throttled { retry_after } = error else {
        panic!("{error:?}")
    };
    assert_eq!(retry_after, Some(Duration::from_millis(30_500)));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(server.requests().len(), 1);
}

#[rstest]
#[case(408)]
#[case(429)]
#[case(503)]
#[tokio::test]
async fn what_was_not_done_and_may_pass_is_tried_again_even_if_it_may_not_be_repeated(#[case] status: u16) {
    let (server, client) = world([Reply::Answer(status, &[], ""), Reply::Answer(status, &[], ""), RUNNING]).await;
    perform(&client, &prompt()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[rstest]
#[case::internal(Reply::Answer(500, &[], r#"{"error":{"code":"9999","message":"Unknown."}}"#))]
#[case::gateway(Reply::Answer(502, &[], ""))]
#[case::gateway_timeout(Reply::Answer(504, &[], ""))]
#[case::closed(Reply::Close)]
#[case::cut_in_the_head(Reply::Raw("HTTP/1.1 200 OK\r\nContent-Le"))]
#[case::garbage(Reply::Raw("220 smtp.example ESMTP\r\n"))]
#[case::silent(Reply::Silence)]
#[tokio::test]
async fn what_may_have_been_done_is_in_doubt_or_repeated_where_that_harms_nobody(#[case] fault: Reply) {
    let (server, client) = world([fault.clone(), RUNNING]).await;
    let quick = client.with_attempt_time(Duration::from_millis(300));
    let error = perform(&quick, &prompt()).await.unwrap_err();
    assert!(matches!(error, GraphError::Doubt { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1, "never heard twice");

    let (server, client) = world([fault, ALIVE]).await;
    let quick = client.with_attempt_time(Duration::from_millis(300));
    assert_eq!(perform(&quick, &Operation::KeepAlive).await.unwrap(), Told::Nothing);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_refusal_after_a_doubt_does_not_end_it() {
    let mute = Operation::MuteParticipant(OfParticipant {
        participant: "p".to_owned(),
        ..OfParticipant::default()
    });
    let (_server, client) = world([Reply::Close, refusal(400, "8585")]).await;
    let error = perform(&client, &mute).await.unwrap_err();
    let GraphError::Doubt { cause } = error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(&cause, Failure::Refused { status: 400, code, .. } if code == "8585"),
        "{cause:?}"
    );
    // That the call is gone is certain, and of a reading nothing is in doubt.
    let (_server, client) = world([Reply::Close, refusal(404, "8522")]).await;
    assert!(perform(&client, &Operation::Delete).await.unwrap_err().is_gone());
    let (_server, client) = world([Reply::Close, refusal(403, "7504")]).await;
    assert!(perform(&client, &Operation::Get).await.unwrap_err().is_certain());
}

#[tokio::test]
async fn a_conflict_is_tried_once_more() {
    let (server, client) = world([refusal(409, "8519"), RUNNING]).await;
    perform(&client, &prompt()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    let (server, client) = world(vec![refusal(409, "8519"); 9]).await;
    let error = perform(&client, &prompt()).await.unwrap_err();
    assert!(matches!(error, GraphError::Refused { status: 409, .. }), "{error:?}");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn an_operation_that_was_taken_is_done_even_if_its_answer_is_cut_off() {
    let (server, client) = world([Reply::CloseInBody(200)]).await;
    assert_eq!(perform(&client, &prompt()).await.unwrap(), Told::Nothing);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_reading_that_is_cut_off_is_read_again() {
    let (server, client) = world([
        Reply::CloseInBody(200),
        Reply::Answer(200, &[], r#"{"state":"established"}"#),
    ])
    .await;
    assert!(matches!(
        perform(&client, &Operation::Get).await.unwrap(),
        Told::Call(_)
    ));
    assert_eq!(server.requests().len(), 2);
}

#[rstest]
#[case("<html>welcome</html>")]
#[case("{}")]
#[case("")]
#[tokio::test]
async fn a_call_that_was_made_without_telling_its_id_is_in_doubt(#[case] body: &'static str) {
    let (server, client) = world([Reply::Answer(201, &[], body)]).await;
    let create = Operation::Create(Box::default());
    let error = perform(&client, &create).await.unwrap_err();
    assert!(
        matches!(
            error,
            GraphError::Doubt {
                cause: Failure::Unreadable(_)
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_host_that_is_not_there_leaves_no_doubt_and_is_tried_until_the_deadline() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = client_at(&format!("http://{closed}/v1.0"));
    let error = client
        .perform(&prompt(), &errand_within(Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            GraphError::NotSent {
                cause: Failure::NotConnected(_)
            }
        ),
        "{error:?}"
    );
    assert!(
        !format!("{error:?}").contains("6b1f2f00"),
        "errors hold no ids of calls: {error:?}"
    );
}

#[tokio::test]
async fn attempts_end_with_the_deadline() {
    let (server, client) = world(vec![Reply::Silence; 9]).await;
    let started = Instant::now();
    let errand = errand_within(Duration::from_millis(400));
    let error = client.perform(&Operation::KeepAlive, &errand).await.unwrap_err();
    assert!(matches!(error, GraphError::Doubt { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 1);
    let late = Errand {
        deadline: Instant::now(),
        ..errand
    };
    let error = client.perform(&Operation::KeepAlive, &late).await.unwrap_err();
    assert!(
        matches!(error, GraphError::NotSent { cause: Failure::NoTime }),
        "{error:?}"
    );
}

#[tokio::test]
async fn attempts_end_by_number() {
    let (server, client) = world(vec![Reply::Answer(503, &[], ""); 20]).await;
    let client = client.with_policy(RetryPolicy {
        attempts: 3,
        first_pause: Duration::from_millis(5),
        ..RetryPolicy::default()
    });
    let error = perform(&client, &prompt()).await.unwrap_err();
    assert!(matches!(error, GraphError::Refused { status: 503, .. }), "{error:?}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn what_has_no_address_is_not_sent() {
    let (server, client) = world([ALIVE]).await;
    for (operation, errand) in [
        (Operation::Get, Errand { call: None, ..errand() }),
        (
            Operation::Get,
            Errand {
                call: Some(".."),
                ..errand()
            },
        ),
        (
            Operation::GetParticipant(OfParticipant {
                participant: String::new(),
                body: (),
            }),
            errand(),
        ),
        (Operation::Get, Errand { tenant: "", ..errand() }),
    ] {
        let error = client.perform(&operation, &errand).await.unwrap_err();
        assert!(matches!(error, GraphError::NotSent { .. }), "{error:?}");
    }
    assert!(server.requests().is_empty());
}

/// Never gives a token.
struct NoTokens;

/// Is refused tokens.
struct NoApp;

impl TenantTokens for NoTokens {
    fn of(&self, _: &str) -> Arc<dyn TokenProvider> {
        Arc::new(Self)
    }
}

impl TenantTokens for NoApp {
    fn of(&self, _: &str) -> Arc<dyn TokenProvider> {
        Arc::new(Self)
    }
}

impl TokenProvider for NoTokens {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(std::future::pending())
    }

    fn invalidate(&self, _: &AccessToken) {}
}

impl TokenProvider for NoApp {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(async { Err(TokenError::Unusable) })
    }

    fn invalidate(&self, _: &AccessToken) {}
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let server = Loopback::start([ALIVE]).await;
    let client = |tokens: Arc<dyn TenantTokens>| {
        let http = http_client().no_proxy().build().unwrap();
        Client::new(http, &server.origin(), Some(tokens), "a").unwrap()
    };
    let slow = client(Arc::new(NoTokens)).with_attempt_time(Duration::from_millis(50));
    let error = slow
        .perform(&prompt(), &errand_within(Duration::from_millis(300)))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            GraphError::NotSent {
                cause: Failure::NoTokenInTime { .. }
            }
        ),
        "{error:?}"
    );
    let error = perform(&client(Arc::new(NoApp)), &prompt()).await.unwrap_err();
    assert!(matches!(error, GraphError::Token(TokenError::Unusable)), "{error:?}");
    assert!(client(Arc::new(NoApp)).prepare(TENANT).await.is_err());
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_client_without_tokens_shows_none() {
    let server = Loopback::start([ALIVE]).await;
    let http = http_client().no_proxy().build().unwrap();
    let client = Client::new(http, &server.origin(), None, "a").unwrap();
    client
        .perform(&Operation::KeepAlive, &Errand { tenant: "", ..errand() })
        .await
        .unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[tokio::test]
async fn permission_is_asked_before_every_request() {
    let (server, client) = world([Reply::Answer(503, &[], ""), RUNNING]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let client = client.with_permission(Arc::new(move || counter.fetch_add(1, Ordering::SeqCst) == 0));
    let errand = errand_within(Duration::from_millis(300));
    let error = client.perform(&prompt(), &errand).await.unwrap_err();
    assert!(
        matches!(
            error,
            GraphError::NotSent {
                cause: Failure::Withheld
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.requests().len(), 1);
    assert!(asked.load(Ordering::SeqCst) >= 2);
}

#[test]
fn a_client_needs_an_address_and_a_name() {
    let client = |graph: &str, app: &str| Client::new(http_client().build().unwrap(), graph, None, app).map(drop);
    assert!(client("https://graph.microsoft.com/v1.0", "a").is_ok());
    assert!(client("graph.microsoft.com", "a").is_err());
    assert!(client("https://u:p@graph.microsoft.com/", "a").is_err());
    assert!(client("https://graph.microsoft.com/v1.0", "a\nb").is_err());
}

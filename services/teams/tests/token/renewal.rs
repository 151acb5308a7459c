//! Getting a token, keeping it, replacing it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use trunkline_teams::token::TokenProvider;

use crate::endpoint::{Answer, CLIENT_ID, Endpoint, SECRET};

#[actix_web::test]
async fn a_secret_arrives_as_it_is_and_many_callers_cause_one_request() {
    let endpoint = Endpoint::start([]);
    let provider = endpoint.provider();
    let tokens = join_all((0..50).map(|_| provider.token())).await;
    assert!(
        tokens
            .iter()
            .all(|token| token.as_ref().unwrap().header() == "Bearer token-1")
    );
    let forms = endpoint.forms();
    assert_eq!(forms.len(), 1);
    for (field, value) in [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", SECRET),
        ("scope", "https://api.botframework.com/.default"),
    ] {
        assert_eq!(forms[0][field], value, "{field}");
    }
}

#[actix_web::test]
async fn a_token_that_a_service_rejected_is_replaced_once() {
    let endpoint = Endpoint::start([]);
    let provider = endpoint.provider();
    let rejected = provider.token().await.unwrap();
    for _ in 0..10 {
        provider.invalidate(&rejected);
        assert_eq!(provider.token().await.unwrap().header(), "Bearer token-2");
    }
    assert_eq!(endpoint.forms().len(), 2);
}

#[actix_web::test]
async fn a_token_that_is_due_is_renewed_and_serves_on_if_that_fails() {
    let due = json!({"token_type": "Bearer", "expires_in": "3599", "refresh_in": 0, "access_token": "due"});
    let endpoint = Endpoint::start([Answer::body(due), Answer::refusal(401, "invalid_client", 7_000_222)]);
    let provider = endpoint.provider();
    let due = provider.token().await.unwrap();
    // Renewal fails, and at once afterwards it is not tried again.
    assert_eq!(provider.token().await.unwrap(), due);
    assert_eq!(provider.token().await.unwrap(), due);
    assert_eq!(endpoint.forms().len(), 2);
}

#[actix_web::test]
async fn a_token_that_has_expired_is_not_given_out() {
    let expired = json!({"token_type": "Bearer", "expires_in": 0, "access_token": "expired"});
    let endpoint = Endpoint::start([Answer::body(expired)]);
    let provider = endpoint.provider();
    provider.token().await.unwrap();
    assert_eq!(provider.token().await.unwrap().header(), "Bearer token-1");
}

#[actix_web::test]
async fn a_throttling_endpoint_is_asked_again_when_it_said() {
    let endpoint = Endpoint::start([Answer::status(429).after(1)]);
    let start = Instant::now();
    assert!(endpoint.provider().token().await.is_ok());
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[actix_web::test]
async fn a_fault_of_the_endpoint_is_tried_again_with_a_form_of_its_own() {
    let fault = Answer::refusal(503, "temporarily_unavailable", 90_033);
    let endpoint = Endpoint::start([Answer::status(500), fault]);
    assert!(endpoint.provider().token().await.is_ok());
    assert_eq!(endpoint.forms().len(), 3);
}

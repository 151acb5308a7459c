//! What an operator reads when there is no token.

use std::time::Duration;

use serde_json::json;
use trunkline_teams::cloud::Cloud;
use trunkline_teams::token::{
    ClientCredentials, ClientCredentialsConfig, Proof, Secret, TokenError, TokenProvider, login_client,
};

use crate::endpoint::{Answer, Endpoint, SECRET};

#[actix_web::test]
async fn a_refusal_names_the_number_its_meaning_and_the_remedy() {
    let endpoint = Endpoint::start([Answer::refusal(401, "invalid_client", 7_000_229)]);
    let provider = endpoint.provider();
    let error = provider.token().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "token for app 5b0a3c1e-7d52-4c0b-9a6f-2f8e4d1c7a90 in tenant 8a0c2f6e-0000-4bbb-8ccc-1d2e3f405162 refused: \
         AADSTS7000229 (invalid_client, status 401): the app has no service principal in the tenant; \
         run `az ad sp create --id` with the app id [trace trace-1]"
    );
    assert!(!error.is_transient());
    // Everybody who comes at once afterwards gets the same error without a request.
    assert!(provider.token().await.is_err());
    assert_eq!(endpoint.forms().len(), 1);
}

#[actix_web::test]
async fn a_number_that_nobody_explained_is_shown_all_the_same() {
    let endpoint = Endpoint::start([Answer::refusal(400, "invalid_request", 123_456)]);
    let error = endpoint.provider().token().await.unwrap_err().to_string();
    assert!(
        error.ends_with("refused: AADSTS123456 (invalid_request, status 400) [trace trace-1]"),
        "{error}"
    );
}

#[actix_web::test]
async fn a_long_throttling_is_reported_instead_of_waited_for() {
    let endpoint = Endpoint::start([Answer::status(429).after(600)]);
    let error = endpoint.provider().token().await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(600)));
    assert!(error.is_transient());
}

#[actix_web::test]
async fn an_endpoint_in_trouble_is_given_up_after_three_tries() {
    let endpoint = Endpoint::start([502, 503, 504].map(Answer::status));
    let error = endpoint.provider().token().await.unwrap_err();
    assert!(
        matches!(error, TokenError::Unavailable { status: 504, .. }),
        "{error:?}"
    );
    assert_eq!(endpoint.forms().len(), 3);
}

#[actix_web::test]
async fn a_page_in_place_of_a_token_points_to_a_proxy() {
    for (answer, status) in [
        (Answer::body(json!("<html>")), 200),
        (Answer::status(302), 302),
        (Answer::status(403), 403),
    ] {
        let endpoint = Endpoint::start([answer]);
        let error = endpoint.provider().token().await.unwrap_err();
        assert!(
            matches!(error, TokenError::NoToken { status: seen, .. } if seen == status),
            "{error:?}"
        );
    }
}

#[actix_web::test]
async fn a_host_that_is_not_there_is_unreachable() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let cloud = Cloud {
        token_endpoint: format!("http://{closed}/{{tenant}}"),
        ..Cloud::public()
    };
    let config = ClientCredentialsConfig::new(&cloud, None, "app", Proof::ClientSecret(Secret::new(SECRET)));
    let provider = ClientCredentials::new(config, login_client().unwrap());
    let error = provider.token().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("token endpoint http://{closed}/botframework.com cannot be reached")
    );
}

#[actix_web::test]
async fn no_secret_is_printed_by_anything() {
    let endpoint = Endpoint::start([]);
    let provider = endpoint.provider();
    let token = provider.token().await.unwrap();
    let config = ClientCredentialsConfig::new(&Cloud::public(), None, "app", Proof::ClientSecret(Secret::new(SECRET)));
    for printed in [
        format!("{provider:?}"),
        format!("{token:?}"),
        format!("{config:?}"),
        format!("{config:#?}"),
    ] {
        assert!(!printed.contains(SECRET) && !printed.contains("token-1"), "{printed}");
    }
}

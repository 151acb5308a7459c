//! Tokens of one app in several tenants.

use trunkline_teams::token::{Proof, Secret, TenantCredentials, TenantTokens, login_client};

use crate::endpoint::{CLIENT_ID, Endpoint, OTHER_TENANT, SECRET, TENANT};

const SCOPE: &str = "https://graph.microsoft.com/.default";

fn credentials(endpoint: &Endpoint) -> TenantCredentials {
    let proof = Proof::ClientSecret(Secret::new(SECRET));
    TenantCredentials::new(&endpoint.cloud(), SCOPE, CLIENT_ID, proof, login_client().unwrap())
}

#[actix_web::test]
async fn each_tenant_has_its_own_token_and_is_asked_once() {
    let endpoint = Endpoint::start([]);
    let credentials = credentials(&endpoint);
    for (tenant, token) in [
        (TENANT, "token-1"),
        (OTHER_TENANT, "token-2"),
        (&TENANT.to_uppercase(), "token-1"),
        (OTHER_TENANT, "token-2"),
    ] {
        let given = credentials.of(tenant).token().await.unwrap();
        assert_eq!(given.header(), &format!("Bearer {token}"), "{tenant}");
    }
    let forms = endpoint.forms();
    assert_eq!(forms.len(), 2);
    assert!(
        forms
            .iter()
            .all(|form| form["scope"] == SCOPE && form["client_id"] == CLIENT_ID)
    );
}

#[actix_web::test]
async fn a_token_that_was_refused_in_one_tenant_is_replaced_there_only() {
    let endpoint = Endpoint::start([]);
    let credentials = credentials(&endpoint);
    let refused = credentials.of(TENANT).token().await.unwrap();
    credentials.of(OTHER_TENANT).token().await.unwrap();
    credentials.of(TENANT).invalidate(&refused);
    assert_eq!(credentials.of(TENANT).token().await.unwrap().header(), "Bearer token-3");
    assert_eq!(
        credentials.of(OTHER_TENANT).token().await.unwrap().header(),
        "Bearer token-2"
    );
}

#[actix_web::test]
async fn more_tenants_than_are_remembered_harm_nobody() {
    let endpoint = Endpoint::start([]);
    let credentials = credentials(&endpoint);
    let held = credentials.of(TENANT);
    held.token().await.unwrap();
    for number in 0..5_000 {
        credentials.of(&format!("tenant-{number}"));
    }
    assert_eq!(held.token().await.unwrap().header(), "Bearer token-1");
    assert_eq!(credentials.of(TENANT).token().await.unwrap().header(), "Bearer token-2");
}

//! The login service over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use support::{BOT, Endpoint, INES, World, config, read};
use trunkline_simulated_teams::Overlap;

async fn keys(world: &World) -> Vec<Value> {
    let metadata: Value = world
        .client
        .get(world.teams.metadata_url())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(metadata["issuer"], "https://api.botframework.com");
    let url = metadata["jwks_uri"].as_str().unwrap();
    let document: Value = world.client.get(url).send().await.unwrap().json().await.unwrap();
    document["keys"].as_array().unwrap().clone()
}

/// Verifies with the published keys and gives the claims.
fn verified(token: &str, keys: &[Value]) -> Option<Value> {
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = keys.iter().find(|key| key["kid"] == kid)?;
    let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    Some(jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims)
}

#[actix_web::test]
async fn a_request_to_the_bot_carries_a_token_that_the_published_keys_verify() {
    let mut bot = Endpoint::accepting();
    let world = World::start(config(&bot.url)).await;
    let sent = world.teams.say(INES, &world.chat(), "hello").unwrap();
    let id = sent.message.unwrap().to_string();
    let received = bot.next().await;
    let token = received
        .header("authorization")
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap();
    let published = keys(&world).await;
    assert_eq!(published[0]["endorsements"], json!(["msteams"]));
    let claims = verified(token, &published).expect("the key is published");
    let mut names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["aud", "exp", "iss", "nbf", "serviceurl"]);
    assert_eq!(claims["serviceurl"], received.activity["serviceUrl"]);
    assert_eq!(received.activity["id"], id);
    assert_eq!(received.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        received.header("x-ms-conversation-id"),
        received.activity["conversation"]["id"].as_str()
    );
    assert_eq!(
        received.header("x-ms-tenant-id"),
        received.activity["conversation"]["tenantId"].as_str()
    );
    assert!(received.header("ms-cv").unwrap().ends_with(".1.1"));
}

#[actix_web::test]
async fn a_rotated_key_signs_and_the_old_one_stays_only_with_an_overlap() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let before = keys(&world).await;
    let old_token = world.teams.sign(&world.teams.claims(BOT).unwrap()).unwrap();
    world.teams.rotate_keys(&["msteams"], Overlap::KeepOld).unwrap();
    let with_both = keys(&world).await;
    assert_eq!(with_both.len(), 2);
    assert!(with_both.contains(&before[0]));
    let new_token = world.teams.sign(&world.teams.claims(BOT).unwrap()).unwrap();
    assert!(verified(&new_token, &with_both).is_some());
    assert!(verified(&new_token, &before).is_none());
    world.teams.rotate_keys(&["webchat"], Overlap::DropOld).unwrap();
    let after = keys(&world).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0]["endorsements"], json!(["webchat"]));
    assert!(verified(&old_token, &after).is_none());
}

#[actix_web::test]
async fn the_token_endpoint_names_what_is_wrong_by_entras_numbers() {
    let world = World::start(config("http://127.0.0.1:1/")).await;
    let app_id = world.teams.bots()[0].app_id.clone();
    let ask = async |endpoint: String, changed: &[(&str, &str)]| {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", &app_id),
            ("client_secret", "a secret for this machine only"),
            ("scope", "https://api.botframework.com/.default"),
        ];
        for (name, value) in changed {
            form.retain(|(other, _)| other != name);
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        let (status, body) = read(world.client.post(endpoint).form(&form).send().await.unwrap()).await;
        (status, body["error_codes"][0].as_u64().unwrap_or(0))
    };
    let here = world.teams.token_endpoint();
    assert_eq!(ask(here.clone(), &[]).await, (200, 0));
    assert_eq!(
        ask(
            format!("{}/botframework.com/oauth2/v2.0/token", world.teams.login_url()),
            &[]
        )
        .await,
        (200, 0)
    );
    assert_eq!(ask(here.clone(), &[("client_secret", "wrong")]).await, (401, 7_000_215));
    assert_eq!(ask(here.clone(), &[("client_secret", "")]).await, (401, 7_000_218));
    assert_eq!(
        ask(here.clone(), &[("client_id", "11111111-2222-4333-8444-555555555555")]).await,
        (400, 700_016)
    );
    assert_eq!(
        ask(here.clone(), &[("scope", "https://graph.microsoft.com/.default")]).await,
        (200, 0)
    );
    assert_eq!(
        ask(here.clone(), &[("scope", "https://vault.example/.default")]).await,
        (400, 500_011)
    );
    assert_eq!(
        ask(format!("{}/elsewhere/oauth2/v2.0/token", world.teams.login_url()), &[]).await,
        (400, 90_002)
    );
}

#[actix_web::test]
async fn a_certificate_assertion_is_taken_when_its_key_is_registered() {
    let registered = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let stranger = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut settings = config("http://127.0.0.1:1/");
    settings.bots[0].assertion_keys = vec![registered.public_key_pem()];
    let app_id = settings.bots[0].app_id.clone();
    let world = World::start(settings).await;
    let ask = async |pair: &KeyPair, audience: String, algorithm: Algorithm| {
        let now = jsonwebtoken::get_current_timestamp();
        let claims = json!({
            "aud": audience, "iss": app_id, "sub": app_id, "jti": "one", "nbf": now, "iat": now, "exp": now + 600,
        });
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let assertion = jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &app_id),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
            ("scope", "https://api.botframework.com/.default"),
        ];
        world
            .client
            .post(world.teams.token_endpoint())
            .form(&form)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    let here = world.teams.token_endpoint();
    assert_eq!(ask(&registered, here.clone(), Algorithm::PS256).await, 200);
    assert_eq!(ask(&registered, here.clone(), Algorithm::RS256).await, 200);
    assert_eq!(ask(&stranger, here.clone(), Algorithm::PS256).await, 401);
    assert_eq!(
        ask(&registered, "https://login.example/token".to_owned(), Algorithm::PS256).await,
        401
    );
}

//! What verifying a request costs: a token that was seen before, and one that is new.
//!
//! `cargo bench -p trunkline-teams --bench token_verification`
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_RSA_SHA256};
use serde_json::{Value, json};
use trunkline_teams::cloud::Cloud;
use trunkline_teams::identity::{Body, BotIdentity, Verifier, VerifierConfig, logged_claims};

const NOW: u64 = 1_800_000_000;
const APP_ID: &str = "5b0a3c1e-7d52-4c0b-9a6f-2f8e4d1c7a90";
const SERVICE_URL: &str = "https://smba.trafficmanager.net/emea/8a0c2f6e-0000-4bbb-8ccc-1d2e3f405162/";

/// More tokens than a verifier with a small memory remembers.
const NEW_TOKENS: u64 = 1024;

fn signing_key() -> (EncodingKey, Value) {
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let key_utils = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.key_utils;
    let (modulus, exponent) = (key_utils.rsa_pub_components_from_private_key)(key.as_bytes()).unwrap();
    let (n, e) = (URL_SAFE_NO_PAD.encode(modulus), URL_SAFE_NO_PAD.encode(exponent));
    (
        key,
        json!({"kty": "RSA", "use": "sig", "kid": "key-1", "n": n, "e": e, "endorsements": ["msteams"]}),
    )
}

/// The value of the `Authorization` header with a token that ends `later` seconds later than usual.
fn header(key: &EncodingKey, later: u64) -> String {
    let expires = NOW + 3540 + later;
    let claims = json!({
        "serviceurl": SERVICE_URL, "nbf": NOW - 60, "exp": expires, "iss": "https://api.botframework.com", "aud": APP_ID,
    });
    let header = Header {
        kid: Some("key-1".into()),
        x5t: Some("key-1".into()),
        ..Header::new(Algorithm::RS256)
    };
    format!("Bearer {}", jsonwebtoken::encode(&header, &claims, key).unwrap())
}

/// A verifier that has read the key from a login host on loopback.
async fn verifier(jwk: Value, remembered_tokens: usize) -> Verifier {
    let keys = json!({ "keys": [jwk] });
    let server = HttpServer::new(move || {
        let keys = keys.clone();
        App::new()
            .route(
                "/metadata",
                web::get().to(|request: actix_web::HttpRequest| async move {
                    let keys = format!("http://{}/keys", request.connection_info().host());
                    HttpResponse::Ok().json(json!({"issuer": "https://api.botframework.com", "jwks_uri": keys}))
                }),
            )
            .route(
                "/keys",
                web::get().to(move || {
                    let keys = keys.clone();
                    async move { HttpResponse::Ok().json(keys) }
                }),
            )
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let connector_metadata = format!("http://{}/metadata", server.addrs()[0]);
    rt::spawn(server.run());
    let bot = BotIdentity {
        name: "echo".into(),
        app_id: APP_ID.into(),
        ..BotIdentity::default()
    };
    let config = VerifierConfig::new(
        Cloud {
            connector_metadata,
            ..Cloud::public()
        },
        vec![bot],
    );
    let verifier = Verifier::new(
        VerifierConfig {
            remembered_tokens,
            ..config
        },
        reqwest::Client::new(),
    )
    .unwrap();
    let is_read = async {
        while verifier.key_status().keys == 0 {
            tokio::task::yield_now().await;
        }
    };
    verifier.keep_keys_fresh(is_read).await;
    verifier
}

fn verify_requests(criterion: &mut Criterion) {
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(NOW);
    let (key, jwk) = signing_key();
    let system = rt::System::new();
    let body = Body {
        service_url: Some(SERVICE_URL),
        channel_id: Some("msteams"),
        tenant: None,
    };
    let check = |verifier: &Verifier, header: &str| {
        // With keys at hand nothing waits.
        let verified = verifier
            .check([header.as_bytes()], now)
            .now_or_never()
            .unwrap()
            .unwrap();
        verifier.check_body(&verified, black_box(&body)).unwrap();
        black_box(verified);
    };

    let remembering = system.block_on(verifier(jwk.clone(), 4096));
    let known = header(&key, 0);
    criterion.bench_function("a token that was seen before", |bencher| {
        bencher.iter(|| check(&remembering, black_box(&known)));
    });

    let forgetful = system.block_on(verifier(jwk, 1));
    let new: Vec<String> = (0..NEW_TOKENS).map(|later| header(&key, later)).collect();
    let mut next = new.iter().cycle();
    criterion.bench_function("a token that is new", |bencher| {
        bencher.iter(|| check(&forgetful, black_box(next.next().unwrap())));
    });

    criterion.bench_function("the claims of a refused token for the log", |bencher| {
        bencher.iter(|| logged_claims([black_box(&known).as_bytes()]));
    });
}

criterion_group!(benches, verify_requests);
criterion_main!(benches);

//! Signed tokens of a collection with their expected verdicts, if the environment names one.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use trunkline_teams::identity::{Body, BotIdentity, RefusalCode, VerifierConfig};

use crate::login_host::{Answer, LoginHost, Running, quiet, until};
use crate::signer::at;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vectors {
    configured_app_ids: Vec<String>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    path: String,
    token: String,
    activity: Activity,
    now: u64,
    jwks: String,
    #[serde(default)]
    jwks_after_refresh: Option<String>,
    expect: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    channel_id: Option<String>,
    service_url: Option<String>,
}

/// Ways in that do not exist here, and why.
const SKIPPED: [(&str, &str); 1] = [(
    "calls",
    "call notifications have an issuer and keys of their own and no endpoint yet",
)];

/// Which refusal it must be, where the name of the vector says so.
fn expected_refusal(name: &str) -> Option<RefusalCode> {
    Some(match name {
        "expired six minutes ago" => RefusalCode::Expired,
        "not valid before, six minutes ahead" => RefusalCode::NotYetValid,
        "another audience" => RefusalCode::WrongAudience,
        "another issuer" => RefusalCode::UnknownIssuer,
        "key endorsed for other channels only" | "key without an endorsements member" => {
            RefusalCode::EndorsementMissing
        }
        "service url differs by host" | "service url differs by region" => RefusalCode::ServiceUrlMismatch,
        "signature of a key in no document, known key id" => RefusalCode::BadSignature,
        "unknown key id" => RefusalCode::KeyUnknown,
        "alg none" | "HS256 keyed with the public key" => RefusalCode::Algorithm,
        "no exp claim" => RefusalCode::Malformed,
        // No way in for tokens of Microsoft Entra ID.
        "emulator token v1" | "emulator token v2" | "caller bot token, caller not on the list" => {
            RefusalCode::UnknownIssuer
        }
        _ => return None,
    })
}

#[actix_web::test]
async fn every_vector_gets_its_verdict() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES").map(PathBuf::from) else {
        return;
    };
    let folder = samples.join("identity");
    let file = std::fs::read(folder.join("token-vectors.json")).unwrap();
    let Vectors {
        configured_app_ids,
        vectors,
    } = serde_json::from_slice(&file).unwrap();
    let mut judged = 0;
    for vector in vectors {
        if SKIPPED.iter().any(|(path, _)| *path == vector.path) {
            continue;
        }
        let verdict = judge(&folder, &configured_app_ids, &vector).await;
        let expected = if vector.expect == "accept" {
            "accepted"
        } else {
            "refused"
        };
        assert_eq!(
            verdict.map_or("accepted", |_| "refused"),
            expected,
            "{}: {verdict:?}",
            vector.name
        );
        if let Some(refusal) = expected_refusal(&vector.name) {
            assert_eq!(verdict, Some(refusal), "{}", vector.name);
        }
        judged += 1;
    }
    assert!(judged >= 20, "only {judged} vectors");
}

async fn judge(folder: &Path, app_ids: &[String], vector: &Vector) -> Option<RefusalCode> {
    let host = LoginHost::start(keys_of(folder, &vector.jwks));
    let bots = app_ids
        .iter()
        .map(|app_id| BotIdentity {
            app_id: app_id.clone(),
            ..BotIdentity::default()
        })
        .collect();
    let verifier = Running::start(VerifierConfig {
        refresh: quiet(),
        ..VerifierConfig::new(host.cloud(), bots)
    });
    until("keys are read", || verifier.verifier.key_status().keys > 0).await;
    if let Some(later) = &vector.jwks_after_refresh {
        host.set(keys_of(folder, later));
    }
    let Activity {
        channel_id,
        service_url,
    } = &vector.activity;
    let body = Body {
        service_url: service_url.as_deref(),
        channel_id: channel_id.as_deref(),
        tenant: None,
    };
    let verdict = verifier.accept_at(&vector.token, at(vector.now), &body).await;
    verdict.err().map(|refusal| refusal.code())
}

fn keys_of(folder: &Path, file: &str) -> Answer {
    let document: Value = serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap();
    Answer::Keys(document["keys"].as_array().unwrap().clone())
}

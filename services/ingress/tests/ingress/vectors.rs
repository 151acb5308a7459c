//! Signed tokens of a collection with their expected verdicts over HTTP, if the environment names one.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use trunkline_ingress::Clock;
use trunkline_teams::identity::BotIdentity;

use crate::signer::at;
use crate::worker::FakeWorker;
use crate::world::Plan;

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
    activity: Value,
    now: u64,
    jwks: String,
    #[serde(default)]
    jwks_after_refresh: Option<String>,
    expect: String,
}

#[actix_web::test]
async fn every_vector_gets_its_verdict_over_http() {
    let Some(samples) = std::env::var_os("TRUNKLINE_SAMPLES").map(PathBuf::from) else {
        return;
    };
    let folder = samples.join("identity");
    let file = std::fs::read(folder.join("token-vectors.json")).unwrap();
    let Vectors {
        configured_app_ids,
        vectors,
    } = serde_json::from_slice(&file).unwrap();
    let worker = FakeWorker::start().await;
    let mut judged = 0;
    // Call notifications have another endpoint, issuer and keys.
    for vector in vectors.iter().filter(|vector| vector.path != "calls") {
        let status = judge(&folder, &configured_app_ids, vector, &worker).await;
        match vector.expect.as_str() {
            "accept" => assert_eq!(status, 200, "{}", vector.name),
            _ => assert!(matches!(status, 401 | 403), "{}: {status}", vector.name),
        }
        judged += 1;
    }
    assert!(judged >= 20, "only {judged} vectors");
    let accepted = vectors
        .iter()
        .filter(|vector| vector.path != "calls" && vector.expect == "accept")
        .count();
    assert_eq!(worker.look().deliveries.len(), accepted);
}

async fn judge(folder: &Path, app_ids: &[String], vector: &Vector, worker: &FakeWorker) -> u16 {
    let mut plan = Plan::new(&[worker]);
    plan.verifier.bots = app_ids
        .iter()
        .map(|app_id| BotIdentity {
            name: "echo".into(),
            app_id: app_id.clone(),
            ..BotIdentity::default()
        })
        .collect();
    plan.login.set_keys(Some(keys_of(folder, &vector.jwks)));
    let now = vector.now;
    plan.ingress.clock = Clock::new(move || at(now));
    let world = plan.ready().await;
    if let Some(later) = &vector.jwks_after_refresh {
        world.login.set_keys(Some(keys_of(folder, later)));
    }
    let mut activity = vector.activity.clone();
    activity["type"] = "message".into();
    activity["conversation"] = json!({"id": "a:1"});
    let response = world.post_as(&vector.token, activity.to_string()).send().await.unwrap();
    world.shutdown.cancel();
    response.status().as_u16()
}

fn keys_of(folder: &Path, file: &str) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap();
    document["keys"].as_array().unwrap().clone()
}

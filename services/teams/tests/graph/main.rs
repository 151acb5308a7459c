//! The client of Graph's calls against a real server on loopback that fails in every documented way.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bodies;
mod faults;
mod logs;
mod operations;
mod samples;
#[path = "../support/loopback.rs"]
mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;
use support::{Loopback, Reply};
use trunkline_teams::connector::{RetryPolicy, http_client};
use trunkline_teams::graph::{Client, Errand, GraphError, Operation, Told};
use trunkline_teams::token::{AccessToken, TenantTokens, TokenError, TokenProvider};

const CALL: &str = "6b1f2f00-4c21-4f0e-9a55-0c7be1d2a901";
const CHAIN: &str = "b7e5d3c1-0a29-4837-a6f5-e4d3c2b1a098";
const TENANT: &str = "3c02559b-3c42-4cdd-b64e-2ec636ec8a8f";

/// Tokens `{tenant}-0`, `{tenant}-1`, ..: the next one whenever the last was refused.
#[derive(Default)]
struct Tokens(Mutex<HashMap<String, Arc<Numbered>>>);

#[derive(Default)]
struct Numbered {
    tenant: String,
    refused: Mutex<u32>,
}

impl TenantTokens for Tokens {
    fn of(&self, tenant: &str) -> Arc<dyn TokenProvider> {
        let mut known = self.0.lock().unwrap();
        let numbered = known.entry(tenant.to_owned()).or_insert_with(|| {
            Arc::new(Numbered {
                tenant: tenant.to_owned(),
                ..Numbered::default()
            })
        });
        Arc::clone(numbered) as _
    }
}

impl TokenProvider for Numbered {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        let text = format!("{}-{}", self.tenant, self.refused.lock().unwrap());
        Box::pin(async move { AccessToken::new(&text, SystemTime::now() + Duration::from_secs(3600)).map(Arc::new) })
    }

    fn invalidate(&self, _: &AccessToken) {
        *self.refused.lock().unwrap() += 1;
    }
}

fn client_at(graph: &str) -> Client {
    let http = http_client().no_proxy().build().unwrap();
    let client = Client::new(http, graph, Some(Arc::new(Tokens::default())), "harbour-desk").unwrap();
    client
        .with_policy(RetryPolicy {
            first_pause: Duration::from_millis(5),
            ..RetryPolicy::default()
        })
        .with_attempt_time(Duration::from_secs(5))
}

/// A server with its script, and a client of it.
async fn world(script: impl IntoIterator<Item = Reply>) -> (Loopback, Client) {
    let server = Loopback::start(script).await;
    let client = client_at(&format!("{}/v1.0", server.origin()));
    (server, client)
}

fn errand<'a>() -> Errand<'a> {
    Errand {
        tenant: TENANT,
        call: Some(CALL),
        scenario: Some(CHAIN),
        deadline: Instant::now() + Duration::from_secs(10),
    }
}

fn errand_within<'a>(time: Duration) -> Errand<'a> {
    Errand {
        deadline: Instant::now() + time,
        ..errand()
    }
}

async fn perform(client: &Client, operation: &Operation) -> Result<Told, GraphError> {
    client.perform(operation, &errand()).await
}

//! Tokens of one app for one scope in many tenants: Graph wants a token of the tenant whose call it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::credentials::{ClientCredentials, ClientCredentialsConfig, Proof};
use super::provider::TokenProvider;
use crate::cloud::Cloud;

/// Most tenants whose tokens are remembered; with one more all are forgotten, and asked for anew as they are needed.
const TENANTS: usize = 4_096;

/// Gives the tokens of one app for one scope, by tenant.
pub trait TenantTokens: Send + Sync {
    /// Where tokens of that tenant (GUID or domain name) come from.
    fn of(&self, tenant: &str) -> Arc<dyn TokenProvider>;
}

/// The [`ClientCredentials`] of one app for one scope, one for each tenant that was ever asked for.
pub struct TenantCredentials {
    cloud: Cloud,
    client_id: String,
    scope: String,
    proof: Proof,
    http: reqwest::Client,
    known: Mutex<HashMap<String, Arc<ClientCredentials>>>,
}

impl TenantCredentials {
    /// No token is asked for yet. `scope` is, for calls, [`crate::cloud::Calling::graph_scope`]; `http` should be a
    /// [`super::login_client`].
    pub fn new(cloud: &Cloud, scope: &str, client_id: &str, proof: Proof, http: reqwest::Client) -> Self {
        Self {
            cloud: cloud.clone(),
            client_id: client_id.to_owned(),
            scope: scope.to_owned(),
            proof,
            http,
            known: Mutex::default(),
        }
    }

    fn credentials(&self, tenant: &str) -> ClientCredentials {
        let config = ClientCredentialsConfig {
            scope: self.scope.clone(),
            ..ClientCredentialsConfig::new(&self.cloud, Some(tenant), &self.client_id, self.proof.clone())
        };
        ClientCredentials::new(config, self.http.clone())
    }
}

impl TenantTokens for TenantCredentials {
    fn of(&self, tenant: &str) -> Arc<dyn TokenProvider> {
        let tenant = tenant.to_ascii_lowercase();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(credentials) = known.get(&tenant) {
            return Arc::clone(credentials) as _;
        }
        if known.len() >= TENANTS {
            known.clear();
        }
        let credentials = Arc::new(self.credentials(&tenant));
        known.insert(tenant, Arc::clone(&credentials));
        credentials
    }
}

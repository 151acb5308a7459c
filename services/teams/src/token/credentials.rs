//! Tokens that an app gets as itself from Microsoft Entra ID.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::BoxFuture;

use super::cache::Cache;
use super::certificate::Certificate;
use super::endpoint::{Endpoint, Form};
use super::error::TokenError;
use super::lifetime::Lifetime;
use super::provider::{AccessToken, TokenProvider};
use super::secret::Secret;
use crate::cloud::Cloud;

/// How an app proves that it is itself.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A client secret.
    ClientSecret(Secret),
    /// A certificate that is registered with the app.
    Certificate(Box<Certificate>),
}

/// An app and the tenant that it asks.
#[derive(Clone, Debug)]
pub struct ClientCredentialsConfig {
    /// Address of the token endpoint: [`Cloud::token_endpoint_for`].
    pub endpoint: String,
    /// The tenant in that address, for messages.
    pub tenant: String,
    /// App id.
    pub client_id: String,
    /// What the token is for, as [`Cloud::connector_scope`].
    pub scope: String,
    /// Its proof.
    pub proof: Proof,
    /// For one question to the endpoint with all its attempts.
    pub time_limit: Duration,
}

impl ClientCredentialsConfig {
    /// A bot in that cloud, for the Connector: `tenant` is its own for a single-tenant bot; `None` means a multi-tenant bot, which asks in
    /// Bot Framework's tenant.
    pub fn new(cloud: &Cloud, tenant: Option<&str>, client_id: &str, proof: Proof) -> Self {
        let tenant = tenant.unwrap_or(&cloud.bot_tenant);
        Self {
            endpoint: cloud.token_endpoint_for(tenant),
            tenant: tenant.to_owned(),
            client_id: client_id.to_owned(),
            scope: cloud.connector_scope.clone(),
            proof,
            time_limit: Duration::from_secs(10),
        }
    }
}

/// Gives out the tokens of one app in one tenant for one scope.
#[derive(Debug)]
pub struct ClientCredentials {
    endpoint: Endpoint,
    scope: String,
    proof: Proof,
    cache: Cache,
}

impl ClientCredentials {
    /// A provider without a token yet. `http` should be a [`login_client`].
    pub fn new(config: ClientCredentialsConfig, http: reqwest::Client) -> Self {
        let endpoint = Endpoint {
            address: config.endpoint,
            tenant: config.tenant,
            client_id: config.client_id,
            http,
            time_limit: config.time_limit,
        };
        Self {
            endpoint,
            scope: config.scope,
            proof: config.proof,
            cache: Cache::default(),
        }
    }

    async fn ask(&self) -> Result<(AccessToken, Lifetime), TokenError> {
        let (token, lifetime) = self.endpoint.ask(|| self.form()).await?;
        let Endpoint { client_id, tenant, .. } = &self.endpoint;
        let seconds = lifetime.expires.saturating_duration_since(Instant::now()).as_secs();
        tracing::info!(client_id, tenant, scope = self.scope, seconds, "token received");
        Ok((token, lifetime))
    }

    /// The form of "Get a token" (client credentials grant), with a shared secret or with a certificate.
    fn form(&self) -> Result<Form, TokenError> {
        let Endpoint { client_id, address, .. } = &self.endpoint;
        let mut form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", client_id.clone()),
            ("scope", self.scope.clone()),
        ];
        match &self.proof {
            Proof::ClientSecret(secret) => form.push(("client_secret", secret.expose().to_owned())),
            Proof::Certificate(certificate) => {
                let assertion = certificate
                    .assertion(client_id, address, SystemTime::now())
                    .map_err(|error| TokenError::Signing {
                        client_id: client_id.clone(),
                        source: Arc::new(error),
                    })?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                form.extend([
                    ("client_assertion_type", kind.to_owned()),
                    ("client_assertion", assertion),
                ]);
            }
        }
        Ok(form)
    }
}

impl TokenProvider for ClientCredentials {
    fn token(&self) -> BoxFuture<'_, Result<Arc<AccessToken>, TokenError>> {
        Box::pin(self.cache.token(|| self.ask()))
    }

    fn invalidate(&self, rejected: &AccessToken) {
        self.cache.invalidate(rejected);
    }
}

/// An HTTP client for login hosts: it follows no redirect, because a proof must not go where a redirect points.
pub fn login_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(10))
        .user_agent(concat!("trunkline/", env!("CARGO_PKG_VERSION")))
        .build()
}

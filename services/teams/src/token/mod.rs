//! The tokens that a bot shows to Microsoft's services.
//!
//! Whoever calls the Connector or Graph asks a [`TokenProvider`] for an [`AccessToken`] and does not know how it comes
//! about. [`ClientCredentials`] gets it from the token endpoint of Microsoft Entra ID with a [`Proof`]: a client secret or a
//! certificate; [`TenantTokens`] gives a provider for each tenant. The way of a request: `cache` gives a token that is fresh enough (`lifetime`); otherwise one caller at a time
//! asks the `endpoint`, and the others wait for what it gets.
//!
//! After "OAuth 2.0 client credentials flow on the Microsoft identity platform" and "Authentication with the Bot Connector
//! API", section "Get an access token".

mod aadsts;
mod cache;
mod certificate;
mod credentials;
mod endpoint;
mod error;
mod lifetime;
mod provider;
mod secret;
mod tenants;

pub use aadsts::{Explanation, explain};
pub use certificate::{Certificate, CertificateError};
pub use credentials::{ClientCredentials, ClientCredentialsConfig, Proof, login_client};
pub use error::{Refused, TokenError};
pub use lifetime::renew_after;
pub use provider::{AccessToken, TokenProvider};
pub use secret::Secret;
pub use tenants::{TenantCredentials, TenantTokens};

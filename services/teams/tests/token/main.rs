//! Outbound tokens, against a token endpoint on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod certificate;
mod endpoint;
mod errors;
mod renewal;
mod tenants;

//! Verification of inbound tokens, against a login host on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accepted;
mod forged;
mod keys;
mod login_host;
mod refused;
mod signer;
mod vectors;

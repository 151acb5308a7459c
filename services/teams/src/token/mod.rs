//! Outbound tokens: what a bot shows when it calls the Connector.

mod provider;

pub use provider::{AccessToken, TokenError, TokenProvider};

//! Who sent a request: verification of the tokens that Teams puts into it.
//!
//! The way of a request: `bearer` takes the one token out of the headers; [`Verifier::check`] looks whether it was verified
//! before (`memory`) and otherwise judges it ([`verify()`]) with the keys of the issuer's document (`key_document`, whose
//! decisions [`KeyCache`] takes); [`Verifier::check_body`] then compares it with what the activity says (`body`). The verdict
//! on a token is remembered, the comparison with the body never: another body may come with the same token.
//!
//! Rules after "Authentication with the Bot Connector API" (Microsoft Learn, Bot Framework REST).

mod bearer;
mod body;
mod claims;
mod key_cache;
mod key_document;
mod key_set;
mod memory;
mod refusal;
pub mod source;
mod verifier;
mod verify;

use std::time::Duration;

pub use body::Body;
pub use claims::{LoggedClaims, logged_claims};
pub use key_cache::{Change, KeyCache, RefreshSchedule, Step, UnknownKey};
pub use key_document::{KeyDocumentError, KeyStatus};
pub use key_set::{KeySet, KeySetError, SigningKey};
pub use refusal::{Refusal, RefusalCode, Severity};
pub use verifier::{BotIdentity, Sender, Verified, Verifier, VerifierConfig, VerifierConfigError};
pub use verify::{Rules, TokenFacts, verify};

/// The documentation page of refusals of tokens: each with its number, cause and remedy.
pub const REFUSALS_PAGE: &str = include_str!("../../docs/refusals.md");

/// How far the clocks of issuer and verifier may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Longest token that is looked at, in bytes. Tokens of Teams have less than 1 KB; no document gives a bound.
pub const LONGEST_TOKEN: usize = 16 * 1024;

//! The client of the Connector: what a bot sends, updates, deletes and asks.
//!
//! A [`Call`] says what is to be done; [`Connector::attempt`] tries it once and leaves the rest to the caller (an outbox has
//! its own clock and order); [`Connector::call`] tries until it succeeds, is refused or the [`RetryPolicy`] gives up. Bodies
//! are JSON that is ready. The token goes only where somebody has vouched for the address
//! ([`crate::service_url::ServiceUrl::trusted`]).

mod answer;
mod call;
mod client;
mod code;
mod conversation;
mod error;
mod exchange;
mod stream;

pub use crate::retry::{AttemptFailure, Decision, FailedAttempt, InDoubt, RetryPolicy, read_retry_after};
pub use answer::{Answer, Created, MembersPage, Sent};
pub use call::{Call, Operation};
pub use client::{ATTEMPT_TIME, Connector, MayBegin, http_client};
pub use code::{Consequence, ErrorCode};
pub use conversation::{NewConversation, NotJson};
pub use error::{ConnectorError, Failure};
pub use stream::{PartKind, Stream, StreamRefusal};

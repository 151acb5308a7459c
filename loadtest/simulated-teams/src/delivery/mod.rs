//! Brings activities to the bot: signed, with the documented headers, and again when no answer came.
//!
//! The activities of one action go one after the other; different actions overtake each other as they do in real Teams,
//! which promises no order between requests.

mod caller;
#[cfg(feature = "lines")]
mod lines;
mod postman;

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::oneshot;

#[cfg(feature = "lines")]
pub(crate) use self::lines::watch_line;
pub(crate) use self::{caller::Caller, postman::Postman};
use crate::world::{activity::Delivery, invoke::InvokeOutcome};

/// The activities of one action, to be posted in this order.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) deliveries: Vec<Delivery>,
    /// Who waits for the outcomes; one for each delivery.
    pub(crate) done: oneshot::Sender<Vec<DeliveryOutcome>>,
}

/// What came of one activity.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryOutcome {
    /// The activity as it was posted last.
    pub activity: Map<String, Value>,
    /// The status of the answer; `None` when none came.
    pub status: Option<u16>,
    /// The JSON body of the answer, if it had one.
    pub body: Option<Value>,
    /// How often it was posted.
    pub attempts: u32,
    /// From the first posting to the answer, or to giving up.
    pub elapsed: Duration,
    /// For an invoke: what the person sees.
    pub invoke: Option<InvokeOutcome>,
}

impl DeliveryOutcome {
    /// Whether the bot took it: any 2xx.
    pub fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// `id` of the activity.
    pub fn activity_id(&self) -> &str {
        self.activity.get("id").and_then(Value::as_str).unwrap_or("")
    }
}

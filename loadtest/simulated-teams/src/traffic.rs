//! The last requests and answers, for people who want to see the wire. Tokens are never in them.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Teams posted an activity to the bot.
    ToBot,
    /// The bot called the Connector.
    FromBot,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Rises by one with each exchange.
    pub number: u64,
    /// Milliseconds since 1970.
    pub at: u64,
    /// Who called whom.
    pub direction: Direction,
    /// The bot's name.
    pub bot: String,
    /// The activity's type and name, or what the call is about.
    pub title: String,
    /// The address that was called; the Connector's without the service URL.
    pub url: String,
    /// Headers that matter, without the token.
    pub headers: Vec<(String, String)>,
    /// The body that was sent, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Value>,
    /// The status of the answer; absent when none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The body of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
    /// Microseconds from the first byte of the request to the answer.
    pub microseconds: u64,
    /// Repeats count: 1 is the first delivery.
    pub attempt: u32,
    /// Why no answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The most recent exchanges, oldest first.
#[derive(Debug)]
pub(crate) struct Traffic {
    kept: VecDeque<Exchange>,
    most: usize,
    count: u64,
}

impl Traffic {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            kept: VecDeque::with_capacity(most),
            most,
            count: 0,
        }
    }

    /// Whether exchanges are kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.most > 0
    }

    /// Keeps an exchange and gives it its number.
    pub(crate) fn keep(&mut self, mut exchange: Exchange) -> Exchange {
        self.count += 1;
        exchange.number = self.count;
        if self.kept.len() == self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(exchange.clone());
        exchange
    }

    pub(crate) fn all(&self) -> Vec<Exchange> {
        self.kept.iter().cloned().collect()
    }
}

//! People who say one thing after the other and repeat what was not answered, with the same id, as Teams does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

/// Where people speak, and how their requests are signed.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) endpoint: String,
    pub(crate) service_url: String,
    pub(crate) tenant: String,
    /// Bearer token for a request; none for a bot that accepts unauthenticated requests.
    pub(crate) token: Option<String>,
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    /// Answered 2xx at some attempt.
    pub(crate) acknowledged: bool,
}

/// One person in a personal chat.
pub(crate) struct Person {
    name: String,
    pub(crate) conversation: String,
    pub(crate) said: Vec<Said>,
}

/// How often a message is sent before the person gives up. Most are repeated until a restart is over, so that the turn that
/// died runs again; some are not, so that they stay unanswered.
fn attempts(number: usize) -> u32 {
    if number.is_multiple_of(3) { 6 } else { 200 }
}

/// What Teams gives a bot, shortened: the processes here die, they do not think.
const PATIENCE: Duration = Duration::from_secs(5);

impl Person {
    pub(crate) fn new(number: usize) -> Self {
        let name = format!("person-{number}");
        Self {
            conversation: format!("a:1{name}"),
            name,
            said: Vec::new(),
        }
    }

    /// Says things until told to stop, each of them different from all that anybody says.
    pub(crate) async fn talk(mut self, surroundings: Surroundings, stop: Arc<AtomicBool>) -> Self {
        let client = reqwest::Client::new();
        while !stop.load(Ordering::Relaxed) {
            let number = self.said.len();
            let text = format!("{}-message-{number}", self.name);
            let acknowledged = self.insist(&client, &surroundings, number, &text).await;
            self.said.push(Said { text, acknowledged });
        }
        self
    }

    /// Sends one message until it is answered or the person gives up; says whether it was answered.
    async fn insist(&self, client: &reqwest::Client, surroundings: &Surroundings, number: usize, text: &str) -> bool {
        let body = self.message(surroundings, number, text);
        for _ in 0..attempts(number) {
            let mut request = client.post(&surroundings.endpoint).json(&body).timeout(PATIENCE);
            if let Some(token) = &surroundings.token {
                request = request.bearer_auth(token);
            }
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return true,
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        false
    }

    fn message(&self, surroundings: &Surroundings, number: usize, text: &str) -> serde_json::Value {
        json!({
            "type": "message",
            "id": (1_795_000_000_000_u64 + number as u64).to_string(),
            "timestamp": "2026-11-24T10:00:00.0070993Z",
            "channelId": "msteams",
            "serviceUrl": surroundings.service_url,
            "from": { "id": format!("29:1{}", self.conversation), "name": "Robin Marsh" },
            "conversation": {
                "conversationType": "personal",
                "tenantId": surroundings.tenant,
                "id": self.conversation,
            },
            "recipient": { "id": "28:bot", "name": "Echo" },
            "channelData": { "tenant": { "id": surroundings.tenant } },
            "text": text,
            "textFormat": "plain",
        })
    }
}

//! A personal message as Teams writes it.

use serde_json::{Value, json};

/// Where a message seems to come from.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Service URL that the token names: where replies go.
    pub service_url: String,
    /// Tenant of everybody.
    pub tenant: String,
}

/// Id of a person's chat with the bot.
pub fn conversation(person: usize) -> String {
    format!("a:1person-{person}")
}

/// Message number `number` of a person; the same number has the same id, so that a repeat is known as one.
pub fn message(sender: &Sender, person: usize, number: usize, text: &str) -> Value {
    let conversation = conversation(person);
    json!({
        "type": "message",
        "id": (1_795_000_000_000_u64 + number as u64).to_string(),
        "timestamp": "2026-11-24T10:00:00.0070993Z",
        "channelId": "msteams",
        "serviceUrl": sender.service_url,
        "from": { "id": format!("29:1{conversation}"), "name": "Robin Marsh" },
        "conversation": {
            "conversationType": "personal",
            "tenantId": sender.tenant,
            "id": conversation,
        },
        "recipient": { "id": "28:bot", "name": "Echo" },
        "channelData": { "tenant": { "id": sender.tenant } },
        "text": text,
        "textFormat": "plain",
    })
}

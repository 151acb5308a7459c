//! What the answer to an invoke means for the person who pressed the button.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    World,
    activity::{InvokeKind, InvokeTarget},
    people::PersonNumber,
};

/// What the person sees of the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum InvokeOutcome {
    /// The card was replaced, for this person.
    CardReplaced,
    /// A short text.
    Message {
        /// As the bot wrote it.
        text: String,
    },
    /// Handled; nothing to see.
    Done,
    /// The bot wants the person to sign in.
    SignIn {
        /// The sign-in card.
        card: Value,
    },
    /// The bot refused or failed, or nobody answered.
    Failed {
        /// What the person reads.
        text: String,
    },
}

impl World {
    /// Applies the answer to an invoke: `status` and `body` of the HTTP answer.
    pub(crate) fn settle_invoke(
        &mut self,
        target: InvokeTarget,
        person: PersonNumber,
        status: u16,
        body: &Value,
    ) -> InvokeOutcome {
        if !(200..300).contains(&status) {
            return InvokeOutcome::Failed {
                text: format!("Something went wrong (the bot answered {status})"),
            };
        }
        match target.kind {
            InvokeKind::Other => match body.pointer("/task/value") {
                Some(Value::String(text)) => InvokeOutcome::Message { text: text.clone() },
                Some(_) => InvokeOutcome::Message {
                    text: "The bot opens a dialog, which this page does not show".to_owned(),
                },
                None => InvokeOutcome::Done,
            },
            InvokeKind::CardAction => self.settle_card_action(target, person, body),
        }
    }

    fn settle_card_action(&mut self, target: InvokeTarget, person: PersonNumber, body: &Value) -> InvokeOutcome {
        // A missing inner status means 200.
        let inner = body.get("statusCode").and_then(Value::as_u64).unwrap_or(200);
        let kind = body.get("type").and_then(Value::as_str).unwrap_or("");
        let value = body.get("value").unwrap_or(&Value::Null);
        match (inner, kind) {
            (200, "application/vnd.microsoft.card.adaptive") => {
                let card = json!({ "contentType": kind, "content": value });
                let Some(message) = self.chats[target.chat].message_mut(target.message) else {
                    return InvokeOutcome::Done;
                };
                message.replaced.retain(|(other, _)| *other != person);
                message.replaced.push((person, vec![card]));
                self.show_message(target.chat, target.message);
                InvokeOutcome::CardReplaced
            }
            (200, "application/vnd.microsoft.activity.message") => InvokeOutcome::Message {
                text: value.as_str().unwrap_or_default().to_owned(),
            },
            (200, _) => InvokeOutcome::Done,
            (401, "application/vnd.microsoft.activity.loginRequest") => InvokeOutcome::SignIn { card: value.clone() },
            _ => {
                let text = value
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or("the bot refused");
                InvokeOutcome::Failed {
                    text: format!("{text} ({inner})"),
                }
            }
        }
    }
}

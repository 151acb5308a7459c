//! The answer to a card's button. Teams platform, "Universal Actions for Adaptive Cards": the HTTP status is 200 whatever the
//! outcome, the inner `statusCode` tells it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use trunkline_teams::activity::Activity;
use trunkline_teams::attachment::ADAPTIVE_CARD;

use super::Card;
use crate::logic::Answer;
use crate::route::is_card_action;

/// What happens to a card whose button was pressed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CardReply {
    /// The card is replaced, for the person who pressed.
    Replace(Card),
    /// The card stays, a short text appears.
    Toast(String),
}

impl CardReply {
    /// The card stays, a short text appears.
    pub fn toast(text: impl Into<String>) -> Self {
        Self::Toast(text.into())
    }
}

impl From<Card> for CardReply {
    fn from(card: Card) -> Self {
        Self::Replace(card)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, V: Serialize + ?Sized> {
    status_code: u16,
    r#type: &'static str,
    value: &'a V,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    message: &'a str,
}

const MESSAGE: &str = "application/vnd.microsoft.activity.message";
const ERROR: &str = "application/vnd.microsoft.error";

/// Answer that carries a card reply.
pub(crate) fn answer(reply: &CardReply) -> Answer {
    match reply {
        CardReply::Replace(card) => body(200, ADAPTIVE_CARD, card),
        CardReply::Toast(text) => body(200, MESSAGE, text.as_str()),
    }
}

/// The message that takes the place of the one whose button was answered too late with a card. Only in a personal chat: the
/// answer to a button is for the one who pressed it, and in a chat of many an update would show it to all.
pub(crate) fn late_card(activity: &Activity, answer: &Answer) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Late {
        r#type: String,
        value: Value,
    }
    let conversation = activity.conversation.as_ref()?;
    if conversation.conversation_type.as_deref() != Some("personal") || !is_card_action(activity) {
        return None;
    }
    let late: Late = serde_json::from_slice(answer.body.as_ref()?).ok()?;
    if late.r#type != ADAPTIVE_CARD {
        return None;
    }
    let attachment = json!({ "contentType": ADAPTIVE_CARD, "content": late.value });
    let message = json!({ "type": "message", "attachments": [attachment] });
    Some(message.to_string().into())
}

/// Answer for a button whose turn failed or whose members could not be read.
pub(crate) fn fault(status_code: u16, code: &str, message: &str) -> Answer {
    body(status_code, ERROR, &Fault { code, message })
}

fn body<V: Serialize + ?Sized>(status_code: u16, kind: &'static str, value: &V) -> Answer {
    let body = serde_json::to_vec(&Body {
        status_code,
        r#type: kind,
        value,
    })
    .ok()
    .map(Bytes::from);
    Answer { status: 200, body }
}

//! From a draft to the bytes that go to the Connector, written once.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};
use serde_json::{Value, json};
use trunkline_teams::{attachment, limits};

use super::{Attached, Draft, Importance, More, Text};
use crate::address::Person;

/// What a message carries because of the turn in which it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Envelope<'a> {
    /// The bot, as Teams addressed it.
    pub(crate) bot: Option<&'a Person>,
    /// The message that is answered.
    pub(crate) reply_to: Option<&'a str>,
}

/// One or two sends.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) first: Bytes,
    /// Cards and files of a draft that has text as well.
    pub(crate) second: Option<Bytes>,
    pub(crate) is_targeted: bool,
}

/// Why a draft cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DraftProblem {
    #[error("a message has neither text nor a card")]
    Empty,
    #[error("a message breaks a limit of Teams: {0}")]
    Limit(String),
    #[error("one message cannot hold text and a card: Teams splits it, send two")]
    TwoInOne,
    #[error("a message cannot be written as JSON: {0}")]
    Json(String),
}

/// Renders a draft to one or two messages.
pub(crate) fn render(draft: &Draft, envelope: Envelope<'_>) -> Result<Rendered, DraftProblem> {
    check(draft)?;
    let more = draft.more.as_deref();
    let has_both = !draft.text.is_empty() && !draft.attachments.is_empty();
    let whole = Message {
        envelope,
        text: &draft.text,
        attachments: &draft.attachments,
        more,
        is_last: true,
    };
    let (first, second) = if has_both {
        let text = Message {
            attachments: &[],
            is_last: false,
            ..whole
        };
        let cards = Message {
            text: &NO_TEXT,
            more: more.filter(|more| more.concerns_cards()),
            ..whole
        };
        (bytes(&text)?, Some(bytes(&cards)?))
    } else {
        (bytes(&whole)?, None)
    };
    Ok(Rendered {
        first,
        second,
        is_targeted: more.is_some_and(|more| more.only_for.is_some()),
    })
}

/// Renders a draft that must be one message: an update, a message sent at once.
pub(crate) fn render_one(draft: &Draft, envelope: Envelope<'_>) -> Result<Bytes, DraftProblem> {
    let rendered = render(draft, envelope)?;
    if rendered.second.is_some() {
        Err(DraftProblem::TwoInOne)
    } else {
        Ok(rendered.first)
    }
}

fn check(draft: &Draft) -> Result<(), DraftProblem> {
    if draft.text.is_empty() && draft.attachments.is_empty() {
        return Err(DraftProblem::Empty);
    }
    let Some(more) = draft.more.as_deref() else {
        return Ok(());
    };
    let limit = |text: String| Err(DraftProblem::Limit(text));
    if more.citations.len() > limits::CITATIONS {
        return limit(format!("at most {} citations", limits::CITATIONS));
    }
    if more.suggested.len() > limits::SUGGESTED_ACTIONS {
        return limit(format!("at most {} suggested actions", limits::SUGGESTED_ACTIONS));
    }
    match more.citations.iter().find_map(super::Citation::broken_limit) {
        Some(broken) => limit(broken.to_owned()),
        None => Ok(()),
    }
}

fn bytes(message: &Message<'_>) -> Result<Bytes, DraftProblem> {
    let mut out = Vec::with_capacity(256 + message.text.as_str().len());
    serde_json::to_writer(&mut out, &message.wire()).map_err(|error| DraftProblem::Json(error.to_string()))?;
    // A payload in UTF-8 never has more code units in UTF-16 than bytes, so most need no count.
    if out.len() * 2 > limits::MESSAGE_BYTES {
        let size = utf16_bytes(&out);
        if size > limits::MESSAGE_BYTES {
            return Err(DraftProblem::Limit(format!(
                "{size} bytes as UTF-16, at most {} without pictures",
                limits::MESSAGE_BYTES
            )));
        }
    }
    Ok(Bytes::from(out))
}

fn utf16_bytes(json: &[u8]) -> usize {
    2 * std::str::from_utf8(json).map_or(json.len(), |text| text.encode_utf16().count())
}

static NO_TEXT: Text = Text::EMPTY;

#[derive(Clone, Copy)]
struct Message<'a> {
    envelope: Envelope<'a>,
    text: &'a Text,
    attachments: &'a [Attached],
    more: Option<&'a More>,
    is_last: bool,
}

impl More {
    /// Whether the second of two sends needs any of this.
    fn concerns_cards(&self) -> bool {
        self.only_for.is_some() || self.is_carousel || !self.suggested.is_empty()
    }
}

impl<'a> Message<'a> {
    fn wire(&self) -> Wire<'a> {
        let more = self.more;
        let has_text = !self.text.is_empty();
        let is_second = !has_text && self.is_last;
        let suggested = more.map_or(&[][..], |more| &more.suggested);
        Wire {
            kind: "message",
            from: self.envelope.bot,
            recipient: more.and_then(|more| more.only_for.as_ref()).map(Recipient::targeted),
            reply_to_id: self.envelope.reply_to,
            text: has_text.then(|| self.text.as_str()),
            text_format: has_text.then(|| self.text.format()),
            attachment_layout: (is_second && self.attachments.len() > 1).then(|| {
                if more.is_some_and(|more| more.is_carousel) {
                    "carousel"
                } else {
                    "list"
                }
            }),
            attachments: Attachments(self.attachments),
            entities: self.entities(),
            suggested_actions: (self.is_last && !suggested.is_empty()).then_some(Suggested { actions: suggested }),
            summary: more.and_then(|more| more.summary.as_deref()),
            importance: more.and_then(|more| more.importance),
            channel_data: more.filter(|more| more.wants_feedback).map(|_| FEEDBACK),
        }
    }

    fn entities(&self) -> Vec<Value> {
        let mentions = self.text.mentions().iter().map(|mention| {
            json!({
                "type": "mention", "text": mention.text,
                "mentioned": { "id": mention.person.id, "name": mention.person.display_name() },
            })
        });
        mentions.chain(self.more.and_then(marks)).collect()
    }
}

/// The one schema.org entity that a message may have: label and citations.
fn marks(more: &More) -> Option<Value> {
    if !more.is_ai_generated && more.citations.is_empty() {
        return None;
    }
    let mut entity = json!({
        "type": "https://schema.org/Message", "@type": "Message", "@context": "https://schema.org", "@id": "",
    });
    if more.is_ai_generated {
        entity["additionalType"] = json!(["AIGeneratedContent"]);
    }
    if !more.citations.is_empty() {
        let claims: Vec<Value> = more
            .citations
            .iter()
            .enumerate()
            .map(|(index, citation)| citation.claim(index + 1))
            .collect();
        entity["citation"] = Value::Array(claims);
    }
    Some(entity)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<Recipient<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attachment_layout: Option<&'static str>,
    #[serde(skip_serializing_if = "Attachments::is_empty")]
    attachments: Attachments<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entities: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggested_actions: Option<Suggested<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importance: Option<Importance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_data: Option<Feedback>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    is_targeted: bool,
}

impl<'a> Recipient<'a> {
    fn targeted(person: &'a Person) -> Self {
        Self {
            id: &person.id,
            name: person.name.as_deref(),
            is_targeted: true,
        }
    }
}

#[derive(Serialize)]
struct Suggested<'a> {
    actions: &'a [Value],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    feedback_loop: FeedbackKind,
}

#[derive(Serialize)]
struct FeedbackKind {
    r#type: &'static str,
}

const FEEDBACK: Feedback = Feedback {
    feedback_loop: FeedbackKind { r#type: "default" },
};

struct Attachments<'a>(&'a [Attached]);

impl Attachments<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attachments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for attached in self.0 {
            match attached {
                Attached::Card(card) => list.serialize_element(&WireAttachment {
                    content_type: attachment::ADAPTIVE_CARD,
                    content: Some(card),
                    content_url: None,
                    name: None,
                })?,
                Attached::File {
                    content_type,
                    content_url,
                    name,
                } => list.serialize_element(&WireAttachment {
                    content_type,
                    content: None,
                    content_url: Some(content_url),
                    name: name.as_deref(),
                })?,
                Attached::Other(value) => list.serialize_element(value)?,
            }
        }
        list.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireAttachment<'a> {
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a crate::card::Card>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{Card, Citation, plain};

    fn wire(draft: &Draft) -> Value {
        serde_json::from_slice(&render(draft, Envelope::default()).unwrap().first).unwrap()
    }

    #[test]
    fn a_plain_reply_has_no_member_that_it_does_not_need() {
        let bot = Person::new("28:bot", "Bot");
        let envelope = Envelope {
            bot: Some(&bot),
            reply_to: Some("17"),
        };
        let sent = render(&plain("1. hi").into(), envelope).unwrap();
        assert_eq!(
            std::str::from_utf8(&sent.first).unwrap(),
            r#"{"type":"message","from":{"id":"28:bot","name":"Bot"},"replyToId":"17","text":"1. hi","textFormat":"plain"}"#
        );
    }

    #[test]
    fn a_mention_is_an_entity_whose_text_stands_in_the_text() {
        let sent = wire(&Text::default().plain("Hi ").mention(&Person::new("29:1", "Ada")).into());
        assert_eq!(sent["text"], "Hi <at>Ada</at>");
        assert_eq!(sent["entities"][0]["text"], "<at>Ada</at>");
        assert_eq!(sent["entities"][0]["mentioned"]["id"], "29:1");
    }

    #[test]
    fn label_and_citations_share_the_one_entity_that_teams_allows() {
        let draft = Draft::from("See [1]")
            .ai_generated()
            .cites(Citation::new("Handbook", "Page 4"))
            .feedback();
        let sent = wire(&draft);
        assert_eq!(sent["entities"].as_array().unwrap().len(), 1);
        assert_eq!(sent["entities"][0]["additionalType"][0], "AIGeneratedContent");
        assert_eq!(sent["entities"][0]["citation"][0]["position"], 1);
        assert_eq!(sent["channelData"]["feedbackLoop"]["type"], "default");
    }

    #[test]
    fn a_message_for_one_person_names_them_as_targeted() {
        let draft = Draft::from("psst").only_for(&Person::new("29:1", "Ada"));
        let sent = render(&draft, Envelope::default()).unwrap();
        assert!(sent.is_targeted);
        assert_eq!(wire(&draft)["recipient"]["isTargeted"], true);
    }

    #[test]
    fn the_second_of_two_sends_holds_the_cards_and_no_text() {
        let draft = Draft::from("text")
            .card(Card::new("one"))
            .card(Card::new("two"))
            .carousel()
            .summary("news");
        let sent = render(&draft, Envelope::default()).unwrap();
        let second: Value = serde_json::from_slice(&sent.second.unwrap()).unwrap();
        assert_eq!(second.get("text"), None);
        assert_eq!(second["attachmentLayout"], "carousel");
        assert_eq!(wire(&draft).get("attachments"), None);
    }

    #[test]
    fn limits_are_named() {
        let many = (0..21).fold(Draft::from("x"), |draft, _| draft.cites(Citation::new("a", "b")));
        assert_eq!(
            render(&many, Envelope::default()).unwrap_err(),
            DraftProblem::Limit("at most 20 citations".to_owned())
        );
        let long = Draft::from("x").cites(Citation::new("n".repeat(81), "b"));
        assert!(matches!(
            render(&long, Envelope::default()),
            Err(DraftProblem::Limit(_))
        ));
        assert_eq!(
            render(&Draft::default(), Envelope::default()).unwrap_err(),
            DraftProblem::Empty
        );
        assert_eq!(
            render_one(&Draft::from("x").card(Card::new("c")), Envelope::default()).unwrap_err(),
            DraftProblem::TwoInOne
        );
    }

    #[test]
    fn the_size_limit_counts_utf_16() {
        assert!(render(&plain(&"x".repeat(50_000)).into(), Envelope::default()).is_ok());
        assert!(render(&plain(&"x".repeat(51_300)).into(), Envelope::default()).is_err());
        // Three bytes in UTF-8, one unit in UTF-16.
        assert!(render(&plain(&"€".repeat(50_000)).into(), Envelope::default()).is_ok());
    }
}

//! The check of an outgoing activity.

use serde_json::Value;

use super::{
    CITATION_ABSTRACT, CITATION_KEYWORD, CITATION_KEYWORDS, CITATION_NAME, CITATIONS, MESSAGE_BYTES, REFRESH_USERS,
    SUGGESTED_ACTIONS, message_size,
};
use crate::activity::Activity;
use crate::entity::{Appearance, Entity, MessageMarks};

/// What Teams would refuse, cut or ignore.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Refused with 413.
    #[error("the message has {bytes} bytes in UTF-16, Teams takes about {limit}", limit = MESSAGE_BYTES)]
    TooLarge {
        /// Size as Teams counts it.
        bytes: usize,
    },
    /// Ignored: the mention is shown as plain text.
    #[error("the mention {mark} occurs neither in the text nor in a card")]
    MentionNotInText {
        /// Text of the mention.
        mark: String,
    },
    /// Ignored: nobody is mentioned.
    #[error("a mention needs a text and the id of whom it mentions")]
    MentionIncomplete,
    /// Only the first are shown.
    #[error("{count} buttons are suggested, Teams shows {limit}", limit = SUGGESTED_ACTIONS)]
    TooManySuggestedActions {
        /// How many there are.
        count: usize,
    },
    /// Refused with 400.
    #[error("{count} entities mark the message, Teams takes one")]
    SeveralMarks {
        /// How many there are.
        count: usize,
    },
    /// Refused with 400.
    #[error("{count} sources are cited, Teams takes {limit}", limit = CITATIONS)]
    TooManyCitations {
        /// How many there are.
        count: usize,
    },
    /// Cut, or refused with 400.
    #[error("{member} of citation {position} has {length} characters, Teams takes {limit}")]
    CitationTextTooLong {
        /// Position of the citation, from 1.
        position: usize,
        /// Name of the member.
        member: &'static str,
        /// Its length in UTF-16 units.
        length: usize,
        /// What Teams takes.
        limit: usize,
    },
    /// Refused with 400.
    #[error("citation {position} has {count} keywords, Teams takes {limit}", limit = CITATION_KEYWORDS)]
    TooManyKeywords {
        /// Position of the citation, from 1.
        position: usize,
        /// How many there are.
        count: usize,
    },
    /// Refused with 400.
    #[error("the sensitivity of citation {position} differs from that of the message")]
    SensitivityDiffers {
        /// Position of the citation, from 1.
        position: usize,
    },
    /// Refused by the schema.
    #[error("{count} stream entities, an activity may have one")]
    SeveralStreams {
        /// How many there are.
        count: usize,
    },
    /// A channel cannot answer that way.
    #[error("deliveryMode expectReplies is not for channels")]
    ExpectsReplies,
    /// The card does not refresh for those beyond.
    #[error("the card refreshes for {count} people, Teams takes {limit}", limit = REFRESH_USERS)]
    TooManyRefreshUsers {
        /// How many there are.
        count: usize,
    },
}

/// Checks the size of a message that is ready to be sent.
///
/// # Errors
/// It is larger than Teams takes.
pub fn check_size(json: &[u8]) -> Result<(), Violation> {
    let bytes = message_size(json);
    if bytes > MESSAGE_BYTES {
        Err(Violation::TooLarge { bytes })
    } else {
        Ok(())
    }
}

/// Everything about an outgoing activity that Teams would refuse, cut or ignore, but for its size, which only its JSON has.
pub fn check(activity: &Activity) -> Vec<Violation> {
    let mut found = Vec::new();
    check_mentions(activity, &mut found);
    check_marks(activity, &mut found);
    let suggested = activity
        .suggested_actions
        .as_ref()
        .map_or(0, |suggested| suggested.actions.len());
    if suggested > SUGGESTED_ACTIONS {
        found.push(Violation::TooManySuggestedActions { count: suggested });
    }
    let streams = activity
        .entities
        .iter()
        .filter(|entity| matches!(entity, Entity::StreamInfo(_)))
        .count();
    if streams > 1 {
        found.push(Violation::SeveralStreams { count: streams });
    }
    if activity.delivery_mode.as_deref() == Some("expectReplies") {
        found.push(Violation::ExpectsReplies);
    }
    for card in activity
        .attachments
        .iter()
        .filter_map(|attachment| attachment.content.as_ref())
    {
        let users = card
            .pointer("/refresh/userIds")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if users > REFRESH_USERS {
            found.push(Violation::TooManyRefreshUsers { count: users });
        }
    }
    found
}

fn check_mentions(activity: &Activity, found: &mut Vec<Violation>) {
    let text = activity.text.as_deref().unwrap_or_default();
    for mention in activity.mentions() {
        let who = mention.mentioned.as_ref().and_then(|account| account.id.as_deref());
        let mark = mention.text.as_deref().unwrap_or_default();
        if mark.is_empty() || who.is_none_or(str::is_empty) {
            found.push(Violation::MentionIncomplete);
            continue;
        }
        let mut cards = activity
            .attachments
            .iter()
            .filter_map(|attachment| attachment.content.as_ref());
        if !text.contains(mark) && !cards.any(|card| holds_text(card, mark)) {
            found.push(Violation::MentionNotInText { mark: mark.to_owned() });
        }
    }
}

/// Whether a text occurs anywhere in a card.
fn holds_text(json: &Value, text: &str) -> bool {
    match json {
        Value::String(known) => known.contains(text),
        Value::Array(items) => items.iter().any(|item| holds_text(item, text)),
        Value::Object(members) => members.values().any(|member| holds_text(member, text)),
        _ => false,
    }
}

fn check_marks(activity: &Activity, found: &mut Vec<Violation>) {
    let all = activity.entities.iter().filter_map(|entity| match entity {
        Entity::Message(marks) => Some(marks.as_ref()),
        _ => None,
    });
    let all: Vec<_> = all.collect();
    if all.len() > 1 {
        found.push(Violation::SeveralMarks { count: all.len() });
    }
    for marks in all {
        if marks.citation.len() > CITATIONS {
            found.push(Violation::TooManyCitations {
                count: marks.citation.len(),
            });
        }
        for (index, citation) in marks.citation.iter().enumerate() {
            if let Some(appearance) = &citation.appearance {
                check_appearance(marks, index + 1, appearance, found);
            }
        }
    }
}

fn check_appearance(marks: &MessageMarks, position: usize, appearance: &Appearance, found: &mut Vec<Violation>) {
    let mut check_length = |member, text: &str, limit| {
        let length = text.encode_utf16().count();
        if length > limit {
            found.push(Violation::CitationTextTooLong {
                position,
                member,
                length,
                limit,
            });
        }
    };
    check_length("name", appearance.name.as_deref().unwrap_or_default(), CITATION_NAME);
    check_length(
        "abstract",
        appearance.summary.as_deref().unwrap_or_default(),
        CITATION_ABSTRACT,
    );
    for keyword in &appearance.keywords {
        check_length("keywords", keyword, CITATION_KEYWORD);
    }
    if appearance.keywords.len() > CITATION_KEYWORDS {
        found.push(Violation::TooManyKeywords {
            position,
            count: appearance.keywords.len(),
        });
    }
    if let Some(usage) = &appearance.usage {
        let of_message = marks.usage.as_ref();
        let is_same = of_message.is_some_and(|message| {
            (&message.schema_id, &message.name, &message.description)
                == (&usage.schema_id, &usage.name, &usage.description)
        });
        if !is_same {
            found.push(Violation::SensitivityDiffers { position });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn violations(activity: &Value) -> Vec<Violation> {
        check(&Activity::parse(activity.to_string().as_bytes()).unwrap())
    }

    fn mention(mark: &str) -> Value {
        json!({ "type": "mention", "text": mark, "mentioned": { "id": "29:ines", "name": "Ines" } })
    }

    fn cited(citation: &Value) -> Value {
        json!({ "entities": [{
            "type": "https://schema.org/Message",
            "usageInfo": { "@id": "s1", "name": "Internal" },
            "citation": [{ "position": 1, "appearance": citation }],
        }] })
    }

    #[test]
    fn an_ordinary_message_passes() {
        let message =
            json!({ "type": "message", "text": "Hello <at>Ines</at>", "entities": [mention("<at>Ines</at>")] });
        assert_eq!(violations(&message), []);
    }

    #[test]
    fn a_mention_must_occur_in_the_text_or_in_a_card() {
        let entities = [mention("<at>Ines</at>")];
        let lost = json!({ "text": "Hello Ines", "entities": entities });
        assert_eq!(
            violations(&lost),
            [Violation::MentionNotInText {
                mark: "<at>Ines</at>".into()
            }]
        );
        let card = json!({ "body": [{ "type": "TextBlock", "text": "For <at>Ines</at>" }] });
        let in_card = json!({ "entities": entities, "attachments": [{ "contentType": "x", "content": card }] });
        assert_eq!(violations(&in_card), []);
        let nobody = json!({ "text": "<at>x</at>", "entities": [{ "type": "mention", "text": "<at>x</at>" }] });
        assert_eq!(violations(&nobody), [Violation::MentionIncomplete]);
    }

    #[rstest]
    #[case(6, true)]
    #[case(7, false)]
    fn buttons_below_a_message_are_counted(#[case] count: usize, #[case] passes: bool) {
        let actions = vec![json!({ "type": "imBack", "title": "x", "value": "x" }); count];
        let message = json!({ "text": "x", "suggestedActions": { "actions": actions } });
        assert_eq!(violations(&message).is_empty(), passes);
    }

    #[rstest]
    #[case(json!({ "name": "n".repeat(80), "abstract": "a".repeat(160), "keywords": ["k", "k", "k"] }), true)]
    #[case(json!({ "name": "n".repeat(81) }), false)]
    #[case(json!({ "name": "\u{1f980}".repeat(41) }), false)]
    #[case(json!({ "abstract": "a".repeat(161) }), false)]
    #[case(json!({ "keywords": ["k", "k", "k", "k"] }), false)]
    #[case(json!({ "keywords": ["k".repeat(29)] }), false)]
    #[case(json!({ "usageInfo": { "@id": "s1", "name": "Internal" } }), true)]
    #[case(json!({ "usageInfo": { "@id": "s2", "name": "Internal" } }), false)]
    #[case(json!({ "usageInfo": { "@id": "s1", "name": "Secret" } }), false)]
    fn citations_have_limits(#[case] citation: Value, #[case] passes: bool) {
        assert_eq!(violations(&cited(&citation)).is_empty(), passes);
    }

    #[test]
    fn marks_citations_and_streams_are_counted() {
        let marks = json!({ "type": "https://schema.org/Message", "citation": vec![json!({ "position": 1 }); 21] });
        let stream = json!({ "type": "streaminfo", "streamType": "final" });
        let message = json!({ "entities": [marks, { "type": "https://schema.org/Message" }, stream, stream] });
        let expected = [
            Violation::SeveralMarks { count: 2 },
            Violation::TooManyCitations { count: 21 },
            Violation::SeveralStreams { count: 2 },
        ];
        assert_eq!(violations(&message), expected);
    }

    #[test]
    fn a_card_refreshes_for_sixty_people() {
        let card = |count: usize| {
            let content = json!({ "type": "AdaptiveCard", "refresh": { "userIds": vec!["29:x"; count] } });
            json!({ "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": content }] })
        };
        assert_eq!(violations(&card(60)), []);
        assert_eq!(violations(&card(61)), [Violation::TooManyRefreshUsers { count: 61 }]);
    }

    #[test]
    fn replies_are_not_expected_of_a_channel() {
        assert_eq!(
            violations(&json!({ "deliveryMode": "expectReplies" })),
            [Violation::ExpectsReplies]
        );
    }

    #[test]
    fn size_is_checked_on_the_json() {
        let fits = vec![b'a'; MESSAGE_BYTES / 2];
        assert_eq!(check_size(&fits), Ok(()));
        let over = vec![b'a'; MESSAGE_BYTES / 2 + 1];
        assert_eq!(
            check_size(&over),
            Err(Violation::TooLarge {
                bytes: MESSAGE_BYTES + 2
            })
        );
    }
}

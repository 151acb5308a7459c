//! Ids in the forms that Teams gives them.
//!
//! Ids of people and conversations are a function of the names they stand for: a simulated Teams that is started again
//! knows the same conversations, so a bot that kept state for one finds it. Ids of messages and events are new each time,
//! because a bot takes a repeated id for a repeated delivery.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What separates the id of a channel from the id of the post that starts a thread.
const THREAD_MARK: &str = ";messageid=";

/// The id of a message: the milliseconds since 1970 at which it was written, 13 digits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

impl MessageId {
    /// Reads the 13 digits of the wire; anything else is no message.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 13 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok().map(Self))
            .flatten()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:013}", self.0)
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a message id has 13 digits"))
    }
}

/// Hands out message ids that always rise, also within one millisecond and when the clock steps back.
#[derive(Debug, Default)]
pub(crate) struct MessageIds {
    last: u64,
}

impl MessageIds {
    /// The next id at `now` (milliseconds since 1970).
    pub(crate) fn next(&mut self, now: u64) -> MessageId {
        self.last = now.max(self.last + 1);
        MessageId(self.last)
    }
}

/// Hands out ids of everything that is no chat message: `f:` and a UUID.
#[derive(Debug)]
pub(crate) struct EventIds {
    seed: u64,
    count: u64,
}

impl EventIds {
    /// Ids that differ from those of every other `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn next(&mut self) -> String {
        self.count += 1;
        format!(
            "f:{}",
            uuid(&["event", &self.seed.to_string(), &self.count.to_string()])
        )
    }
}

/// A user as one bot knows it. It differs for each bot, as the real one does.
pub(crate) fn person_for_bot(tenant: &str, app_id: &str, person: &str) -> String {
    format!("29:1{}", url_safe(&["person", tenant, app_id, person], 83))
}

/// A bot's account.
pub(crate) fn bot_account(app_id: &str) -> String {
    format!("28:{app_id}")
}

/// The chat of one person with one bot.
pub(crate) fn personal_chat(tenant: &str, app_id: &str, person: &str) -> String {
    format!("a:1{}", url_safe(&["personal", tenant, app_id, person], 130))
}

/// A chat of several people.
pub(crate) fn group_chat(tenant: &str, name: &str) -> String {
    format!("19:{}@thread.v2", hex(&["group", tenant, name]))
}

/// A team or one of its channels; the General channel has the team's id.
pub(crate) fn channel(tenant: &str, team: &str, name: &str) -> String {
    format!("19:{}@thread.tacv2", hex(&["channel", tenant, team, name]))
}

/// The Entra object id of a person or a group.
pub(crate) fn object_id(tenant: &str, name: &str) -> String {
    uuid(&["object", tenant, name])
}

/// The opaque `channelData.legacy.replyToId` of a card's message.
pub(crate) fn legacy_message(conversation: &str, message: MessageId) -> String {
    format!("1:1{}", url_safe(&["legacy", conversation, &message.to_string()], 43))
}

/// The id of the thread that `root` starts in `channel`.
pub(crate) fn thread(channel: &str, root: MessageId) -> String {
    format!("{channel}{THREAD_MARK}{root}")
}

/// What a conversation id says of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadPart {
    /// It names the whole chat or channel.
    None,
    /// It names the thread below this post.
    Root(MessageId),
    /// It names a thread that cannot be.
    Unreadable,
}

/// Splits a conversation id into the chat and the thread.
pub(crate) fn split_thread(conversation: &str) -> (&str, ThreadPart) {
    match conversation.split_once(THREAD_MARK) {
        Some((chat, root)) => (
            chat,
            MessageId::parse(root).map_or(ThreadPart::Unreadable, ThreadPart::Root),
        ),
        None => (conversation, ThreadPart::None),
    }
}

fn digest(parts: &[&str], round: u8) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update([round]);
    hasher.finalize().into()
}

fn url_safe(parts: &[&str], length: usize) -> String {
    let mut text = String::with_capacity(length + 43);
    for round in 0.. {
        URL_SAFE_NO_PAD.encode_string(digest(parts, round), &mut text);
        if text.len() >= length {
            break;
        }
    }
    text.truncate(length);
    text
}

pub(crate) fn hex(parts: &[&str]) -> String {
    let digest = digest(parts, 0);
    let high = u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
    format!("{high:032x}")
}

pub(crate) fn uuid(parts: &[&str]) -> String {
    let digits = hex(parts);
    format!(
        "{}-{}-4{}-8{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..32]
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_have_the_lengths_that_teams_uses() {
        assert_eq!(person_for_bot("t", "app", "Ines").len(), "29:1".len() + 83);
        assert_eq!(personal_chat("t", "app", "Ines").len(), "a:1".len() + 130);
        assert_eq!(group_chat("t", "g").len(), "19:@thread.v2".len() + 32);
        assert_eq!(object_id("t", "Ines").len(), 36);
        assert!(EventIds::new(1).next().starts_with("f:"));
    }

    #[test]
    fn a_person_has_another_id_for_each_bot() {
        assert_ne!(person_for_bot("t", "one", "Ines"), person_for_bot("t", "two", "Ines"));
    }

    #[test]
    fn conversations_keep_their_ids_over_a_restart_and_events_do_not() {
        assert_eq!(personal_chat("t", "app", "Ines"), personal_chat("t", "app", "Ines"));
        assert_ne!(EventIds::new(1).next(), EventIds::new(2).next());
    }

    #[test]
    fn a_thread_that_names_no_message_is_not_taken_for_the_channel() {
        assert_eq!(
            split_thread("19:a@thread.tacv2;messageid=nonsense"),
            ("19:a@thread.tacv2", ThreadPart::Unreadable)
        );
        assert_eq!(
            split_thread("19:a@thread.tacv2"),
            ("19:a@thread.tacv2", ThreadPart::None)
        );
    }

    proptest! {
        #[test]
        fn message_ids_rise_whatever_the_clock_does(clock in proptest::collection::vec(1_700_000_000_000_u64..1_900_000_000_000, 1..200)) {
            let mut ids = MessageIds::default();
            let mut last = None;
            for now in clock {
                let id = ids.next(now);
                prop_assert!(Some(id) > last);
                prop_assert_eq!(MessageId::parse(&id.to_string()), Some(id));
                last = Some(id);
            }
        }

        #[test]
        fn a_thread_id_splits_into_what_it_was_made_of(now in 1_000_000_000_000_u64..9_999_999_999_999) {
            let root = MessageIds::default().next(now);
            let id = thread("19:abc@thread.tacv2", root);
            prop_assert_eq!(split_thread(&id), ("19:abc@thread.tacv2", ThreadPart::Root(root)));
        }

        #[test]
        fn different_names_have_different_ids(a in "[a-z]{1,12}", b in "[a-z]{1,12}") {
            prop_assume!(a != b);
            prop_assert_ne!(personal_chat("t", &a, &b), personal_chat("t", &b, &a));
            prop_assert_ne!(group_chat("t", &a), group_chat("t", &b));
        }
    }
}

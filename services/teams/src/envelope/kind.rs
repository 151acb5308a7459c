//! Kinds of activities and how a repeat of each is recognised: the one table.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Envelope;

/// What kind of work an activity is; equal to `Kind` of `routing.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody said something: may be accepted and finished later.
    Message,
    /// Somebody waits for the body of the HTTP answer.
    Invoke,
    /// Tells that something happened.
    Event,
    /// Leaves no trace: no record is read or written.
    Transient,
}

/// Which parts of an activity a repeat has in common with the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// (type, name, id).
    ById,
    /// (type, event type, id, timestamp): Teams gives an edit, a deletion and a reaction the id of the message they concern
    /// (botframework-sdk issue 5972), so that the id alone would take the second edit for a repeat of the first.
    ByChange,
    /// Never remembered.
    Never,
}

/// One line for each type that is known. What Teams is not known to send is answered and forgotten (messages of these types
/// exist in the schema only); a type that is new to everybody may reach a bot that asked for anything.
fn rule(activity_type: &str) -> (Kind, Identity) {
    match activity_type {
        "message" => (Kind::Message, Identity::ById),
        "invoke" => (Kind::Invoke, Identity::ById),
        "messageUpdate" | "messageDelete" | "messageReaction" => (Kind::Event, Identity::ByChange),
        "typing"
        | "trace"
        | "handoff"
        | "endOfConversation"
        | "suggestion"
        | "invokeResponse"
        | "command"
        | "commandResult"
        | "deleteUserData"
        | "contactRelationUpdate" => (Kind::Transient, Identity::Never),
        // "conversationUpdate", "installationUpdate", "event", and types that are new.
        _ => (Kind::Event, Identity::ById),
    }
}

impl Kind {
    /// The kind of an activity of this type. Types are compared exactly (Activity protocol specification, A2006).
    pub fn of(activity_type: &str) -> Self {
        rule(activity_type).0
    }
}

/// See [`Envelope::repeat_key`].
pub(super) fn repeat_key(envelope: &Envelope<'_>, body: &[u8]) -> Option<u64> {
    let (_, identity) = rule(&envelope.activity_type);
    if identity == Identity::Never {
        return None;
    }
    let seed = xxh3_64_with_seed(envelope.conversation_id.as_bytes(), 0);
    let Some(id) = envelope.id.as_deref() else {
        return Some(xxh3_64_with_seed(body, seed));
    };
    let activity_type = Some(envelope.activity_type.as_ref());
    Some(match identity {
        Identity::ByChange => hash(
            seed,
            [
                activity_type,
                envelope.event_type.as_deref(),
                Some(id),
                envelope.timestamp.as_deref(),
            ],
        ),
        Identity::ById | Identity::Never => hash(seed, [activity_type, envelope.name.as_deref(), Some(id)]),
    })
}

/// Each part is hashed with what came before as seed, so that parts cannot run into each other.
fn hash<const N: usize>(seed: u64, parts: [Option<&str>; N]) -> u64 {
    // No text holds this byte: an absent part is not an empty one.
    const ABSENT: &[u8] = &[0xff];
    parts.into_iter().fold(seed, |hash, part| {
        xxh3_64_with_seed(part.map_or(ABSENT, str::as_bytes), hash)
    })
}

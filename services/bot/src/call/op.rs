//! An operation that was asked for, by name: kept in the state, compared with what events bring, never awaited.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

/// An operation that was asked for. The event that tells its end carries the same one.
///
/// It is a name, no future: a handler that waited would keep keys and hang-ups from its call, and the wait would be lost with
/// the node. `K` says what kind of operation it is, so that a prompt cannot be compared with a recording.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Op<K> {
    key: String,
    #[serde(skip)]
    kind: PhantomData<fn() -> K>,
}

impl<K> Op<K> {
    pub(crate) fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            kind: PhantomData,
        }
    }

    /// Its name: unique in its call, and what Graph knows it by.
    pub fn key(&self) -> &str {
        &self.key
    }
}

// By hand: derived ones would ask the same of `K`, which is never there.
impl<K> Clone for Op<K> {
    fn clone(&self) -> Self {
        Self::new(self.key.clone())
    }
}

impl<K> PartialEq for Op<K> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K> Eq for Op<K> {}

impl<K> fmt::Debug for Op<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Op({})", self.key)
    }
}

/// Kinds of operations: only names for the type of an [`Op`].
macro_rules! kinds {
    ($( $(#[$meta:meta])* $name:ident, )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}
    )*};
}

kinds! {
    /// Prompts that are played: [`super::Call::play`].
    Voice,
    /// An answer that is recorded: [`super::Call::record`].
    Recording,
    /// A bridge with another call: [`super::Call::bridge`].
    Bridge,
    /// A way for the sound in place of one that was lost: [`super::Call::reopen`].
    Reopening,
    /// A call that is recorded: [`super::Call::record_call`].
    WholeCall,
    /// The end of such a recording: [`super::Call::stop_recording`].
    RecordingStop,
    /// People who are invited: [`super::Call::invite`].
    Invite,
    /// Music for somebody on hold: [`super::Call::start_hold_music`].
    HoldMusic,
    /// A microphone that is turned off or on: [`super::Call::mute`].
    Mute,
    /// Somebody who is removed: [`super::Call::remove`].
    Removal,
    /// Prompts and recordings that are dropped: [`super::Call::stop_media`].
    MediaStop,
    /// What the bot says of its recording: [`super::Call::recording_status`].
    Status,
    /// What the bot does with a shared screen: [`super::Call::share_role`].
    Role,
    /// The large gallery: [`super::Call::gallery`].
    Gallery,
    /// Who hears whom: [`super::Call::route_audio`].
    AudioRoute,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_operation_is_stored_as_its_name() {
        let prompt = Op::<Voice>::new("o1");
        assert_eq!(serde_json::to_string(&prompt).unwrap(), r#""o1""#);
        assert_eq!(serde_json::from_str::<Op<Voice>>(r#""o1""#).unwrap(), prompt);
    }
}

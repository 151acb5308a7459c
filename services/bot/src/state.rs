//! What a conversation remembers: JSON with a version number beside it.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::logic::{STATE_BYTES, StateProblem, StoredState};

/// What a conversation remembers between turns.
///
/// A new field with `#[serde(default)]` reads older state as it is; it needs a new [`State::VERSION`] too if older code may
/// still write, because that code would drop the field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a bot's state",
    label = "not a state",
    note = "derive Serialize, Deserialize and Default for it and add `impl State for {Self} {{}}`",
    note = "only what is to be remembered belongs in the state: clients, locks and connections belong in the bot's `app`"
)]
pub trait State: Serialize + DeserializeOwned + Default + Send + 'static {
    /// Version of this shape, stored beside the state.
    const VERSION: u32 = 1;

    /// Reads state that an older version of this code wrote; called once, in the turn that loads it.
    ///
    /// # Errors
    /// State that cannot be read parks the turn; nothing is thrown away.
    fn upgrade(from: u32, stored: serde_json::Value) -> Result<Self> {
        let _ = from;
        Ok(serde_json::from_value(stored)?)
    }
}

impl State for () {}

/// What is remembered of a person across conversations. It is changed by typed changes, never by writing a copy: two
/// conversations that change it at the same time cannot overwrite each other. In a personal chat use conversation state.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a bot remembers of a person",
    label = "not a user state",
    note = "implement `State` for it, then `impl UserState for {Self} {{ const NAME: &'static str = \"..\"; type Change = ..; .. }}`"
)]
pub trait UserState: State {
    /// Name in the store. Renaming the type changes nothing; renaming this loses what was stored.
    const NAME: &'static str;
    /// What can change.
    type Change: Serialize + DeserializeOwned;
    /// Applies one change. Pure: it runs once at the person's own actor and on the snapshot shown meanwhile.
    fn apply(&mut self, change: Self::Change);
}

/// Reads stored state; none is the default.
pub(crate) fn read<S: State>(stored: Option<&StoredState>) -> Result<S, StateProblem> {
    let Some(stored) = stored else { return Ok(S::default()) };
    let unreadable = |reason: String| StateProblem::Unreadable {
        stored: stored.version,
        reason,
    };
    if stored.version > S::VERSION {
        return Err(StateProblem::Newer {
            stored: stored.version,
            known: S::VERSION,
        });
    }
    if stored.version == S::VERSION {
        return serde_json::from_slice(&stored.bytes).map_err(|error| unreadable(error.to_string()));
    }
    let value = serde_json::from_slice(&stored.bytes).map_err(|error| unreadable(error.to_string()))?;
    S::upgrade(stored.version, value).map_err(|error| unreadable(error.to_string()))
}

/// Why a state cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("the state cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error(
        "the state is {0} bytes, at most {STATE_BYTES} can be kept: store large things elsewhere and remember where"
    )]
    TooLarge(usize),
}

/// Writes state.
pub(crate) fn write<S: State>(state: &S) -> Result<StoredState, Unwritable> {
    let mut bytes = Vec::with_capacity(128);
    serde_json::to_writer(&mut bytes, state)?;
    if bytes.len() > STATE_BYTES {
        return Err(Unwritable::TooLarge(bytes.len()));
    }
    Ok(StoredState {
        version: S::VERSION,
        bytes: Bytes::from(bytes),
    })
}

/// Writes state; `None` if it is what is stored already.
pub(crate) fn write_changed<S: State>(
    state: &S,
    stored: Option<&StoredState>,
) -> Result<Option<StoredState>, Unwritable> {
    let written = write(state)?;
    Ok(Some(written).filter(|written| stored != Some(written)))
}

/// Applies changes to what is stored of a person.
pub(crate) fn apply<U: UserState>(stored: Option<&StoredState>, changes: &[Bytes]) -> Result<U, StateProblem> {
    let mut user: U = read(stored)?;
    for change in changes {
        let change = serde_json::from_slice(change).map_err(|error| StateProblem::Unreadable {
            stored: stored.map_or(U::VERSION, |stored| stored.version),
            reason: format!("a change of {}: {error}", U::NAME),
        })?;
        user.apply(change);
    }
    Ok(user)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Count {
        heard: u64,
    }

    impl State for Count {
        const VERSION: u32 = 2;
        fn upgrade(from: u32, stored: serde_json::Value) -> Result<Self> {
            assert_eq!(from, 1);
            Ok(Self {
                heard: stored.as_u64().unwrap_or_default(),
            })
        }
    }

    fn stored(version: u32, json: &'static str) -> StoredState {
        StoredState {
            version,
            bytes: Bytes::from_static(json.as_bytes()),
        }
    }

    #[test]
    fn a_new_conversation_starts_with_the_default() {
        assert_eq!(read::<Count>(None).unwrap(), Count::default());
    }

    #[test]
    fn an_older_state_is_upgraded() {
        assert_eq!(read::<Count>(Some(&stored(1, "7"))).unwrap(), Count { heard: 7 });
    }

    #[test]
    fn a_newer_state_is_never_misread() {
        let problem = read::<Count>(Some(&stored(3, r#"{"heard":1}"#))).unwrap_err();
        assert_eq!(problem, StateProblem::Newer { stored: 3, known: 2 });
    }

    #[test]
    fn an_unreadable_state_says_what_is_wrong_with_it() {
        let problem = read::<Count>(Some(&stored(2, "[]"))).unwrap_err();
        assert!(
            matches!(problem, StateProblem::Unreadable { stored: 2, .. }),
            "{problem}"
        );
    }

    #[test]
    fn what_has_not_changed_is_not_written() {
        let before = stored(2, r#"{"heard":1}"#);
        assert_eq!(write_changed(&Count { heard: 1 }, Some(&before)).unwrap(), None);
        assert!(write_changed(&Count { heard: 2 }, Some(&before)).unwrap().is_some());
    }
}

//! Keys of a telephone as events in RTP (RFC 4733): received in any order, lost and repeated; sent as the standard asks. And as the
//! sound that they are, of peers that send no events.

pub(crate) mod in_band;
mod presses;
mod receive;
mod send;

pub use in_band::KeySound;
pub(crate) use presses::{Heard, Presses};
pub(crate) use receive::{ToneHeard, ToneReceiver};
pub(crate) use send::{ToneSender, ToneStep};

/// The keys, by the number of their event.
const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// A key of a telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u8);

impl Key {
    /// The key of an event; `None` for events that are no keys.
    pub(crate) fn of_event(event: u8) -> Option<Self> {
        (usize::from(event) < KEYS.len()).then_some(Self(event))
    }

    /// The key of a character: a digit, `*`, `#`, `A` to `D` in any case.
    pub fn of_character(character: char) -> Option<Self> {
        let character = u8::try_from(character.to_ascii_uppercase()).ok()?;
        let event = KEYS.iter().position(|key| *key == character)?;
        u8::try_from(event).ok().map(Self)
    }

    /// The keys of a text; `None` if a character is none.
    pub fn all_of(text: &str) -> Option<Vec<Self>> {
        text.chars().map(Self::of_character).collect()
    }

    /// As it is written.
    pub fn character(self) -> char {
        char::from(KEYS[usize::from(self.0)])
    }

    pub(crate) fn event(self) -> u8 {
        self.0
    }
}

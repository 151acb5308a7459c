//! How a leg stands and what it is for, as operators count legs.

use super::Relay;

/// What is done with the sound of a leg. Of two the first counts, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A worker hears it and speaks on it.
    Live,
    /// Another leg gets it.
    Bridge,
    /// Its peer hears itself.
    Echo,
    /// Nothing: there are prompts, keys and recordings only.
    Plain,
}

impl Mode {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Live, Self::Bridge, Self::Echo, Self::Plain];

    /// As operators see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bridge => "bridge",
            Self::Echo => "echo",
            Self::Plain => "plain",
        }
    }

    pub(super) fn of(is_followed: bool, relay: Relay) -> Self {
        match relay {
            _ if is_followed => Self::Live,
            Relay::Bridge => Self::Bridge,
            Relay::Echo => Self::Echo,
            Relay::Nothing => Self::Plain,
        }
    }
}

/// How a leg with a peer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// There are keys: sound can flow.
    pub is_connected: bool,
    /// What its sound is for.
    pub mode: Mode,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_himself_counts_before_whom_it_is_passed_on_to() {
        let modes =
            |is_followed| [Relay::Nothing, Relay::Echo, Relay::Bridge].map(|relay| Mode::of(is_followed, relay));
        assert_eq!(modes(false), [Mode::Plain, Mode::Echo, Mode::Bridge]);
        assert_eq!(modes(true), [Mode::Live; 3]);
    }
}

//! What is refused before a bot serves anybody.

use super::UserKind;
use super::entry::Listed;
use crate::call::CallProblem;

/// Why a bot cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BotError {
    /// Routes are read from top to bottom, and the upper one takes all that the lower one listens to.
    #[error("bot {bot}: route {lower} can never be reached, {upper} above it takes everything that it listens to")]
    Unreachable {
        /// The bot.
        bot: &'static str,
        /// The route that takes it all.
        upper: String,
        /// The route that gets nothing.
        lower: String,
    },
    /// Two routes listen to the same.
    #[error("bot {bot}: there are two routes {route}, the second can never be reached")]
    Duplicate {
        /// The bot.
        bot: &'static str,
        /// The route that stands there twice.
        route: String,
    },
    /// Two user states share a name.
    #[error("bot {bot}: the user state {name:?} is declared twice")]
    UserTwice {
        /// The bot.
        bot: &'static str,
        /// `UserState::NAME`.
        name: &'static str,
    },
    /// A name that the host uses itself.
    #[error("bot {bot}: the name {name:?} of a signal is reserved")]
    ReservedSignal {
        /// The bot.
        bot: &'static str,
        /// `Signal::NAME`.
        name: &'static str,
    },
    /// What a calling bot does when it is late cannot be done.
    #[error("bot {bot}: what it does with calls when it is late cannot be done: {problem}")]
    LateDecision {
        /// The bot.
        bot: &'static str,
        /// Why not.
        problem: CallProblem,
    },
    /// A part is no bot.
    #[error("bot {bot} is a part without an app: include it in a bot, or make it with Bot::with")]
    NoApp {
        /// The part.
        bot: &'static str,
    },
}

pub(crate) fn reachable<L: Listed + ?Sized>(bot: &'static str, entries: &[Box<L>]) -> Result<(), BotError> {
    for (place, lower) in entries.iter().enumerate() {
        let mut above = entries[..place].iter();
        let Some(upper) = above.find(|upper| upper.is_unconditional() && upper.shape().covers(lower.shape())) else {
            continue;
        };
        let (upper, lower) = (upper.shape().to_string(), lower.shape().to_string());
        return Err(if upper == lower {
            BotError::Duplicate { bot, route: lower }
        } else {
            BotError::Unreachable { bot, upper, lower }
        });
    }
    Ok(())
}

pub(super) fn distinct(bot: &'static str, users: &[UserKind]) -> Result<(), BotError> {
    for (place, kind) in users.iter().enumerate() {
        if users[..place].iter().any(|other| other.name == kind.name) {
            return Err(BotError::UserTwice { bot, name: kind.name });
        }
    }
    Ok(())
}

//! How a turn ends otherwise than by `Ok`: the user is told something, a fault, a later time, or Stop.

use std::fmt::{self, Display};
use std::time::Duration;

use crate::draft::Draft;
use crate::logic::{PortError, TurnError};

/// What handlers return.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a turn did not end with `Ok`.
///
/// Every [`std::error::Error`] becomes one by `?`. It is no `std::error::Error` itself: that is what makes `?` possible.
pub struct Error(Box<Ending>);

enum Ending {
    Tell(Draft),
    Fault {
        cause: Fault,
        retry_after: Option<Duration>,
        is_final: bool,
    },
    Stopped,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What an [`Error`] asks of the host.
pub(crate) enum Verdict {
    Tell(Draft),
    Failed(TurnError),
    Stopped,
}

impl Error {
    /// A fault without an error type of its own.
    pub fn fault(why: impl Into<String>) -> Self {
        Self::of(Box::from(why.into()), None, false)
    }

    /// Nothing of this turn happens now; it is tried again after `after`, which counts as an attempt.
    pub fn retry_after(after: Duration, why: impl Display) -> Self {
        Self::of(Box::from(why.to_string()), Some(after), false)
    }

    /// A fault that another attempt cannot cure: the turn is parked at once.
    pub(crate) fn lasting(why: impl Into<String>) -> Self {
        Self::of(Box::from(why.into()), None, true)
    }

    pub(crate) fn stopped() -> Self {
        Self(Box::new(Ending::Stopped))
    }

    /// The user pressed Stop or said a stop word. Whoever wants to keep half an answer asks this.
    pub fn is_stopped(&self) -> bool {
        matches!(*self.0, Ending::Stopped)
    }

    /// The error ends the turn by telling the user something, see [`tell`].
    pub fn is_tell(&self) -> bool {
        matches!(*self.0, Ending::Tell(_))
    }

    fn of(cause: Fault, retry_after: Option<Duration>, is_final: bool) -> Self {
        Self(Box::new(Ending::Fault {
            cause,
            retry_after,
            is_final,
        }))
    }

    pub(crate) fn into_verdict(self) -> Verdict {
        match *self.0 {
            Ending::Tell(draft) => Verdict::Tell(draft),
            Ending::Stopped => Verdict::Stopped,
            Ending::Fault {
                cause,
                retry_after,
                is_final,
            } => Verdict::Failed(TurnError {
                message: with_sources(cause.as_ref()),
                retry_after,
                is_final,
            }),
        }
    }
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(cause: E) -> Self {
        Self::of(Box::new(cause), None, false)
    }
}

/// The port's own errors: Stop stays Stop, all else is a fault. No `From`: the blanket one would lose the difference.
pub(crate) fn port_error(error: PortError) -> Error {
    match error {
        PortError::Stopped => Error::stopped(),
        PortError::Limit(_) => Error::of(Box::new(error), None, true),
        other => Error::from(other),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Ending::Tell(draft) => write!(out, "the user is told: {}", draft.body()),
            Ending::Fault { cause, .. } => out.write_str(&with_sources(cause.as_ref())),
            Ending::Stopped => out.write_str("stopped by the user"),
        }
    }
}

/// Ends the turn by telling the user something: state stays as it was and the draft is sent.
///
/// An invoke is answered in its own form instead, for a card's button as a toast.
///
/// ```
/// # use trunkline_bot::{Result, tell};
/// fn order(number: &str) -> Result<u32> {
///     number.parse().map_err(|_| tell("That is no order number."))
/// }
/// # assert!(order("x").unwrap_err().is_tell());
/// ```
pub fn tell(draft: impl Into<Draft>) -> Error {
    Error(Box::new(Ending::Tell(draft.into())))
}

/// `.or_tell(..)?`: what is missing or went wrong is the user's to know, not the operator's.
pub trait OrTell<T> {
    /// Ends the turn by [`tell`] if there is no value.
    fn or_tell(self, draft: impl Into<Draft>) -> Result<T>;
}

impl<T> OrTell<T> for Option<T> {
    fn or_tell(self, draft: impl Into<Draft>) -> Result<T> {
        self.ok_or_else(|| tell(draft))
    }
}

impl<T, E> OrTell<T> for std::result::Result<T, E> {
    fn or_tell(self, draft: impl Into<Draft>) -> Result<T> {
        self.map_err(|_| tell(draft))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn failed(error: Error) -> TurnError {
        match error.into_verdict() {
            Verdict::Failed(failed) => failed,
            _ => panic!("not a fault"),
        }
    }

    #[test]
    fn any_standard_error_becomes_a_fault_with_its_sources() {
        fn number() -> Result<u32> {
            Ok("x".parse::<u32>()?)
        }
        assert_eq!(failed(number().unwrap_err()).message, "invalid digit found in string");
    }

    #[test]
    fn a_later_time_reaches_the_host() {
        let error = Error::retry_after(Duration::from_secs(10), "the shop is closed");
        assert_eq!(failed(error).retry_after, Some(Duration::from_secs(10)));
    }

    #[test]
    fn stop_stays_stop_through_the_port() {
        assert!(port_error(PortError::Stopped).is_stopped());
        assert!(failed(port_error(PortError::Limit("33 steps".into()))).is_final);
    }

    #[test]
    fn nothing_found_is_told() {
        assert!(None::<u8>.or_tell("gone").unwrap_err().is_tell());
        assert_eq!(Some(1).or_tell("gone").unwrap(), 1);
    }
}

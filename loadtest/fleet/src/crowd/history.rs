//! What became of one message.

use std::fmt;
use std::time::Duration;

/// How one sending of a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attempt {
    /// 2xx.
    Acknowledged,
    /// Another status.
    Refused(u16),
    /// No answer in time.
    Silent,
    /// Nobody listens.
    NoConnection,
    /// The connection ended before the answer.
    Broken,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acknowledged => formatter.write_str("acknowledged"),
            Self::Refused(status) => write!(formatter, "{status}"),
            Self::Silent => formatter.write_str("no answer"),
            Self::NoConnection => formatter.write_str("no connection"),
            Self::Broken => formatter.write_str("broken"),
        }
    }
}

/// One message. Times are on the crowd's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Different from all others.
    pub text: String,
    /// When it should have been said.
    pub planned: Duration,
    /// When it was first sent.
    pub began: Duration,
    /// When it was answered, or its last attempt failed.
    pub ended: Duration,
    /// Answered 2xx at some attempt.
    pub acknowledged: bool,
    /// The attempts before, with the times of their ends.
    pub failures: Vec<(Duration, Attempt)>,
}

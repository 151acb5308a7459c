//! Signals to oneself, later.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::Turn;
use crate::error::{Error, Result};
use crate::logic::Effect;
use crate::signal::Signal;

impl<A> Turn<A> {
    /// Brings a signal to this conversation at a time. One of the same name and key is replaced.
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    pub fn call_me_at<T: Signal>(&mut self, at: SystemTime, signal: T) -> Result {
        self.set_timer(at, None, signal)
    }

    /// Brings a signal to this conversation after a while. One of the same name and key is replaced.
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    pub fn call_me_in<T: Signal>(&mut self, after: Duration, signal: T) -> Result {
        self.set_timer(self.now + after, None, signal)
    }

    /// Brings a signal to this conversation again and again, first after one period. Periods that were missed come as one.
    ///
    /// # Errors
    /// The signal cannot be written as JSON; the period is shorter than a second.
    pub fn call_me_every<T: Signal>(&mut self, period: Duration, signal: T) -> Result {
        if period < Duration::from_secs(1) {
            return Err(Error::lasting("a recurring timer has a period of at least one second"));
        }
        self.set_timer(self.now + period, Some(period), signal)
    }

    /// Forgets every timer of this conversation that would bring a `T`.
    pub fn forget<T: Signal>(&mut self) {
        self.effects.push(Effect::ForgetTimer {
            name: T::NAME.to_owned(),
            key: None,
        });
    }

    /// Sets a timer of a reserved name, which carries nothing.
    pub(crate) fn set_bare_timer(&mut self, name: &str, key: &str, at: SystemTime) {
        self.effects.push(Effect::SetTimer {
            name: name.to_owned(),
            key: key.to_owned(),
            at,
            every: None,
            payload: Bytes::from_static(b"null"),
        });
    }

    /// Forgets one timer.
    pub(crate) fn forget_timer(&mut self, name: &str, key: &str) {
        self.effects.push(Effect::ForgetTimer {
            name: name.to_owned(),
            key: Some(key.to_owned()),
        });
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "signals are given away, as `Turn::signal` takes them"
    )]
    fn set_timer<T: Signal>(&mut self, at: SystemTime, every: Option<Duration>, signal: T) -> Result {
        let payload = super::json(&signal)?;
        self.effects.push(Effect::SetTimer {
            name: T::NAME.to_owned(),
            key: signal.key(),
            at,
            every,
            payload,
        });
        Ok(())
    }
}

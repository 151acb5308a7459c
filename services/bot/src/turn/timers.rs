//! Signals to oneself, later.

use std::time::{Duration, SystemTime};

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

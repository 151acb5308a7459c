//! What a call has of every turn: clocks, signals, timers, steps, messages to conversations.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, CallKey, Outgoing};
use crate::address::{Address, Locale, SentRef};
use crate::draft::Draft;
use crate::error::Result;
use crate::signal::Signal;
use crate::turn::StepKey;

impl<A> Call<A> {
    /// The time of the turn: the same in every run of it.
    pub fn now(&self) -> SystemTime {
        self.turn.now()
    }

    /// 1 for the first run.
    pub fn attempt(&self) -> u32 {
        self.turn.attempt()
    }

    /// See [`crate::Turn::key`].
    pub fn key(&self, name: &str) -> String {
        self.turn.key(name)
    }

    /// Time that this turn still has.
    pub fn remaining(&self) -> Duration {
        self.turn.remaining()
    }

    /// The call's address: signals find it there.
    pub fn here(&self) -> Address {
        self.turn.here()
    }

    /// Entra tenant of the call.
    pub fn tenant(&self) -> &str {
        self.turn.tenant()
    }

    /// The bot's language.
    pub fn locale(&self) -> &Locale {
        self.turn.locale()
    }

    /// Writes to a conversation, a person or a channel.
    pub fn send(&mut self, to: &Address, draft: impl Into<Draft>) -> SentRef {
        self.turn.send(to, draft)
    }

    /// Tells a conversation or another call; applied there once, in order.
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    pub fn signal<T: Signal>(&mut self, to: &Address, signal: T) -> Result {
        self.turn.signal(to, signal)
    }

    /// See [`crate::Turn::call_me_at`]: the signal comes to this call, if it has not ended by then.
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    pub fn call_me_at<T: Signal>(&mut self, at: SystemTime, signal: T) -> Result {
        self.turn.call_me_at(at, signal)
    }

    /// See [`crate::Turn::call_me_in`].
    ///
    /// # Errors
    /// The signal cannot be written as JSON.
    pub fn call_me_in<T: Signal>(&mut self, after: Duration, signal: T) -> Result {
        self.turn.call_me_in(after, signal)
    }

    /// See [`crate::Turn::call_me_every`].
    ///
    /// # Errors
    /// The signal cannot be written as JSON; the period is shorter than a second.
    pub fn call_me_every<T: Signal>(&mut self, period: Duration, signal: T) -> Result {
        self.turn.call_me_every(period, signal)
    }

    /// Forgets every timer of this call that would bring a `T`.
    pub fn forget<T: Signal>(&mut self) {
        self.turn.forget::<T>();
    }

    /// See [`crate::Turn::once`].
    ///
    /// # Errors
    /// Those of [`crate::Turn::once`].
    pub async fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        step: impl AsyncFnOnce(StepKey) -> Result<T>,
    ) -> Result<T> {
        self.turn.once(name, step).await
    }

    /// See [`crate::Turn::blocking`].
    ///
    /// # Errors
    /// The work panicked.
    pub async fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.turn.blocking(work).await
    }

    /// See [`crate::Turn::start_call`].
    ///
    /// # Errors
    /// Those of [`crate::Turn::start_call`].
    pub fn start_call<T: Signal>(&mut self, call: Outgoing, hello: T) -> Result<CallKey> {
        self.turn.start_call(call, hello)
    }
}

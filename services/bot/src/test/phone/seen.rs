//! What a test looks at.

use std::time::SystemTime;

use super::Phone;
use crate::address::Address;
use crate::call_bot::read_state;
use crate::logic::{CallEnd, Effect};
use crate::signal::Signal;
use crate::state::State;
use crate::test::screen::{described, json};

impl<S: State> Phone<S> {
    /// What the call remembers, read back from what was stored.
    pub fn state(&self) -> S {
        read_state(self.host.state.as_ref()).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// What is stored of the call: JSON, as an operator could find it.
    pub fn stored(&self) -> String {
        let bytes = self.host.state.as_ref().map(|state| state.bytes.to_vec());
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    }

    /// The prompts that were heard to their end in this call, by the last part of their addresses.
    pub fn heard(&self) -> &[String] {
        self.host
            .line
            .as_ref()
            .map(|line| line.heard.as_slice())
            .unwrap_or_default()
    }

    /// What the bot wrote to conversations since the test last did something, one line each.
    pub fn written(&self) -> Vec<String> {
        let sends = self.host.asked.iter().filter_map(|effect| match effect {
            Effect::Send { activity, .. } => Some(described(&json(activity))),
            _ => None,
        });
        sends.collect()
    }

    /// The signals of this type that the bot sent since the test last did something.
    pub fn signals<T: Signal>(&self) -> Vec<T> {
        let signals = self.host.asked.iter().filter_map(|effect| match effect {
            Effect::Signal { name, payload, .. } if name == T::NAME => Some(
                serde_json::from_slice(payload).unwrap_or_else(|error| panic!("{name} cannot be read back: {error}")),
            ),
            _ => None,
        });
        signals.collect()
    }

    /// What the bot asked for since the test last did something.
    pub fn effects(&self) -> &[Effect] {
        &self.host.asked
    }

    /// Why the last turn failed, for operators; `None` if it did not.
    pub fn failure(&self) -> Option<&str> {
        self.host.failure.as_deref()
    }

    /// How the call ended; `None` while it goes on.
    pub fn end(&self) -> Option<&CallEnd> {
        self.host.line.as_ref()?.end.as_ref()
    }

    /// Everything that happened, one line each.
    pub fn transcript(&self) -> String {
        self.host.screen.transcript().to_owned()
    }

    /// The simulated time.
    pub fn now(&self) -> SystemTime {
        self.host.now
    }

    /// Where signals find the call.
    pub fn address(&self) -> Address {
        self.host.here.clone()
    }
}

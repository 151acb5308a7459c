//! Calls that a turn begins, and what the turn of a call asks of Graph.

use trunkline_teams::calls::OWN_KEY;
use trunkline_teams::graph::Operation;

use super::{Turn, steps};
use crate::call::{CallKey, CallProblem, Outgoing};
use crate::error::{Error, Result};
use crate::logic::{Effect, HostedOperation};
use crate::signal::Signal;

impl<A> Turn<A> {
    /// Begins a call of the bot, after the commit and once: nobody is rung twice because a turn ran again. The bot's
    /// [`crate::CallBot`] gets `hello` as its first event, then what becomes of the call.
    ///
    /// # Errors
    /// Graph would refuse such a call; the signal cannot be written as JSON.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn start_call<T: Signal>(&mut self, call: Outgoing, hello: T) -> Result<CallKey> {
        let tenant = self.tenant().to_owned();
        let call = call
            .call(&tenant)
            .map_err(|problem| Error::lasting(problem.to_string()))?;
        let payload = super::json(&hello)?;
        // The ingress takes only such names for ours.
        let key = self.fresh_key(OWN_KEY);
        let effect = Effect::StartCall {
            sequence: self.sequence(),
            key: key.clone(),
            tenant,
            call: Box::new(call),
            name: T::NAME.to_owned(),
            signal_key: hello.key(),
            payload,
        };
        self.effects.push(effect);
        Ok(CallKey::new(key))
    }

    /// Asks Graph for something on the call whose turn this is, under a key of [`Turn::fresh_key`].
    pub(crate) fn ask(&mut self, key: String, operation: Operation) {
        self.ask_after(key, operation, None, None);
    }

    /// The same, not before another operation has ended, or in place of another call.
    pub(crate) fn ask_after(
        &mut self,
        key: String,
        operation: Operation,
        after: Option<String>,
        replaces: Option<String>,
    ) {
        let effect = Effect::Call {
            sequence: self.sequence(),
            key,
            operation,
            after,
            replaces,
        };
        self.effects.push(effect);
    }

    /// Asks the media host that carries the sound of the call whose turn this is.
    pub(crate) fn ask_host(&mut self, key: String, operation: HostedOperation) {
        let effect = Effect::Hosted {
            sequence: self.sequence(),
            key,
            operation,
        };
        self.effects.push(effect);
    }

    /// A key that is new in this turn and the same in every run of it: the prefix and 32 hexadecimal digits.
    pub(crate) fn fresh_key(&mut self, prefix: char) -> String {
        let place = self.fresh_keys;
        self.fresh_keys += 1;
        // Authors' names hold no NUL, so that no key of theirs is one of these.
        let digits = steps::key(&self.seed, &format!("{prefix}\0{place}"));
        format!("{prefix}{digits}")
    }

    /// Remembers that something was asked of a call that cannot be.
    pub(crate) fn cannot(&mut self, problem: CallProblem) {
        self.misused(problem.into());
    }
}

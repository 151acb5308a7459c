//! A call that rings.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use trunkline_teams::calls::IdentitySet;

use super::{CallKey, Decision};
use crate::error::Result;
use crate::logic::{CallAbout, CallNow, Effect};
use crate::turn::{Misuse, StepKey, Turn};

/// A call that rings: it can only be looked at. What becomes of it is what its handler returns.
pub struct Ringing<A: 'static = ()> {
    /// Clients and settings of the process. It may be used inside a step.
    pub app: &'static A,
    turn: Turn<A>,
    call: CallNow,
}

impl<A> Ringing<A> {
    pub(crate) fn new(turn: Turn<A>, call: CallNow) -> Self {
        Self {
            app: turn.app,
            turn,
            call,
        }
    }

    /// Names the call, for ever.
    pub fn call_key(&self) -> CallKey {
        CallKey::new(&self.call.key)
    }

    /// Who calls.
    pub fn caller(&self) -> Option<&IdentitySet> {
        self.call.about.caller()
    }

    /// Who calls, who is called, and how the call came about.
    pub fn about(&self) -> &CallAbout {
        &self.call.about
    }

    /// Entra tenant of the call.
    pub fn tenant(&self) -> &str {
        &self.call.tenant
    }

    /// The time of the turn: the same in every run of it.
    pub fn now(&self) -> SystemTime {
        self.turn.now()
    }

    /// 1 for the first run.
    pub fn attempt(&self) -> u32 {
        self.turn.attempt()
    }

    /// Time to decide; when it is over the host does what [`crate::CallBot::if_late`] says.
    pub fn remaining(&self) -> Duration {
        let turn = self.turn.remaining();
        self.call.decide_within.map_or(turn, |decide| decide.min(turn))
    }

    /// See [`Turn::once`]; mind [`Ringing::remaining`].
    ///
    /// # Errors
    /// Those of [`Turn::once`].
    pub async fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        step: impl AsyncFnOnce(StepKey) -> Result<T>,
    ) -> Result<T> {
        self.turn.once(name, step).await
    }

    /// See [`Turn::blocking`]; mind [`Ringing::remaining`].
    ///
    /// # Errors
    /// The work panicked.
    pub async fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        self.turn.blocking(work).await
    }

    /// The decision as what the turn asks for.
    ///
    /// # Errors
    /// Graph would refuse it.
    pub(crate) fn finish(mut self, decision: &Decision) -> Result<Vec<Effect>, Misuse> {
        match decision.operation() {
            Ok(operation) => {
                let key = self.turn.fresh_key('o');
                self.turn.ask(key, operation);
            }
            Err(problem) => self.turn.cannot(problem),
        }
        self.turn.finish()
    }
}

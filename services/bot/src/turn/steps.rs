//! What is done once outside, although the turn may run again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_128;

use super::Turn;
use crate::error::{Error, Result, port_error};
use crate::logic::{KeptStep, STEP_BYTES, STEPS_PER_TURN};

/// Names a step for the other side: the same if the step runs again because the process died in the middle of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepKey(String);

impl StepKey {
    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

pub(super) fn key(seed: &str, name: &str) -> String {
    let mut both = Vec::with_capacity(seed.len() + name.len() + 1);
    both.extend_from_slice(seed.as_bytes());
    // Neither part can hold a NUL, so no two pairs are written alike.
    both.push(0);
    both.extend_from_slice(name.as_bytes());
    format!("{:032x}", xxh3_128(&both))
}

impl<A> Turn<A> {
    /// Does something outside once: its result is kept before the handler goes on, and a second run of the turn gets it without
    /// running `step`. It runs twice only if the process died between its end and the keeping, or if it returned an error: so
    /// give its key to the other side.
    ///
    /// Steps are told apart by name, not by position: code between them may change. Nothing of the turn can be used inside;
    /// [`Turn::app`] can.
    ///
    /// # Errors
    /// That of the step; the same name twice in one turn; more than 32 steps or a result over 64 KB; the result could not be
    /// kept.
    pub async fn once<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        step: impl AsyncFnOnce(StepKey) -> Result<T>,
    ) -> Result<T> {
        if let Some(kept) = self.kept_step(name)? {
            return read(name, &kept);
        }
        let result = step(self.step_key(name)).await?;
        self.keep(name, &result).await?;
        Ok(result)
    }

    /// Runs work that would block the thread: others run on it.
    ///
    /// # Errors
    /// The work panicked.
    pub async fn blocking<T: Send + 'static>(&mut self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&place);
        let work = Box::new(move || {
            let result = work();
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        });
        self.port.blocking(work).await.map_err(port_error)?;
        let result = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.ok_or_else(|| Error::fault("blocking work ended without a result"))
    }

    pub(super) fn step_key(&self, name: &str) -> StepKey {
        StepKey(key(&self.seed, name))
    }

    /// What an earlier run kept under this name. A turn uses each name once.
    pub(super) fn kept_step(&mut self, name: &str) -> Result<Option<Bytes>> {
        if self.named.iter().any(|used| used == name) {
            let why = format!("two steps of one turn are named {name:?}: give each a name of its own");
            return Err(Error::lasting(why));
        }
        if self.named.len() == STEPS_PER_TURN {
            return Err(Error::lasting(format!(
                "a turn has at most {STEPS_PER_TURN} steps, {name:?} is one too many"
            )));
        }
        self.named.push(name.to_owned());
        let kept = self.kept.iter().find(|kept| kept.name == name);
        Ok(kept.map(|kept| kept.result.clone()))
    }

    pub(super) async fn keep<T: Serialize>(&mut self, name: &str, result: &T) -> Result {
        let result = super::json(result)?;
        if result.len() > STEP_BYTES {
            let size = result.len();
            return Err(Error::lasting(format!(
                "the result of step {name:?} is {size} bytes, at most {STEP_BYTES} are kept"
            )));
        }
        let step = KeptStep {
            name: name.to_owned(),
            result,
        };
        self.port.keep_step(step).await.map_err(port_error)
    }
}

/// A kept result that this code cannot read parks the turn: to run the step again would pay twice.
pub(super) fn read<T: DeserializeOwned>(name: &str, kept: &[u8]) -> Result<T> {
    serde_json::from_slice(kept)
        .map_err(|error| Error::lasting(format!("the kept result of step {name:?} cannot be read: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::error::Verdict;

    #[test]
    fn a_key_is_the_same_in_every_run_and_no_other_step_has_it() {
        assert_eq!(key("turn", "pay"), key("turn", "pay"));
        assert_ne!(key("turn", "pay"), key("turnp", "ay"));
        assert_eq!(key("turn", "pay").len(), 32);
    }

    #[test]
    fn a_kept_result_that_cannot_be_read_parks_the_turn_instead_of_paying_again() {
        let error = read::<u32>("pay", b"\"seven\"").unwrap_err();
        let Verdict::Failed(failed) = error.into_verdict() else {
            panic!("not a fault")
        };
        assert!(failed.is_final);
        assert!(
            failed
                .message
                .starts_with("the kept result of step \"pay\" cannot be read"),
            "{}",
            failed.message
        );
    }
}

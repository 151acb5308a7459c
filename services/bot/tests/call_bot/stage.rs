//! A call whose turns are run one by one.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use trunkline_bot::calls::CallState;
use trunkline_bot::logic::{
    Begin, CallAbout, CallEvent, CallNow, Effect, End, Input, KeptStep, Logic, OperationEnd, OperationOutcome, Outcome,
    Partial, Port, PortError, StoredState, UserSnapshot,
};
use trunkline_bot::prelude::*;
use trunkline_teams::calls::Tone as Key;
use trunkline_teams::graph::OperationKind;

const NOON: u64 = 1_000_000;

/// A port that nothing is asked of.
struct Nothing;

impl Port for Nothing {
    fn keep_step(&mut self, _: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>> {
        ready(Ok(())).boxed_local()
    }
    fn send_now(&mut self, _: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>> {
        ready(Err(PortError::NotSent("there is nobody".to_owned()))).boxed_local()
    }
    fn typing(&mut self) {}
    fn partial(&mut self, _: &str, _: Partial) -> Result<(), PortError> {
        Ok(())
    }
    fn user<'a>(&'a mut self, _: &'a str, _: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>> {
        ready(Ok(UserSnapshot::default())).boxed_local()
    }
    fn blocking(&mut self, work: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>> {
        work();
        ready(Ok(())).boxed_local()
    }
    fn remaining(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A call whose turns are run one by one.
pub(crate) struct Stage {
    pub(crate) logic: Arc<dyn Logic>,
    pub(crate) call: CallNow,
    pub(crate) state: Option<StoredState>,
    pub(crate) now: SystemTime,
    pub(crate) turns: u32,
}

impl Stage {
    pub(crate) fn new<S: State, A: Send + Sync + 'static>(bot: CallBot<S, A>) -> Self {
        Self {
            logic: bot.build().unwrap(),
            call: CallNow {
                key: "k".to_owned(),
                id: Some("k".to_owned()),
                tenant: "t".to_owned(),
                state: CallState::Established,
                is_audio_active: true,
                decide_within: None,
                about: CallAbout::default(),
                present: Vec::new(),
                leg: None,
            },
            state: None,
            now: UNIX_EPOCH + Duration::from_secs(NOON),
            turns: 0,
        }
    }

    pub(crate) fn in_state(mut self, state: CallState) -> Self {
        self.call.state = state;
        self
    }

    pub(crate) fn end(&mut self, input: Input) -> End {
        self.turns += 1;
        let here = Address::Call {
            tenant: "t".to_owned(),
            service_url: String::new(),
            call: "k".to_owned(),
        };
        let begin = Begin {
            input,
            here,
            state: self.state.clone(),
            steps: Vec::new(),
            now: self.now,
            seed: format!("turn {}", self.turns),
            attempt: 1,
            locale: None,
            next_sequence: 1,
            call: Some(Box::new(self.call.clone())),
        };
        self.logic.run(begin, Box::new(Nothing)).now_or_never().unwrap()
    }

    pub(crate) fn gets(&mut self, input: Input) -> Vec<Effect> {
        match self.end(input) {
            End::Commit(Outcome { state, effects, .. }) => {
                self.state = state.or(self.state.take());
                effects
            }
            other => panic!("the turn ended otherwise: {other:?}"),
        }
    }

    pub(crate) fn happens(&mut self, event: CallEvent) -> Vec<Effect> {
        self.gets(Input::Call(Box::new(event)))
    }

    pub(crate) fn fails(&mut self, event: CallEvent) -> String {
        match self.end(Input::Call(Box::new(event))) {
            End::Failed(error) => {
                assert!(error.is_final, "another attempt would not help: {}", error.message);
                error.message
            }
            other => panic!("the turn did not fail: {other:?}"),
        }
    }

    pub(crate) fn presses(&mut self, keys: &str) -> Vec<Effect> {
        keys.chars()
            .flat_map(|key| self.happens(CallEvent::Tone(Key::from_key(key).unwrap())))
            .collect()
    }

    pub(crate) fn operation_ends(&mut self, key: &str, kind: OperationKind, outcome: OperationOutcome) -> Vec<Effect> {
        self.happens(CallEvent::OperationEnded(Box::new(OperationEnd {
            key: key.to_owned(),
            operation: kind.name().to_owned(),
            outcome,
        })))
    }

    pub(crate) fn timer(&mut self, key: &str) -> Vec<Effect> {
        self.gets(Input::Signal {
            name: "trunkline:gather".to_owned(),
            key: key.to_owned(),
            payload: Bytes::from_static(b"null"),
        })
    }

    pub(crate) fn stored(&self) -> String {
        let stored = self.state.as_ref().map(|state| state.bytes.to_vec());
        String::from_utf8(stored.unwrap_or_default()).unwrap()
    }
}

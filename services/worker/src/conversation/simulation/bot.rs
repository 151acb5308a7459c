//! The bot of the simulation: it remembers the numbers of the activities that it saw, and replies with each.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use trunkline_bot::logic::{
    Answer, Begin, Description, Effect, End, InDoubt, Input, Logic, Outcome, Port, StateProblem, StoredState, TurnError,
};
use trunkline_teams::activity::Activity;

pub(super) fn number_of(begin: &Begin) -> Option<u64> {
    match &begin.input {
        Input::Activity(activity) => activity.id.as_ref()?.parse().ok(),
        Input::Signal { name, .. } => name.parse().ok(),
        _ => None,
    }
}

/// Timers have numbers of their own.
const TIMERS: u64 = 1_000;
/// How far ahead they are set.
const TIMER_WAIT: Duration = Duration::from_secs(7);

/// The timer that the turn of this activity sets.
pub(super) fn timer_of(number: u64) -> Option<u64> {
    (number < TIMERS && number % 6 == 1 && !is_told(number)).then_some(number + TIMERS)
}

/// Some turns tell the user something and leave the state as it is.
pub(super) fn is_told(number: u64) -> bool {
    number < TIMERS && number % 7 == 5
}

pub(super) fn numbers_of(state: Option<&Bytes>) -> Vec<u64> {
    state
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
        .unwrap_or_default()
}

/// The bot: it remembers the numbers of the activities that it saw, and replies with each.
pub(super) fn end_of(begin: &Begin) -> End {
    let Some(number) = number_of(begin) else {
        return End::Commit(Outcome::default());
    };
    let mut applied = numbers_of(begin.state.as_ref().map(|state| &state.bytes));
    applied.push(number);
    let reply = Effect::Send {
        sequence: begin.next_sequence,
        to: begin.here.clone(),
        activity: serde_json::to_vec(&number).unwrap().into(),
        in_doubt: InDoubt::Resend,
        wants_id: false,
        stream: None,
        targeted: false,
    };
    let bytes = serde_json::to_vec(&applied).unwrap().into();
    let timer = timer_of(number).map(|timer| Effect::SetTimer {
        name: timer.to_string(),
        key: String::new(),
        at: begin.now + TIMER_WAIT,
        every: None,
        payload: Bytes::new(),
    });
    let outcome = Outcome {
        state: Some(StoredState { version: 1, bytes }),
        effects: timer.into_iter().chain([reply]).collect(),
        answer: None,
    };
    if is_told(number) {
        End::Tell(outcome)
    } else {
        End::Commit(outcome)
    }
}

pub(super) fn failed() -> End {
    End::Failed(TurnError {
        message: "simulated".to_owned(),
        retry_after: None,
        is_final: false,
    })
}

/// Its turns are played by the world.
pub(super) struct Silent;

impl Logic for Silent {
    fn describe(&self) -> Description {
        Description {
            name: "test".to_owned(),
            ..Description::default()
        }
    }

    fn route_of(&self, _: &Activity) -> Option<usize> {
        None
    }

    fn run(&self, _: Begin, _: Box<dyn Port>) -> LocalBoxFuture<'_, End> {
        unreachable!("the world plays the turns")
    }

    fn late_answer(&self, _: &Activity) -> Option<Answer> {
        None
    }

    fn failed_answer(&self, _: &Activity) -> Answer {
        Answer {
            status: 500,
            body: None,
        }
    }

    fn apply_user_changes(
        &self,
        _: &str,
        state: Option<StoredState>,
        _: &[Bytes],
    ) -> Result<StoredState, StateProblem> {
        Ok(state.unwrap_or(StoredState {
            version: 1,
            bytes: Bytes::new(),
        }))
    }
}

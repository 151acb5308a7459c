//! The bot: it remembers the numbers of the activities that it saw, and replies with each.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use trunkline_bot::logic::{
    Answer, Begin, Description, Effect, End, InDoubt, Input, Logic, Outcome, Port, StateProblem, StoredState, TurnError,
};
use trunkline_teams::activity::Activity;
use trunkline_worker::conversation::ArrivalKind;

use crate::chat::{TIMERS, is_told, kind_of, timer_of};

/// How far ahead timers are set.
const TIMER_WAIT: Duration = Duration::from_secs(3);

/// What a turn is about: an activity, or a timer.
pub(crate) fn number_of(begin: &Begin) -> Option<u64> {
    match &begin.input {
        Input::Activity(activity) => activity.id.as_ref()?.parse().ok(),
        Input::Signal { name, .. } => name.parse().ok(),
        _ => None,
    }
}

/// What the bot remembers.
pub(crate) fn numbers_of(state: Option<&Bytes>) -> Vec<u64> {
    state
        .map(|bytes| serde_json::from_slice(bytes).unwrap())
        .unwrap_or_default()
}

/// What a turn comes to.
pub(crate) fn end_of(begin: &Begin) -> End {
    let Some(number) = number_of(begin) else {
        return End::Commit(Outcome::default());
    };
    let mut applied = numbers_of(begin.state.as_ref().map(|state| &state.bytes));
    applied.push(number);
    let text: Bytes = number.to_string().into();
    let reply = Effect::Send {
        sequence: begin.next_sequence,
        to: begin.here.clone(),
        activity: text.clone(),
        in_doubt: InDoubt::Resend,
        wants_id: false,
        stream: None,
        targeted: false,
    };
    let timer = timer_of(number).map(|timer| Effect::SetTimer {
        name: timer.to_string(),
        key: String::new(),
        at: begin.now + TIMER_WAIT,
        every: None,
        payload: Bytes::new(),
    });
    let bytes = serde_json::to_vec(&applied).unwrap().into();
    let is_invoke = number < TIMERS && kind_of(number) == ArrivalKind::Invoke;
    let outcome = Outcome {
        state: Some(StoredState { version: 1, bytes }),
        effects: timer.into_iter().chain([reply]).collect(),
        answer: is_invoke.then_some(Answer {
            status: 200,
            body: Some(text),
        }),
    };
    if is_told(number) {
        End::Tell(outcome)
    } else {
        End::Commit(outcome)
    }
}

/// A turn that fails.
pub(crate) fn failed() -> End {
    End::Failed(TurnError {
        message: "simulated".to_owned(),
        retry_after: None,
        is_final: false,
    })
}

/// Its turns are played by the world.
pub(crate) struct Silent;

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

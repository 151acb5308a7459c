//! A calling bot as the worker runs it.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use trunkline_teams::activity::Activity;
use trunkline_teams::calls::RejectReason;
use trunkline_teams::graph::Operation;

use super::{CallEntry, Listener, Meet};
use crate::bot::{lasting, no_such_user, not_implemented};
use crate::call::gather::Gather;
use crate::call::{Call, Decision, Ringing, Sound, Then};
use crate::error::{Error, Result, Verdict};
use crate::event::{Ended, Invitation, RecordingInvitation};
use crate::handler::Handler;
use crate::logic::{
    Answer, Begin, CallEvent, CallNow, CallsDescription, Description, Effect, End, Failure, Input, Logic, Outcome,
    Port, SoundEnds, StateProblem, StoredState,
};
use crate::route::Incoming;
use crate::state::{self, State};
use crate::turn::{Misuse, Turn};

pub(super) struct Running<S, A: 'static> {
    pub(super) name: &'static str,
    pub(super) app: &'static A,
    pub(super) meet: Option<Meet<S, A, Invitation>>,
    pub(super) recording_asked: Option<Meet<S, A, RecordingInvitation>>,
    pub(super) if_late: Decision,
    pub(super) entries: Vec<Box<dyn CallEntry<S, A>>>,
    pub(super) ended: Option<Box<dyn Handler<Turn<A>, S, Ended, ()>>>,
    pub(super) on_failed: Option<Box<dyn Handler<Call<A>, S, Failure, Then>>>,
    pub(super) listener: Option<Listener<A>>,
    pub(super) hears_only: bool,
    pub(super) hears_gathered: bool,
    pub(super) wants_tones: bool,
    pub(super) wants_speech: bool,
}

/// What is stored of a call: the author's state, and the keys that are being gathered.
#[derive(Default, Serialize, Deserialize)]
#[serde(bound = "")]
struct Kept<S: State> {
    #[serde(default)]
    state: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gather: Option<Gather>,
}

impl<S: State> State for Kept<S> {
    const VERSION: u32 = S::VERSION;

    fn upgrade(from: u32, mut stored: serde_json::Value) -> Result<Self> {
        let gather = stored.get_mut("gather").map(serde_json::Value::take);
        let state = stored.get_mut("state").map(serde_json::Value::take);
        Ok(Self {
            state: S::upgrade(from, state.unwrap_or_default())?,
            gather: gather.map(serde_json::from_value).transpose()?.flatten(),
        })
    }
}

/// Reads the author's part of what is stored of a call.
pub(crate) fn read_state<S: State>(stored: Option<&StoredState>) -> Result<S, StateProblem> {
    state::read::<Kept<S>>(stored).map(|kept| kept.state)
}

impl<S: State, A: Send + Sync + 'static> Running<S, A> {
    async fn turn(&self, mut begin: Begin, port: Box<dyn Port>) -> End {
        let stored = begin.state.take();
        let mut kept: Kept<S> = match state::read(stored.as_ref()) {
            Ok(kept) => kept,
            Err(problem) => return End::State(problem),
        };
        let Some(now) = begin.call.take() else {
            return End::Failed(lasting(&WithoutCall));
        };
        let (turn, input) = Turn::start(self.app, &[], begin, port);
        let asked = match input {
            Input::Call(event) => match *event {
                CallEvent::Incoming => self.incoming(turn, *now, &mut kept.state).await,
                CallEvent::Ended(end) => self.end(turn, &mut kept, Ended::new(end)).await,
                other => self.event(turn, *now, &mut kept, Input::Call(Box::new(other))).await,
            },
            Input::Failed(failure) => self.failed(turn, *now, &mut kept, failure).await,
            other => self.event(turn, *now, &mut kept, other).await,
        };
        let effects = match asked {
            Ok(Ok(effects)) => effects,
            Ok(Err(misuse)) => return End::Failed(lasting(&misuse)),
            Err(error) => return ended_by(error),
        };
        match state::write_changed(&kept, stored.as_ref()) {
            Ok(state) => End::Commit(Outcome {
                state,
                effects,
                answer: None,
            }),
            Err(unwritable) => End::Failed(lasting(&unwritable)),
        }
    }

    async fn incoming(&self, turn: Turn<A>, now: CallNow, state: &mut S) -> Result<Asked> {
        let about = now.about.clone();
        let is_recording = about.observed_participant().is_some();
        let mut ringing = Ringing::new(turn, now);
        let decision = match (&self.recording_asked, &self.meet) {
            (Some(meet), _) if is_recording => {
                meet.handle(&mut ringing, state, RecordingInvitation::new(about))
                    .await?
            }
            (_, Some(meet)) if !is_recording => meet.handle(&mut ringing, state, Invitation::new(about)).await?,
            _ => UNWANTED,
        };
        Ok(ringing.finish(&decision))
    }

    async fn end(&self, mut turn: Turn<A>, kept: &mut Kept<S>, ended: Ended) -> Result<Asked> {
        // Nobody presses any more: the keys go before the state of the call goes.
        kept.gather = None;
        if let Some(handler) = &self.ended {
            handler.handle(&mut turn, &mut kept.state, ended).await?;
        }
        Ok(turn.finish())
    }

    async fn event(&self, turn: Turn<A>, now: CallNow, kept: &mut Kept<S>, input: Input) -> Result<Asked> {
        let mut call = Call::new(turn, now, kept.gather.take(), self.hears_gathered);
        if let Some(input) = call.listen(input) {
            let mut entries = self.entries.iter();
            if let Some(entry) = entries.find(|entry| entry.fits(Incoming::from(&input))) {
                let then = entry.run(&mut call, &mut kept.state, input).await?;
                call.goes_on(then);
            }
        }
        Ok(finish(call, kept))
    }

    async fn failed(&self, turn: Turn<A>, now: CallNow, kept: &mut Kept<S>, failure: Failure) -> Result<Asked> {
        let mut call = Call::new(turn, now, kept.gather.take(), self.hears_gathered);
        if let Some(handler) = &self.on_failed {
            let then = handler.handle(&mut call, &mut kept.state, failure).await?;
            call.goes_on(then);
        }
        Ok(finish(call, kept))
    }

    /// What is done with a call that comes in and for which no handler has decided.
    fn default_decision(&self, now: &CallNow) -> &Decision {
        let is_wanted = if now.about.observed_participant().is_some() {
            self.recording_asked.is_some()
        } else {
            self.meet.is_some()
        };
        if is_wanted { &self.if_late } else { &UNWANTED }
    }
}

/// What a bot does with calls that it has no handler for.
const UNWANTED: Decision = Decision::Reject(RejectReason::Forbidden);

/// What a turn asked for, or why it cannot be done.
type Asked = std::result::Result<Vec<Effect>, Misuse>;

fn finish<S: State, A>(call: Call<A>, kept: &mut Kept<S>) -> Asked {
    let (effects, gather) = call.finish()?;
    kept.gather = gather;
    Ok(effects)
}

#[derive(Debug, thiserror::Error)]
#[error("a calling bot was given a turn that is of no call")]
struct WithoutCall;

#[derive(Debug, thiserror::Error)]
#[error("`tell` in a call, where nobody reads: {0:?} (send it to a conversation, or play a prompt)")]
struct ToldInCall(String);

fn ended_by(error: Error) -> End {
    match error.into_verdict() {
        Verdict::Tell(draft) => End::Failed(lasting(&ToldInCall(draft.body().to_owned()))),
        Verdict::Failed(failed) => End::Failed(failed),
        Verdict::Stopped => End::Stopped,
    }
}

impl<S: State, A: Send + Sync + 'static> Logic for Running<S, A> {
    fn describe(&self) -> Description {
        Description {
            name: self.name.to_owned(),
            state_version: S::VERSION,
            routes: self.entries.iter().map(|entry| entry.describe()).collect(),
            calls: Some(CallsDescription {
                answers: self.meet.is_some() || self.recording_asked.is_some(),
                wants_tones: self.wants_tones,
                wants_speech: self.wants_speech,
                listens: self.listener.is_some(),
                hears_only: self.hears_only,
            }),
            ..Description::default()
        }
    }

    fn route_of(&self, _: &Activity) -> Option<usize> {
        None
    }

    fn listen(&self, sound: SoundEnds) -> Option<LocalBoxFuture<'_, ()>> {
        let listener = self.listener.as_ref()?;
        Some(listener(Sound::new(sound), self.app))
    }

    fn run(&self, begin: Begin, port: Box<dyn Port>) -> LocalBoxFuture<'_, End> {
        Box::pin(self.turn(begin, port))
    }

    fn late_answer(&self, _: &Activity) -> Option<Answer> {
        None
    }

    fn late_decision(&self, call: &CallNow) -> Option<Operation> {
        // Checked when the bot was built.
        self.default_decision(call).operation().ok()
    }

    fn handles_call_event(&self, event: &CallEvent) -> bool {
        match event {
            CallEvent::Incoming => true,
            CallEvent::Ended(_) => self.ended.is_some(),
            CallEvent::Tone(_) | CallEvent::OperationEnded(_) if self.hears_gathered => true,
            event => self.entries.iter().any(|entry| entry.fits(Incoming::Call(event))),
        }
    }

    fn failed_answer(&self, _: &Activity) -> Answer {
        not_implemented()
    }

    fn apply_user_changes(
        &self,
        name: &str,
        state: Option<StoredState>,
        _: &[Bytes],
    ) -> Result<StoredState, StateProblem> {
        Err(no_such_user(name, state.as_ref()))
    }
}

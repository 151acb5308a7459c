//! A calling bot: which calls it takes, what it remembers of each, what it listens to.

mod run;

use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use trunkline_teams::calls::RejectReason;

pub(crate) use run::read_state;

use crate::bot::{BotError, Listed, RouteEntry, reachable};
use crate::call::gather::{GATHERED, TIMER};
use crate::call::{Call, Decision, Ringing, Sound, Then};
use crate::error::Result;
use crate::event::{Ended, Invitation, RecordingInvitation};
use crate::handler::Handler;
use crate::logic::{Failure, Input, Logic};
use crate::route::calls::CallRoute;
use crate::route::{Incoming, Shape};
use crate::state::State;
use crate::turn::Turn;

/// A calling bot: `S` is what one call remembers, `A` holds the clients and settings of the process.
///
/// Every call has a state of its own, which begins as `S::default()` and is gone soon after the call. Routes are read from top
/// to bottom; the first that fits runs, and only that one. What nobody listens to changes nothing.
pub struct CallBot<S, A: 'static = ()> {
    name: &'static str,
    app: A,
    meet: Option<Meet<S, A, Invitation>>,
    recording_asked: Option<Meet<S, A, RecordingInvitation>>,
    if_late: Decision,
    entries: Vec<Box<dyn CallEntry<S, A>>>,
    ended: Option<Box<dyn Handler<Turn<A>, S, Ended, ()>>>,
    on_failed: Option<Box<dyn Handler<Call<A>, S, Failure, Then>>>,
    listener: Option<Listener<A>>,
    hears_only: bool,
}

/// Whoever listens to the sound of calls.
type Listener<A> = Box<dyn Fn(Sound, &'static A) -> LocalBoxFuture<'static, ()> + Send + Sync>;

type Meet<S, A, E> = Box<dyn Handler<Ringing<A>, S, E, Decision>>;

impl<S: State, A: Send + Sync + 'static> CallBot<S, A> {
    /// A bot that people call. `meet` decides what becomes of a call while it rings; it has what is left of 15 s.
    pub fn answering(
        name: &'static str,
        app: A,
        meet: impl AsyncFn(&mut Ringing<A>, &mut S, Invitation) -> Result<Decision> + Send + Sync + 'static,
    ) -> Self {
        Self {
            meet: Some(Box::new(meet)),
            ..Self::calling(name, app)
        }
    }

    /// A bot that only calls people, or joins meetings: calls that come in are rejected as forbidden.
    pub fn calling(name: &'static str, app: A) -> Self {
        Self {
            name,
            app,
            meet: None,
            recording_asked: None,
            if_late: Decision::Reject(RejectReason::Busy),
            entries: Vec::new(),
            ended: None,
            on_failed: None,
            listener: None,
            hears_only: false,
        }
    }

    /// Decides about invitations to record somebody by policy; it has what is left of 5 s. Without it they are rejected as
    /// forbidden.
    #[must_use]
    pub fn recording_asked(
        mut self,
        meet: impl AsyncFn(&mut Ringing<A>, &mut S, RecordingInvitation) -> Result<Decision> + Send + Sync + 'static,
    ) -> Self {
        self.recording_asked = Some(Box::new(meet));
        self
    }

    /// What is done with a call that comes in when its handler is late or fails. Without it the call is rejected as busy.
    #[must_use]
    pub fn if_late(mut self, decision: Decision) -> Self {
        self.if_late = decision;
        self
    }

    /// Runs `handler` for what reaches `route`; what it returns says how the call goes on.
    #[must_use]
    pub fn on<R: CallRoute>(
        mut self,
        route: R,
        handler: impl AsyncFn(&mut Call<A>, &mut S, R::Event) -> Result<Then> + Send + Sync + 'static,
    ) -> Self {
        self.entries.push(Box::new(RouteEntry::new(route.listen(), handler)));
        self
    }

    /// Runs when the call is over, whoever ended it: the last turn of the call. A handler that was running was dropped.
    #[must_use]
    pub fn ended(
        mut self,
        handler: impl AsyncFn(&mut Turn<A>, &mut S, Ended) -> Result + Send + Sync + 'static,
    ) -> Self {
        self.ended = Some(Box::new(handler));
        self
    }

    /// Runs when a turn of the call was given up, with the state as it was. Without it the call goes on as if nothing had
    /// happened.
    #[must_use]
    pub fn on_failed(
        mut self,
        handler: impl AsyncFn(&mut Call<A>, &mut S, Failure) -> Result<Then> + Send + Sync + 'static,
    ) -> Self {
        self.on_failed = Some(Box::new(handler));
        self
    }

    /// Hears and speaks itself: `listener` runs beside the turns of each call with [`crate::Media::hosted`], from when its sound flows,
    /// and is dropped with it. It may live long, but must not block its thread: work that takes more than a millisecond belongs
    /// elsewhere. What it understands it tells the call by [`crate::Speaker::tell`], and the call's handlers decide.
    ///
    /// Nothing of it is kept: after the death of its process it begins anew in another one, in the middle of the call.
    ///
    /// ```
    /// # use trunkline_bot::prelude::*;
    /// # use trunkline_bot::Sound;
    /// # #[derive(Default, Serialize, Deserialize)] struct Talk {}
    /// # impl State for Talk {}
    /// /// The caller was silent for two seconds.
    /// #[derive(Serialize, Deserialize)]
    /// struct Quiet;
    /// impl Signal for Quiet { const NAME: &'static str = "quiet"; }
    ///
    /// async fn listen(mut sound: Sound, _: &'static ()) {
    ///     let mut quiet = 0;
    ///     while let Some(frame) = sound.next().await {
    ///         quiet = if frame.level > 50 { quiet + 1 } else { 0 };
    ///         if quiet == 100 && sound.speaker().tell(Quiet).await.is_err() {
    ///             return;
    ///         }
    ///     }
    /// }
    /// # async fn meet(_: &mut Ringing, _: &mut Talk, _: Invitation) -> Result<Decision> { Ok(Decision::Answer(Media::hosted())) }
    /// # async fn quiet(_: &mut Call, _: &mut Talk, _: Quiet) -> Result<Then> { Ok(Then::HangUp) }
    /// let bot = CallBot::answering("patient", (), meet)
    ///     .on(calls::signal::<Quiet>(), quiet)
    ///     .listens(listen);
    /// # bot.check().unwrap();
    /// ```
    #[must_use]
    pub fn listens(mut self, listener: impl AsyncFn(Sound, &'static A) + Send + Sync + 'static) -> Self {
        let listener = Arc::new(listener);
        self.listener = Some(Box::new(move |sound, app| {
            let listener = listener.clone();
            Box::pin(async move { listener(sound, app).await })
        }));
        self
    }

    /// What listens says nothing: a media host has room for more than twice as many such calls. What [`crate::Speaker::say`] is given
    /// all the same is not heard; prompts are.
    #[must_use]
    pub fn hears_only(mut self) -> Self {
        self.hears_only = true;
        self
    }

    /// Name of the bot.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Checks that every route can be reached, and that what is done when the bot is late can be done.
    ///
    /// # Errors
    /// A route that leaves nothing for one below it, with both names; a signal of a reserved name; a decision that Graph would
    /// refuse.
    pub fn check(&self) -> Result<(), BotError> {
        let bot = self.name;
        reachable(bot, &self.entries)?;
        let reserved = self.entries.iter().find_map(|entry| match entry.shape() {
            Shape::Signal(name) if [TIMER, GATHERED].contains(name) => Some(*name),
            _ => None,
        });
        if let Some(name) = reserved {
            return Err(BotError::ReservedSignal { bot, name });
        }
        let late = self.if_late.operation();
        late.map(drop)
            .map_err(|problem| BotError::LateDecision { bot, problem })
    }

    /// Checks the bot and makes it what the host runs.
    ///
    /// The app is leaked: it lives as long as the process.
    ///
    /// # Errors
    /// Those of [`CallBot::check`].
    pub fn build(self) -> Result<Arc<dyn Logic>, BotError> {
        self.check()?;
        let hears = |shape: &Shape| self.entries.iter().any(|entry| entry.shape() == shape);
        let hears_gathered = hears(&Shape::Gathered);
        Ok(Arc::new(run::Running {
            hears_gathered,
            wants_tones: hears_gathered || hears(&Shape::Kind("tone")),
            wants_speech: hears(&Shape::Kind("speech")),
            name: self.name,
            app: Box::leak(Box::new(self.app)),
            meet: self.meet,
            recording_asked: self.recording_asked,
            if_late: self.if_late,
            entries: self.entries,
            ended: self.ended,
            on_failed: self.on_failed,
            listener: self.listener,
            hears_only: self.hears_only,
        }))
    }
}

/// One line of a calling bot.
trait CallEntry<S, A: 'static>: Listed {
    fn fits(&self, incoming: Incoming<'_>) -> bool;

    fn run<'a>(&'a self, call: &'a mut Call<A>, state: &'a mut S, input: Input) -> LocalBoxFuture<'a, Result<Then>>;
}

impl<S, A, E, H> CallEntry<S, A> for RouteEntry<E, Then, H>
where
    S: 'static,
    A: Sync + 'static,
    E: 'static,
    H: AsyncFn(&mut Call<A>, &mut S, E) -> Result<Then> + Send + Sync + 'static,
{
    fn fits(&self, incoming: Incoming<'_>) -> bool {
        self.listen.fits(incoming)
    }

    fn run<'a>(&'a self, call: &'a mut Call<A>, state: &'a mut S, input: Input) -> LocalBoxFuture<'a, Result<Then>> {
        Box::pin(async move {
            let event = self.event(input)?;
            (self.handler)(call, state, event).await
        })
    }
}

//! What a bot listens to: routes are values whose type fixes the event and the answer.

mod activities;
pub(crate) mod calls;
mod cards;
mod messages;
mod shape;
mod signals;

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use trunkline_teams::activity::Activity;

pub use activities::{
    any, channel, deleted, installed, meeting_ended, meeting_started, members, participants, reaction, read_receipt,
    removed, team, upgraded,
};
pub use cards::{refresh, submit, verb};
pub use messages::{command, edited, message, pattern, text, undeleted};
pub use signals::{sent, signal};

pub(crate) use cards::{is_card_action, unpacked};
pub(crate) use shape::Shape;

use crate::card::CardReply;
use crate::error::Error;
use crate::logic::{Answer, CallEvent, Input};

/// What a bot can listen to. Made by the functions of [`crate::routes`]; sealed, so that new kinds of activity can be added
/// without breaking anybody.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something that a bot can listen to",
    label = "not a route",
    note = "the first argument of `.on` is a route: `message()`, `command(\"book\")`, `verb::<V>()`, `signal::<T>()`, .."
)]
pub trait Route: sealed::Sealed + Send + Sync + 'static {
    /// What the handler gets.
    type Event: 'static;
    /// What the handler returns.
    type Reply: Reply;
    #[doc(hidden)]
    fn listen(self) -> Listen<Self::Event, Self::Reply>;
}

/// What a handler may answer with; sealed.
pub trait Reply: sealed::Answering + 'static {}

pub(crate) mod sealed {
    use super::{Answer, CardReply, Value};

    pub trait Sealed {}

    pub trait Answering {
        fn answer(self, is_invoke: bool) -> Option<Answer>;
    }

    impl Answering for () {
        fn answer(self, _: bool) -> Option<Answer> {
            None
        }
    }

    impl Answering for CardReply {
        fn answer(self, _: bool) -> Option<Answer> {
            Some(crate::card::answer(&self))
        }
    }

    impl Answering for Value {
        fn answer(self, is_invoke: bool) -> Option<Answer> {
            let body = || serde_json::to_vec(&self).ok().map(Into::into);
            is_invoke.then(|| Answer {
                status: 200,
                body: if self.is_null() { None } else { body() },
            })
        }
    }
}

impl Reply for () {}
impl Reply for CardReply {}
impl Reply for Value {}

/// Why a route did not make an event of an input.
pub(crate) enum Refused {
    /// Not for this route after all.
    Other,
    /// For this route, but what it carries cannot be read.
    Unreadable(Error),
}

type Fits = Box<dyn Fn(Incoming<'_>) -> bool + Send + Sync>;
type Take<E> = Box<dyn Fn(Input) -> Result<E, Refused> + Send + Sync>;
type When<E> = Box<dyn Fn(&E) -> bool + Send + Sync>;
type IfLate<E, P> = Box<dyn Fn(&E) -> P + Send + Sync>;

/// A route with its modifiers.
pub struct Listen<E, P = ()> {
    pub(crate) shape: Shape,
    fits: Fits,
    take: Take<E>,
    pub(crate) once_per: Option<Duration>,
    pub(crate) within: Option<Duration>,
    when: Option<When<E>>,
    if_late: Option<IfLate<E, P>>,
}

impl<E: 'static, P: 'static> Listen<E, P> {
    pub(crate) fn new(
        shape: Shape,
        fits: impl Fn(Incoming<'_>) -> bool + Send + Sync + 'static,
        take: impl Fn(Input) -> Result<E, Refused> + Send + Sync + 'static,
    ) -> Self {
        Self {
            shape,
            fits: Box::new(fits),
            take: Box::new(take),
            once_per: None,
            within: None,
            when: None,
            if_late: None,
        }
    }

    /// Only events of which this is true; the others go on to the routes below. Pure: it may be asked several times.
    #[must_use]
    pub fn when(mut self, condition: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Box::new(condition));
        self
    }

    /// Whether nothing but its shape decides what this route takes.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.when.is_none()
    }

    pub(crate) fn fits(&self, incoming: Incoming<'_>) -> bool {
        // A condition looks at the event, and making that takes an input of its own.
        (self.fits)(incoming) && (self.when.is_none() || self.take(incoming.to_input()).is_ok())
    }

    pub(crate) fn take(&self, input: Input) -> Result<E, Refused> {
        let event = (self.take)(input)?;
        match &self.when {
            Some(condition) if !condition(&event) => Err(Refused::Other),
            _ => Ok(event),
        }
    }
}

impl<E: 'static, P: Reply> Listen<E, P> {
    /// The same person doing the same again within this time counts as a repeat and gets the answer of the first. Teams
    /// repeats an invoke that it got no answer for with a new id (botbuilder-dotnet #5005); a user may also press twice on
    /// purpose, so this is off by default.
    #[must_use]
    pub fn once_per(mut self, window: Duration) -> Self {
        self.once_per = Some(window);
        self
    }

    /// Budget of this route until its request is accepted or answered without it.
    #[must_use]
    pub fn within(mut self, budget: Duration) -> Self {
        self.within = Some(budget);
        self
    }

    /// What the user gets when the turn outlives its budget.
    #[must_use]
    pub fn if_late(mut self, answer: impl Fn(&E) -> P + Send + Sync + 'static) -> Self {
        self.if_late = Some(Box::new(answer));
        self
    }

    pub(crate) fn late(&self, activity: &Activity) -> Option<Answer> {
        let answer = self.if_late.as_ref()?;
        let event = self.take(Input::Activity(Box::new(activity.clone()))).ok()?;
        sealed::Answering::answer(answer(&event), true)
    }
}

impl<E, P> sealed::Sealed for Listen<E, P> {}

impl<E: 'static, P: Reply> Route for Listen<E, P> {
    type Event = E;
    type Reply = P;
    fn listen(self) -> Self {
        self
    }
}

impl<E, P> fmt::Debug for Listen<E, P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.shape)
    }
}

/// What a route looks at before it takes it.
#[derive(Clone, Copy)]
pub(crate) enum Incoming<'a> {
    Activity(&'a Activity),
    Call(&'a CallEvent),
    Inside(&'a Input),
}

impl<'a> Incoming<'a> {
    pub(crate) fn activity(self) -> Option<&'a Activity> {
        match self {
            Self::Activity(activity) => Some(activity),
            Self::Call(_) | Self::Inside(_) => None,
        }
    }

    fn to_input(self) -> Input {
        match self {
            Self::Activity(activity) => Input::Activity(Box::new(activity.clone())),
            Self::Call(event) => Input::Call(Box::new(event.clone())),
            Self::Inside(input) => input.clone(),
        }
    }
}

impl<'a> From<&'a Input> for Incoming<'a> {
    fn from(input: &'a Input) -> Self {
        match input {
            Input::Activity(activity) => Self::Activity(activity),
            Input::Call(event) => Self::Call(event),
            other => Self::Inside(other),
        }
    }
}

/// A route for activities: `fits` looks, `make` makes the event of one that fits.
fn of_activity<E: 'static, P: Reply>(
    shape: Shape,
    fits: impl Fn(&Activity) -> bool + Send + Sync + 'static,
    make: impl Fn(Box<Activity>) -> Result<E, Refused> + Send + Sync + 'static,
) -> Listen<E, P> {
    Listen::new(
        shape,
        move |incoming| incoming.activity().is_some_and(&fits),
        move |input| match input {
            Input::Activity(activity) => make(activity),
            _ => Err(Refused::Other),
        },
    )
}

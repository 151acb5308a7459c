//! A route with its handler, whatever their types.

use futures_util::future::LocalBoxFuture;
use trunkline_teams::activity::Activity;

use crate::dialog::{Dialog, Given, Next};
use crate::error::{Error, Result};
use crate::logic::{Answer, Input, RouteDescription};
use crate::route::{Incoming, Listen, Refused, Reply, Shape};
use crate::turn::Turn;

/// What is known of one line of a bot without running it.
pub(crate) trait Listed: Send + Sync {
    fn shape(&self) -> &Shape;

    fn describe(&self) -> RouteDescription;

    /// Whether nothing but its shape decides what it takes.
    fn is_unconditional(&self) -> bool;
}

/// One line of a bot.
pub(super) trait Entry<S, A: 'static>: Listed {
    /// Whether it takes an input, given the state, which is not changed; without a state no dialog is open.
    fn fits(&self, incoming: Incoming<'_>, state: Option<&mut S>) -> bool;

    fn late(&self, activity: &Activity) -> Option<Answer>;

    fn run<'a>(
        &'a self,
        turn: &'a mut Turn<A>,
        state: &'a mut S,
        input: Input,
    ) -> LocalBoxFuture<'a, Result<Option<Answer>>>;
}

/// A route and its handler; of a bot, or of calls.
pub(crate) struct RouteEntry<E, P, H> {
    pub(crate) listen: Listen<E, P>,
    pub(crate) handler: H,
}

impl<E, P, H> RouteEntry<E, P, H> {
    pub(crate) fn new(listen: Listen<E, P>, handler: H) -> Self {
        Self { listen, handler }
    }
}

impl<E: 'static, P: 'static, H> RouteEntry<E, P, H> {
    /// The event of an input that fits.
    pub(crate) fn event(&self, input: Input) -> Result<E> {
        self.listen.take(input).map_err(|refused| match refused {
            Refused::Unreadable(error) => error,
            Refused::Other => Error::lasting("the condition of a route is not pure: it held, then it did not"),
        })
    }
}

impl<E: 'static, P: 'static, H: Send + Sync> Listed for RouteEntry<E, P, H> {
    fn shape(&self) -> &Shape {
        &self.listen.shape
    }

    fn describe(&self) -> RouteDescription {
        RouteDescription {
            name: self.listen.shape.to_string(),
            once_per: self.listen.once_per,
            within: self.listen.within,
        }
    }

    fn is_unconditional(&self) -> bool {
        self.listen.is_unconditional()
    }
}

impl<S, A, E, P, H> Entry<S, A> for RouteEntry<E, P, H>
where
    S: 'static,
    A: Sync + 'static,
    E: 'static,
    P: Reply,
    H: AsyncFn(&mut Turn<A>, &mut S, E) -> Result<P> + Send + Sync + 'static,
{
    fn fits(&self, incoming: Incoming<'_>, _: Option<&mut S>) -> bool {
        self.listen.fits(incoming)
    }

    fn late(&self, activity: &Activity) -> Option<Answer> {
        self.listen.late(activity)
    }

    fn run<'a>(
        &'a self,
        turn: &'a mut Turn<A>,
        state: &'a mut S,
        input: Input,
    ) -> LocalBoxFuture<'a, Result<Option<Answer>>> {
        Box::pin(async move {
            let is_invoke = matches!(&input, Input::Activity(activity) if activity.is("invoke"));
            let event = self.event(input)?;
            let reply = (self.handler)(turn, state, event).await?;
            Ok(reply.answer(is_invoke))
        })
    }
}

pub(super) struct DialogEntry<S, D, H> {
    shape: Shape,
    slot: fn(&mut S) -> &mut Option<D>,
    done: H,
}

impl<S, D, H> DialogEntry<S, D, H> {
    pub(super) fn new(slot: fn(&mut S) -> &mut Option<D>, done: H) -> Self {
        let path = std::any::type_name::<D>();
        let name = path.rsplit("::").next().unwrap_or(path);
        Self {
            shape: Shape::Dialog(name),
            slot,
            done,
        }
    }
}

impl<S, D, H: Send + Sync> Listed for DialogEntry<S, D, H> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn describe(&self) -> RouteDescription {
        RouteDescription {
            name: self.shape.to_string(),
            ..RouteDescription::default()
        }
    }

    fn is_unconditional(&self) -> bool {
        false
    }
}

impl<S, A, D, H> Entry<S, A> for DialogEntry<S, D, H>
where
    S: 'static,
    A: Sync + 'static,
    D: Dialog,
    H: AsyncFn(&mut Turn<A>, &mut S, D::Outcome) -> Result + Send + Sync + 'static,
{
    fn fits(&self, incoming: Incoming<'_>, state: Option<&mut S>) -> bool {
        let is_message = incoming.activity().is_some_and(|activity| activity.is("message"));
        is_message && state.is_some_and(|state| (self.slot)(state).is_some())
    }

    fn late(&self, _: &Activity) -> Option<Answer> {
        None
    }

    fn run<'a>(
        &'a self,
        turn: &'a mut Turn<A>,
        state: &'a mut S,
        input: Input,
    ) -> LocalBoxFuture<'a, Result<Option<Answer>>> {
        Box::pin(async move {
            let (Some(dialog), Input::Activity(activity)) = ((self.slot)(state).take(), input) else {
                return Ok(None);
            };
            let given = Given::new(activity, turn.moment());
            match dialog.answer(&given) {
                Next::Ask(next) => turn.begin((self.slot)(state), next),
                Next::Again(same, why) => {
                    turn.reply(why);
                    *(self.slot)(state) = Some(same);
                }
                Next::Done(outcome) => (self.done)(turn, state, outcome).await?,
            }
            Ok(None)
        })
    }
}

//! A bot: what it is called, what it remembers, what it listens to.

mod check;
mod entry;
mod failed;
mod run;

use std::sync::Arc;

use bytes::Bytes;

pub use check::BotError;
pub(crate) use check::reachable;
pub(crate) use entry::{Listed, RouteEntry};
pub(crate) use failed::not_implemented;
pub(crate) use run::{lasting, no_such_user};

use crate::dialog::Dialog;
use crate::error::Result;
use crate::handler::Handler;
use crate::logic::{Failure, Logic, StateProblem, StoredState};
use crate::route::Route;
use crate::state::{self, State, UserState};
use crate::turn::Turn;
use entry::{DialogEntry, Entry};

/// A bot: `S` is what a conversation remembers, `A` holds the clients and settings of the process.
///
/// Routes are read from top to bottom; the first that fits runs, and only that one.
pub struct Bot<S, A: 'static = ()> {
    name: &'static str,
    app: Option<A>,
    entries: Vec<Box<dyn Entry<S, A>>>,
    on_failed: Option<Box<dyn Handler<Turn<A>, S, Failure, ()>>>,
    users: Vec<UserKind>,
    stop_words: Vec<String>,
}

/// A kind of user state and how its changes are applied.
#[derive(Clone, Copy)]
struct UserKind {
    name: &'static str,
    apply: fn(Option<StoredState>, &[Bytes]) -> Result<StoredState, StateProblem>,
}

impl<S: State> Bot<S> {
    /// A bot without clients or settings.
    pub fn new(name: &'static str) -> Self {
        Self::with(name, ())
    }
}

impl<S: State, A: Send + Sync + 'static> Bot<S, A> {
    /// A bot whose handlers reach `app` as `turn.app`.
    pub fn with(name: &'static str, app: A) -> Self {
        Self {
            app: Some(app),
            ..Self::part(name)
        }
    }

    /// Routes for another bot to [`Bot::include`].
    pub fn part(name: &'static str) -> Self {
        Self {
            name,
            app: None,
            entries: Vec::new(),
            on_failed: None,
            users: Vec::new(),
            stop_words: Vec::new(),
        }
    }

    /// Runs `handler` for what reaches `route`.
    #[must_use]
    pub fn on<R: Route>(
        mut self,
        route: R,
        handler: impl AsyncFn(&mut Turn<A>, &mut S, R::Event) -> Result<R::Reply> + Send + Sync + 'static,
    ) -> Self {
        self.entries.push(Box::new(RouteEntry::new(route.listen(), handler)));
        self
    }

    /// Gives messages to the dialog in a slot of the state while one is open there, and its outcome to `done`.
    ///
    /// Routes above interrupt it, those below wait until it is over.
    #[must_use]
    pub fn dialog<D: Dialog>(
        mut self,
        slot: fn(&mut S) -> &mut Option<D>,
        done: impl AsyncFn(&mut Turn<A>, &mut S, D::Outcome) -> Result + Send + Sync + 'static,
    ) -> Self {
        self.entries.push(Box::new(DialogEntry::new(slot, done)));
        self
    }

    /// Runs when a turn or a send was given up, with the state as it was. Without it the person is told that it did not work,
    /// with a reference that the operator can look up.
    #[must_use]
    pub fn on_failed(
        mut self,
        handler: impl AsyncFn(&mut Turn<A>, &mut S, Failure) -> Result + Send + Sync + 'static,
    ) -> Self {
        self.on_failed = Some(Box::new(handler));
        self
    }

    /// Declares something remembered of people, for [`Turn::user`] and [`Turn::change_user`].
    #[must_use]
    pub fn users<U: UserState>(mut self) -> Self {
        self.users.push(UserKind {
            name: U::NAME,
            apply: |stored, changes| {
                let user = state::apply::<U>(stored.as_ref(), changes)?;
                state::write(&user).map_err(|error| StateProblem::Unreadable {
                    stored: stored.map_or(U::VERSION, |stored| stored.version),
                    reason: error.to_string(),
                })
            },
        });
        self
    }

    /// A message equal to one of these, by the person whose turn runs, drops that turn and then runs as a turn of its own.
    /// Compared without case, trimmed.
    #[must_use]
    pub fn stop_words<const N: usize>(mut self, words: [&str; N]) -> Self {
        self.stop_words.extend(words.map(|word| word.trim().to_lowercase()));
        self
    }

    /// Appends the routes, user states and stop words of another bot; its name and app are not used.
    #[must_use]
    pub fn include(mut self, part: Self) -> Self {
        self.entries.extend(part.entries);
        self.users.extend(part.users);
        self.stop_words.extend(part.stop_words);
        self.on_failed = self.on_failed.or(part.on_failed);
        self
    }

    /// Name of the bot.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Checks that every route can be reached.
    ///
    /// # Errors
    /// A route that leaves nothing for one below it, with both names; a user state declared twice.
    pub fn check(&self) -> Result<(), BotError> {
        reachable(self.name, &self.entries)?;
        check::distinct(self.name, &self.users)
    }

    /// Checks the bot and makes it what the host runs.
    ///
    /// The app is leaked: it lives as long as the process.
    ///
    /// # Errors
    /// Those of [`Bot::check`], and a part without an app.
    pub fn build(self) -> Result<Arc<dyn Logic>, BotError> {
        self.check()?;
        let app = self.app.ok_or(BotError::NoApp { bot: self.name })?;
        Ok(Arc::new(run::Running {
            name: self.name,
            app: Box::leak(Box::new(app)),
            entries: self.entries,
            on_failed: self.on_failed,
            user_names: self.users.iter().map(|kind| kind.name).collect::<Vec<_>>().leak(),
            users: self.users,
            stop_words: self.stop_words,
        }))
    }
}

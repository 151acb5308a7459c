//! A bot as the worker runs it.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::json;
use trunkline_teams::activity::Activity;

use super::entry::Entry;
use super::{UserKind, failed};
use crate::card::{self, CardReply};
use crate::draft::Draft;
use crate::error::{Error, Result, Verdict};
use crate::handler::Handler;
use crate::logic::{
    Answer, Begin, Description, End, FailedWork, Failure, Input, Logic, Outcome, Port, StateProblem, StoredState,
    TurnError,
};
use crate::route::{Incoming, is_card_action};
use crate::state::{self, State};
use crate::turn::Turn;

pub(super) struct Running<S, A: 'static> {
    pub(super) name: &'static str,
    pub(super) app: &'static A,
    pub(super) entries: Vec<Box<dyn Entry<S, A>>>,
    pub(super) on_failed: Option<Box<dyn Handler<Turn<A>, S, Failure, ()>>>,
    pub(super) user_names: &'static [&'static str],
    pub(super) users: Vec<UserKind>,
    pub(super) stop_words: Vec<String>,
}

/// In what form a turn's words reach the person.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A message in the chat.
    Message,
    /// A toast, or a card in place of the one that was used.
    Card,
    /// A text in the dialog that is open.
    Dialog,
    /// A text in the message extension.
    Extension,
    /// A body that only says that it is an error.
    Bare,
}

impl Form {
    fn of(input: &Input) -> Self {
        match input {
            Input::Activity(activity) if is_card_action(activity) => Self::Card,
            Input::Activity(activity) if activity.is("invoke") => match activity.trimmed_name().unwrap_or_default() {
                "task/fetch" | "task/submit" | "composeExtension/fetchTask" | "composeExtension/submitAction" => {
                    Self::Dialog
                }
                name if name.starts_with("composeExtension/") => Self::Extension,
                _ => Self::Bare,
            },
            _ => Self::Message,
        }
    }
}

impl<S: State, A: Send + Sync + 'static> Running<S, A> {
    async fn turn(&self, mut begin: Begin, port: Box<dyn Port>) -> End {
        let stored = begin.state.take();
        let mut state: S = match state::read(stored.as_ref()) {
            Ok(state) => state,
            Err(problem) => return End::State(problem),
        };
        let (mut turn, input) = Turn::start(self.app, self.user_names, begin, port);
        let form = Form::of(&input);
        let ran = if let Input::Failed(failure) = input {
            self.failed(&mut turn, &mut state, failure).await.map(|()| None)
        } else {
            let incoming = Incoming::from(&input);
            let entry = self.entries.iter().find(|entry| entry.fits(incoming, Some(&mut state)));
            let Some(entry) = entry else { return unhandled(form) };
            entry.run(&mut turn, &mut state, input).await
        };
        let answer = match ran {
            Ok(answer) => answer,
            Err(error) => return ended_by(turn, error, form),
        };
        let effects = match turn.finish() {
            Ok(effects) => effects,
            Err(misuse) => return End::Failed(lasting(&misuse)),
        };
        match state::write_changed(&state, stored.as_ref()) {
            Ok(state) => End::Commit(Outcome { state, effects, answer }),
            Err(unwritable) => End::Failed(lasting(&unwritable)),
        }
    }

    async fn failed(&self, turn: &mut Turn<A>, state: &mut S, failure: Failure) -> Result {
        match (&self.on_failed, &failure.what) {
            (Some(handler), _) => handler.handle(turn, state, failure).await,
            (None, FailedWork::Turn(_)) => {
                let draft = failed::told(&failure, turn.locale());
                turn.reply(draft);
                Ok(())
            }
            // A message that could not be sent would only be followed by another that cannot.
            (None, FailedWork::Send(_)) => Ok(()),
        }
    }
}

fn unhandled(form: Form) -> End {
    End::Commit(Outcome {
        answer: (form != Form::Message).then(failed::not_implemented),
        ..Outcome::default()
    })
}

fn ended_by<A>(turn: Turn<A>, error: Error, form: Form) -> End {
    match error.into_verdict() {
        Verdict::Tell(draft) => told(turn, &draft, form),
        Verdict::Failed(failed) => End::Failed(failed),
        Verdict::Stopped => End::Stopped,
    }
}

/// Tells the person in the form that the turn has: a message, a toast or a card, the body of an answer.
fn told<A>(turn: Turn<A>, draft: &Draft, form: Form) -> End {
    let answer = match form {
        Form::Message => {
            return match turn.only_says(draft) {
                Ok(effects) => End::Tell(Outcome {
                    effects,
                    ..Outcome::default()
                }),
                Err(misuse) => End::Failed(lasting(&misuse)),
            };
        }
        Form::Card => card::answer(&match draft.only_card() {
            Some(card) => CardReply::Replace(card.clone()),
            None => CardReply::toast(draft.body()),
        }),
        Form::Dialog => failed::with_body(200, &json!({ "task": { "type": "message", "value": draft.body() } })),
        Form::Extension => failed::with_body(
            200,
            &json!({ "composeExtension": { "type": "message", "text": draft.body() } }),
        ),
        Form::Bare => failed::with_body(400, &json!({ "error": { "code": "Told", "message": draft.body() } })),
    };
    End::Tell(Outcome {
        answer: Some(answer),
        ..Outcome::default()
    })
}

/// A failure that no further attempt cures.
pub(crate) fn lasting(error: &dyn std::error::Error) -> TurnError {
    TurnError {
        message: error.to_string(),
        retry_after: None,
        is_final: true,
    }
}

/// Why changes of a user state that nobody declares cannot be applied.
pub(crate) fn no_such_user(name: &str, state: Option<&StoredState>) -> StateProblem {
    StateProblem::Unreadable {
        stored: state.map_or(0, |state| state.version),
        reason: format!("the bot declares no user state {name:?}"),
    }
}

impl<S: State, A: Send + Sync + 'static> Logic for Running<S, A> {
    fn describe(&self) -> Description {
        Description {
            name: self.name.to_owned(),
            state_version: S::VERSION,
            users: self.user_names.iter().map(|&name| name.to_owned()).collect(),
            stop_words: self.stop_words.clone(),
            routes: self.entries.iter().map(|entry| entry.describe()).collect(),
            calls: None,
        }
    }

    fn route_of(&self, activity: &Activity) -> Option<usize> {
        let incoming = Incoming::Activity(activity);
        self.entries.iter().position(|entry| entry.fits(incoming, None))
    }

    fn run(&self, begin: Begin, port: Box<dyn Port>) -> LocalBoxFuture<'_, End> {
        Box::pin(self.turn(begin, port))
    }

    fn late_answer(&self, activity: &Activity) -> Option<Answer> {
        let route = self.route_of(activity)?;
        self.entries[route].late(activity).or_else(|| failed::late(activity))
    }

    fn late_card(&self, activity: &Activity, answer: &Answer) -> Option<Bytes> {
        card::late_card(activity, answer)
    }

    fn failed_answer(&self, activity: &Activity) -> Answer {
        failed::answer(activity)
    }

    fn apply_user_changes(
        &self,
        name: &str,
        state: Option<StoredState>,
        changes: &[Bytes],
    ) -> Result<StoredState, StateProblem> {
        let Some(kind) = self.users.iter().find(|kind| kind.name == name) else {
            return Err(no_such_user(name, state.as_ref()));
        };
        (kind.apply)(state, changes)
    }
}

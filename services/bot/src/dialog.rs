//! Questions that go over several turns: an enum and two pure functions.

use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use trunkline_teams::activity::Activity;

use crate::address::Locale;
use crate::draft::Draft;
use crate::error::Result;
use crate::route::unpacked;

/// A dialog: each variant is a question that was put, its fields are what is known by then.
///
/// Both functions are pure: no turn, no clock of their own. What needs the outside ends the pure part with [`Next::Done`]; the
/// handler of the outcome looks it up and begins again at a later question. A dialog lives in a slot of the state and survives
/// whatever the state survives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a dialog",
    label = "not a dialog",
    note = "derive Serialize and Deserialize for it and implement `Dialog`: `question` puts the question, `answer` takes the answer"
)]
pub trait Dialog: Serialize + DeserializeOwned + Send + 'static {
    /// What the questions are for.
    type Outcome;

    /// The question that this variant puts.
    fn question(&self, at: &Moment) -> Draft;

    /// What follows from the answer.
    fn answer(self, given: &Given) -> Next<Self>;
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<D: Dialog> {
    /// Another question, or an earlier one.
    Ask(D),
    /// The same question again; the draft says why, in place of the question.
    Again(D, Draft),
    /// The dialog is over.
    Done(D::Outcome),
}

/// When and for whom a question is put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// The time of the turn.
    pub now: SystemTime,
    /// The person's language.
    pub locale: Locale,
}

impl Moment {
    /// A moment, as tests of dialogs need it.
    pub fn new(now: SystemTime, locale: Locale) -> Self {
        Self { now, locale }
    }
}

/// An answer: text, or the inputs of a card.
#[derive(Clone, Debug)]
pub struct Given {
    text: String,
    inputs: Value,
    at: Moment,
}

impl Given {
    /// What somebody wrote, as tests of dialogs need it.
    pub fn said(text: &str, at: Moment) -> Self {
        Self {
            text: text.to_owned(),
            inputs: Value::Null,
            at,
        }
    }

    pub(crate) fn new(mut activity: Box<Activity>, at: Moment) -> Self {
        let inputs = activity.value.take().map(unpacked).unwrap_or_default();
        Self {
            text: activity.text_without_bot().into_owned(),
            inputs,
            at,
        }
    }

    /// What the person wrote, trimmed; empty if a card was submitted.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The inputs of a card that was submitted (Action.Submit).
    ///
    /// # Errors
    /// No card was submitted, or its inputs are not a `T`.
    pub fn inputs<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(T::deserialize(&self.inputs)?)
    }

    /// When, and the person's language.
    pub fn at(&self) -> &Moment {
        &self.at
    }
}

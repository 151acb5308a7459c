//! What the author of a Teams bot writes against.
//!
//! This crate knows how a bot is described and how one of its turns runs, from a [`logic::Begin`] to a [`logic::End`]. It knows
//! nothing of HTTP, clusters or stores: the worker hands a turn in as data and commits what comes back as data, and the kit in
//! [`mod@test`] does the same in memory. The way through it: a [`Bot`] is a list of [`routes`] and handlers; the first route that
//! fits makes a typed event of the input; the handler changes its state and asks the [`Turn`] for messages, timers and steps;
//! what it asked for is rendered once, to the bytes that the Connector gets.

mod address;
mod bot;
mod card;
mod dialog;
mod draft;
mod error;
pub mod event;
pub mod logic;
mod route;
mod signal;
mod state;
pub mod test;
mod turn;

pub use address::{ActivityId, Address, Locale, Person, SentRef};
pub use bot::{Bot, BotError};
pub use card::{Card, CardInput, CardReply, Column};
pub use dialog::{Dialog, Given, Moment, Next};
pub use draft::{Citation, Draft, Importance, Text, plain};
pub use error::{Error, OrTell, Result, tell};
pub use regex::Regex;
pub use signal::{Signal, Verb};
pub use state::{State, UserState};
pub use turn::{StepKey, Stream, Turn};

#[doc = include_str!("../docs/first-bot.md")]
pub mod first_bot {}

#[doc = include_str!("../docs/turns.md")]
pub mod turns {}

/// What a bot listens to, for the first argument of [`Bot::on`].
pub mod routes {
    pub use crate::route::{
        Listen, Reply, Route, any, channel, command, deleted, edited, installed, meeting_ended, meeting_started,
        members, message, participants, pattern, reaction, read_receipt, refresh, removed, sent, signal, submit, team,
        text, undeleted, upgraded, verb,
    };
}

/// What most bots use.
pub mod prelude {
    pub use crate::event::{Edited, Installed, Matched, Members, Message, Pressed, Reaction, Sent, Submitted};
    pub use crate::routes::*;
    pub use crate::{
        Address, Bot, Card, CardInput, CardReply, Dialog, Draft, Given, Locale, Moment, Next, OrTell, Person, Result,
        SentRef, Signal, State, StepKey, Stream, Text, Turn, UserState, Verb, plain, tell,
    };
    pub use serde::{Deserialize, Serialize};
}

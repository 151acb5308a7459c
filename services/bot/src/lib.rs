//! What the author of a Teams bot writes against.
//!
//! This crate knows how a bot is described and how one of its turns runs, from a [`logic::Begin`] to a [`logic::End`]. It knows
//! nothing of HTTP, clusters or stores: the worker hands a turn in as data and commits what comes back as data, and the kit in
//! [`mod@test`] does the same in memory. The way through it: a [`Bot`] is a list of [`routes`] and handlers; the first route that
//! fits makes a typed event of the input; the handler changes its state and asks the [`Turn`] for messages, timers and steps;
//! what it asked for is rendered once, to the bytes that the Connector gets.
//!
//! A [`CallBot`] is the same for calls: its [`calls`] are what it listens to, a [`Ringing`] call can only be looked at, a [`Call`]
//! has operations, and what a handler returns says how the call goes on.

mod address;
mod bot;
mod call;
mod call_bot;
mod card;
mod dialog;
mod draft;
mod error;
pub mod event;
mod handler;
pub mod logic;
mod route;
mod signal;
mod state;
pub mod test;
mod turn;

pub use address::{ActivityId, Address, Locale, Person, SentRef};
pub use bot::{Bot, BotError};
pub use call::{
    Call, CallKey, CallProblem, Callee, Decision, Digits, GatherEnd, Media, Op, Outgoing, Prompt, Prompts, Record,
    Ringing, ScreenRole, Sound, Speaker, Then, Tones,
};
pub use call_bot::CallBot;
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

#[doc = include_str!("../docs/first-call.md")]
pub mod first_call {}

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

/// What happens in calls: routes for the first argument of [`CallBot::on`], and the kinds of [`Op`]erations.
pub mod calls {
    pub use crate::call::{
        AudioRoute, Bridge, Gallery, HoldMusic, Invite, MediaStop, Mute, Recording, RecordingStop, Removal, Reopening,
        Role, Status, Voice, WholeCall,
    };
    pub use crate::logic::{CallLeg, Directions};
    pub use crate::route::calls::{
        CallRoute, any, bridge_ended, call_recording, connected, gathered, in_doubt, invited, joined, left, lobby,
        media_ends, media_lost, muted, operation_ended, prompt_ended, recorded, recorded_joins, recorded_left,
        sharing_ended, sharing_started, signal, speech, status_updated, tone, tones_sent, transfer_failed, trouble,
    };
    pub use trunkline_teams::calls::{
        CallOptions, CallState, ChatInfo, Identity, IdentitySet, JoinUrlError, MeetingInfo, Modality, Participant,
        RecordingStatus, RejectReason, ResultInfo, Secret,
    };
}

/// What most bots use.
pub mod prelude {
    pub use crate::calls;
    pub use crate::calls::{Recording, RejectReason, Voice};
    pub use crate::event::{
        Connected, Ended, Gathered, InDoubt, Invitation, Joined, Left, PromptEnded, Recorded, RecordingInvitation,
        Tone, TransferFailed,
    };
    pub use crate::event::{Edited, Installed, Matched, Members, Message, Pressed, Reaction, Sent, Submitted};
    pub use crate::routes::*;
    pub use crate::{
        Address, Bot, Call, CallBot, CallKey, Callee, Card, CardInput, CardReply, Decision, Dialog, Digits, Draft,
        Given, Locale, Media, Moment, Next, Op, OrTell, Outgoing, Person, Prompt, Record, Result, Ringing, SentRef,
        Signal, State, StepKey, Stream, Text, Then, Turn, UserState, Verb, plain, tell,
    };
    pub use serde::{Deserialize, Serialize};
}

//! The way to media hosts: which one is asked, one stream to each, and what their words mean to a call.
//!
//! `choice` and `wire` decide and translate, without a socket; `line` is the stream to one host and `lines` all of them. The
//! actor of a call says what it wants ([`crate::conversation::LegAsk`]) and hears what its leg tells, whoever of this process
//! it is by then: events are told to the directory of the call's shard.

mod choice;
mod line;
mod lines;
mod sound;
mod wire;

pub(crate) use line::{LegHeard, Owner};
pub(crate) use lines::Lines;
pub(crate) use sound::LegSound;

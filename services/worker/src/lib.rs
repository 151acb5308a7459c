//! The worker: conversation actors, the turn transaction, timers, the outbox.
//!
//! This crate knows activities, bots (only as [`trunkline_bot::logic::Logic`]), the record and the store's contract. It must
//! not know HTTP parsing, tokens, or how sound is carried.
//!
//! The way of the data: `stream` takes frames from ingresses and splits them by arbiter; `shell::directory` finds or
//! activates the conversation's actor; [`conversation`] decides, as a pure state machine; `shell` runs the bot's turn,
//! commits and sends what it was told to, `peer` to actors of other workers; outcomes go back through `stream`. `media` is the
//! way to the hosts that carry the sound of calls. [`record`] is
//! what is stored, [`outbox`] what leaves after a commit. [`call`] is what is special about the actor of a call.
//!
//! What decides is public, so that a simulation can drive it together with the other pure parts of a cluster: [`conversation`],
//! and of the shell and the streams [`shard_table`], [`agenda`], [`announcement`] and [`credits`].

mod admin;
pub mod call;
mod clock;
mod config;
pub mod conversation;
mod departure;
mod media;
mod membership;
mod metrics;
pub mod outbox;
mod peer;
pub mod record;
mod shell;
mod stream;
mod worker;

pub use config::{AllowsServiceUrl, Executor, HostedBot, HostedCalls, WorkerConfig, WorkerError};
pub use membership::WorkerHealth;
pub use shell::operator::Operator;
pub use shell::{agenda, shard_table};
pub use stream::{announcement, credits};
pub use worker::Worker;

//! What can go wrong with the simulated Teams itself.

use std::{io, net::SocketAddr, time::Duration};

use thiserror::Error;

use crate::{calls::CallRefusal, world::action::ActionRefusal};

/// A failure of the simulated Teams, not of the bot.
#[derive(Debug, Error)]
pub enum SimulatedTeamsError {
    /// The port is taken or may not be used.
    #[error("cannot listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The server ended with an error.
    #[error("the server of the simulated Teams failed")]
    Serve(#[source] io::Error),
    /// No bot is configured.
    #[error("a simulated Teams needs at least one bot")]
    NoBot,
    /// Nobody is configured.
    #[error("a simulated Teams needs at least one person")]
    NoPerson,
    /// The HTTP client could not be made.
    #[error("cannot make the client that delivers activities")]
    Client(#[source] reqwest::Error),
    /// A key or its certificate could not be made.
    #[error("cannot make a signing key")]
    MakeKey(#[from] rcgen::Error),
    /// A token could not be signed.
    #[error("cannot sign a token")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// A key could not be written as JSON.
    #[error("cannot write a key as JSON")]
    WriteKey(#[from] serde_json::Error),
    /// Every key was taken away.
    #[error("no signing key is left")]
    NoKey,
    /// The person cannot do this.
    #[error("the action is not possible")]
    Action(#[from] ActionRefusal),
    /// The person cannot do this on the telephone.
    #[error("the call does not allow this")]
    Call(#[from] CallRefusal),
    /// The sound of a call did not come about, or not as wanted.
    #[cfg(feature = "lines")]
    #[error("the sound of the call")]
    Line(#[from] trunkline_caller::CallerError),
    /// A notification could not be posted.
    #[error("cannot post the notification")]
    Notify(#[source] reqwest::Error),
    /// No button has this title.
    #[error("the message has no button {title:?}")]
    NoSuchButton {
        /// What was looked for.
        title: String,
    },
    /// The server has stopped, or so many deliveries wait that no more are taken.
    #[error("the activity cannot be delivered: the server stopped or its queue is full")]
    NotDelivered,
    /// What was waited for did not come.
    #[error("nothing came within {waited:?}")]
    NothingCame {
        /// How long was waited.
        waited: Duration,
    },
}

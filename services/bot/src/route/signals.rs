//! Routes for what comes from inside: signals, timers, ids of sends.

use super::{Incoming, Listen, Refused, Shape};
use crate::address::ActivityId;
use crate::error::Error;
use crate::event::Sent;
use crate::logic::Input;
use crate::signal::Signal;

/// A signal from another conversation, from the outside, or a timer.
pub fn signal<T: Signal>() -> Listen<T> {
    of_signal()
}

/// A route for a signal, whatever its handler returns.
pub(super) fn of_signal<T: Signal, P: 'static>() -> Listen<T, P> {
    Listen::new(
        Shape::Signal(T::NAME),
        |incoming| matches!(incoming, Incoming::Inside(Input::Signal { name, .. }) if name == T::NAME),
        |input| match input {
            Input::Signal { name, payload, .. } if name == T::NAME => {
                serde_json::from_slice(&payload).map_err(|error| {
                    Refused::Unreadable(Error::lasting(format!("the signal {name} cannot be read: {error}")))
                })
            }
            _ => Err(Refused::Other),
        },
    )
}

/// Teams took a message for which [`crate::Turn::on_sent`] was called.
pub fn sent() -> Listen<Sent> {
    Listen::new(
        Shape::Sent,
        |incoming| matches!(incoming, Incoming::Inside(Input::Sent { .. })),
        |input| match input {
            Input::Sent { sent, activity_id } => Ok(Sent {
                sent,
                id: ActivityId(activity_id),
            }),
            _ => Err(Refused::Other),
        },
    )
}

//! From errors of the client and the server to errors of the store.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::Node;
use super::confirm::UNCONFIRMED;
use crate::contract::StoreError;

/// Turns an error into one of the store; for `map_err`.
pub(super) fn failed(doing: &'static str) -> impl Fn(RedisError) -> StoreError {
    move |error| {
        let reason = error.to_string();
        match error.code() {
            // Memory is full, too few replicas, the last save to disk failed.
            Some("OOM" | "NOREPLICAS" | "MISCONF") => StoreError::Refused { doing, reason },
            Some("CORRUPT" | "WRONGTYPE") => StoreError::Corrupt { doing, reason },
            // Our own scripts say so.
            Some("STORELOST") => store_lost("Redis holds another store or none"),
            Some("NOPERM" | "NOAUTH" | "WRONGPASS") => not_allowed(&reason),
            _ => match error.kind() {
                ErrorKind::AuthenticationFailed => not_allowed(&reason),
                ErrorKind::UnexpectedReturnType | ErrorKind::Parse => StoreError::Corrupt { doing, reason },
                ErrorKind::InvalidClientConfig => StoreError::Unfit {
                    problem: format!("the address of Redis cannot be used: {reason}"),
                    remedy: "write it as redis://[user:password@]host[:port][/database] or rediss:// for TLS"
                        .to_owned(),
                },
                _ => StoreError::Unavailable { doing, reason },
            },
        }
    }
}

/// Whether the connection should be replaced: it broke, it says nothing, or it leads to a server that is primary no more.
pub(super) fn needs_new_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

/// Whether the server sends us to another one.
pub(super) fn is_redirect(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::Ask | ServerErrorKind::TryAgain)
    )
}

/// What to do about a call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// The server does not know the script: send its text.
    NameByText,
    /// Another node serves the slot, or will once it has moved there (`asking`).
    Redirect { node: Node, asking: bool },
    /// It will pass: repeat the call.
    Wait,
    /// Repeating is in vain.
    GiveUp,
}

/// Reads the advice in an error.
pub(super) fn advice(error: &RedisError) -> Advice {
    let redirect = |asking| match error.redirect_node().and_then(|(node, _)| Node::parse(node)) {
        Some(node) if !node.host.is_empty() => Advice::Redirect { node, asking },
        _ => Advice::Wait,
    };
    match error.kind() {
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::NoScript => Advice::NameByText,
            ServerErrorKind::Moved => redirect(false),
            ServerErrorKind::Ask => redirect(true),
            ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::BusyLoading => Advice::Wait,
            _ => Advice::GiveUp,
        },
        // A new primary has no replicas for a moment.
        _ if matches!(error.code(), Some("NOREPLICAS" | UNCONFIRMED)) => Advice::Wait,
        _ if error.is_io_error() || error.is_unrecoverable_error() => Advice::Wait,
        _ => Advice::GiveUp,
    }
}

/// An answer of another shape than the script gives.
pub(super) fn unexpected(doing: &'static str, answer: &redis::Value) -> StoreError {
    StoreError::Corrupt {
        doing,
        reason: format!("the script answered {answer:?}"),
    }
}

/// The store that this process serves is gone.
pub(super) fn store_lost(how: &str) -> StoreError {
    StoreError::Unfit {
        problem: format!("STORE_LOST: {how}"),
        remedy:
            "lead the address back to the old server, restore its data, or empty all servers and start all processes anew to begin with an \
            empty store"
                .to_owned(),
    }
}

fn not_allowed(reason: &str) -> StoreError {
    StoreError::Unfit {
        problem: format!("Redis does not let us in: {reason}"),
        remedy: "check user and password in the address, and that the user may run scripts and INFO".to_owned(),
    }
}

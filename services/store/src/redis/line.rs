//! One connection to Redis that is replaced when it breaks.
//!
//! Callers take the connection from a [`watch`] channel and report the one that failed them; a task makes the next one. The
//! task and the connection live in the runtime that started the line and end with the last handle of the store.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::watch;

use super::connect::Connector;
use super::failure::{failed, needs_new_connection};
use crate::contract::{Identity, StoreError};

/// Pause before the second attempt at a new connection; doubles up to [`Pace::longest_pause`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How long a line waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Longest wait of a caller for a connection.
    pub(super) patience: Duration,
    /// Longest pause between attempts at a new connection.
    pub(super) longest_pause: Duration,
}

/// What a line leads to now.
#[derive(Clone, Debug)]
enum State {
    /// A connection and its number.
    Up(MultiplexedConnection, u64),
    /// A new connection is being made.
    Down(StoreError),
    /// The server is reachable but not the store that we opened: waiting for an answer would be in vain.
    Lost(StoreError),
}

/// One connection, as its callers see it.
#[derive(Debug)]
pub(super) struct Line {
    state: watch::Receiver<State>,
    /// Number of the newest connection that failed a caller.
    broken: watch::Sender<u64>,
    patience: Duration,
}

impl Line {
    /// Starts a line on its first connection, or without one: then the first callers wait for it.
    pub(super) fn start(
        connector: Connector,
        identity: Identity,
        first: Option<MultiplexedConnection>,
        pace: Pace,
    ) -> Self {
        let number = u64::from(first.is_some());
        let first = first.map_or_else(|| down("there is no connection yet"), |first| State::Up(first, number));
        let (publish, state) = watch::channel(first);
        let (broken, reports) = watch::channel(0);
        tokio::spawn(keep(connector, identity, pace, number, publish, reports));
        Self {
            state,
            broken,
            patience: pace.patience,
        }
    }

    /// Sends one command and reads its answer.
    pub(super) async fn run(&self, doing: &'static str, command: &Cmd) -> Result<Value, Failure> {
        let (mut connection, number) = self.connection(doing).await?;
        let answer = connection.send_packed_command(command).await;
        self.read(answer.and_then(Value::extract_error), number).await
    }

    /// Sends several commands at once and reads their answers.
    pub(super) async fn run_all(&self, doing: &'static str, commands: &Pipeline) -> Result<Value, Failure> {
        let (mut connection, number) = self.connection(doing).await?;
        let answers = commands.query_async(&mut connection).await;
        self.read(answers, number).await
    }

    async fn read(&self, answer: Result<Value, RedisError>, number: u64) -> Result<Value, Failure> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if needs_new_connection(&error) {
            self.replace(number).await;
        }
        Err(Failure::Redis(error))
    }

    /// Has a connection replaced, and returns once nobody is given it any more: a caller that repeats at once must not spin
    /// on a broken one.
    async fn replace(&self, number: u64) {
        self.broken.send_if_modified(|broken| {
            let is_news = *broken < number;
            *broken = number.max(*broken);
            is_news
        });
        let mut state = self.state.clone();
        // It fails when the task has ended with its runtime: then there is nothing to wait for.
        let _ = state
            .wait_for(|state| !matches!(state, State::Up(_, current) if *current == number))
            .await;
    }

    /// The connection of the moment; while there is none, the next one, if it comes in time.
    async fn connection(&self, doing: &'static str) -> Result<(MultiplexedConnection, u64), StoreError> {
        if let State::Up(connection, number) = &*self.state.borrow() {
            return Ok((connection.clone(), *number));
        }
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Down(_)));
        let settled = match tokio::time::timeout(self.patience, settled).await {
            Ok(Ok(settled)) => settled.clone(),
            // The time is over, or the task has ended with its runtime.
            Ok(Err(_)) | Err(_) => self.state.borrow().clone(),
        };
        match settled {
            State::Up(connection, number) => Ok((connection, number)),
            State::Down(error) => Err(StoreError::Unavailable {
                doing,
                reason: error.to_string(),
            }),
            State::Lost(error) => Err(error),
        }
    }
}

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection.
    Store(StoreError),
    /// The client or the server said so.
    Redis(RedisError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// As an error of the store.
    pub(super) fn into_store_error(self, doing: &'static str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Redis(error) => failed(doing)(error),
        }
    }
}

fn down(reason: &str) -> State {
    State::Down(StoreError::Unavailable {
        doing: "connecting to Redis",
        reason: reason.to_owned(),
    })
}

/// Replaces a line's connection whenever a caller reports it, until the line is dropped.
async fn keep(
    connector: Connector,
    identity: Identity,
    pace: Pace,
    mut number: u64,
    publish: watch::Sender<State>,
    mut reports: watch::Receiver<u64>,
) {
    while reports.wait_for(|broken| *broken >= number).await.is_ok() {
        if number > 0 {
            publish.send_replace(down("the connection was lost"));
        }
        let mut pause = FIRST_PAUSE;
        loop {
            if publish.is_closed() {
                return;
            }
            match connector.again(identity).await {
                Ok(connection) => {
                    number += 1;
                    publish.send_replace(State::Up(connection, number));
                    if number > 1 {
                        tracing::info!("connected to Redis again");
                    }
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, ?pause, "no connection to Redis");
                    publish.send_replace(match error {
                        StoreError::Unfit { .. } => State::Lost(error),
                        _ => State::Down(error),
                    });
                }
            }
            // Full jitter on the upper half, so that many processes do not come back at the same moment.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            pause = (pause * 2).min(pace.longest_pause);
        }
    }
}

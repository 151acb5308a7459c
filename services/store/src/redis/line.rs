//! One connection to a primary that is replaced when it breaks.
//!
//! Callers take the connection from a [`watch`] channel and report the one that failed them; a task makes the next one. The
//! task and the connection live in the runtime that the line was started in and end with the last handle of the store.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::confirm::{Confirmation, Confirmer};
use super::connect::{CONNECTING, Connector};
use super::failure::needs_new_connection;
use crate::contract::{Identity, StoreError};

/// Pause before the second attempt at a new connection; doubles up to the line's longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// After another line came back: the attempts of many processes are spread over this time.
const AFTER_ANOTHER: Duration = Duration::from_millis(50);

/// When a line tries to come back.
#[derive(Clone, Debug)]
pub(super) struct Attempts {
    /// From one attempt to the next, at most.
    pub(super) longest_pause: Duration,
    /// Counts the lines to the same server that came back: the one that tries most often ends the pauses of all others.
    pub(super) returns: watch::Sender<u64>,
}

impl Attempts {
    /// Waits for the next attempt: a while, or until another line is back.
    async fn pause(&self, pause: Duration) {
        let mut returns = self.returns.subscribe();
        // Full jitter on the upper half, so that many processes do not come back at the same moment.
        let (alone, after_another) = (pause.mul_f64(chance(0.5)), AFTER_ANOTHER.mul_f64(chance(0.0)));
        tokio::select! {
            () = tokio::time::sleep(alone) => {}
            // `self` keeps the channel open.
            _ = returns.changed() => tokio::time::sleep(after_another).await,
        }
    }
}

fn chance(least: f64) -> f64 {
    rand::random_range(least..1.0)
}

/// What a line leads to now.
#[derive(Clone, Debug)]
enum State {
    /// A connection.
    Up(Connection),
    /// A new connection is being made.
    Down(StoreError),
    /// The server is reachable but not the store that we opened: waiting for an answer would be in vain.
    Lost(StoreError),
}

/// A connection that was up a moment ago.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    connection: MultiplexedConnection,
    number: u64,
}

/// One connection, as its callers see it.
#[derive(Debug)]
pub(super) struct Line {
    state: watch::Receiver<State>,
    /// Number of the newest connection that failed a caller.
    broken: watch::Sender<u64>,
    /// Holds answers back until replicas confirm them.
    confirmer: Option<Confirmer>,
}

/// What is sent at once.
#[derive(Debug)]
pub(super) enum Commands {
    /// One command.
    One(Cmd),
    /// Several, answered by an array.
    Several(Pipeline),
}

impl Line {
    /// Starts a line; its first callers wait for the connection.
    pub(super) fn start(connector: Connector, identity: Identity, attempts: Attempts, runtime: &Handle) -> Self {
        let (publish, state) = watch::channel(down("there is no connection yet"));
        let (broken, reports) = watch::channel(0);
        runtime.spawn(keep(connector, identity, attempts, publish, reports));
        Self {
            state,
            broken,
            confirmer: None,
        }
    }

    /// The same line, whose answers wait for replicas when they come with a mark.
    pub(super) fn confirmed(self, rule: Option<Confirmation>, runtime: &Handle) -> Self {
        Self {
            confirmer: rule.map(|rule| Confirmer::start(rule, runtime)),
            ..self
        }
    }

    /// The connection of the moment; while there is none, the next one, if it comes within `patience`.
    pub(super) async fn up(&self, patience: Duration) -> Result<Connection, StoreError> {
        if let State::Up(connection) = &*self.state.borrow() {
            return Ok(connection.clone());
        }
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Down(_)));
        let settled = match tokio::time::timeout(patience, settled).await {
            Ok(Ok(settled)) => settled.clone(),
            // The time is over, or the task has ended with its runtime.
            Ok(Err(_)) | Err(_) => self.state.borrow().clone(),
        };
        match settled {
            State::Up(connection) => Ok(connection),
            State::Down(error) | State::Lost(error) => Err(error),
        }
    }

    /// Sends commands and reads their answers. The first error of several is the error of all. `mark` names a key beside those
    /// of the commands.
    pub(super) async fn send(
        &self,
        up: Connection,
        commands: &Commands,
        mark: Option<String>,
    ) -> Result<Value, RedisError> {
        let Connection { mut connection, number } = up;
        let answer = match (&self.confirmer, mark, commands) {
            (Some(confirmer), Some(mark), commands) => confirmer.send(connection, number, commands, mark).await,
            (_, _, Commands::One(command)) => {
                let answer = connection.send_packed_command(command).await;
                answer.and_then(Value::extract_error)
            }
            (_, _, Commands::Several(commands)) => {
                let answers = connection.send_packed_commands(commands, 0, commands.len()).await;
                answers.and_then(|answers| Value::Array(answers).extract_error())
            }
        };
        if let Err(error) = &answer
            && needs_new_connection(error)
        {
            self.replace(number).await;
        }
        answer
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
            .wait_for(|state| !matches!(state, State::Up(current) if current.number == number))
            .await;
    }
}

fn down(reason: &str) -> State {
    State::Down(StoreError::Unavailable {
        doing: CONNECTING,
        reason: reason.to_owned(),
    })
}

/// Makes a line's connection, and the next one whenever a caller reports it, until the line is dropped.
async fn keep(
    connector: Connector,
    identity: Identity,
    attempts: Attempts,
    publish: watch::Sender<State>,
    mut reports: watch::Receiver<u64>,
) {
    let mut number = 0;
    while reports.wait_for(|broken| *broken >= number).await.is_ok() {
        if number > 0 {
            publish.send_replace(down("the connection was lost"));
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let made = tokio::select! {
                made = connector.again(identity) => made,
                () = publish.closed() => return,
            };
            match made {
                Ok(connection) => {
                    number += 1;
                    publish.send_replace(State::Up(Connection { connection, number }));
                    if number > 1 {
                        attempts.returns.send_modify(|count| *count += 1);
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
            attempts.pause(pause).await;
            pause = (pause * 2).min(attempts.longest_pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_that_came_back_ends_the_pauses_of_the_others() {
        let attempts = Attempts {
            longest_pause: Duration::MAX,
            returns: watch::Sender::new(0),
        };
        let other = attempts.clone();
        let pause = tokio::spawn(async move { other.pause(Duration::from_secs(3_600)).await });
        while attempts.returns.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        attempts.returns.send_modify(|count| *count += 1);
        let ended = tokio::time::timeout(Duration::from_secs(60), pause).await;
        assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
    }
}

//! Holds answers back until replicas have what they rest on (`wait_replicas`).
//!
//! `WAIT` counts the replicas that have what its own connection wrote before it, and blocks that connection. So a task gathers
//! what callers have ready, and sends it with one write of its own and one `WAIT` in one pipeline on one connection. The write
//! of its own makes the `WAIT` mean something when the others wrote nothing: a load, or a commit that was applied before.
//! Replication keeps the order, so whoever has that write has everything that was read and written before it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::line::Commands;

/// Most callers in one pipeline.
const BATCH: usize = 64;
/// Callers that may wait for the task before the next one waits to wait.
const QUEUE: usize = 1_024;
/// The code of an answer that came without its confirmation.
pub(super) const UNCONFIRMED: &str = "UNCONFIRMED";

/// How many replicas must have a write before it is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Confirmation {
    pub(super) replicas: u32,
    /// Longest wait for them.
    pub(super) timeout: Duration,
}

/// What one caller sends.
struct Group {
    connection: MultiplexedConnection,
    /// Number of the connection: those of another one are not sent with these.
    number: u64,
    commands: Vec<Cmd>,
    /// Key of the write that is ours.
    mark: String,
    answer: oneshot::Sender<Result<Value, RedisError>>,
}

/// The way to the task.
#[derive(Debug)]
pub(super) struct Confirmer {
    queue: mpsc::Sender<Group>,
}

impl Confirmer {
    pub(super) fn start(rule: Confirmation, runtime: &Handle) -> Self {
        let (queue, groups) = mpsc::channel(QUEUE);
        runtime.spawn(work(rule, groups));
        Self { queue }
    }

    /// Sends commands and answers once the replicas have what the answer rests on.
    pub(super) async fn send(
        &self,
        connection: MultiplexedConnection,
        number: u64,
        commands: &Commands,
        mark: String,
    ) -> Result<Value, RedisError> {
        let (answer, answered) = oneshot::channel();
        let commands = match commands {
            Commands::One(command) => vec![command.clone()],
            Commands::Several(commands) => commands.cmd_iter().cloned().collect(),
        };
        let single = commands.len() == 1;
        let group = Group {
            connection,
            number,
            commands,
            mark,
            answer,
        };
        let ended = || RedisError::from((ErrorKind::Io, "the runtime of the connection has ended"));
        self.queue.send(group).await.map_err(|_| ended())?;
        match answered.await.map_err(|_| ended())?? {
            Value::Array(mut answers) if single => Ok(answers.pop().unwrap_or(Value::Nil)),
            answers => Ok(answers),
        }
    }
}

/// Sends one batch after the other until the line is dropped.
async fn work(rule: Confirmation, mut groups: mpsc::Receiver<Group>) {
    let mut next = None;
    loop {
        let Some(first) = (match next.take() {
            Some(group) => Some(group),
            None => groups.recv().await,
        }) else {
            return;
        };
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(group) = groups.try_recv()
        {
            if group.number != batch[0].number {
                next = Some(group);
                break;
            }
            batch.push(group);
        }
        send(rule, batch).await;
    }
}

async fn send(rule: Confirmation, batch: Vec<Group>) {
    let mut pipeline = redis::pipe();
    for group in &batch {
        for command in &group.commands {
            pipeline.add_command(command.clone());
        }
    }
    // Any one's will do. Not always the first one's: its slot may be moving.
    let marking = &batch[rand::random_range(0..batch.len())];
    pipeline.cmd("SET").arg(&marking.mark).arg(1);
    pipeline
        .cmd("WAIT")
        .arg(rule.replicas)
        .arg(u64::try_from(rule.timeout.as_millis()).unwrap_or(u64::MAX));
    let mut connection = marking.connection.clone();
    let answers = connection.send_packed_commands(&pipeline, 0, pipeline.len()).await;
    let mut answers = match answers {
        Ok(answers) => answers.into_iter(),
        Err(error) => {
            for group in batch {
                // A caller that is gone needs no answer.
                let _ = group.answer.send(Err(error.clone()));
            }
            return;
        }
    };
    let parted: Vec<(Group, Vec<Value>)> = batch
        .into_iter()
        .map(|group| {
            let own = answers.by_ref().take(group.commands.len()).collect();
            (group, own)
        })
        .collect();
    let confirmed = match (answers.next(), answers.next()) {
        (Some(Value::Okay), Some(Value::Int(replicas))) => replicas,
        _ => 0,
    };
    let enough = confirmed >= i64::from(rule.replicas);
    for (group, own) in parted {
        let answer = Value::Array(own).extract_error();
        let answer = if enough {
            answer
        } else {
            answer.and_then(|_| Err(unconfirmed(rule, confirmed)))
        };
        let _ = group.answer.send(answer);
    }
}

fn unconfirmed(rule: Confirmation, replicas: i64) -> RedisError {
    let detail = format!(
        "{replicas} of {} replicas confirmed within {:?}",
        rule.replicas, rule.timeout
    );
    redis::make_extension_error(UNCONFIRMED.to_owned(), Some(detail))
}

//! Brings each call to the primary that serves its slot, and repeats it there until it is answered or its time is over.
//!
//! Every call is idempotent, so one that broke off, met a server that is loading or no primary any more, or a slot that is
//! moving, is held and repeated: on the next connection, or on the primary that took the slot over. Commands of several
//! callers join in one write of their connection; those of different primaries never share one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Cmd, Pipeline, Value};
use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::address::{Node, RedisAddress};
use super::config::RedisConfig;
use super::connect::{CONNECTING, Connector, Dialler};
use super::failure::{Advice, advice, failed};
use super::founding::{Ground, found};
use super::line::Commands;
use super::primary::{Lines, Primary, Purpose};
use super::scripts::By;
use super::tags::{META_SLOT, SLOTS, Tags};
use super::topology::{Slots, Topology, ask_cluster};
use crate::contract::{Identity, StoreError};
use crate::key::ShardId;

/// Pause before a call is repeated; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Longest pause before a call is repeated.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for a connection before the call looks again where it should go.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Redirections that a call follows without a pause.
const REDIRECTIONS: u32 = 3;

/// Where a call goes and what it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) slot: u16,
    pub(super) purpose: Purpose,
    pub(super) doing: &'static str,
}

/// All primaries of the store.
#[derive(Debug)]
pub(super) struct Fleet {
    topology: watch::Receiver<Arc<Topology>>,
    /// Makes the task that follows a cluster look again.
    trouble: watch::Sender<u64>,
    members: Arc<Members>,
    response_timeout: Duration,
    beat_timeout: Duration,
}

/// The nodes of a cluster that we speak to or have spoken to.
#[derive(Debug)]
struct Members {
    dialler: Dialler,
    lines: Arc<Lines>,
    tags: Arc<Tags>,
    /// By name; those that serve no slot yet are here because a slot is moving to them.
    known: Mutex<HashMap<Node, Arc<Primary>>>,
}

impl Fleet {
    /// Finds the primaries, checks them, and makes the store when there is none.
    pub(super) async fn muster(config: &RedisConfig, tags: Arc<Tags>) -> Result<(Self, Identity), StoreError> {
        let address: RedisAddress = config.url.parse().map_err(|problem| StoreError::Unfit {
            problem: format!("the address of Redis {problem}"),
            remedy: "write it as redis://[user:password@]host[:port][/database], as redis+sentinel:// or as \
                redis+cluster://, with rediss for TLS"
                .to_owned(),
        })?;
        if config.wait_replicas > 0 && config.wait_timeout >= config.response_timeout {
            return Err(StoreError::Unfit {
                problem: "the wait for replicas is not shorter than the wait for an answer".to_owned(),
                remedy: "make wait_timeout less than response_timeout: half of it suits".to_owned(),
            });
        }
        let dialler = Dialler::new(config, &address);
        let only = Connector::to_the_primary(config, &address, &dialler);
        let slots = match only {
            Some(_) => None,
            None => Some(ask_cluster(&address.nodes, &dialler).await?),
        };
        let grounds = match (&only, &slots) {
            (Some(connector), _) => vec![Ground {
                connector: connector.clone(),
                shards: tags.shards().collect(),
                holds_meta: true,
            }],
            (None, slots) => slots.iter().flat_map(|slots| grounds(slots, &tags, &dialler)).collect(),
        };
        let identity = found(&grounds, &tags, config).await?;

        let lines = Arc::new(Lines::of(config, identity));
        let members = Arc::new(Members {
            dialler,
            lines: Arc::clone(&lines),
            tags,
            known: Mutex::default(),
        });
        let (trouble, troubles) = watch::channel(0);
        let topology = match (only, slots) {
            (None, Some(slots)) => {
                let (publish, topology) = watch::channel(Arc::new(members.arrange(&slots)));
                tokio::spawn(follow(Arc::clone(&members), address.nodes, publish, troubles));
                topology
            }
            (only, _) => {
                let connector = only.ok_or_else(|| StoreError::Unavailable {
                    doing: CONNECTING,
                    reason: "there is no primary".to_owned(),
                })?;
                let primary = Arc::new(Primary::new(None, connector, lines));
                watch::channel(Arc::new(Topology::One(primary))).1
            }
        };
        let fleet = Self {
            topology,
            trouble,
            members,
            response_timeout: config.response_timeout,
            beat_timeout: config.beat_timeout,
        };
        Ok((fleet, identity))
    }

    /// Sends commands to the primary that serves their slot; again, until they are answered or the time is over. `commands`
    /// are named by hash first, and by text when the server does not know them.
    pub(super) async fn ask(&self, call: Call, commands: impl Fn(By) -> Commands) -> Result<Value, StoreError> {
        let patience = match call.purpose {
            Purpose::Beats => self.beat_timeout,
            Purpose::Control | Purpose::Conversations(_) => self.response_timeout,
        };
        let deadline = Instant::now() + patience;
        let mut by = By::Hash;
        let mut built = commands(by);
        let mut detour = None;
        let mut redirections = 0;
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        loop {
            let attempt = timeout_at(deadline.into(), self.attempt(call, detour.take(), &built));
            let failure = match attempt.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    self.report();
                    return Err(last.unwrap_or_else(|| StoreError::Unavailable {
                        doing: call.doing,
                        reason: format!("no answer within {patience:?}"),
                    }));
                }
            };
            match failure.advice {
                Advice::GiveUp => return Err(failure.error),
                Advice::NameByText if matches!(by, By::Hash) => {
                    by = By::Text;
                    built = commands(by);
                    continue;
                }
                Advice::Redirect { node, asking } => {
                    redirections += 1;
                    if !asking {
                        self.report();
                    }
                    if let (true, Commands::Several(several)) = (asking, &built) {
                        return self.ask_each(call, several).await;
                    }
                    if redirections <= REDIRECTIONS {
                        detour = Some(Detour { node, asking });
                        continue;
                    }
                    redirections = 0;
                }
                Advice::NameByText | Advice::Wait => self.report(),
            }
            let pause_now = pause.mul_f64(rand::random_range(0.5..1.0));
            if Instant::now() + pause_now >= deadline {
                return Err(failure.error);
            }
            last = Some(failure.error);
            self.news_or(pause_now).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// While a slot moves, some keys of a conversation are here and some there: each command finds its own.
    async fn ask_each(&self, call: Call, commands: &Pipeline) -> Result<Value, StoreError> {
        let mut answers = Vec::new();
        for command in commands.cmd_iter() {
            let one = Box::pin(self.ask(call, |_| Commands::One(command.clone())));
            answers.push(one.await?);
        }
        Ok(Value::Array(answers))
    }

    async fn attempt(&self, call: Call, detour: Option<Detour>, commands: &Commands) -> Result<Value, Unanswered> {
        let (primary, asking) = match detour {
            Some(Detour { node, asking }) => (self.members.member(&node), asking),
            None => match self.topology.borrow().primary(call.slot) {
                Some(primary) => (Arc::clone(primary), false),
                None => {
                    return Err(Unanswered::wait(StoreError::Unavailable {
                        doing: call.doing,
                        reason: format!("nobody serves slot {} of the cluster", call.slot),
                    }));
                }
            },
        };
        let line = primary.line(call.purpose);
        let up = line
            .up(LOOK_AGAIN)
            .await
            .map_err(|error| Unanswered::no_line(call.doing, error))?;
        let mark = self.mark(call.purpose);
        let answer = match commands {
            Commands::One(command) if asking => line.send(up, &after_asking(command), mark).await.map(without_asking),
            commands => line.send(up, commands, mark).await,
        };
        answer.map_err(|error| Unanswered {
            advice: advice(&error),
            error: failed(call.doing)(error),
        })
    }

    /// The key whose write replicas must confirm before an answer counts; `None` when none need to.
    fn mark(&self, purpose: Purpose) -> Option<String> {
        match purpose {
            Purpose::Conversations(shard) if self.members.lines.confirmation.is_some() => {
                Some(self.members.tags.names(shard)?.mark().to_string())
            }
            _ => None,
        }
    }

    /// Has the task look at the cluster again.
    fn report(&self) {
        self.trouble.send_modify(|count| *count += 1);
    }

    /// Waits for a new topology, at most this long.
    async fn news_or(&self, pause: Duration) {
        let mut topology = self.topology.clone();
        topology.mark_unchanged();
        tokio::select! {
            // Without a task to follow a cluster there is never any news.
            Ok(()) = topology.changed() => {}
            () = sleep(pause) => {}
        }
    }
}

/// Another way than the topology's, for one attempt.
struct Detour {
    node: Node,
    /// The slot is moving there: the node takes commands for it only from those who ask.
    asking: bool,
}

/// Why an attempt has no answer, and what to do about it.
struct Unanswered {
    advice: Advice,
    error: StoreError,
}

impl Unanswered {
    fn wait(error: StoreError) -> Self {
        Self {
            advice: Advice::Wait,
            error,
        }
    }

    fn no_line(doing: &'static str, error: StoreError) -> Self {
        match error {
            StoreError::Unfit { .. } => Self {
                advice: Advice::GiveUp,
                error,
            },
            other => Self::wait(StoreError::Unavailable {
                doing,
                reason: other.to_string(),
            }),
        }
    }
}

/// The node to which a slot is moving takes a command for it only after an `ASKING`.
fn after_asking(command: &Cmd) -> Commands {
    let mut both = redis::pipe();
    both.cmd("ASKING").add_command(command.clone());
    Commands::Several(both)
}

/// The answer to the command that came after an `ASKING`.
fn without_asking(answers: Value) -> Value {
    match answers {
        Value::Array(mut answers) => answers.pop().unwrap_or(Value::Nil),
        other => other,
    }
}

impl Members {
    /// The topology of these slots, with the connections that there are.
    fn arrange(&self, slots: &Slots) -> Topology {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let primaries: Vec<Arc<Primary>> = slots
            .nodes
            .iter()
            .enumerate()
            .map(|(number, node)| {
                let probe = self
                    .tags
                    .shards()
                    .find(|shard| owner(slots, &self.tags, *shard) == Some(number));
                known.get(node).map_or_else(|| self.new_member(node, probe), Arc::clone)
            })
            .collect();
        *known = slots
            .nodes
            .iter()
            .cloned()
            .zip(primaries.iter().map(Arc::clone))
            .collect();
        Topology::Many {
            primaries,
            owners: slots.owners.clone(),
        }
    }

    /// A node that we were sent to.
    fn member(&self, node: &Node) -> Arc<Primary> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let member = known.entry(node.clone()).or_insert_with(|| self.new_member(node, None));
        Arc::clone(member)
    }

    fn new_member(&self, node: &Node, probe: Option<ShardId>) -> Arc<Primary> {
        let connector = Connector::to_member(node.clone(), self.tags.probe(probe), &self.dialler);
        Arc::new(Primary::new(Some(node.clone()), connector, Arc::clone(&self.lines)))
    }

    /// All that may know the cluster.
    fn nodes(&self, seeds: &[Node]) -> Vec<Node> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut nodes: Vec<Node> = known.keys().cloned().collect();
        nodes.extend(seeds.iter().filter(|seed| !known.contains_key(seed)).cloned());
        nodes
    }
}

/// Looks at the cluster whenever a call reports trouble, and publishes what changed.
async fn follow(
    members: Arc<Members>,
    seeds: Vec<Node>,
    publish: watch::Sender<Arc<Topology>>,
    mut troubles: watch::Receiver<u64>,
) {
    // It fails when the store is dropped.
    while troubles.changed().await.is_ok() {
        match ask_cluster(&members.nodes(&seeds), &members.dialler).await {
            Ok(slots) if publish.borrow().is(&slots) => {}
            Ok(slots) => {
                tracing::info!(primaries = slots.nodes.len(), "the slots of the cluster moved");
                publish.send_replace(Arc::new(members.arrange(&slots)));
            }
            Err(error) => tracing::warn!(%error, "no node of the cluster says who serves its slots"),
        }
        sleep(LOOK_AGAIN.mul_f64(rand::random_range(0.5..1.0))).await;
    }
}

fn owner(slots: &Slots, tags: &Tags, shard: ShardId) -> Option<usize> {
    let slot = tags.slot(shard)?;
    slots.owners.get(usize::from(slot)).copied().flatten().map(usize::from)
}

/// The primaries of a cluster with the shards that they hold.
fn grounds(slots: &Slots, tags: &Tags, dialler: &Dialler) -> Vec<Ground> {
    let meta = slots
        .owners
        .get(usize::from(META_SLOT % SLOTS))
        .copied()
        .flatten()
        .map(usize::from);
    let grounds = slots.nodes.iter().enumerate().map(|(number, node)| Ground {
        connector: Connector::to_member(node.clone(), None, dialler),
        shards: tags
            .shards()
            .filter(|shard| owner(slots, tags, *shard) == Some(number))
            .collect(),
        holds_meta: meta == Some(number),
    });
    grounds.collect()
}

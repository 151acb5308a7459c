//! One primary and the connections to it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::address::Node;
use super::config::RedisConfig;
use super::confirm::Confirmation;
use super::connect::Connector;
use super::line::{Attempts, Line};
use crate::contract::Identity;
use crate::key::ShardId;

/// Longest pause between attempts at a new connection.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The same for beats: leases that everybody lost come back with the first beat, and the other lines of the process with its
/// connection.
const LONGEST_PAUSE_OF_BEATS: Duration = Duration::from_millis(250);

/// What a connection is for. Each purpose has its own, so that none waits for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Nodes, leader and map.
    Beats,
    /// Claims and scans.
    Control,
    /// The conversations of a shard: always the same connection, so that they keep their order.
    Conversations(ShardId),
}

/// What the lines to all primaries share.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) identity: Identity,
    /// Where the connections for claims and scans live.
    pub(super) runtime: Handle,
    /// Number of connections for conversations, at least 1.
    pub(super) conversations: usize,
    pub(super) beat_timeout: Duration,
    /// What answers about conversations wait for.
    pub(super) confirmation: Option<Confirmation>,
}

impl Lines {
    /// For the runtime of whoever opens the store.
    pub(super) fn of(config: &RedisConfig, identity: Identity) -> Self {
        Self {
            identity,
            runtime: Handle::current(),
            conversations: config.connections.max(1),
            beat_timeout: config.beat_timeout,
            confirmation: (config.wait_replicas > 0).then_some(Confirmation {
                replicas: config.wait_replicas,
                timeout: config.wait_timeout,
            }),
        }
    }
}

/// A primary. Its connections are made when they are first needed.
#[derive(Debug)]
pub(super) struct Primary {
    /// Its name in a cluster.
    node: Option<Node>,
    connector: Connector,
    settings: Arc<Lines>,
    /// Counts the lines that came back.
    returns: watch::Sender<u64>,
    beats: OnceLock<Line>,
    control: OnceLock<Line>,
    conversations: Box<[OnceLock<Line>]>,
}

impl Primary {
    pub(super) fn new(node: Option<Node>, connector: Connector, settings: Arc<Lines>) -> Self {
        Self {
            node,
            connector,
            beats: OnceLock::new(),
            control: OnceLock::new(),
            conversations: (0..settings.conversations).map(|_| OnceLock::new()).collect(),
            returns: watch::Sender::new(0),
            settings,
        }
    }

    /// Its name in a cluster.
    pub(super) fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// The line for a purpose. Except for that of claims and scans it lives in the runtime of whoever first needs it.
    pub(super) fn line(&self, purpose: Purpose) -> &Line {
        let identity = self.settings.identity;
        match purpose {
            Purpose::Beats => self.beats.get_or_init(|| {
                let connector = self.connector.with_timeout(self.settings.beat_timeout);
                let attempts = self.attempts(LONGEST_PAUSE_OF_BEATS);
                Line::start(connector, identity, attempts, &Handle::current())
            }),
            Purpose::Control => self.control.get_or_init(|| {
                let attempts = self.attempts(LONGEST_PAUSE);
                Line::start(self.connector.clone(), identity, attempts, &self.settings.runtime)
            }),
            Purpose::Conversations(shard) => {
                let line = &self.conversations[shard.0 as usize % self.conversations.len()];
                line.get_or_init(|| {
                    let here = Handle::current();
                    let line = Line::start(self.connector.clone(), identity, self.attempts(LONGEST_PAUSE), &here);
                    line.confirmed(self.settings.confirmation, &here)
                })
            }
        }
    }

    fn attempts(&self, longest_pause: Duration) -> Attempts {
        Attempts {
            longest_pause,
            returns: self.returns.clone(),
        }
    }
}

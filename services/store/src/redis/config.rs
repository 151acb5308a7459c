//! Settings of a store in Redis.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::key::DEFAULT_SHARDS;

/// How a store in Redis is opened.
#[derive(Clone)]
pub struct RedisConfig {
    /// As [`RedisAddress`](super::RedisAddress) reads it: one server, Sentinel or Cluster. Holds a secret: never printed.
    pub url: String,
    /// Password of the sentinels, where they have one. A secret, too.
    pub sentinel_password: Option<String>,
    /// File of certificates (PEM) that a `rediss` server is verified with, instead of those of the machine. Read for each
    /// connection.
    pub root_certificates: Option<PathBuf>,
    /// How this process proves itself to servers and sentinels that want a certificate of their clients. Read for each connection.
    pub client_certificate: Option<ClientCertificate>,
    /// Number of shards of a new store; an existing one must have been created with the same number.
    pub shards: u32,
    /// Connections for conversations to each primary, beside those for claims and for beats; a shard always uses the same
    /// one. One for each thread that calls the store.
    pub connections: usize,
    /// Longest wait for an answer, a lost connection's return included.
    pub response_timeout: Duration,
    /// Longest wait for the answer to a beat, which has a connection of its own: a slow answer is worth less than the next
    /// beat. In place of `response_timeout` for all that concerns nodes, leader and map.
    pub beat_timeout: Duration,
    /// Replicas that must have a write, and what a read rests on, before a call about a conversation is answered; 0 for none.
    /// A call that they do not confirm is repeated and then [unavailable](crate::StoreError::Unavailable), although it may
    /// have been written.
    pub wait_replicas: u32,
    /// Longest wait for them; less than `response_timeout`.
    pub wait_timeout: Duration,
    /// Longest wait for a new connection, with TLS and sign-in.
    pub connect_timeout: Duration,
}

impl RedisConfig {
    /// The server at `url`, with one connection.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            sentinel_password: None,
            root_certificates: None,
            client_certificate: None,
            shards: DEFAULT_SHARDS,
            connections: 1,
            response_timeout: Duration::from_secs(2),
            beat_timeout: Duration::from_millis(300),
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(2),
        }
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisConfig")
            .field("url", &"...")
            .field("sentinel_password", &self.sentinel_password.as_ref().map(|_| "..."))
            .field("root_certificates", &self.root_certificates)
            .field("client_certificate", &self.client_certificate)
            .field("shards", &self.shards)
            .field("connections", &self.connections)
            .field("response_timeout", &self.response_timeout)
            .field("beat_timeout", &self.beat_timeout)
            .field("wait_replicas", &self.wait_replicas)
            .field("wait_timeout", &self.wait_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish()
    }
}

/// The files of a certificate and its key. They may be replaced at any time: what is renewed counts from the next connection on, and
/// while one does not fit the other no connection is made.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// The chain (PEM), the client's own certificate first.
    pub certificate: PathBuf,
    /// The private key (PEM).
    pub key: PathBuf,
}

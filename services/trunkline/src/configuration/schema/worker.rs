//! `[worker]` and `[store]`: where turns run and what they leave behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use trunkline_teams::token::Secret;

use super::super::choice::choice;
use super::super::section::section;
use super::super::tree::{Item, Value, quoted};
use super::super::value::{HostPort, SettingType, Size, StoreUrl, Wrong};

section! {
    /// The process that holds conversations and runs the bots' turns.
    pub struct WorkerSection {
        /// Address and port for the other processes of the cluster. Without TLS (cluster.tls_ca) a loopback address.
        pub listen: SocketAddr = "127.0.0.1:7400",
        /// Threads that run turns; 0 is one a core.
        pub arbiters: u32 = 0,
        /// Threads for bots whose executor is pool; 0 is one a core.
        pub pool_threads: u32 = 0,
        /// Host and port at which ingresses and other workers reach this one. Unset: what it listens at.
        pub advertise: Option<HostPort> => "worker-1.internal:7400",
        /// Failure zone of this worker; shards spread over zones by their weights. Unset: none.
        pub zone: Option<String> => "europe-west-1b",
        /// Part of the shards that this worker takes, relative to the others; 0 takes none.
        pub weight: u32 = 100,
        /// Longest time for shards to move to other workers after SIGTERM; what is left is cut off after it. The process ends
        /// within 25 s in any case.
        pub drain_deadline: Duration = "18 s",
        /// A message whose turn takes longer is made durable and answered; its turn goes on. Teams waits 15 s.
        pub message_budget: Duration = "5 s",
        /// An invoke whose turn takes longer gets its bot's late answer, or 504.
        pub invoke_budget: Duration = "10 s",
        /// The same for invokes of message extensions, for which Teams waits only 5 s.
        pub short_invoke_budget: Duration = "4 s",
        /// Activities that may wait for one conversation; more are refused with 429.
        pub queue: u32 = 32,
        /// Activities that ingresses may have outstanding here, over all conversations.
        pub credits: u32 = 8192,
        /// Durable activities that may wait for one conversation.
        pub inbox_entries: u32 = 1000,
        /// Bytes of those.
        pub inbox_bytes: Size = "4 MiB",
        /// Runs of a turn that fails before it is given up and parked.
        pub attempts: u32 = 3,
        /// Wait before the second run; each further one waits four times as long.
        pub attempt_back_off: Duration = "500 ms",
        /// A message that the Connector does not take is given up after this time.
        pub send_give_up: Duration = "10 min",
        /// A conversation that was idle this long leaves memory.
        pub passivate_after: Duration = "60 s",
        /// Memory that conversations may take before idle ones leave earlier.
        pub memory_bound: Size = "1 GiB",
        /// A turn that holds its thread this long without a pause is counted and logged.
        pub slow_poll: Duration = "50 ms",
        /// A thread that does not answer for this long is counted, and its turn named in the log.
        pub stall_after: Duration = "3 s",
        /// A thread that does not answer for this long ends the process, for its supervisor to start it again.
        pub abort_after: Duration = "15 s",
    }
}

choice! {
    /// What keeps the data.
    pub enum Engine {
        /// A file of this machine; one worker.
        Embedded = "embedded",
        /// A Redis server, shared by all workers.
        Redis = "redis",
    }
}

/// When the embedded engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// After the data is on disk.
    Always,
    /// At most this long before.
    Interval(Duration),
}

impl SettingType for Sync {
    const WHAT: &'static str = "\"always\", or a time such as \"200 ms\"";
    fn read(item: &Item) -> Result<Self, Wrong> {
        match &item.value {
            Value::Text(word) | Value::String(word) if word == "always" => Ok(Self::Always),
            _ => Duration::read(item).map(Self::Interval),
        }
    }
    fn shown(&self) -> Option<String> {
        match self {
            Self::Always => Some(quoted("always")),
            Self::Interval(interval) => interval.shown(),
        }
    }
}

section! {
    /// What is stored, and where.
    pub struct StoreSection {
        /// embedded: a file on this machine, for one worker. redis: shared by any number of workers.
        pub engine: Engine = "embedded",
        /// Directory of the embedded engine; it is made when it is not there. One process at a time uses it.
        pub directory: PathBuf = "trunkline-data",
        /// When the embedded engine answers: always after the data is on disk; or a time, and then what was acknowledged in
        /// that time is lost when the process is killed.
        pub sync: Sync = "always",
        /// Redis 7.0 or later: one server (redis://host/database), Sentinel (redis+sentinel://host,host/master-name) or
        /// Cluster (redis+cluster://host,host); rediss in place of redis for TLS. User and password before the hosts. The
        /// password is never shown; better leave it to the environment (TRUNKLINE_STORE__URL).
        pub url: Option<StoreUrl> => "redis://127.0.0.1:6379/0",
        /// Password of the sentinels, where they have one.
        pub sentinel_password: Option<Secret> => "...",
        /// Certificates (PEM) that a rediss:// server is verified with, in place of those of the machine. Read for each connection.
        pub root_certificates: Option<PathBuf> => "/etc/trunkline/redis-ca.pem",
        /// Certificate (PEM) by which this process proves itself to Redis and its sentinels, where they want one
        /// (tls-auth-clients). Read for each connection: one that was renewed counts from the next one on.
        pub client_certificate: Option<PathBuf> => "/etc/trunkline/redis-client.crt",
        /// Its key.
        pub client_key: Option<PathBuf> => "/etc/trunkline/redis-client.key",
        /// Connections to each primary of Redis for conversations, beside those for claims and for beats; 0 is one for each
        /// arbiter.
        pub connections: u32 = 0,
        /// Longest wait for an answer of Redis. Calls that meet a failover or a moving slot are held and repeated that long.
        pub response_timeout: Duration = "2 s",
        /// Replicas of Redis that must have a turn before anything of it leaves, and what an answer from the record rests on
        /// before it is given. 0: none, and a failover loses what had not arrived. Goes with min-replicas-to-write in Redis.
        pub wait_replicas: u32 = 0,
        /// Longest wait for them; less than response_timeout. What they do not confirm is not acknowledged.
        pub wait_timeout: Duration = "1 s",
        /// Longest wait for a new connection to Redis.
        pub connect_timeout: Duration = "2 s",
        /// Shards of the store, fixed when it is created. Ingresses need the same number.
        pub shards: u32 = 4096,
        /// A conversation in which nothing happened this long is forgotten.
        pub retention: Duration = "90 days",
    }
}

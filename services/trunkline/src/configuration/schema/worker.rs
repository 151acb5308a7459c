//! `[worker]` and `[store]`: where turns run and what they leave behind.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::choice::choice;
use super::super::section::section;
use super::super::value::{Shards, Size, StoreUrl};

section! {
    /// The process that holds conversations and runs the bots' turns.
    pub struct WorkerSection {
        /// Address and port for the ingresses. Not encrypted: keep it on loopback or in a network that only the ingresses
        /// reach.
        pub listen: SocketAddr = "127.0.0.1:7400",
        /// Threads that run turns; 0 is one a core.
        pub arbiters: u32 = 0,
        /// Shards that this worker serves. Unset: all. Two workers never serve the same shard at one time.
        pub shards: Option<Shards> => "0-2047",
        /// A message whose turn takes longer is made durable and answered; its turn goes on. Teams waits 15 s.
        pub message_budget: Duration = "5 s",
        /// An invoke whose turn takes longer gets its bot's late answer, or 504.
        pub invoke_budget: Duration = "10 s",
        /// Activities that may wait for one conversation; more are refused with 429.
        pub queue: u32 = 32,
        /// A conversation that was idle this long leaves memory.
        pub passivate_after: Duration = "60 s",
        /// Memory that conversations may take before idle ones leave earlier.
        pub memory_bound: Size = "1 GiB",
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

choice! {
    /// When the embedded engine answers.
    pub enum Sync {
        /// After the data is on disk: nothing acknowledged is ever lost.
        Always = "always",
        /// Before: up to 200 ms of acknowledged work are lost when the machine (not only the process) dies.
        Interval = "interval",
    }
}

section! {
    /// What is stored, and where.
    pub struct StoreSection {
        /// embedded: a file on this machine, for one worker. redis: shared by any number of workers.
        pub engine: Engine = "embedded",
        /// File of the embedded engine. Its directory is made when it is not there.
        pub path: PathBuf = "trunkline.redb",
        /// When the embedded engine answers: always after the data is on disk, or interval, which may lose the last 200 ms
        /// when the machine dies.
        pub sync: Sync = "always",
        /// Redis 7.0 or later, rediss:// for TLS. The password is never shown; better leave it to the environment
        /// (TRUNKLINE_STORE__URL).
        pub url: Option<StoreUrl> => "redis://127.0.0.1:6379/0",
        /// Shards of the store, fixed when it is created.
        pub shards: u32 = 4096,
        /// A conversation in which nothing happened this long is forgotten.
        pub retention: Duration = "90 days",
    }
}

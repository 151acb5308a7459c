//! Settings of the embedded store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::key::DEFAULT_SHARDS;

/// How an embedded store is opened.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// Where the data lives.
    pub place: Place,
    /// Number of shards of a new store; an existing one must have been created with the same number.
    pub shards: u32,
    /// When an answered write is on disk.
    pub sync: SyncPolicy,
    /// Requests that may wait for the writer thread; the next caller waits until there is room. At least 1.
    pub queue: usize,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// The store's clock.
    pub clock: Clock,
}

impl EmbeddedConfig {
    /// A store in `directory`, which is created when it is missing; every answered write is on disk.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            place: Place::Directory(directory.into()),
            shards: DEFAULT_SHARDS,
            sync: SyncPolicy::EveryCommit,
            queue: 1_024,
            cache_bytes: 64 * 1024 * 1024,
            clock: Clock::default(),
        }
    }

    /// A store that ends with the process: for tests and for kits that bot authors test with.
    pub fn in_memory() -> Self {
        Self {
            place: Place::Memory,
            ..Self::in_directory(PathBuf::new())
        }
    }
}

/// Where an embedded store keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In one file in this directory, which one process at a time may use.
    Directory(PathBuf),
    /// In the memory of this process.
    Memory,
}

/// When an answered write is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before it is answered: neither a killed process nor a power cut loses an answered write.
    EveryCommit,
    /// At most this long after it is answered. A killed process or a power cut loses every write answered since the last
    /// flush; what is left is consistent, as if the store had stopped at that flush. So an activity answered 2xx may be
    /// gone, and a reply may have left for a turn that is not recorded: for trying things out, not for people.
    Interval(Duration),
}

/// Where the store reads its time, in milliseconds since 1970.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock of one's own: a simulated one in tests.
    pub fn new(now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Clock {
    /// The clock of the machine.
    fn default() -> Self {
        Self::new(|| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

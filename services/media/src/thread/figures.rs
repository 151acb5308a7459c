//! A media thread in figures. Written by the thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters since the start, and gauges.
#[derive(Debug, Default)]
pub struct Figures {
    pub(super) legs: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) strangers: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) handshakes_dropped: AtomicU64,
    pub(super) events_lost: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) lag: AtomicU64,
    pub(super) worst_lag: AtomicU64,
}

impl Figures {
    /// Legs now.
    pub fn legs(&self) -> u64 {
        self.legs.load(Ordering::Relaxed)
    }

    /// Datagrams that came.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Datagrams that went.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Datagrams that belonged to no leg.
    pub fn strangers(&self) -> u64 {
        self.strangers.load(Ordering::Relaxed)
    }

    /// Datagrams that the system did not take.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }

    /// Datagrams of handshakes that found their queue full; their senders repeat them.
    pub fn handshakes_dropped(&self) -> u64 {
        self.handshakes_dropped.load(Ordering::Relaxed)
    }

    /// Events that nobody took in time.
    pub fn events_lost(&self) -> u64 {
        self.events_lost.load(Ordering::Relaxed)
    }

    /// Legs that an input made panic.
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// How late due legs were served last.
    pub fn lag(&self) -> Duration {
        Duration::from_micros(self.lag.load(Ordering::Relaxed))
    }

    /// The longest that a due leg waited.
    pub fn worst_lag(&self) -> Duration {
        Duration::from_micros(self.worst_lag.load(Ordering::Relaxed))
    }

    pub(super) fn record_lag(&self, lag: Duration) {
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        self.lag.store(micros, Ordering::Relaxed);
        self.worst_lag.fetch_max(micros, Ordering::Relaxed);
    }
}

/// Adds one to a counter that only one thread writes.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

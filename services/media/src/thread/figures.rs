//! A media thread in figures. Written by the thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Census, Spread};
use crate::leg::{Refusals, Statistics};

/// Counters since the start, and gauges.
#[derive(Debug)]
pub struct Figures {
    pub(super) legs: AtomicU64,
    pub(super) census: Census,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) strangers: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) handshakes_dropped: AtomicU64,
    pub(super) events_lost: AtomicU64,
    pub(super) panics: AtomicU64,
    pub(super) bridged_lost: AtomicU64,
    pub(super) lag: AtomicU64,
    pub(super) worst_lag: AtomicU64,
    busy_nanos: AtomicU64,
    heard_packets: AtomicU64,
    lost_packets: AtomicU64,
    jitter: Spread,
    round_trip: Spread,
    opinion: Spread,
    pub(super) batch: Spread,
    refused: [AtomicU64; REFUSED.len()],
}

/// What legs do not take, in the order in which it is counted.
pub const REFUSED: [&str; 6] = ["checks", "handshakes", "media", "forged", "excess", "unknown"];

impl Default for Figures {
    fn default() -> Self {
        Self {
            legs: AtomicU64::default(),
            census: Census::default(),
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            strangers: AtomicU64::default(),
            unsent: AtomicU64::default(),
            handshakes_dropped: AtomicU64::default(),
            events_lost: AtomicU64::default(),
            panics: AtomicU64::default(),
            bridged_lost: AtomicU64::default(),
            lag: AtomicU64::default(),
            worst_lag: AtomicU64::default(),
            busy_nanos: AtomicU64::default(),
            heard_packets: AtomicU64::default(),
            lost_packets: AtomicU64::default(),
            jitter: Spread::new([0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2]),
            round_trip: Spread::new([0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]),
            opinion: Spread::new([1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.1, 4.3]),
            batch: Spread::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]),
            refused: Default::default(),
        }
    }
}

impl Figures {
    /// Legs now.
    pub fn legs(&self) -> u64 {
        self.legs.load(Ordering::Relaxed)
    }

    /// How they stand.
    pub fn census(&self) -> &Census {
        &self.census
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

    /// Packets of bridges with legs elsewhere that found the ring full.
    pub fn bridged_lost(&self) -> u64 {
        self.bridged_lost.load(Ordering::Relaxed)
    }

    /// How late due legs were served last.
    pub fn lag(&self) -> Duration {
        Duration::from_micros(self.lag.load(Ordering::Relaxed))
    }

    /// The longest that a due leg waited.
    pub fn worst_lag(&self) -> Duration {
        Duration::from_micros(self.worst_lag.load(Ordering::Relaxed))
    }

    /// Time that the thread worked: it waits for the rest.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed))
    }

    /// Packets that peers sent, of legs that ended: those that came, and those that did not.
    pub fn packets_of_ended(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.heard_packets), read(&self.lost_packets))
    }

    /// How unevenly packets came at the end of each leg, in seconds (RFC 3550 section 6.4.1).
    pub fn jitter(&self) -> &Spread {
        &self.jitter
    }

    /// Round trips at the end of each leg, in seconds, where the peer's reports gave one.
    pub fn round_trip(&self) -> &Spread {
        &self.round_trip
    }

    /// Mean opinion scores at the end of each leg, estimates.
    pub fn opinion(&self) -> &Spread {
        &self.opinion
    }

    /// Datagrams that were taken in one go.
    pub fn batch(&self) -> &Spread {
        &self.batch
    }

    /// Datagrams that legs which ended did not take, as [`REFUSED`] names them.
    pub fn refused(&self) -> [u64; REFUSED.len()] {
        self.refused.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    pub(super) fn worked(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// A leg ended with these figures. One that nothing was heard of says nothing of the network.
    pub(super) fn leg_ended(&self, statistics: &Statistics) {
        let Refusals {
            checks,
            handshakes,
            media,
            forged,
            excess,
            unknown,
        } = statistics.refusals;
        for (counter, refused) in self
            .refused
            .iter()
            .zip([checks, handshakes, media, forged, excess, unknown])
        {
            counter.fetch_add(refused, Ordering::Relaxed);
        }
        if statistics.received_packets == 0 {
            return;
        }
        self.heard_packets
            .fetch_add(statistics.received_packets, Ordering::Relaxed);
        self.lost_packets.fetch_add(statistics.lost_packets, Ordering::Relaxed);
        self.jitter.add(statistics.jitter.as_secs_f64());
        if let Some(round_trip) = statistics.round_trip {
            self.round_trip.add(round_trip.as_secs_f64());
        }
        if let Some(score) = statistics.opinion_score {
            self.opinion.add(score);
        }
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
